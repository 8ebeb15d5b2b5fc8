"""The table of mutants: what is broken on purpose, and which check must notice.

`cases` names those cases of the suites that bring the defect out; where it is missing, all cases
that feed the expected IDs are driven.
"""

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
_VERY_SOON: Final[dict[str, Any]] = {"event_lag_ms": 2000}
_STUCK: Final[dict[str, Any]] = {"horizon_s": 15}

# why other checks are right to turn red
_APPLIED_TWICE: Final = {
    "INV-IDEM-8": "an effect applied twice has two results, and the history holds the second",
    "DUR-5": "a compensation is an effect too, and was applied twice",
}
_COMPLETE: Final = {"INV-AUD-1": "it counts the events of all types"}
_BY_TYPE: Final = {
    f"EVT-{number}": "each counts the events of its own type" for number in range(1, 7)
}

# a limit of a start that leaves the generator room to be late, beside two other mutants
_ROOM: Final[dict[str, Any]] = {"start_p95_limit_ms": 800}
_SHORT_LOAD: Final = ("--rate", "4", "--duration", "20")

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
        cases=("twin-[0-3]",),
    ),
    Mutant(
        name="resource-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps what a step works on by saga id for all tenants together.",
        breakage=_worker("resource-by-saga-id"),
        cases=("twin-[0-3]",),
    ),
    Mutant(
        name="result-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps the services' results by saga id for all tenants together.",
        breakage=_worker("result-by-saga-id"),
        cases=("twin-[0-3]",),
        collateral={"INV-IDEM-8": "the result of an activity is not what its service answered"},
    ),
    # --- authorization
    Mutant(
        name="revoke-unasked",
        expected=("INV-PDP-1",),
        clause="effect without a decision",
        defect="One activity type, a compensation, does not ask the PDP.",
        breakage=_worker("revoke-unasked"),
    ),
    Mutant(
        name="effect-before-question",
        expected=("INV-PDP-2",),
        clause="effect before the answer",
        defect="The service is called first and the PDP asked afterwards.",
        breakage=_worker("effect-before-question"),
    ),
    Mutant(
        name="allow-carried-over",
        expected=("INV-PDP-2",),
        clause="retry without a decision",
        defect="A retry uses the allow of the attempt before it.",
        breakage=_worker("allow-carried-over"),
        cases=("asked-again-*",),
        collateral={"INV-PDP-1": "a retry that does not ask has an effect without a decision"},
    ),
    Mutant(
        name="any-status",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The status of the PDP's answer is not looked at.",
        breakage=_worker("any-status"),
        cases=("mode-fm-0[3-9]*", "mode-fm-10*"),
    ),
    Mutant(
        name="any-media-type",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The media type of the PDP's answer is not looked at.",
        breakage=_worker("any-media-type"),
        cases=("mode-fm-30*",),
    ),
    Mutant(
        name="any-age",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="An answer to another request or from a cache is taken.",
        breakage=_worker("any-age"),
        cases=("mode-fm-5[12]",),
    ),
    Mutant(
        name="lenient-json",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Duplicate members, NaN and a byte order mark pass the JSON reader.",
        breakage=_worker("lenient-json"),
        cases=("mode-fm-3[7-9]*",),
    ),
    Mutant(
        name="first-json-value",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="What follows the first JSON value of an answer is not looked at.",
        breakage=_worker("first-json-value"),
        cases=("mode-fm-38*",),
    ),
    Mutant(
        name="truthy-decision",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Any decision that Python holds for true is an allow.",
        breakage=_worker("truthy-decision"),
        cases=("mode-fm-3[2-5]*",),
    ),
    Mutant(
        name="allow-unless-false",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Any JSON that does not say decision false is an allow.",
        breakage=_worker("allow-unless-false"),
        cases=("mode-fm-31*", "mode-fm-36*", "mode-fm-4[03]"),
    ),
    Mutant(
        name="any-context",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="Errors and obligations in the context of an allow are ignored.",
        breakage=_worker("any-context"),
        cases=("mode-fm-4[12]*",),
    ),
    Mutant(
        name="decision-searched",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="An answer is read no further than to something that looks like an allow.",
        breakage=_worker("decision-searched"),
        cases=("mode-fm-45", "mode-fm-47"),
    ),
    Mutant(
        name="redirects-followed",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The client of the PDP goes where it is redirected.",
        breakage=_worker("redirects-followed"),
        cases=("mode-fm-48*", "mode-fm-49*"),
    ),
    Mutant(
        name="broken-body-taken",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="An answer that breaks off is taken for what came of it.",
        breakage=_worker("broken-body-taken"),
        cases=("mode-fm-2[125]*",),
    ),
    Mutant(
        name="each-read-timed",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="The deadline counts for each read, so that a dripping allow passes.",
        breakage=_worker("each-read-timed"),
        cases=("mode-fm-18*", "mode-fm-19*"),
    ),
    Mutant(
        name="deadline-doubled",
        expected=("INV-PDP-3",),
        clause="waited too long",
        defect="The worker waits for the PDP twice as long as it is told.",
        breakage=_worker("deadline-doubled"),
        cases=("mode-fm-16", "mode-fm-18*"),
    ),
    Mutant(
        name="open-without-answer",
        expected=("INV-PDP-3",),
        clause="FALSE_ALLOW",
        defect="A PDP that cannot be asked, or answers too late, is taken for an allow.",
        breakage=_worker("open-without-answer"),
        cases=("mode-fm-1[6-9]*", "mode-fm-20"),
    ),
    Mutant(
        name="unknown-member-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow with members that AuthZEN does not name is refused.",
        breakage=_worker("unknown-member-refused"),
        cases=("mode-ok-*",),
    ),
    Mutant(
        name="chunks-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow in chunked encoding is refused.",
        breakage=_worker("chunks-refused"),
        cases=("mode-ok-*",),
    ),
    Mutant(
        name="charset-refused",
        expected=("INV-PDP-3",),
        clause="FALSE_DENY",
        defect="An allow whose media type has a parameter is refused.",
        breakage=_worker("charset-refused"),
        cases=("mode-ok-*",),
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
        collateral={"INV-PDP-3": "an effect after a deny is a false allow"},
    ),
    # --- idempotency
    Mutant(
        name="random-key",
        expected=("INV-IDEM-1",),
        clause="applied more than once",
        defect="The idempotency key is random, so a retry after a crash applies again.",
        breakage=_worker("random-key"),
        cases=("crash-after-*", "lost-answer-back-*"),
        collateral={
            **_APPLIED_TWICE,
            "INV-IDEM-4": "the key of an effect changes with each attempt",
        },
    ),
    Mutant(
        name="services-no-dedupe",
        expected=("INV-IDEM-1",),
        clause="applied more than once",
        defect="The services apply every request, whatever its key.",
        breakage=Breakage(doubles=("services-no-dedupe",)),
        cases=("lost-answer-*",),
        collateral=_APPLIED_TWICE,
    ),
    Mutant(
        name="retry-taken-for-done",
        expected=("INV-IDEM-1",),
        clause="completed without its effect",
        defect="A retry takes for granted that the attempt before it had its effect.",
        breakage=_worker("retry-taken-for-done"),
        cases=("retry-*",),
        collateral={
            "INV-PDP-1": "the attempt that completes the activity asks nobody",
            "DUR-5": "a completed saga has a step that was not applied",
        },
    ),
    Mutant(
        name="attempt-in-key",
        expected=("INV-IDEM-4",),
        clause="key changes",
        defect="The idempotency key carries the attempt.",
        breakage=_worker("attempt-in-key"),
        cases=("lost-answer-*", "retry-*"),
        collateral={**_APPLIED_TWICE, "INV-IDEM-1": "a retry under another key is applied again"},
    ),
    Mutant(
        name="run-in-key",
        expected=("INV-IDEM-4",),
        clause="key is not the contract's",
        defect="The idempotency key carries the run id, which continue-as-new changes.",
        breakage=_worker("run-in-key"),
        cases=("continued",),
    ),
    Mutant(
        name="one-key-for-all-steps",
        expected=("INV-IDEM-4",),
        clause="key is shared",
        defect="All steps of a saga share one idempotency key.",
        breakage=_worker("one-key-for-all-steps"),
        cases=("continued",),
        collateral={
            "DUR-5": "the services take a compensation for its step's duplicate and do nothing"
        },
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
        clause="result differs from the service's",
        defect="The activity's result carries the attempt that made it.",
        breakage=_worker("attempt-in-result"),
        cases=("lost-answer-*",),
    ),
    Mutant(
        name="services-fresh-result",
        expected=("INV-IDEM-8",),
        clause="duplicate answered differently",
        defect="The services answer a repeated key with another result.",
        breakage=Breakage(doubles=("services-fresh-result",)),
        cases=("lost-answer-*",),
    ),
    # --- determinism
    Mutant(
        name="steps-swapped",
        expected=("INV-DET-1",),
        defect="The deployed code takes steps in another order than the recorded runs did.",
        breakage=_replayed("steps_swapped"),
        cases=("plain", "compensated"),
        collateral={"INV-DET-2": "a replay that ends with an error agrees in nothing"},
    ),
    Mutant(
        name="step-slept-before",
        expected=("INV-DET-1",),
        defect="The deployed code has a timer that the recorded runs did not have.",
        breakage=_replayed("step_slept_before"),
        cases=("plain", "compensated"),
        collateral={"INV-DET-2": "a replay that ends with an error agrees in nothing"},
    ),
    Mutant(
        name="input-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives activities another input.",
        breakage=_replayed("input_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="queue-changed",
        expected=("INV-DET-2",),
        defect="The deployed code sends activities to another task queue.",
        breakage=_replayed("queue_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="timer-changed",
        expected=("INV-DET-2",),
        defect="The deployed code waits for another time.",
        breakage=_replayed("timer_changed"),
        cases=("timers",),
    ),
    Mutant(
        name="result-changed",
        expected=("INV-DET-2",),
        defect="The deployed code answers otherwise.",
        breakage=_replayed("result_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="continuation-changed",
        expected=("INV-DET-2",),
        defect="The deployed code continues as new with another input.",
        breakage=_replayed("continuation_changed"),
        cases=("continued",),
    ),
    Mutant(
        name="child-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives children another input.",
        breakage=_replayed("child_changed"),
        cases=("child",),
    ),
    Mutant(
        name="process-counter",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a counter of its process.",
        breakage=_worker("process-counter"),
        cases=("restarted-*",),
        parameters=_STUCK,
    ),
    Mutant(
        name="hash-seed",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a hash that differs from process to process.",
        breakage=_worker("hash-seed"),
        cases=("plain", "timers", "signals"),
        parameters=_STUCK,
    ),
    # --- audit trail
    Mutant(
        name="one-in-seven-dropped",
        expected=("INV-AUD-1",),
        clause="missing",
        defect="The exporter drops one event in seven.",
        breakage=_exporter("one-in-seven-dropped"),
        collateral=_BY_TYPE,
        parameters=_SOON,
    ),
    Mutant(
        name="each-again-with-new-id",
        expected=("INV-AUD-1",),
        clause="duplicate",
        defect="The exporter repeats each event under a new id.",
        breakage=_exporter("each-again-with-new-id"),
        collateral=_BY_TYPE,
    ),
    Mutant(
        name="phantoms",
        expected=("INV-AUD-1",),
        clause="extra",
        defect="The exporter makes up an event beside one in seven.",
        breakage=_exporter("phantoms"),
        collateral=_BY_TYPE,
    ),
    Mutant(
        name="starts-late",
        expected=("INV-AUD-1",),
        clause="late",
        defect="The exporter delivers the first event of each run too late.",
        breakage=_exporter("starts-late"),
        collateral=_BY_TYPE,
        parameters=_VERY_SOON,
    ),
    Mutant(
        name="other-tenant",
        expected=("INV-AUD-1",),
        clause="wrong tenant",
        defect="The exporter names the other tenant in one event in seven.",
        breakage=_exporter("other-tenant"),
    ),
    Mutant(
        name="other-workflow",
        expected=("INV-AUD-1",),
        clause="wrong content",
        defect="The exporter names another workflow in one event in seven.",
        breakage=_exporter("other-workflow"),
    ),
    Mutant(
        name="one-id-for-all",
        expected=("INV-AUD-1",),
        clause="reused id",
        defect="All events of a run have the same id.",
        breakage=_exporter("one-id-for-all"),
    ),
    Mutant(
        name="no-specversion",
        expected=("INV-AUD-2",),
        defect="Events lack specversion.",
        breakage=_exporter("no-specversion"),
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
        collateral={**_COMPLETE, **_BY_TYPE},
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-started",
        expected=("EVT-1",),
        clause="missing",
        defect="The exporter emits no workflow.started.",
        breakage=_exporter("no-workflow-started"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-completed",
        expected=("EVT-2",),
        clause="missing",
        defect="The exporter emits no workflow.completed.",
        breakage=_exporter("no-workflow-completed"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-failed",
        expected=("EVT-3",),
        clause="missing",
        defect="The exporter emits no workflow.failed.",
        breakage=_exporter("no-workflow-failed"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-workflow-canceled",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter emits no workflow.canceled.",
        breakage=_exporter("no-workflow-canceled"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="canceled-misspelt",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter writes workflow.cancelled for workflow.canceled.",
        breakage=_exporter("canceled-misspelt"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-activity-completed",
        expected=("EVT-5",),
        clause="missing",
        defect="The exporter emits no activity.completed.",
        breakage=_exporter("no-activity-completed"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    Mutant(
        name="no-activity-failed",
        expected=("EVT-6",),
        clause="missing",
        defect="The exporter emits no activity.failed.",
        breakage=_exporter("no-activity-failed"),
        collateral=_COMPLETE,
        parameters=_SOON,
    ),
    # --- durability
    Mutant(
        name="forward-order",
        expected=("DUR-5",),
        clause="wrong order",
        defect="A failed saga is compensated in the order in which it went.",
        breakage=_worker("forward-order"),
        cases=("fails-at-*",),
    ),
    Mutant(
        name="one-forgotten",
        expected=("DUR-5",),
        clause="not compensated",
        defect="A failed saga forgets to compensate its first step.",
        breakage=_worker("one-forgotten"),
        cases=("fails-at-*",),
    ),
    Mutant(
        name="doubtful-forgotten",
        expected=("DUR-5",),
        clause="not compensated",
        defect="A step whose outcome is unknown is taken for one that had no effect.",
        breakage=_worker("doubtful-forgotten"),
        cases=("doubtful",),
    ),
    Mutant(
        name="step-left-out",
        expected=("DUR-5",),
        clause="not applied",
        defect="A saga leaves its second step out.",
        breakage=_worker("step-left-out"),
        cases=("all-applied",),
        collateral={"INV-IDEM-1": "a completed saga has a step without its effect"},
    ),
    Mutant(
        name="constant-interval",
        expected=("DUR-7",),
        clause="no growth",
        defect="Retries come at a constant interval.",
        breakage=_worker("constant-interval"),
        cases=("retried-*",),
    ),
    Mutant(
        name="one-attempt-more",
        expected=("DUR-7",),
        clause="wrong number of attempts",
        defect="Activities are tried once more than their policy allows.",
        breakage=_worker("one-attempt-more"),
        cases=("attempts-run-out",),
    ),
    Mutant(
        name="one-attempt-less",
        expected=("DUR-7",),
        clause="wrong number of attempts",
        defect="Activities are tried once less than their policy allows.",
        breakage=_worker("one-attempt-less"),
        cases=("attempts-run-out",),
    ),
    # --- load and chaos
    Mutant(
        name="first-task-slow",
        expected=("SLO-START-1",),
        defect="The worker thinks for 1.5 s in the first workflow task of each saga.",
        breakage=_worker("first-task-slow"),
        parameters={"workflow_start_sli": "first_task_completed", **_ROOM},
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    Mutant(
        name="one-in-five-lost",
        expected=("SLO-REL-1",),
        defect="The worker gives one saga in five up, for no reason of the business.",
        breakage=_worker("one-in-five-lost"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    Mutant(
        name="dies-with-the-link",
        expected=("DUR-2",),
        defect="The worker ends when it loses its link to the engine, and nobody starts it again.",
        breakage=_worker("dies-with-the-link"),
        parameters={"horizon_s": 20},
        arm="chaos",
        profile="chaos",
    ),
)

_WORKER: Final = ("INV-PDP-1", "INV-PDP-2", "INV-PDP-4", "INV-IDEM-4", "DUR-5", "DUR-7")
_EXPORTER: Final = ("INV-AUD-1", "INV-AUD-2", *_BY_TYPE)

EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="other-habits",
        expected=(*_WORKER, "INV-PDP-3", "INV-ISO-8"),
        defect="The worker writes headers in lower case and more members, and keeps no connection.",
        breakage=_worker("other-habits"),
        equivalent=True,
    ),
    Mutant(
        name="slower-in-time",
        expected=(*_WORKER, "INV-PDP-3", "INV-ISO-8"),
        defect="The worker takes half a second for each attempt.",
        breakage=_worker("slower-in-time"),
        equivalent=True,
    ),
    Mutant(
        name="timer-before-steps",
        expected=("INV-DET-1", "INV-DET-2", "INV-DET-4", "DUR-5", "INV-IDEM-1", "INV-IDEM-8"),
        defect="The workflow code has a timer before each step, and always had.",
        breakage=Breakage(
            worker=_worker("timer-before-steps").worker,
            workflows=_replayed("step_slept_before").workflows,
        ),
        equivalent=True,
    ),
    Mutant(
        name="timeouts-changed",
        expected=("INV-DET-1", "INV-DET-2"),
        defect="The deployed code has other timeouts and retries than the recorded runs.",
        breakage=_replayed("timeouts_changed"),
        equivalent=True,
    ),
    Mutant(
        name="four-partitions",
        expected=("INV-ISO-6", "INV-ISO-7", "INV-ISO-8", "INV-IDEM-6"),
        defect="The engine has four partitions for each task queue.",
        breakage=Breakage(
            engine={
                "matching.numTaskqueueReadPartitions": 4,
                "matching.numTaskqueueWritePartitions": 4,
            }
        ),
        equivalent=True,
    ),
    Mutant(
        name="binary-mode",
        expected=_EXPORTER,
        defect="Events come in binary mode.",
        breakage=_exporter("binary-mode"),
        equivalent=True,
    ),
    Mutant(
        name="prefixed-batches",
        expected=_EXPORTER,
        defect="Events come in batches, with the declared prefix and one more attribute.",
        breakage=_exporter("prefixed-batches"),
        parameters={"event_type_prefix": "com.example."},
        equivalent=True,
    ),
    Mutant(
        name="twice-in-any-order",
        expected=_EXPORTER,
        defect="Each event is delivered several times, and not in order.",
        breakage=_exporter("twice-in-any-order"),
        equivalent=True,
    ),
)
