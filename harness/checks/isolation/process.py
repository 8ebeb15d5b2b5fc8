"""INV-ISO-9: no state shared inside a worker process that serves several tenants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import msgspec

from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.isolation.canaries import (
    Place,
    Text,
    history_texts,
    owners,
    said,
    search,
    tenant_of_run,
)
from harness.contract.canaries import PATTERN
from harness.journal.records import Canary, Decision, Effect, Ending, Log, Operation

ID: Final = "INV-ISO-9"
LEDGER: Final = "effect ledger"
PDP: Final = "PDP requests"
HEADERS: Final = "headers and cookies"
RESULTS: Final = "results"
QUERIES: Final = "query answers"
HISTORIES: Final = "histories"
LOGS: Final = "worker logs"
PLACES: Final = (LEDGER, PDP, HEADERS, RESULTS, QUERIES, HISTORIES, LOGS)
# a worker may send no header of its own and log nothing: these need not show their own canaries
MAY_BE_SILENT: Final = frozenset({HEADERS, LOGS})
LEAST_SWITCHES: Final = 10


def worker_processes_keep_tenants_apart(evidence: Evidence) -> Finding:
    """ADR, Invariants: "never share workflow state across tenants".

    One worker process serves several tenants at once, whose inputs and cookies carry canaries. No
    canary may show in what another tenant's runs ask of the PDP and the services, in their headers,
    results, query answers and histories, nor in a line of the worker's log that speaks of another
    tenant. A log is one stream for all: of its lines only those are judged that name a tenant or
    hold the canaries of two.
    """
    places = [*_places(evidence), _logs(evidence)]
    switches = _switches(evidence)
    lacks = [place.lacks for place in places if place.name not in MAY_BE_SILENT]
    lacks += [coverage(evidence, ID).lacks]
    if switches < LEAST_SWITCHES:
        lacks.append(f"the worker turned {switches} times from one tenant to another")
    if not evidence.of(Log):
        lacks.append("no worker's log was recorded")
    return conclude(
        PLACES,
        [leak for place in places for leak in place.leaks],
        lacks,
        f"no canary of {len({each.tenant for each in owners(evidence).values()})} tenants showed "
        f"in another's {len(places)} places, over {switches} turns from one tenant to another",
        {
            "canaries": len(owners(evidence)),
            "turns_between_tenants": switches,
            "places": [place.row for place in places],
        },
    )


def _places(evidence: Evidence) -> Iterator[Place]:
    known, runs = owners(evidence), tenant_of_run(evidence)
    yield search(LEDGER, (_effect(each, runs) for each in evidence.of(Effect)), known)
    yield search(PDP, (_decision(each, runs) for each in evidence.of(Decision)), known)
    yield search(HEADERS, _headers(evidence, runs), known)
    yield search(RESULTS, _answers(evidence, "result"), known)
    yield search(QUERIES, _answers(evidence, "state", "closed-state"), known)
    yield search(HISTORIES, history_texts(evidence), known)


def _whose(record: Effect | Decision, runs: Mapping[str, str]) -> str:
    """The tenant in whose namespace the run is; the headers' tenant if nobody knows the run."""
    return runs.get(record.run_id, record.tenant)


def _name(record: Effect | Decision) -> str:
    return f"{record.saga_id} step {record.step} {record.direction} (seq {record.seq})"


def _effect(effect: Effect, runs: Mapping[str, str]) -> Text:
    content = said(msgspec.structs.replace(effect, others=[]))
    return Text(_whose(effect, runs), f"the effect {_name(effect)}", "", content)


def _decision(decision: Decision, runs: Mapping[str, str]) -> Text:
    content = said(msgspec.structs.replace(decision, others=[], wire=""))
    return Text(_whose(decision, runs), f"the question {_name(decision)}", "", content)


def _headers(evidence: Evidence, runs: Mapping[str, str]) -> Iterator[Text]:
    records: list[Effect | Decision] = [*evidence.of(Effect), *evidence.of(Decision)]
    for record in records:
        if record.others:
            yield Text(
                _whose(record, runs), f"a header of {_name(record)}", "", said(record.others)
            )


def _answers(evidence: Evidence, *names: str) -> Iterator[Text]:
    for op in evidence.of(Operation):
        if op.name in names and op.ending is Ending.OK and op.result is not None:
            yield Text(op.tenant, f"the {op.name} of {op.workflow_id}", "", said(op.result))


def _switches(evidence: Evidence) -> int:
    """How often a request of one tenant followed one of another, out of one group of workers."""
    fed = {(p.tenant, p.workflow_id) for p in evidence.fed(ID)}
    asked = sorted(
        (d for d in evidence.of(Decision) if (d.tenant, d.workflow_id) in fed), key=lambda d: d.seq
    )
    return sum(one.tenant != other.tenant for one, other in pairwise(asked))


def _logs(evidence: Evidence) -> Place:
    known = owners(evidence)
    lines = own = 0
    leaks: list[Broken] = []
    for log in evidence.of(Log):
        text = evidence.raw(log.path, log.sha256).decode(errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            lines += 1
            found = {known[word] for word in PATTERN.findall(line) if word in known}
            tenants = {each.tenant for each in found}
            named = _named(line, known)
            if found and (len(tenants) > 1 or (named and not tenants & named)):
                leaks.append(
                    Broken(
                        LOGS,
                        f"line {number} of {log.path} holds canaries of {sorted(tenants)}"
                        + (f" and speaks of {sorted(named)}" if named else ""),
                        log.path,
                    )
                )
            own += bool(found)
    return Place(LOGS, lines, own, tuple(leaks))


def _named(line: str, known: Mapping[str, Canary]) -> set[str]:
    tenants = {each.tenant for each in known.values()}
    return {each for each in tenants if re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", line)}
