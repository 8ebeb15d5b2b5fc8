"""Idempotency: effects applied once, keys that stay, duplicates answered alike, starts deduped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from harness.checks.check import Check, Evidence, Finding
from harness.checks.histories import (
    COMPLETED,
    Coverage,
    Place,
    Run,
    Saga,
    canonical_sha256,
    coverage,
    runs,
    sagas,
    steps_of,
)
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.checks.idempotency.again import effects_are_as_declared
from harness.checks.idempotency.compensations import compensations_commute
from harness.checks.idempotency.generated import exactly_once_whatever_is_drawn
from harness.checks.idempotency.memory import keys_outlast_repetition
from harness.checks.idempotency.signals import repeats_count_once
from harness.checks.idempotency.starts import one_start
from harness.checks.idempotency.suspects import no_unexplained_duplicates
from harness.checks.idempotency.wire import (
    lost_completions_change_nothing,
    of_sagas,
    zombies_change_nothing,
)
from harness.contract.program import ACTIVITY_TYPES, idempotency_key
from harness.journal.records import (
    Decision,
    Disposition,
    Effect,
    History,
    Operation,
    Process,
    Program,
    Record,
    Subject,
    Tapped,
)

TWICE: Final = "applied more than once"
NEVER: Final = "completed without its effect"
CHANGES: Final = "key changes"
FORMULA: Final = "key is not the contract's"
SHARED: Final = "key is shared"
OTHER_ANSWER: Final = "duplicate answered differently"
OTHER_RESULT: Final = "result differs from the service's"
_DIRECTIONS: Final = ("forward", "compensation")


def effects_happen_once(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    Over the whole ledger no business effect is applied more than once, and every step of a
    completed saga is applied. Duplicates must have been provoked, forward and compensating.
    """
    ledger = requests(evidence)
    broken = [
        Broken(TWICE, f"{len(found)} times: {'; '.join(map(named, found))}")
        for effects in ledger.values()
        if len(found := applied(effects)) > 1
    ]
    broken += _steps_never_applied(evidence)
    driven = coverage(evidence, "INV-IDEM-1")
    duplicated = [
        effects
        for place, effects in of_sagas(ledger, driven)
        if sum(each.disposition in _REACHED for each in effects) > 1
    ]
    directions = {effects[0].direction for effects in duplicated}
    lacks = [
        driven.lacks,
        *(f"no {each} duplicate was provoked" for each in _DIRECTIONS if each not in directions),
        _crashed_in_vain(driven),
        _no_heartbeat_missed(evidence, driven),
    ]
    types = Counter(f"{effects[0].service}.{effects[0].operation}" for effects in duplicated)
    figures = {
        "business_effects": len(ledger),
        "duplicated": len(duplicated),
        "suppressed": sum(
            each.disposition is Disposition.SUPPRESSED
            for effects in ledger.values()
            for each in effects
        ),
        "activity_types_duplicated": f"{len(types)} of {len(ACTIVITY_TYPES)}",
    }
    kept = (
        f"none of {len(ledger)} business effects was applied more than once, though "
        f"{len(duplicated)} were provoked to be, over {len(types)} activity types"
    )
    return conclude((TWICE, NEVER), broken, lacks, kept, figures)


def _crashed_in_vain(driven: Coverage) -> str:
    """What lacks if sagas were to outlive a killed worker, and not all of them were seen to."""
    crashed = {saga.saga_id: saga for saga in driven.fed if saga.program.group == _KILLED}
    missing = sorted(set(crashed) - {saga.saga_id for saga in driven.ended})
    if not missing:
        return ""
    return (
        f"{len(missing)} of {len(crashed)} sagas whose worker was killed came to no recorded end, "
        f"such as {missing[0]}"
    )


def _no_heartbeat_missed(evidence: Evidence, driven: Coverage) -> str:
    """What lacks if activities that beat were to be given up by the engine, and none was."""
    beating = {
        (saga.tenant, saga.saga_id)
        for saga in driven.fed
        if any(node.get("heartbeat_ms") and saga.program.group == _KILLED for node in saga.nodes)
    }
    missed = any(
        activity.timed_out_by == "HEARTBEAT"
        for run in runs(evidence).values()
        if (run.tenant, run.saga_id) in beating
        for activity in run.activities.values()
    )
    return "" if missed or not beating else "no attempt was given up for want of heartbeats"


_KILLED: Final = "crash"
_REACHED: Final = frozenset({Disposition.APPLIED, Disposition.SUPPRESSED, Disposition.VOID})


