"""Mutants of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import (
    CHAINED,
    COMPLETE,
    COUNTING,
    SOON,
    VERY_SOON,
    broken_exporter,
    broken_worker,
)

_SEQUENTIAL: Final = {"INV-AUD-5": "the time is what is broken, and the order is read from it too"}
_SECOND: Final = {
    "EVT-7": "the second family loses it too",
    "EVT-8": "the same",
    "EVT-9": "the same",
}
_DENIED: Final = {"INV-AUD-8": "a refused activity is one that failed"}
_FOREIGN: Final = {
    "INV-AUD-5": "what the worker emits has no sequence",
    "INV-AUD-6": "what the worker emits says less",
    "INV-AUD-7": "what the worker emits is not chained",
    "EVT-11": "what the worker emits names no schema",
}


def _row(
    name: str,
    expected: str | tuple[str, ...],
    clause: str,
    defect: str,
    collateral: Mapping[str, str] | None = None,
    **more: Any,
) -> Mutant:
    """A row of a broken exporter."""
    return Mutant(
        name=name,
        expected=(expected,) if isinstance(expected, str) else expected,
        clause=clause,
        defect=defect,
        breakage=broken_exporter(name),
        collateral=collateral or {},
        **more,
    )


# what shows most defects of an exporter: a saga that completes and one that is compensated
_TWO_ENDS: Final = ("completed", "failed")
_SHOWN_BY_THEM: Final = frozenset(
    {
        *(f"INV-AUD-{n}" for n in (1, 2, 5, 6, 7)),
        *(f"EVT-{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13)),
    }
)


# what one of the two does not show
_SHOWN_BY_ONE: Final = {
    **dict.fromkeys(("EVT-2", "EVT-8"), "completed"),
    **dict.fromkeys(("EVT-3", "EVT-6", "EVT-9"), "failed"),
}


def _brief(mutant: Mutant) -> Mutant:
    """The same, driven with no more than what shows it."""
    if mutant.cases or not _SHOWN_BY_THEM.issuperset(mutant.expected):
        return mutant
    only = {_SHOWN_BY_ONE.get(each, "") for each in mutant.expected} - {""}
    shown = tuple(sorted(only)) if len(mutant.expected) == 1 and only else _TWO_ENDS
    return replace(mutant, cases=shown)


_ALL: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="one-in-seven-dropped",
        expected=("INV-AUD-1",),
        clause="missing",
        defect="The exporter drops one event in seven.",
        breakage=broken_exporter("one-in-seven-dropped"),
        collateral=COUNTING,
        parameters=SOON,
    ),
    Mutant(
        name="each-again-with-new-id",
        expected=("INV-AUD-1",),
        clause="duplicate",
        defect="The exporter repeats each event under a new id.",
        breakage=broken_exporter("each-again-with-new-id"),
        cases=("completed", "failed", "canceled", "continued"),
        collateral={**COUNTING, **CHAINED},
    ),
    Mutant(
        name="phantoms",
        expected=("INV-AUD-1",),
        clause="extra",
        defect="The exporter makes up an event beside each.",
        breakage=broken_exporter("phantoms"),
        cases=("completed", "failed", "canceled", "continued"),
        collateral={**COUNTING, **CHAINED, "INV-AUD-4": "each is an event without transition"},
    ),
    Mutant(
        name="starts-late",
        expected=("INV-AUD-1",),
        clause="late",
        defect="The exporter delivers the first event of each run too late.",
        breakage=broken_exporter("starts-late"),
        collateral={**COUNTING, **CHAINED},
        parameters=VERY_SOON,
    ),
    Mutant(
        name="other-tenant",
        expected=("INV-AUD-1",),
        clause="wrong tenant",
        defect="The exporter names the other tenant in one event in seven.",
        breakage=broken_exporter("other-tenant"),
        collateral={"INV-ISO-11": "an event of another tenant is what it looks for"},
    ),
    Mutant(
        name="other-workflow",
        expected=("INV-AUD-1",),
        clause="wrong content",
        defect="The exporter names another workflow in one event in seven.",
        breakage=broken_exporter("other-workflow"),
    ),
    Mutant(
        name="one-id-for-all",
        expected=("INV-AUD-1",),
        clause="reused id",
        defect="All events of a run have the same id.",
        breakage=broken_exporter("one-id-for-all"),
        collateral={**COUNTING},
    ),
    Mutant(
        name="no-specversion",
        expected=("INV-AUD-2",),
        defect="Events lack specversion.",
        breakage=broken_exporter("no-specversion"),
    ),
    Mutant(
        name="time-without-offset",
        expected=("INV-AUD-2",),
        defect="The time of events has no offset.",
        breakage=broken_exporter("time-without-offset"),
        collateral=_SEQUENTIAL,
    ),
    Mutant(
        name="attribute-in-camel-case",
        expected=("INV-AUD-2",),
        defect="An extension of events has capital letters in its name.",
        breakage=broken_exporter("attribute-in-camel-case"),
    ),
    Mutant(
        name="member-twice",
        expected=("INV-AUD-2",),
        defect="The JSON of events has a member twice.",
        breakage=broken_exporter("member-twice"),
    ),
    Mutant(
        name="plain-json",
        expected=("INV-AUD-2",),
        defect="Events in structured mode are sent as plain JSON.",
        breakage=broken_exporter("plain-json"),
        collateral={**COMPLETE, **COUNTING},
        parameters=SOON,
    ),
    Mutant(
        name="no-workflow-started",
        expected=("EVT-1",),
        clause="missing",
        defect="The exporter emits no workflow.started.",
        breakage=broken_exporter("no-workflow-started"),
        collateral={**COMPLETE, **_SECOND},
        parameters=SOON,
    ),
    Mutant(
        name="no-workflow-completed",
        expected=("EVT-2",),
        clause="missing",
        defect="The exporter emits no workflow.completed.",
        breakage=broken_exporter("no-workflow-completed"),
        collateral={**COMPLETE, **_SECOND},
        parameters=SOON,
    ),
    Mutant(
        name="no-workflow-failed",
        expected=("EVT-3",),
        clause="missing",
        defect="The exporter emits no workflow.failed.",
        breakage=broken_exporter("no-workflow-failed"),
        collateral={**COMPLETE, **_SECOND},
        parameters=SOON,
    ),
    Mutant(
        name="no-workflow-canceled",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter emits no workflow.canceled.",
        breakage=broken_exporter("no-workflow-canceled"),
        collateral=COMPLETE,
        parameters=SOON,
    ),
    Mutant(
        name="canceled-misspelt",
        expected=("EVT-4",),
        clause="missing",
        defect="The exporter writes workflow.cancelled for workflow.canceled.",
        breakage=broken_exporter("canceled-misspelt"),
        collateral=COMPLETE,
        parameters=SOON,
    ),
    Mutant(
        name="no-activity-completed",
        expected=("EVT-5",),
        clause="missing",
        defect="The exporter emits no activity.completed.",
        breakage=broken_exporter("no-activity-completed"),
        collateral=COMPLETE,
        parameters=SOON,
    ),
    Mutant(
        name="no-activity-failed",
        expected=("EVT-6",),
        clause="missing",
        defect="The exporter emits no activity.failed.",
        breakage=broken_exporter("no-activity-failed"),
        collateral={**COMPLETE, **_DENIED},
        parameters=SOON,
    ),
    _row(
        "silent",
        ("INV-AUD-1", "EVT-1"),
        "missing",
        "The platform emits no audit events at all.",
        {k: v for k, v in COUNTING.items() if k != "EVT-1"},
        parameters=SOON,
    ),
    _row(
        "unreadable",
        "INV-AUD-2",
        "",
        "What is emitted is no JSON.",
        {**COMPLETE, **COUNTING},
        parameters=SOON,
    ),
    _row(
        "two-megabytes",
        "INV-AUD-2",
        "CONTRACT-7-size",
        "Each event has two megabytes.",
        {**COMPLETE, **COUNTING},
        parameters=SOON,
        cases=("completed",),
    ),
    _row(
        "forgetful",
        "INV-AUD-1",
        "duplicate",
        "The exporter forgets its cursor when it is started again, and draws new ids.",
        {**COUNTING, **CHAINED},
    ),
    Mutant(
        name="emits-itself",
        expected=("INV-AUD-4",),
        clause="emitted on replay",
        defect="Workflow code emits the started event itself, again in every replay.",
        breakage=replace(
            broken_exporter("no-workflow-started"), worker=broken_worker("emits-itself").worker
        ),
        collateral={**COMPLETE, **COUNTING, **_FOREIGN},
        parameters=SOON,
    ),
    Mutant(
        name="reports-each-attempt",
        expected=("INV-AUD-4",),
        clause="without transition",
        defect="Each attempt that fails emits an activity.failed.",
        breakage=broken_worker("reports-each-attempt"),
        collateral={**COMPLETE, **COUNTING, **CHAINED},
    ),
    _row("no-sequence", "INV-AUD-5", "no order", "Events have no sequence."),
    _row("sequence-falls", "INV-AUD-5", "sequence", "The sequence of a run's events falls."),
    _row("own-clock", "INV-AUD-5", "time", "The clock of events stands still years ago."),
    _row(
        "clock-falls",
        "INV-AUD-5",
        "time backwards",
        "A completed run is said to have ended before what went before.",
    ),
    _row("no-actor", "INV-AUD-6", "actor", "Events do not say who acted."),
    _row("no-reason", "INV-AUD-6", "reason", "Events of failures say no reason.", _DENIED),
    _row(
        "correlation-of-event",
        "INV-AUD-6",
        "correlation changes",
        "Each event has a correlation id of its own.",
        _SECOND,
    ),
    _row("other-workflow-type", "INV-AUD-6", "wrong type", "Events name another type of workflow."),
    _row(
        "says-little",
        "INV-AUD-6",
        "outcome",
        "Events say neither whose, which, what, when nor with what outcome.",
        {
            **COMPLETE,
            **COUNTING,
            "INV-AUD-5": "without a time there is no order of times",
            "INV-ISO-11": "an event that names no tenant is nobody's",
            "EVT-11": "the schema asks for them",
            "EVT-13": "the earlier schema does too",
        },
    ),
    _row("unchained", "INV-AUD-7", "unchained", "Events carry no digests."),
    _row("edited", "INV-AUD-7", "edited", "Some events are changed after they were chained."),
    _row("link-missing", "INV-AUD-7", "gap", "Some events are chained to what is not there."),
    _row("always-first", "INV-AUD-7", "forked", "Each event is chained as if it were the first."),
    _row(
        "start-exchanged",
        "INV-AUD-7",
        "reordered",
        "A run's start is chained behind what follows it.",
        {**COMPLETE, **COUNTING},
        parameters=SOON,
    ),
    Mutant(
        name="refusals-not-exported",
        expected=("INV-AUD-8",),
        clause="denial without event",
        defect="The exporter emits no activity.failed, so that denials leave no event.",
        breakage=broken_exporter("no-activity-failed"),
        collateral={**COMPLETE, "EVT-6": "it counts them"},
        parameters=SOON,
    ),
    Mutant(
        name="refusals-without-reason",
        expected=("INV-AUD-8",),
        clause="no reason class",
        defect="Events of denials do not say that it was one.",
        breakage=broken_exporter("no-reason"),
        collateral={"INV-AUD-6": "it asks for a reason too"},
    ),
    _row("no-activity-type", "INV-AUD-8", "no action", "Events do not say which activity it was."),
    _row(
        "no-signaled",
        ("INV-AUD-9", "EVT-10"),
        "signal",
        "The exporter emits nothing for signals.",
        parameters=SOON,
    ),
    _row(
        "no-reset",
        ("INV-AUD-9", "EVT-10"),
        "reset",
        "The exporter emits nothing for resets.",
        parameters=SOON,
    ),
    _row(
        "no-terminated",
        "EVT-10",
        "terminated",
        "The exporter emits nothing for terminated runs.",
        COMPLETE,
        parameters=SOON,
    ),
    _row(
        "no-execution-started",
        "EVT-7",
        "missing",
        "The second family has no started event.",
        parameters=SOON,
    ),
    _row(
        "no-execution-completed",
        "EVT-8",
        "missing",
        "The second family has no completed event.",
        parameters=SOON,
    ),
    _row(
        "no-execution-failed",
        "EVT-9",
        "missing",
        "The second family has no failed event.",
        parameters=SOON,
    ),
    _row(
        "execution-outcome-differs",
        "EVT-8",
        "pair differs",
        "The second family says failed of what completed.",
        {"EVT-11": "the outcome does not fit the schema", "INV-AUD-6": "a failure owes a reason"},
    ),
    _row(
        "execution-failure-differs",
        "EVT-9",
        "pair differs",
        "The second family says completed of what failed.",
        {"EVT-11": "the outcome does not fit the schema", "INV-AUD-6": "a failure owes a reason"},
    ),
    *(
        _row(
            name,
            expected,
            clause,
            f"The exporter emits nothing for {what}.",
            parameters=SOON,
        )
        for name, expected, clause, what in (
            ("no-update-completed", ("INV-AUD-9", "EVT-10"), "update", "updates that completed"),
            ("no-paused", ("INV-AUD-9", "EVT-10"), "pause", "paused runs"),
            ("no-options-changed", "INV-AUD-9", "options", "changed options"),
            (
                "no-search-attributes-changed",
                "INV-AUD-9",
                "search_attributes",
                "changed search attributes",
            ),
        )
    ),
    _row(
        "no-timed-out",
        "EVT-10",
        "timed_out",
        "The exporter emits nothing for runs that timed out.",
        COMPLETE,
        parameters=SOON,
    ),
    _row("no-dataschema", "EVT-11", "no schema", "Events name no schema."),
    _row(
        "dataschema-elsewhere",
        "EVT-11",
        "unknown schema",
        "Events name a schema that is unknown.",
    ),
    _row(
        "dataschema-of-another",
        "EVT-11",
        "schema of another type",
        "All events name the schema of another type.",
        {"EVT-13": "the data does not fit it"},
    ),
    _row(
        "attempt-as-text",
        "EVT-11",
        "invalid data",
        "The attempt is written as text.",
        {"EVT-13": "nor does it fit the earlier schema"},
    ),
    Mutant(
        name="attempt-as-text-for-old-readers",
        expected=("EVT-13",),
        clause="unreadable",
        defect="The attempt is written as text, which no earlier schema allows.",
        breakage=broken_exporter("attempt-as-text"),
        collateral={"EVT-11": "nor does it fit the present schema"},
    ),
    _row(
        "prefix-for-some",
        "EVT-12",
        "two spellings",
        "Some types have a prefix and others have none.",
        {**COMPLETE, **COUNTING},
        parameters=SOON,
    ),
    _row(
        "prefix-without-domain",
        "EVT-12",
        "prefix",
        "The prefix of types is no domain.",
        parameters={"event_type_prefix": "x."},
    ),
)
MUTANTS: Final[tuple[Mutant, ...]] = tuple(_brief(each) for each in _ALL)
