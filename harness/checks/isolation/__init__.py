"""Tenant isolation, as far as a cluster without TLS can show it."""

from __future__ import annotations

from harness.checks.check import Check
from harness.checks.isolation.crossing import commands_do_not_cross
from harness.checks.isolation.tokens import task_tokens_are_confined
from harness.checks.isolation.twins import twins_do_not_mix
from harness.journal.records import Effect, Operation, Program, Subject

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    Check(
        id="INV-ISO-6", subject=Subject.ENGINE, needs={Operation: 1}, judge=task_tokens_are_confined
    ),
    Check(
        id="INV-ISO-7", subject=Subject.ENGINE, needs={Operation: 1}, judge=commands_do_not_cross
    ),
    Check(
        id="INV-ISO-8",
        subject=Subject.DEPLOYMENT,
        needs={Program: 2, Effect: 1, Operation: 1},
        judge=twins_do_not_mix,
    ),
)
