"""The table of mutants: what is broken on purpose, and which check must notice."""

from __future__ import annotations

import sys
from typing import Any, Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage


def _worker(name: str) -> Breakage:
    return Breakage(worker=(sys.executable, "-m", "scenarios.mutants.worker", name))


def _exporter(name: str) -> Breakage:
    return Breakage(exporter=(sys.executable, "-m", "scenarios.mutants.exporter", name))


def _replayed(module: str) -> Breakage:
    return Breakage(workflows=f"scenarios.mutants.workflows.{module}")


# so that nobody waits long for what will never come
_SOON: Final[dict[str, Any]] = {"event_lag_ms": 5000}
_STUCK: Final[dict[str, Any]] = {"horizon_s": 20, **_SOON}
_INCOMPLETE: Final = {"INV-AUD-1": "it asks for the events of all types"}

MUTANTS: Final[tuple[Mutant, ...]] = (
    # --- isolation
    Mutant(
        name="token-namespace-unenforced",
        expected=("INV-ISO-6",),
        defect="The engine takes a task token in any namespace.",
        breakage=Breakage(engine={"frontend.enableTokenNamespaceEnforcement": False}),
    ),
    Mutant(
        name="commands-across-namespaces",
        expected=("INV-ISO-7",),
        defect="The engine lets a workflow start, signal and cancel in another namespace.",
        breakage=Breakage(engine={"system.enableCrossNamespaceCommands": True}),
    ),
    Mutant(
        name="signals-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps signals by workflow id for all tenants together.",
        breakage=_worker("signals-by-saga-id"),
    ),
    Mutant(
        name="resource-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps what a step works on by saga id for all tenants together.",
        breakage=_worker("resource-by-saga-id"),
    ),
    Mutant(
        name="result-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps services' results by saga id for all tenants together.",
        breakage=_worker("result-by-saga-id"),
    ),
    # --- authorization
    Mutant(
        name="revoke-unasked",
        expected=("INV-PDP-1",),
        defect="One activity type, a compensation, does not ask the PDP.",
        breakage=_worker("revoke-unasked"),
    ),
    Mutant(
        name="effect-before-question",
        expected=("INV-PDP-2",),
        defect="The service is called first and the PDP asked afterwards.",
        breakage=_worker("effect-before-question"),
    ),
    Mutant(
        name="allow-carried-over",
        expected=("INV-PDP-2",),
        defect="A retry uses the allow of the attempt before it.",
        breakage=_worker("allow-carried-over"),
    ),
    Mutant(
        name="any-status",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The status of the PDP's answer is not looked at.",
        breakage=_worker("any-status"),
    ),
    Mutant(
        name="any-media-type",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The media type of the PDP's answer is not looked at.",
        breakage=_worker("any-media-type"),
    ),
    Mutant(
        name="any-age",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="An answer to another request or from a cache is taken.",
        breakage=_worker("any-age"),
    ),
    Mutant(
        name="lenient-json",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Duplicate members, NaN and a byte order mark pass the JSON reader.",
        breakage=_worker("lenient-json"),
    ),
    Mutant(
        name="first-json-value",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="What follows the first JSON value of an answer is not looked at.",
        breakage=_worker("first-json-value"),
    ),
    Mutant(
        name="truthy-decision",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Any decision that Python holds for true is an allow.",
        breakage=_worker("truthy-decision"),
    ),
    Mutant(
        name="allow-unless-false",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Any JSON that does not say decision false is an allow.",
        breakage=_worker("allow-unless-false"),
    ),
    Mutant(
        name="any-context",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Errors and obligations in the context of an allow are ignored.",
        breakage=_worker("any-context"),
    ),
    Mutant(
        name="redirects-followed",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The client of the PDP goes where it is redirected.",
        breakage=_worker("redirects-followed"),
    ),
    Mutant(
        name="each-read-timed",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The deadline counts for each read, so that a dripping allow passes.",
        breakage=_worker("each-read-timed"),
    ),
    Mutant(
        name="deadline-doubled",
        expected=("INV-PDP-3",),
        clause="waited too long",
        defect="The worker waits for the PDP twice as long as it is told.",
        breakage=_worker("deadline-doubled"),
    ),
    Mutant(
        name="broken-body-taken",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="An answer that breaks off is taken for what came of it.",
        breakage=_worker("broken-body-taken"),
    ),
    Mutant(
        name="any-size",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The size of an answer has no limit.",
        breakage=_worker("any-size"),
    ),
    Mutant(
        name="open-without-answer",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="A PDP that cannot be asked, or answers too late, is taken for an allow.",
        breakage=_worker("open-without-answer"),
    ),
    Mutant(
        name="unknown-member-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow with members that AuthZEN does not name is refused.",
        breakage=_worker("unknown-member-refused"),
    ),
    Mutant(
        name="chunks-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow in chunked encoding is refused.",
        breakage=_worker("chunks-refused"),
    ),
    Mutant(
        name="charset-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow whose media type has a parameter is refused.",
        breakage=_worker("charset-refused"),
    ),
    Mutant(
        name="deny-retried",
        expected=("INV-PDP-4",),
        clause="asked again",
        defect="A deny is taken for a PDP that is away, and the step is tried again.",
        breakage=_worker("deny-retried"),
    ),
    Mutant(
        name="deny-ignored",
        expected=("INV-PDP-4",),
        clause="wrong ending",
        defect="A denied step is done all the same.",
        breakage=_worker("deny-ignored"),
    ),
    # --- idempotency
    Mutant(
        name="random-key",
        expected=("INV-IDEM-1",),
        defect="The idempotency key is random, so a retry after a crash applies again.",
        breakage=_worker("random-key"),
    ),
    Mutant(
        name="services-no-dedupe",
        expected=("INV-IDEM-1",),
        defect="The services apply every request, whatever its key.",
        breakage=Breakage(doubles=("services-no-dedupe",)),
    ),
    Mutant(
        name="retry-taken-for-done",
        expected=("INV-IDEM-1",),
        defect="A retry takes for granted that the attempt before it had its effect.",
        breakage=_worker("retry-taken-for-done"),
    ),
    Mutant(
        name="attempt-in-key",
        expected=("INV-IDEM-4",),
        defect="The idempotency key carries the attempt.",
        breakage=_worker("attempt-in-key"),
    ),
    Mutant(
        name="run-in-key",
        expected=("INV-IDEM-4",),
        defect="The idempotency key carries the run id, which continue-as-new changes.",
        breakage=_worker("run-in-key"),
    ),
    Mutant(
        name="one-key-for-all-steps",
        expected=("INV-IDEM-4",),
        defect="All steps of a saga share one idempotency key.",
        breakage=_worker("one-key-for-all-steps"),
    ),
    Mutant(
        name="fresh-id-on-conflict",
        expected=("INV-IDEM-6",),
        defect="The starter takes a fresh workflow id when the id is in use.",
        breakage=Breakage(drive=("fresh-workflow-id-on-conflict",)),
    ),
    Mutant(
        name="attempt-in-result",
        expected=("INV-IDEM-8",),
        defect="The activity's result carries the attempt that made it.",
        breakage=_worker("attempt-in-result"),
    ),
    Mutant(
        name="services-fresh-result",
        expected=("INV-IDEM-8",),
        defect="The services answer a repeated key with another result.",
        breakage=Breakage(doubles=("services-fresh-result",)),
    ),
    # --- determinism
    Mutant(
        name="steps-swapped",
        expected=("INV-DET-1",),
        defect="The deployed code takes steps in another order than the recorded runs did.",
        breakage=_replayed("steps_swapped"),
    ),
    Mutant(
        name="step-slept-before",
        expected=("INV-DET-1",),
        defect="The deployed code has a timer that the recorded runs did not have.",
        breakage=_replayed("step_slept_before"),
    ),
    Mutant(
        name="input-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives activities another input.",
        breakage=_replayed("input_changed"),
    ),
    Mutant(
        name="queue-changed",
        expected=("INV-DET-2",),
        defect="The deployed code sends activities to another task queue.",
        breakage=_replayed("queue_changed"),
    ),
    Mutant(
        name="timer-changed",
        expected=("INV-DET-2",),
        defect="The deployed code waits for another time.",
        breakage=_replayed("timer_changed"),
    ),
    Mutant(
        name="result-changed",
        expected=("INV-DET-2",),
        defect="The deployed code answers otherwise.",
        breakage=_replayed("result_changed"),
    ),
    Mutant(
        name="continuation-changed",
        expected=("INV-DET-2",),
        defect="The deployed code continues as new with another input.",
        breakage=_replayed("continuation_changed"),
    ),
    Mutant(
        name="child-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives children another input.",
        breakage=_replayed("child_changed"),
    ),
    Mutant(
        name="process-counter",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a counter of its process.",
        breakage=_worker("process-counter"),
        parameters=_STUCK,
    ),
    Mutant(
        name="hash-seed",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a hash that differs from process to process.",
        breakage=_worker("hash-seed"),
        parameters=_STUCK,
    ),
    # --- audit trail
    Mutant(
        name="one-in-seven-dropped",
        expected=("INV-AUD-1",),
        clause="missing",
        defect="The exporter drops one event in seven.",
        breakage=_exporter("one-in-seven-dropped"),
        parameters=_SOON,
    ),
    Mutant(
        name="each-again-with-new-id",
        expected=("INV-AUD-1",),
        clause="duplicate",
        defect="The exporter repeats each event under a new id.",
        breakage=_exporter("each-again-with-new-id"),
    ),
    Mutant(
        name="starts-late",
        expected=("INV-AUD-1",),
        clause="late",
        defect="The exporter delivers the first event of each run too late.",
        breakage=_exporter("starts-late"),
        parameters=_SOON,
    ),
    Mutant(
        name="other-tenant",
        expected=("INV-AUD-1",),
        clause="wrong tenant",
        defect="The exporter names the other tenant in one event in seven.",
        breakage=_exporter("other-tenant"),
    ),
    Mutant(
        name="no-specversion",
        expected=("INV-AUD-2",),
        defect="Events lack specversion.",
        breakage=_exporter("no-specversion"),
        parameters=_SOON,
    ),
    Mutant(
        name="no-source",
        expected=("INV-AUD-2",),
        defect="Events lack source.",
        breakage=_exporter("no-source"),
    ),
    Mutant(
        name="time-without-offset",
        expected=("INV-AUD-2",),
        defect="The time of events has no offset.",
        breakage=_exporter("time-without-offset"),
    ),
    Mutant(
        name="attribute-in-camel-case",
        expected=("INV-AUD-2",),
        defect="An extension of events has capital letters in its name.",
        breakage=_exporter("attribute-in-camel-case"),
    ),
    Mutant(
        name="empty-subject",
        expected=("INV-AUD-2",),
        defect="The subject of events is empty.",
        breakage=_exporter("empty-subject"),
    ),
    Mutant(
        name="member-twice",
        expected=("INV-AUD-2",),
        defect="The JSON of events has a member twice.",
        breakage=_exporter("member-twice"),
    ),
    Mutant(
        name="plain-json",
        expected=("INV-AUD-2",),
        defect="Events in structured mode are sent as plain JSON.",
        breakage=_exporter("plain-json"),
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-started",
        expected=("EVT-1",),
        clause="missing",
        defect="The exporter emits no workflow.started.",
        breakage=_exporter("no-workflow-started"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-completed",
        expected=("EVT-2",),
        clause="missing",
        defect="The exporter emits no workflow.completed.",
        breakage=_exporter("no-workflow-completed"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-failed",
        expected=("EVT-3",),
        clause="missing",
        defect="The exporter emits no workflow.failed.",
        breakage=_exporter("no-workflow-failed"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-canceled",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter emits no workflow.canceled.",
        breakage=_exporter("no-workflow-canceled"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="canceled-misspelt",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter writes workflow.cancelled for workflow.canceled.",
        breakage=_exporter("canceled-misspelt"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-activity-completed",
        expected=("EVT-5",),
        clause="missing",
        defect="The exporter emits no activity.completed.",
        breakage=_exporter("no-activity-completed"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-activity-failed",
        expected=("EVT-6",),
        clause="missing",
        defect="The exporter emits no activity.failed.",
        breakage=_exporter("no-activity-failed"),
        collateral=_INCOMPLETE,
        parameters=_SOON,
    ),
    # --- durability
    Mutant(
        name="forward-order",
        expected=("DUR-5",),
        defect="A failed saga is compensated in the order in which it went.",
        breakage=_worker("forward-order"),
    ),
    Mutant(
        name="one-forgotten",
        expected=("DUR-5",),
        defect="A failed saga forgets to compensate its first step.",
        breakage=_worker("one-forgotten"),
    ),
    Mutant(
        name="constant-interval",
        expected=("DUR-7",),
        defect="Retries come at a constant interval.",
        breakage=_worker("constant-interval"),
    ),
    Mutant(
        name="one-attempt-more",
        expected=("DUR-7",),
        defect="Activities are tried once more than their policy allows.",
        breakage=_worker("one-attempt-more"),
    ),
)
