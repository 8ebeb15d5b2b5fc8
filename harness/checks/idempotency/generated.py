"""INV-IDEM-10: exactly once, over sagas that were drawn together with what disturbs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.durability import saga as durability
from harness.checks.durability.saga import Ended, compensations_given_up, departures, ended_sagas
from harness.checks.histories import Place, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.journal.records import Disposition, Effect, Process

ID: Final = "INV-IDEM-10"
GIVEN: Final = "program"  # the suite of what was given as program files
TWICE: Final = "applied more than once"
NOT_ONCE: Final = "completed, and not each step once"
NOT_UNDONE: Final = "ended otherwise, and not undone"
KEY: Final = "key changes"
RESULT: Final = "results differ"
CLAUSES: Final = (TWICE, NOT_ONCE, NOT_UNDONE, KEY, RESULT)
LEAST_SAGAS: Final = 12
LEAST_DUPLICATES: Final = 8
LEAST_CRASHES: Final = 2
_AS_OURS: Final = {
    durability.NOT_APPLIED: NOT_ONCE,
    durability.NEEDLESS: NOT_ONCE,
    durability.NOT_COMPENSATED: NOT_UNDONE,
}
_REACHED: Final = frozenset({Disposition.APPLIED, Disposition.SUPPRESSED, Disposition.VOID})
_Key = tuple[str, str]  # tenant, saga id


def exactly_once_whatever_is_drawn(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    Of every saga that was drawn, with the crashes and duplicates that were drawn for it: no effect
    is applied twice, a completed saga has applied each step and undone none, any other has undone
    all that it applied, keys stay, and a duplicate gets the first result.
    """
    ended = _ended(evidence)
    broken = [each for found in broken_by_case(evidence).values() for each in found]
    duplicates, crashes = _duplicates(evidence), _crashes(evidence)
    fed = coverage(evidence, ID).fed
    drawn = any(saga.program.suite != GIVEN for saga in fed)
    lacks = [
        coverage(evidence, ID).lacks,
        *(_too_few(len(ended), duplicates, crashes) if drawn else ()),
        "" if ended or not fed else "none of the sagas given came to one end",
    ]
    seed = evidence.journal.manifest.seed
    figures = {
        "sagas_judged": len(ended),
        "duplicates_provoked": duplicates,
        "crashes_provoked": crashes,
        "seed": seed,
    }
    kept = (
        f"{len(ended)} sagas drawn with seed {seed} had each effect exactly once or undone, over "
        f"{duplicates} duplicates and {crashes} crashes"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def broken_by_case(evidence: Evidence) -> dict[str, list[Broken]]:
    """What is broken, by the case that it was driven in."""
    found: dict[str, list[Broken]] = {}
    programs = {(s.tenant, s.saga_id): s.program for s in coverage(evidence, ID).fed}
    for key, broken in _broken(evidence, frozenset(programs)):
        program = programs[key]
        where = f"case {program.case}, seed {evidence.journal.manifest.seed}: {broken.text}"
        each = Broken(broken.clause, where, program.file or broken.path)
        found.setdefault(program.case, []).append(each)
    return found


def _broken(evidence: Evidence, fed: frozenset[_Key]) -> Iterator[tuple[_Key, Broken]]:
    ledger = requests(evidence)
    for place, effects in ledger.items():
        if place[:2] in fed:
            yield from ((place[:2], each) for each in _of_effect(effects))
    given_up = compensations_given_up(evidence)
    for saga in _ended(evidence):
        for each in departures(saga, given_up):
            if each.clause in _AS_OURS:
                yield _key(saga), each._replace(clause=_AS_OURS[each.clause])
    for place, text in _other_results(evidence, ledger, fed):
        yield place[:2], Broken(RESULT, text)


def _of_effect(effects: list[Effect]) -> Iterator[Broken]:
    done = applied(effects)
    if len(done) > 1:
        yield Broken(TWICE, f"{len(done)} times: {'; '.join(map(named, done))}")
    keys = list(dict.fromkeys(each.idempotency_key for each in effects))
    if len(keys) > 1:
        yield Broken(KEY, f"{named(effects[0])}: {', '.join(keys[:4])}")


def _other_results(
    evidence: Evidence, ledger: dict[Place, list[Effect]], fed: frozenset[_Key]
) -> Iterator[tuple[Place, str]]:
    """Duplicates and completed activities with another result than the first request's."""
    first = {place: _first(effects) for place, effects in ledger.items() if place[:2] in fed}
    for place, result in first.items():
        for each in ledger[place]:
            if each.disposition is Disposition.SUPPRESSED and each.result_sha256 != result:
                yield place, f"{named(each)} got another result"
    for run in runs(evidence).values():
        for activity in run.activities.values():
            place = (run.tenant, activity.saga_id, activity.step, activity.direction)
            result = first.get(place, "")
            if activity.ended == "completed" and result and activity.result_sha256 != result:
                yield place, f"{run.name} {activity.type} of step {activity.step}"


def _first(effects: list[Effect]) -> str:
    """The digest of the result that all others must get."""
    for effect in applied(effects) or effects:
        if effect.disposition in (Disposition.APPLIED, Disposition.VOID):
            return effect.result_sha256
    return ""


def _ended(evidence: Evidence) -> list[Ended]:
    fed = {(saga.tenant, saga.saga_id) for saga in coverage(evidence, ID).fed}
    return [saga for saga in ended_sagas(evidence)[0] if _key(saga) in fed]


def _key(saga: Ended) -> _Key:
    return saga.run.tenant, saga.run.saga_id


def _duplicates(evidence: Evidence) -> int:
    """How many effects of theirs were requested again after a request had reached the service."""
    fed = {(saga.tenant, saga.saga_id) for saga in coverage(evidence, ID).fed}
    return sum(
        sum(each.disposition in _REACHED for each in effects) > 1
        for place, effects in requests(evidence).items()
        if place[:2] in fed
    )


def _crashes(evidence: Evidence) -> int:
    """How many sagas had a worker killed while a service held its answer to them."""
    fed = {(s.tenant, s.saga_id): s.program.group for s in coverage(evidence, ID).fed}
    kills = [(p.group, p.at_ns) for p in evidence.of(Process) if p.event == "killed"]
    hit = {
        (effect.tenant, effect.saga_id)
        for effect in evidence.of(Effect)
        if "held" in effect.fault and (effect.tenant, effect.saga_id) in fed
        for group, at_ns in kills
        if group == fed[effect.tenant, effect.saga_id]
        and effect.received_ns <= at_ns <= effect.at_ns
    }
    return len(hit)


def _too_few(ended: int, duplicates: int, crashes: int) -> Iterator[str]:
    for count, least, what in (
        (ended, LEAST_SAGAS, "drawn sagas came to one end"),
        (duplicates, LEAST_DUPLICATES, "of their effects were requested again"),
        (crashes, LEAST_CRASHES, "of them met a crash"),
    ):
        if count < least:
            yield f"{count} {what}, {least} are the least"