def _steps_never_applied(evidence: Evidence) -> Iterator[Broken]:
    ledger = requests(evidence)
    driven = sagas(evidence)
    for run in runs(evidence).values():
        if run.closing != COMPLETED or (run.tenant, run.saga_id) not in driven:
            continue
        for step in steps_of(run.program.get("nodes")):
            if not applied(ledger.get((run.tenant, run.saga_id, step, "forward"), [])):
                text = f"{run.name} completed, and its step {step} was never applied"
                yield Broken(NEVER, text, run.history.path)


def keys_stay(evidence: Evidence) -> Finding:
    """ADR, Invariants: "use Temporal's built-in idempotency keys".

    All requests of one business effect carry one key, whatever attempt or run they belong to; it
    is the contract's, made from business identity alone; and no two effects of a tenant share one.
    """
    ledger = requests(evidence)
    wrong = [
        place
        for place, effects in ledger.items()
        if any(each.idempotency_key != idempotency_key(*place[1:]) for each in effects)
    ]
    broken = [each for place in wrong for each in _wrong_keys(place, ledger[place])]
    if wrong:  # the contract's keys differ from each other by themselves
        broken += _shared_keys(ledger)
    driven = coverage(evidence, "INV-IDEM-4")
    fed = list(of_sagas(ledger, driven))
    repeated = sum(len({(e.run_id, e.attempt) for e in effects}) > 1 for _, effects in fed)
    across = sum(len({each.run_id for each in effects}) > 1 for _, effects in fed)
    lacks = [
        driven.lacks,
        "" if repeated else "no effect was requested by a second attempt",
        _not_continued(fed, driven),
        _not_reset(evidence, driven, across),
    ]
    figures = {
        "business_effects": len(ledger),
        "with_several_attempts": repeated,
        "with_several_runs": across,
    }
    kept = (
        f"each of {len(ledger)} business effects had one key of its own, {repeated} of them over "
        f"several attempts and {across} over several runs"
    )
    return conclude((CHANGES, FORMULA, SHARED), broken, lacks, kept, figures)


def _wrong_keys(place: Place, effects: list[Effect]) -> Iterator[Broken]:
    _, saga_id, step, direction = place
    keys = list(dict.fromkeys(each.idempotency_key for each in effects))
    expected = idempotency_key(saga_id, step, direction)
    if len(keys) > 1:
        shown = ", ".join(
            f"attempt {each.attempt} of run {each.run_id}: {each.idempotency_key}"
            for each in effects[:4]
        )
        yield Broken(CHANGES, f"{named(effects[0])}: {shown}")
    else:
        yield Broken(FORMULA, f"{named(effects[0])}: {keys[0]!r} and not {expected!r}")


def _shared_keys(ledger: dict[Place, list[Effect]]) -> Iterator[Broken]:
    owners: dict[tuple[str, str], Place] = {}
    for place, effects in ledger.items():
        for key in {each.idempotency_key for each in effects}:
            owner = owners.setdefault((place[0], key), place)
            if owner != place:
                text = f"{named(effects[0])}: key {key} belongs to step {owner[2]} of {owner[1]}"
                yield Broken(SHARED, text)


def _not_continued(fed: list[tuple[Place, list[Effect]]], driven: Coverage) -> str:
    """What lacks if sagas were to continue as new, and none was seen in a second run."""
    continuing = {
        (saga.tenant, saga.saga_id)
        for saga in driven.fed
        if any(node.get("kind") == "continue_as_new" for node in saga.nodes)
    }
    seen: dict[tuple[str, str], set[str]] = {}
    for place, effects in fed:
        seen.setdefault(place[:2], set()).update(each.run_id for each in effects)
    if continuing and not any(len(seen.get(saga, ())) > 1 for saga in continuing):
        return "sagas that continue as new were driven, and none was seen in a second run"
    return ""


def _not_reset(evidence: Evidence, driven: Coverage, across: int) -> str:
    """What lacks if a saga was reset, and no effect was seen to be asked for by two runs."""
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    reset = [
        run for run in runs(evidence).values() if run.reset_ns and (run.tenant, run.saga_id) in fed
    ]
    return "a saga was reset, and no effect was asked for by two runs" * bool(reset and not across)


