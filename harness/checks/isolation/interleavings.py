"""What generated interleavings on equal workflow ids show: whose runs each call met."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.checks.check import Evidence
from harness.checks.histories.clauses import Broken
from harness.checks.histories.run import payload
from harness.journal.records import Ending, History, Operation

OPERATION: Final = "operation on another tenant's run"
SIGNAL: Final = "signal of another tenant"
LEAST_OPERATIONS: Final = 100
LEAST_ORPHANS: Final = 10
_ENDS: Final = frozenset({"cancel", "terminate"})
Chain = tuple[str, str]  # tenant, workflow id


@dataclass(slots=True)
class _Own:
    """What a tenant has under one workflow id, as its own calls made it."""

    open: bool = False
    ever: bool = False
    clear: bool = True


@dataclass(slots=True)
class Interleaved:
    """What was seen. `orphans` are calls of a tenant that had no open run while another had one."""

    operations: int = 0
    orphans: int = 0
    unclear: int = 0
    broken: list[Broken] = field(default_factory=list)

    @property
    def lacks(self) -> str:
        """Why nothing can be concluded; empty if something can."""
        if self.operations < LEAST_OPERATIONS or self.orphans < LEAST_ORPHANS:
            return (
                f"{self.operations} interleaved operations, {self.orphans} of them where only "
                "another tenant had an open run"
            )
        return ""


def interleaved(evidence: Evidence) -> Interleaved:
    """Follow the calls on each workflow id in their order, tenant by tenant."""
    ops = [op for op in evidence.of(Operation) if op.name == "interleaved"]
    by_id: defaultdict[str, list[Operation]] = defaultdict(list)
    for op in sorted(ops, key=lambda op: op.invoked_ns):
        by_id[op.workflow_id].append(op)
    seen = Interleaved(operations=len(ops))
    for chain in by_id.values():
        _follow(chain, seen)
    tokens = {op.args["token"]: op.tenant for op in ops if op.args["op"] in ("signal", "update")}
    seen.broken += [*_told(ops, tokens), *_kept(evidence, ops, tokens)]
    return seen


def _follow(chain: Sequence[Operation], seen: Interleaved) -> None:
    own: defaultdict[str, _Own] = defaultdict(_Own)
    for op in chain:
        mine = own[op.tenant]
        if op.ending is Ending.INFO:
            mine.clear = False
            seen.unclear += 1
            continue
        others = any(each.open for tenant, each in own.items() if tenant != op.tenant)
        seen.orphans += others and not mine.open
        if mine.clear:
            problem = _problem(op, mine)
            if problem:
                seen.broken.append(Broken(OPERATION, f"{op.tenant} {op.workflow_id}: {problem}"))
        _settle(op, mine)


def _problem(op: Operation, mine: _Own) -> str:
    """How a call ended otherwise than its tenant's own runs explain; empty if they do."""
    name, ok = op.args["op"], op.ending is Ending.OK
    if name == "start":
        refused = not ok and not mine.open and op.status == "WorkflowAlreadyStartedError"
        return "a start was refused, but no run of its own was open" if refused else ""
    if name == "query":
        return "" if mine.ever or not ok else "a query was answered, but it never had a run"
    if name == "cancel" and ok and mine.ever:
        return ""  # a run that was canceled before takes a second request, and nothing happens
    if ok and not mine.open:
        return f"{name} took effect, but it had no open run"
    gone = not ok and mine.open and op.status == "NOT_FOUND"
    return f"{name} found no run, but its own was open" if gone else ""


def _settle(op: Operation, mine: _Own) -> None:
    if op.ending is not Ending.OK:
        return
    if op.args["op"] == "start":
        mine.open = mine.ever = mine.clear = True
    elif op.args["op"] in _ENDS:
        mine.open = False


def _told(ops: Sequence[Operation], tokens: Mapping[str, str]) -> Iterator[Broken]:
    """Query and update answers that show what another tenant sent."""
    for op in ops:
        answer = op.result if isinstance(op.result, dict) else {}
        for each in (*_strings(answer.get("signals")), *_strings([answer.get("id")])):
            if tokens.get(each, op.tenant) != op.tenant:
                yield Broken(
                    SIGNAL, f"{op.args['op']} of {op.tenant} {op.workflow_id} shows {each} of "
                    f"{tokens[each]}"
                )  # fmt: skip


def _strings(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _kept(
    evidence: Evidence, ops: Sequence[Operation], tokens: Mapping[str, str]
) -> Iterator[Broken]:
    """Signals that a history of another tenant has, and those that their own tenant's lack."""
    workflows = {op.workflow_id for op in ops}
    received: set[str] = set()
    read: set[Chain] = set()
    for history in evidence.of(History):
        if history.workflow_id not in workflows:
            continue
        read.add((history.tenant, history.workflow_id))
        for token in _signals(evidence, history):
            received.add(token)
            if tokens.get(token, history.tenant) != history.tenant:
                text = f"{token} of {tokens[token]} is in a history of {history.tenant}"
                yield Broken(SIGNAL, text, history.path)
    for op in ops:
        sent = op.args["op"] == "signal" and op.ending is Ending.OK
        if sent and (op.tenant, op.workflow_id) in read and op.args["token"] not in received:
            yield Broken(SIGNAL, f"{op.args['token']} of {op.tenant} is in none of its histories")


def _signals(evidence: Evidence, history: History) -> Iterator[str]:
    for event in evidence.events(history):
        if event.type == "WORKFLOW_EXECUTION_SIGNALED":
            value = payload(event.attributes.get("input"))
            if isinstance(value, dict) and isinstance(value.get("id"), str):
                yield value["id"]
