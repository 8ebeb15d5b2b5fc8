"""A large journal of a sound platform: sagas told once, then repeated under other ids and times."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.checks.table import CHECKED
from harness.contract.program import Retry, step
from harness.journal.manifest import file_entry, write_manifest
from harness.journal.read import hand_made_manifest
from harness.journal.records import (
    JOURNAL_VERSION,
    AuditEvent,
    Decision,
    Effect,
    Ending,
    Footer,
    Header,
    History,
    Operation,
    Part,
    Record,
    Replay,
    Subject,
    now,
)
from harness.trial import Trial, open_trial
from tests.unit.journals import Story, Told

TOKEN = b"000000000"  # in the template, where each repetition has its number
MONOTONIC = re.compile(rb'"(at_ns|received_ns|answered_ns|applied_ns|invoked_ns|seq)":([1-9]\d*)')
RUN = re.compile(rb"run-(\d+)")

HEADERS = [("Host", "127.0.0.1:45185"), ("Accept", "*/*"), ("Content-Length", "779")]
PLANS: dict[str, dict[tuple[int, str], list[str]]] = {
    "plain": {},
    "also-plain": {},
    "retried": {(1, "forward"): ["fail", "ok"]},
    "lost": {(0, "forward"): ["lost", "ok"]},
    "compensated": {(1, "forward"): ["refuse"]},
}

Line = Callable[[int], bytes]


def template() -> Story:
    """Sagas as a drive of the core profile has them, and its share of each kind of record."""
    story = Story()
    ending = TOKEN.decode()
    for number, (name, plan) in enumerate(PLANS.items()):
        nodes = [step(number + n, f"item-{n}", retry=Retry()) for n in range(2)]
        case = f"verify-20260101-000000-abcd.{name}-{ending}"
        feeds = sorted(CHECKED)[number :: len(PLANS)]
        told = story.saga(nodes, case=case, feeds=feeds, plan=plan)
        _asked_and_replayed(story, told.run, case)
    story.emit(_with_extensions)
    story.change(Decision, _as_long_as_real)
    story.change(AuditEvent, lambda event: {"headers": [*HEADERS, *event.headers]})
    story.change(Effect, lambda effect: {"traceparent": f"00-{'a' * 32}-{effect.seq:016}-01"})
    return story


def _asked_and_replayed(story: Story, run: Told, case: str) -> None:
    """What the drive calls beside the start, and the replays of each history."""
    value = {"tenant": "alpha", "saga_id": f"s-{case}", "completed": [0, 1], "signals": []}
    for name in ("result", "state", "history"):
        story.add(
            Operation(
                **story.at(),
                name=name,
                suite="suite",
                case=case,
                tenant="alpha",
                workflow_id=run.workflow_id,
                run_id=run.run_id,
                ending=Ending.OK,
                status="OK",
                invoked_ns=story.now_ns,
                result={"status": "COMPLETED", "value": value} if name == "result" else None,
            )
        )
    for mode in ("stock", "strict", "wire-warm"):
        story.add(
            Replay(
                **story.at(),
                mode=mode,
                tenant="alpha",
                workflow_id=run.workflow_id,
                run_id=run.run_id,
                ending=Ending.OK,
            )
        )


def _with_extensions(event: dict[str, Any]) -> list[dict[str, Any]]:
    extensions = {
        "partitionkey": event["data"]["workflow_id"],
        "sequence": f"{event['data']['event_id']:010}",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }
    return [{**event, **extensions}]


def _as_long_as_real(decision: Decision) -> dict[str, str]:
    """The question and the answer as they were on the wire, which a hand-told story leaves out."""
    request = {
        "subject": {"type": "tenant", "id": decision.tenant},
        "action": {"name": decision.action},
        "resource": {"type": "rms", "id": decision.resource, "properties": {"tenant": "alpha"}},
        "context": {"saga_id": decision.saga_id, "step": decision.step, "direction": "forward"},
    }
    answer = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n"
        f"X-Request-ID: {decision.seq:032}\r\n\r\n" + '{"decision":true}'
    )
    return {
        "request": json.dumps(request),
        "request_id": f"{decision.seq:032}",
        "wire": base64.b64encode(answer.encode()).decode(),
    }


class Repeated:
    """The template's records as functions from a number to a line of the journal."""

    def __init__(self, story: Story) -> None:
        self.span_ns = story.now_ns
        self.seqs = story.seq
        self.lines = [self._line(record) for record in story.records]
        self.histories = [self._named(json.dumps({"events": r.events})) for r in story.runs]
        self.abouts = [
            record for record in story.journal().of(History) if isinstance(record, History)
        ]

    def _line(self, record: Record) -> Line:
        if isinstance(record, AuditEvent):
            return self._audit(record)
        return self._shifted(self._named(msgspec.json.encode(record)))

    def _named(self, text: str | bytes) -> bytes:
        raw = text.encode() if isinstance(text, str) else text
        return RUN.sub(rb"run-\1-" + TOKEN, raw)

    def _shifted(self, line: bytes) -> Line:
        bases = [int(number) for _, number in MONOTONIC.findall(line)]
        steps = [
            self.seqs if name == b"seq" else self.span_ns for name, _ in MONOTONIC.findall(line)
        ]
        form = MONOTONIC.sub(rb'"\1":%d', line.replace(b"%", b"%%")) + b"\n"
        pairs = list(zip(bases, steps, strict=True))

        def write(number: int) -> bytes:
            filled = form % tuple(base + number * by for base, by in pairs)
            return filled.replace(TOKEN, b"%09d" % number)

        return write

    def _audit(self, record: AuditEvent) -> Line:
        body = self._named(base64.b64decode(record.body))
        shell = self._shifted(msgspec.json.encode(msgspec.structs.replace(record, body="BODY")))

        def write(number: int) -> bytes:
            given = base64.b64encode(body.replace(TOKEN, b"%09d" % number))
            return shell(number).replace(b"BODY", given)

        return write

    def history(self, which: int, number: int, trial: Trial) -> bytes:
        """Write one history and return its record."""
        raw = self.histories[which].replace(TOKEN, b"%09d" % number)
        about = self.abouts[which]
        run_id = f"{about.run_id}-{number:09d}"
        path = f"histories/{about.tenant}/{number % 100:02d}/{run_id}.json"
        file = trial.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
        record = msgspec.structs.replace(
            about,
            path=path,
            run_id=run_id,
            workflow_id=about.workflow_id.replace(TOKEN.decode(), f"{number:09d}"),
            sha256=hashlib.sha256(raw).hexdigest(),
        )
        return msgspec.json.encode(record) + b"\n"