def duplicates_are_answered_alike(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    A suppressed duplicate gets the result that the first request got, and that result is what the
    history records for the activity, and what a completed run answers for the step.
    """
    ledger = requests(evidence)
    first = {place: found for place, effects in ledger.items() if (found := _first(effects))}
    broken = [
        Broken(OTHER_ANSWER, f"{named(each)} got another result than attempt {found.attempt}")
        for place, found in first.items()
        for each in ledger[place]
        if each.disposition is Disposition.SUPPRESSED and each.result_sha256 != found.result_sha256
    ]
    driven = coverage(evidence, "INV-IDEM-8")
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    known = sagas(evidence)
    compared = duplicates = 0
    for run in runs(evidence).values():
        for activity in run.activities.values():
            place = (run.tenant, activity.saga_id, activity.step, activity.direction)
            result = first.get(place)
            if activity.ended != "completed" or result is None or place[:2] not in known:
                continue
            compared += 1
            duplicates += place[:2] in fed and any(
                each.disposition is Disposition.SUPPRESSED for each in ledger[place]
            )
            if activity.result_sha256 != result.result_sha256:
                text = f"{run.name} {activity.type}, step {activity.step} {activity.direction}"
                broken.append(Broken(OTHER_RESULT, text, run.history.path))
        if (saga := known.get((run.tenant, run.saga_id))) and run.closing == COMPLETED:
            broken += _other_answers(run, saga, first)
    lacks = [
        driven.lacks,
        "" if duplicates else "no activity completed after one of its requests was suppressed",
    ]
    figures = {"results_compared": compared, "after_a_duplicate": duplicates}
    kept = (
        f"{compared} results in the histories are the services' own, {duplicates} of them after a "
        "suppressed duplicate"
    )
    return conclude((OTHER_ANSWER, OTHER_RESULT), broken, lacks, kept, figures)


def _other_answers(run: Run, saga: Saga, first: Mapping[Place, Effect]) -> Iterator[Broken]:
    """Where a completed run does not answer with the results of its steps, in their order."""
    answered = run.answer.get("steps")
    answered = answered if isinstance(answered, list) else []
    entries = [each for each in answered if isinstance(each, dict)]
    named_steps = [each.get("step") for each in entries]
    if named_steps != (due := steps_of(saga.nodes)):
        text = f"{run.name} answers for steps {named_steps}, not {due}"
        yield Broken(OTHER_RESULT, text, run.history.path)
        return
    for step, entry in zip(due, entries, strict=True):
        result = first.get((run.tenant, run.saga_id, step, "forward"))
        if result and canonical_sha256(entry.get("result")) != result.result_sha256:
            text = f"{run.name} answers with another result of step {step}"
            yield Broken(OTHER_RESULT, text, run.history.path)


def _first(effects: list[Effect]) -> Effect | None:
    """The request whose result all others must get: applied, or found to have nothing to undo."""
    for disposition in (Disposition.APPLIED, Disposition.VOID):
        for effect in effects:
            if effect.disposition is disposition:
                return effect
    return None


_NEEDS: Final[dict[type[Record], int]] = {Effect: 1, Program: 1, History: 1}

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="INV-IDEM-1",
        subject=Subject.WORKER,
        needs={**_NEEDS, Effect: 0},  # sagas that complete and call nobody are evidence enough
        judge=effects_happen_once,
    ),
    Check(id="INV-IDEM-2", subject=Subject.WORKER, needs=_NEEDS, judge=zombies_change_nothing),
    Check(
        id="INV-IDEM-3",
        subject=Subject.WORKER,
        needs={**_NEEDS, Tapped: 1},
        judge=lost_completions_change_nothing,
    ),
    Check(id="INV-IDEM-4", subject=Subject.WORKER, needs=_NEEDS, judge=keys_stay),
    Check(id="INV-IDEM-5", subject=Subject.WORKER, needs=_NEEDS, judge=effects_are_as_declared),
    Check(id="INV-IDEM-6", subject=Subject.DEPLOYMENT, needs={Operation: 1}, judge=one_start),
    Check(
        id="INV-IDEM-7",
        subject=Subject.WORKER,
        needs={Operation: 1, Program: 1, History: 1},
        judge=repeats_count_once,
    ),
    Check(
        id="INV-IDEM-8",
        subject=Subject.WORKER,
        needs=_NEEDS,
        judge=duplicates_are_answered_alike,
    ),
    Check(id="INV-IDEM-9", subject=Subject.WORKER, needs=_NEEDS, judge=compensations_commute),
    Check(
        id="INV-IDEM-10",
        subject=Subject.WORKER,
        needs={**_NEEDS, Decision: 0, Process: 0},
        judge=exactly_once_whatever_is_drawn,
    ),
    Check(
        id="INV-IDEM-11",
        subject=Subject.WORKER,
        needs={Effect: 0, History: 1},
        judge=no_unexplained_duplicates,
    ),
    Check(
        id="INV-IDEM-12",
        subject=Subject.SERVICES,
        needs={Effect: 1, History: 1, Operation: 1, Program: 1},
        judge=keys_outlast_repetition,
    ),
)
