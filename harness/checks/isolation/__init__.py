"""Tenant isolation, as far as a cluster without TLS can show it."""

from __future__ import annotations

from harness.checks.check import Check
from harness.checks.isolation.crossing import commands_do_not_cross
from harness.checks.isolation.events import events_stay_with_their_tenant
from harness.checks.isolation.lifecycle import nothing_outlives_its_tenant
from harness.checks.isolation.namespaces import one_namespace_per_tenant
from harness.checks.isolation.polls import workers_take_no_foreign_tasks
from harness.checks.isolation.process import worker_processes_keep_tenants_apart
from harness.checks.isolation.queues import one_task_queue_per_tenant
from harness.checks.isolation.tokens import task_tokens_are_confined
from harness.checks.isolation.twins import twins_do_not_mix
from harness.checks.isolation.visibility import visibility_stays_with_its_tenant
from harness.journal.records import (
    AuditEvent,
    Canary,
    Decision,
    Effect,
    History,
    Log,
    Operation,
    Program,
    Subject,
)

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    Check(
        id="INV-ISO-1",
        subject=Subject.DEPLOYMENT,
        needs={Operation: 1},
        judge=one_namespace_per_tenant,
    ),
    Check(
        id="INV-ISO-2",
        subject=Subject.DEPLOYMENT,
        needs={Operation: 1, Program: 2, History: 2},
        judge=one_task_queue_per_tenant,
    ),
    Check(
        id="INV-ISO-5",
        subject=Subject.ENGINE,
        needs={Operation: 1},
        judge=workers_take_no_foreign_tasks,
    ),
    Check(
        id="INV-ISO-6", subject=Subject.ENGINE, needs={Operation: 1}, judge=task_tokens_are_confined
    ),
    Check(
        id="INV-ISO-7", subject=Subject.ENGINE, needs={Operation: 1}, judge=commands_do_not_cross
    ),
    Check(
        id="INV-ISO-8",
        subject=Subject.DEPLOYMENT,
        needs={Program: 2, Effect: 1, Operation: 1, History: 0},
        judge=twins_do_not_mix,
    ),
    Check(
        id="INV-ISO-9",
        subject=Subject.WORKER,
        needs={
            Canary: 2,
            Program: 2,
            Effect: 1,
            Decision: 1,
            Operation: 1,
            History: 2,
            Log: 0,
        },
        judge=worker_processes_keep_tenants_apart,
        capabilities=frozenset({"several_tenants"}),
    ),
    Check(
        id="INV-ISO-10",
        subject=Subject.DEPLOYMENT,
        needs={Canary: 2, Operation: 1, History: 2},
        judge=visibility_stays_with_its_tenant,
    ),
    Check(
        id="INV-ISO-11",
        subject=Subject.EXPORTER,
        needs={Canary: 2, AuditEvent: 1, History: 2},
        judge=events_stay_with_their_tenant,
    ),
    Check(
        id="INV-ISO-15",
        subject=Subject.DEPLOYMENT,
        needs={Operation: 1},
        judge=nothing_outlives_its_tenant,
    ),
)