def large_trial(folder: Path, records: int, histories: int) -> Trial:
    """A sealed trial with about as many records, and as many histories among them."""
    trial = open_trial("verify", folder)
    repeated = Repeated(template())
    each = len(repeated.histories)
    times = range((records - histories) // len(repeated.lines))
    exported = range(histories // each)
    count = _write(
        trial,
        [
            _parts(),
            (line(number) for number in times for line in repeated.lines),
            (repeated.history(w, n, trial) for n in exported for w in range(each)),
        ],
    )
    path = trial.journal / "all.jsonl"
    manifest = hand_made_manifest(
        trial_id=trial.id, asked=sorted(CHECKED), files=[file_entry(folder, path, count)]
    )
    write_manifest(folder, manifest)
    trial.release()
    return trial


def _parts() -> Iterator[bytes]:
    for subject in (Subject.ENGINE, Subject.WORKER, Subject.EXPORTER):
        yield msgspec.json.encode(Part(**now(), subject=subject, ours=True, name="told")) + b"\n"


def _write(trial: Trial, parts: list[Iterator[bytes]]) -> int:
    digest, count = hashlib.sha256(), 0
    header = Header(**now(), version=JOURNAL_VERSION, writer="all", trial_id=trial.id, pid=1)
    with (trial.journal / "all.jsonl").open("wb") as stream:

        def put(raw: bytes) -> None:
            digest.update(raw)
            stream.write(raw)

        put(msgspec.json.encode(header) + b"\n")
        for lines in parts:
            for line in lines:
                put(line)
                count += 1
        footer = Footer(**now(), records=count, sha256=digest.hexdigest())
        stream.write(msgspec.json.encode(footer) + b"\n")
    return count
