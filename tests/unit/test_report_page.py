"""The page of realistic trials, made by hand: complete, self-contained, safe, small."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.catalogue import load_catalogue
from harness.checks.check import Clause, Witness
from harness.checks.verdict import Verdict
from harness.contract import pdp_modes
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import (
    Answer,
    Decision,
    Disposition,
    Effect,
    Ending,
    Fault,
    Gauge,
    LoadRun,
    Operation,
    Part,
    Record,
    Subject,
    Timing,
)
from harness.load.samples import COLUMNS, Encoder, Origin
from harness.outcome import Outcome
from reports import Trial, render, summary_json, write_report

S = 1_000_000_000
MS = 1_000_000
BOOT_NS = 5_000 * S
WALL_NS = 1_763_866_477 * S
DAY_NS = 86_400 * S
NOW_NS = WALL_NS + 7_200 * S
HOSTILE = "</script><b>saga\u202e</b> \x00'\"&"
MODES = {
    mode.id: mode.answer
    for mode in pdp_modes.MODES
    if mode.id in ("FM-01", "FM-02", "FM-05", "FM-16", "FM-18", "FM-20", "FM-31", "FM-32", "FM-48")
}
MUTANTS = {
    "INV-PDP-3": [
        ("string-true", "takes the string true for an allow"),
        ("deadline-per-read", "limits each read of the answer instead of the whole exchange"),
    ]
}


def at(second: float) -> dict[str, Any]:
    """Both times of a record, that many seconds after the trial's beginning."""
    return {"at_ns": BOOT_NS + int(second * S), "wall_ns": WALL_NS + int(second * S)}


def parts(*, ours: bool) -> list[Record]:
    worker = "reference worker" if ours else "billing-worker"
    return [
        Part(**at(0), subject=Subject.ENGINE, ours=ours, name="temporal", version="1.31.0",
             details={"store": "in memory", "history shards": "1"}),
        Part(**at(0), subject=Subject.DEPLOYMENT, ours=ours, name="reference"),
        Part(**at(0), subject=Subject.WORKER, ours=ours, name=worker, version="0.1.0",
             details={"sdk": "temporalio 1.18.1", "contract": "1.0"}, lacks=["versioning"]),
        Part(**at(0), subject=Subject.PDP, ours=True, name="PDP double", version="0.1.0"),
        Part(**at(0), subject=Subject.SERVICES, ours=True, name="service doubles"),
        Part(**at(0), subject=Subject.EXPORTER, ours=ours, name="reference exporter"),
        Part(**at(0), subject=Subject.GENERATOR, ours=True, name="load generator"),
    ]  # fmt: skip


def verdict(assertion_id: str, outcome: Outcome, reason: str, **fields: Any) -> Verdict:
    catalogue = load_catalogue()
    level = catalogue.get(assertion_id).level if assertion_id in catalogue else "M"
    given = {"subject": "worker", "ours": True, "profile": "core", "trial": "verify-1"}
    return Verdict(
        id=assertion_id, level=level, outcome=outcome, reason=reason, **{**given, **fields}
    )


def asked(mode: str, direction: str, saga: str, attempt: int, second: float) -> Decision:
    """A question to the PDP that was met in that mode."""
    lasted = 1.0 if mode in ("FM-16", "FM-18") else 0.004
    return Decision(
        **at(second + lasted), seq=int(second * 1000), received_ns=at(second)["at_ns"],
        tenant="alpha", saga_id=saga, step=1, direction=direction, workflow_id=f"wf-{saga}",
        run_id="r", attempt=attempt, idempotency_key=f"{saga}:1:{direction}", action="rms.reserve",
        resource=mode.lower(), mode=mode, answer=MODES[mode], ended_by="peer",
    )  # fmt: skip


def effect(saga: str, direction: str, attempt: int, second: float) -> Effect:
    return Effect(
        **at(second), seq=int(second * 1000), received_ns=at(second)["at_ns"], service="rms",
        operation="reserve", direction=direction, tenant="alpha", saga_id=saga, step=1,
        workflow_id=f"wf-{saga}", run_id="r", attempt=attempt, status=200,
        idempotency_key=f"{saga}:1:{direction}", disposition=Disposition.APPLIED,
    )  # fmt: skip


def pdp_records() -> Iterator[Record]:
    """Every mode in both directions; FM-32 lets one compensation through."""
    for number, mode in enumerate(MODES):
        for direction in ("forward", "compensation"):
            saga, begin = f"s-{mode}-{direction}", 3.0 + number
            attempts = 1 if MODES[mode] is not Answer.NONE else 3
            yield from (asked(mode, direction, saga, a, begin + a) for a in range(1, attempts + 1))
            if mode == "FM-01" or (mode == "FM-32" and direction == "compensation"):
                yield effect(saga, direction, 1, begin + 1.01)


def verify_trial(**manifest: Any) -> Trial:
    """A conformance run on the reference platform: mostly kept, one breach, one too thin."""
    records = [*parts(ours=True), *pdp_records()]
    phases = {"server start": 1.9, "workers": 2.4, "drive": 27.3, "histories": 3.1, "checks": 0.9}
    records += [Timing(**at(40), what=what, seconds=s) for what, s in phases.items()]
    ids = [a.id for a in load_catalogue() if not a.attest and not a.not_yet and a.area != "slo"]
    verdicts = [
        verdict(i, Outcome.PASS, "kept in all the evidence there is", figures={"sagas": 214})
        for i in ids
        if i not in ("INV-PDP-3", "INV-DET-4", "EVT-4", "DUR-5", "INV-IDEM-1")
    ]
    verdicts += [
        verdict(
            "INV-PDP-3", Outcome.FAIL,
            "1 of 18 cells let a request through without an allow: FM-32, compensation",
            figures={"modes": 9, "cells": 18, "false_allows": 1, "slowest_close_ms": 1003.4},
            witnesses=[
                Witness(text="FM-32, compensation: rms.release applied at seq 10010 after an "
                             'answer of {"decision": "true"}', path="journal/doubles.jsonl"),
                Witness(text=f"workflow {HOSTILE}", path="histories/alpha/wf 1.json"),
            ],
            clauses=[
                Clause(name="no false allow", outcome=Outcome.FAIL, reason="1 of 18 cells"),
                Clause(name="closed within the deadline", outcome=Outcome.PASS),
            ],
        ),
        verdict("INV-IDEM-1", Outcome.PASS, "86 crashes, each effect applied once",
                figures={"crash_points": 86, "suppressed": 91, "applied_twice": 0}),
        verdict("INV-DET-4", Outcome.INCONCLUSIVE,
                "the worker was killed before any history had 20 events, so nothing was replayed"),
        verdict("EVT-4", Outcome.WAIVED, "2 of 9 canceled runs have no event",
                subject="exporter", waiver="EXP-7: exporter learns cancellation in 0.4, owner Ana, "
                "until 2026-01-31", before_waiver="fail: 2 of 9 canceled runs have no event"),
        verdict("DUR-5", Outcome.PASS, "41 sagas compensated in reverse order",
                figures={"sagas": 41, "compensations": 97}),
        verdict("DUR-5", Outcome.PASS, "stock and money add up", subject="services",
                figures={"imbalance": 0}),
        verdict("INV-VER-1", Outcome.NOT_APPLICABLE, "the worker declares that it lacks it"),
    ]  # fmt: skip
    given = {
        "trial_id": "verify-1",
        "started_wall_ns": WALL_NS,
        "ended_wall_ns": WALL_NS + 41 * S,
        "asked": ids,
        "seed": 20251123,
        "tenants": {"alpha": "alpha-ns", "beta": "beta-ns"},
        "parameters": {"pdp_deadline_ms": 1000, "start_p95_limit_ms": 100, "horizon_s": 45},
        "environment": {"python": "3.11.9", "cpus": "2", "kernel": "6.1.0", "temporal": "1.31.0"},
        "target": {"engine": {"address": "127.0.0.1:7233", "tls": False}},
    }
    journal = from_records(records, manifest=hand_made_manifest(**{**given, **manifest}))
    return Trial(journal, verdicts, Path("/out/verify-1"))


def samples(rows: int, rate: float, *, begin_s: float = 5.0, answer: bool = True) -> bytes:
    """Arrivals at a constant rate; a stall of two seconds in the middle, a few that fail."""
    random = np.random.default_rng(1)
    intended = BOOT_NS + int(begin_s * S) + (np.arange(rows) / rate * S).astype(np.int64)
    sent = intended + random.exponential(0.15e6, rows).astype(np.int64)
    middle = intended[rows // 2]
    stall = np.clip((middle + 2 * S - intended), 0, None) * (intended >= middle)
    answered = sent + random.lognormal(np.log(18e6), 0.45, rows).astype(np.int64) + stall
    completed = answered + random.lognormal(np.log(80e6), 0.3, rows).astype(np.int64)
    failed = random.random(rows) < 0.001
    answered[failed & (np.arange(rows) % 4 == 0)] = 0
    values = {
        "index": np.arange(rows), "intended_ns": intended, "sent_ns": sent,
        "first_attempt_ns": answered * answer, "answered_ns": answered * answer,
        "completed_ns": completed * answer,
        "attempts": np.ones(rows), "outcome": np.where(failed, 2, 1), "cause": failed,
    }  # fmt: skip
    origin = Origin(
        trial_id="load-1", workload="start", workflow_id_prefix="l", tenants=["alpha"],
        begin_ns=BOOT_NS + int(begin_s * S), begin_wall_ns=WALL_NS, horizon_s=45,
    )  # fmt: skip
    encoder = Encoder()
    encoder.rows = rows
    columns = [np.asarray(values.get(name, np.zeros(rows)), dtype=code) for name, code in COLUMNS]
    cause = b"failure:ServiceUnavailable"
    return b"".join([
        encoder.begin(origin), struct.pack("<4sI", b"NAME", len(cause)), cause,
        struct.pack("<4sI", b"ROWS", rows), *(column.tobytes() for column in columns),
        encoder.end(),
    ])  # fmt: skip


def load_run(raw: bytes, rate: float, seconds: float, rows: int) -> LoadRun:
    return LoadRun(
        **at(seconds + 10), workload="start", mode="constant", rate_per_s=rate, duration_s=seconds,
        warmup_s=5, seed=7, planned=rows, sent=rows, not_sent=0, lateness_p99_ns=700_000,
        lateness_max_ns=2_100_000, cpu_share=0.41, samples="samples/start.bin", rows=rows,
        sha256=hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip


def load_trial(
    rows: int = 12_000, rate: float = 100.0, *, answer: bool = True, **manifest: Any
) -> Trial:
    """A load run on the user's own worker."""
    raw = samples(rows, rate, answer=answer)
    slo = {"profile": "load", "trial": "load-1", "ours": False}
    verdicts = [
        verdict("SLO-START-1", Outcome.FAIL, "p95 is above the limit at 95 % confidence",
                subject="deployment", **slo,
                figures={"rate_per_s": 100, "lateness_limit_ms": 10.0, "sli": "user_perceived",
                         "limit_ms": 100, "confidence": 0.95, "samples": 11_489, "p50_ms": 18.2,
                         "p95_ms": 112.4181, "p95_upper_ms": 131.9, "p95_lower_ms": 104.25}),
        verdict("SLO-REL-1", Outcome.INCONCLUSIVE,
                "2 400 runs are too few to claim 99.9 % at 95 % confidence; it takes 2 995",
                subject="deployment", **slo,
                figures={"minimum": 0.999, "judged": 2_400, "share": 0.99999,
                         "share_lower": 0.99875, "share_upper": 1.0,
                         "not_completed_by_cause": {"failure:ServiceUnavailable": 1}}),
        verdict("INV-PDP-3", Outcome.PASS, "no false allow", **slo, figures={"cells": 20}),
    ]  # fmt: skip
    given = {"trial_id": "load-1", "arm": "load", "profile": "load",
             "started_wall_ns": WALL_NS - 3 * DAY_NS,
             "ended_wall_ns": WALL_NS - 3 * DAY_NS + 131 * S}  # fmt: skip
    records = [*parts(ours=False), load_run(raw, rate, rows / rate, rows)]
    earlier = [msgspec.structs.replace(r, wall_ns=r.wall_ns - 3 * DAY_NS) for r in records]
    made = hand_made_manifest(**{**given, **manifest})
    journal = from_records(earlier, manifest=made, histories={"samples/start.bin": raw})
    return Trial(journal, verdicts, Path("/out/load-1"))


def chaos_records() -> Iterator[Record]:
    """A cut of the worker's link for 12 s: the backlog grows and drains, starts go on."""
    before = {"established_before": 3, "established_after": 0, "answer_after": "refused"}
    phases: dict[str, tuple[float, dict[str, Any]]] = {
        "planned": (0.0, {"duration_s": 12}),
        "injected": (20.0, {}),
        "bit": (20.2, before),
        "healed": (32.0, {"answer_healed": "accepted"}),
    }
    for phase, (second, evidence) in phases.items():
        yield Fault(**at(second), fault_id="cut-1", name="link cut", phase=phase,
                    target="worker → engine", evidence=evidence)  # fmt: skip
    yield Fault(**at(45), fault_id="kill-2", name="worker killed", phase="injected",
                target="worker calm", evidence={"signal": "SIGKILL"})  # fmt: skip
    random = np.random.default_rng(3)
    for tick in range(240):
        second = tick * 0.25
        behind = max(0.0, min(20 * (second - 20), 240 - 30 * (second - 32)))
        yield Gauge(**at(second), name="backlog", value=behind)
        yield Gauge(**at(second), name="open_sagas", value=12 + behind + random.normal(0, 1.5))
        for tenant in ("alpha", "beta"):
            ok = not (20.3 < second < 32 and tenant == "alpha")
            yield Gauge(**at(second), name="probe_ok", tenant=tenant, value=float(ok))
    for number in range(1200):
        second = number / 20
        lost = 20 < second < 32 and number % 9 == 0
        yield Operation(**at(second), name="start", workflow_id=f"wf-{number}",
                        ending=Ending.INFO if lost else Ending.OK, invoked_ns=0)  # fmt: skip
        if not 20.2 < second < 32:
            yield effect(f"c-{number}", "forward", 1, second + 0.1)


def chaos_trial() -> Trial:
    """An interrupted chaos run."""
    told = {"profile": "chaos", "trial": "chaos-1"}
    verdicts = [
        verdict("DUR-2", Outcome.PASS, "every acknowledged saga ended, no effect twice", **told,
                figures={"sagas": 1200, "applied_twice": 0, "drained_s": 8.0}),
        verdict("INV-DET-4", Outcome.PASS, "63 histories replayed after restarts", **told),
    ]  # fmt: skip
    manifest = hand_made_manifest(
        trial_id="chaos-1", arm="chaos", profile="chaos", started_wall_ns=WALL_NS,
        ended_wall_ns=WALL_NS + 60 * S, ended="interrupted",
    )  # fmt: skip
    journal = from_records([*parts(ours=True), *chaos_records()], manifest=manifest)
    return Trial(journal, verdicts, Path("/out/chaos-1"))


def all_trials() -> list[Trial]:
    return [verify_trial(), load_trial(), chaos_trial()]


def page(*trials: Trial, **options: Any) -> str:
    given = {"mutants": MUTANTS, "now_wall_ns": NOW_NS}
    return render(trials, **{**given, **options})


class Addresses(HTMLParser):
    """Every address that the page could fetch or go to, and every element's name and id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.elements: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append(tag)
        self.found += [given[n] for n in ("src", "href", "action", "srcset", "data") if n in given]
        if "id" in given:
            self.ids.append(given["id"])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def merged() -> str:
    return page(*all_trials(), base=Path("/out"))


@pytest.fixture(scope="module")
def parsed(merged: str) -> Addresses:
    return Addresses(merged)


def test_the_page_asks_nothing_of_a_network(merged: str, parsed: Addresses) -> None:
    outside = [a for a in parsed.found if re.match(r"\s*([a-z][a-z0-9+.-]*:|//)", a, re.I)]
    assert outside == []
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?!#)[^)]*", merged) == []
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(parsed.elements)
    assert "default-src 'none'" in merged


def test_only_our_own_script_may_run(merged: str, parsed: Addresses) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", merged, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in merged
    assert parsed.elements.count("script") == 1


def test_recorded_text_is_shown_as_text(merged: str, parsed: Addresses) -> None:
    assert "workflow </script><b>saga\\u202e</b> \\u0000'\"&" in parsed.text
    assert "<b>saga" not in merged
    assert "\u202e" not in merged
    assert "\x00" not in merged


def test_hostile_text_is_harmless_wherever_it_was_recorded() -> None:
    records: list[Record] = [
        Part(**at(0), subject=Subject.WORKER, ours=False, name=HOSTILE, version=HOSTILE,
             details={HOSTILE: HOSTILE}, lacks=[HOSTILE]),
        Fault(**at(1), fault_id=HOSTILE, name=HOSTILE, target=HOSTILE, phase="injected",
              evidence={HOSTILE: HOSTILE}),
        Gauge(**at(2), name=HOSTILE, tenant=HOSTILE, value=1.0),
        Timing(**at(2), what=HOSTILE, seconds=1.0),
        load_run(b"", 1.0, 1.0, 0),
    ]  # fmt: skip
    manifest = hand_made_manifest(
        trial_id=HOSTILE, arm=HOSTILE, profile=HOSTILE, ended=HOSTILE, asked=[HOSTILE],
        tenants={HOSTILE: HOSTILE}, parameters={HOSTILE: HOSTILE, "horizon_s": HOSTILE},
        environment={HOSTILE: HOSTILE}, target={HOSTILE: [HOSTILE]}, not_driven={HOSTILE: HOSTILE},
    )  # fmt: skip
    judged = verdict(
        HOSTILE, Outcome.FAIL, HOSTILE, subject=HOSTILE, trial=HOSTILE, profile=HOSTILE,
        figures={HOSTILE: HOSTILE, "nested": {HOSTILE: HOSTILE}},
        witnesses=[Witness(text=HOSTILE, path=HOSTILE)], waiver=HOSTILE, before_waiver=HOSTILE,
        clauses=[Clause(name=HOSTILE, outcome=Outcome.FAIL, reason=HOSTILE)],
    )  # fmt: skip
    trial = Trial(from_records(records, manifest=manifest), [judged], None, (HOSTILE,))
    html = page(trial, mutants={HOSTILE: [(HOSTILE, HOSTILE)]})
    assert html.count("</script>") == 1
    assert "<b>saga" not in html
    assert Addresses(html).elements.count("script") == 1


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../other/secret", "a/../../b", "\\\\host\\share", "//evil.example/x"],
)
def test_evidence_outside_of_the_trial_is_not_linked(path: str) -> None:
    failed = verdict("INV-PDP-3", Outcome.FAIL, "x", witnesses=[Witness(text="see", path=path)])
    trial = Trial(from_records([]), [failed], Path("/out/t"))
    found = Addresses(page(trial, base=Path("/out/t"))).found
    assert [a for a in found if not a.startswith("#")] == ["manifest.json"]


def test_an_address_as_a_path_stays_a_path() -> None:
    witness = Witness(text="see", path="javascript:alert(1)")
    failed = verdict("INV-PDP-3", Outcome.FAIL, "x", witnesses=[witness])
    found = Addresses(page(Trial(from_records([]), [failed], Path("/out/t")))).found
    assert "javascript%3Aalert%281%29" in found


def test_evidence_is_linked_from_where_the_page_lies(parsed: Addresses) -> None:
    assert "verify-1/histories/alpha/wf%201.json" in parsed.found
    alone = Addresses(page(verify_trial()))
    assert "histories/alpha/wf%201.json" in alone.found
    beside = Addresses(page(verify_trial(), base=Path("/elsewhere")))
    assert "../out/verify-1/histories/alpha/wf%201.json" in beside.found


def test_every_link_within_the_page_has_its_end(parsed: Addresses) -> None:
    inside = {a[1:] for a in parsed.found if a.startswith("#")}
    assert inside - set(parsed.ids) == set()
    assert len(parsed.ids) == len(set(parsed.ids))


def test_every_statement_gap_and_parameter_is_on_the_page(parsed: Addresses) -> None:
    catalogue = load_catalogue()
    assert {a.id for a in catalogue} <= set(parsed.ids)
    assert {f"gap-{gap.number}" for gap in catalogue.gaps} <= set(parsed.ids)
    assert {f"parameter-{p.name}" for p in catalogue.parameters} <= set(parsed.ids)


def test_the_verdict_comes_first_and_the_sections_in_their_order(merged: str) -> None:
    names = ("verdict", "statements", "unverified", "pdp", "load", "chaos", "timing", "platform",
             "meanings", "gaps")  # fmt: skip
    places = [merged.index(f'<section id="{name}"') for name in names]
    assert places == sorted(places)
    assert merged.index('class="fail">fail</h1>') < merged.index("<table")


def test_what_was_not_verified_and_the_gaps_are_there_even_for_an_empty_trial() -> None:
    html = page(Trial(from_records([]), []))
    assert "Nothing was judged, so nothing is shown." in html
    for always in ("unverified", "platform", "meanings", "gaps"):
        assert f'<section id="{always}"' in html
    for without_data in ("pdp", "load", "chaos", "timing"):
        assert f'<section id="{without_data}"' not in html
        assert f'href="#{without_data}"' not in html


def test_a_page_of_no_trial_at_all_can_be_made() -> None:
    assert "inconclusive" in page()


def test_a_failing_row_is_open_and_no_other(merged: str) -> None:
    rows = re.findall(
        r'<details class="entry" id="([^"]+)" data-standing="([^"]+)"( open)?', merged
    )
    assert {standing for _, standing, is_open in rows if is_open} == {"fail"}
    assert all(is_open for _, standing, is_open in rows if standing == "fail")


def test_an_interrupted_trial_is_said_loudly(merged: str) -> None:
    alarm = re.findall(r'<p class="alarm">(.*?)</p>', merged, re.S)
    assert len(alarm) == 1
    assert "chaos-1" in alarm[0]
    assert "was interrupted" in alarm[0]


def test_a_salvaged_trial_has_the_times_of_its_records() -> None:
    html = page(verify_trial(ended="salvaged", started_wall_ns=0, ended_wall_ns=NOW_NS))
    assert "was killed and salvaged" in html
    assert "2025-11-23 02:54:37 UTC" in html
    assert "40 s" in html


def test_what_fails_a_trial_besides_its_verdicts_fails_the_page() -> None:
    kept = [verdict("INV-PDP-1", Outcome.PASS, "kept")]
    problem = "waiver EXP-7 expired on 2025-10-31"
    trial = Trial(from_records([]), kept, None, (problem,))
    assert 'class="fail">fail</h1>' in page(trial)
    assert problem in page(trial)
    assert summary_json([trial])["verdict"] == "fail"


def test_a_row_tells_reference_and_mutants_of_its_check(merged: str) -> None:
    assert "“fail-closed" not in merged  # quotes are drawn by the style sheet
    assert "<q>fail-closed on authorization errors</q>" in merged
    assert "<code>string-true</code>" in merged
    assert "takes the string true for an allow" in merged


def test_each_row_says_whose_part_it_speaks_of_and_how_old_it_is(merged: str) -> None:
    rows = re.findall(r'<span class="whose">(.*?)<small>(.*?)</small>', merged)
    assert ("our reference worker", "verify-1, 119 min ago") in rows
    assert ("your worker", "load-1, 3 days ago") in rows


def test_the_page_says_when_only_our_worker_was_tested(merged: str) -> None:
    said = "our reference worker: what is said of it says nothing about yours"
    assert said in page(verify_trial())
    assert said not in merged


def test_a_part_that_nobody_declared_is_called_so() -> None:
    trial = Trial(from_records([]), [verdict("INV-PDP-1", Outcome.PASS, "kept", ours=False)])
    assert "worker, undeclared" in page(trial)
    assert "your worker" not in page(trial)


def test_a_row_lists_the_verdicts_that_did_not_decide(merged: str) -> None:
    row = merged[merged.index('id="INV-DET-4"') :]
    row = row[: row.index("</details>")]
    assert row.startswith('id="INV-DET-4" data-standing="inconclusive"')
    assert "Also judged" in row
    assert "63 histories replayed after restarts" in row


def test_a_load_that_nobody_answered_is_drawn_as_such() -> None:
    html = page(load_trial(rows=300, rate=10.0, answer=False))
    assert html.count("for ever") > 8
    assert ">Distribution<" not in html


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "100/s, constant"),
        ({"shape": "day:peak=3"}, "day:peak=3, 100/s in the mean, constant"),
        ({"shape": "burst:rate=900,every=9,for=1", "rate_per_s": 5.0, "duration_s": 64.0},
         "burst:rate=900,every=9,for=1 over 5/s, 187.5/s in the mean, constant"),
    ],
)  # fmt: skip
def test_a_load_says_the_shape_of_its_arrivals(fields: dict[str, Any], said: str) -> None:
    raw = samples(12_000, 100.0)
    run = msgspec.structs.replace(load_run(raw, 100.0, 120.0, 12_000), **fields)
    html = page(Trial(from_records([run], histories={"samples/start.bin": raw}), []))
    assert said in html


def test_a_meaning_that_this_report_does_not_know_is_said() -> None:
    trial = load_trial(rows=300, rate=10.0, parameters={"workflow_start_sli": "guess"})
    assert "workflow_start_sli is declared as guess" in page(trial)


def test_a_fault_without_a_trace_and_one_that_never_healed_are_said(merged: str) -> None:
    assert "nothing shows it" in merged
    assert "never healed" in merged


def test_samples_that_cannot_be_trusted_are_a_sentence_not_a_crash() -> None:
    run = load_run(b"something else", 100.0, 120.0, 12_000)
    journal = from_records([run], histories={"samples/start.bin": b"not these bytes"})
    assert "Nothing can be drawn" in page(Trial(journal, []))


def test_the_same_trials_make_the_same_page() -> None:
    assert page(*all_trials()) == page(*all_trials())


def test_a_great_load_run_makes_a_small_page_that_keeps_its_slowest_call() -> None:
    html = page(load_trial(rows=200_000, rate=400.0))
    assert len(html.encode()) < 300_000
    slowest = re.search(r"Greatest that was: ([0-9.]+) ms", html)
    assert slowest is not None
    assert float(slowest[1]) > 2000


def test_all_of_it_is_far_below_the_limit_of_size(merged: str) -> None:
    assert len(merged.encode()) < 500_000


def test_long_text_is_cut_and_says_so() -> None:
    long = "x" * 100_000
    html = page(Trial(from_records([]), [verdict("INV-PDP-1", Outcome.FAIL, long)]))
    assert "more characters in the trial" in html
    assert len(html.encode()) < 300_000


def test_the_file_is_written_whole_and_in_place(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, [verify_trial()], mutants=MUTANTS, now_wall_ns=NOW_NS)
    assert path.read_text(encoding="utf-8").endswith("</html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_the_summary_names_every_statement_with_outcome_and_reason() -> None:
    summary = json.loads(json.dumps(summary_json(all_trials())))
    assert [each["id"] for each in summary["statements"]] == list(load_catalogue().ids)
    assert all(each["outcome"] and each["reason"] for each in summary["statements"])
    assert sum(summary["counts"].values()) == len(load_catalogue())
    assert summary["verdict"] == "fail"
    breach = next(each for each in summary["statements"] if each["id"] == "INV-PDP-3")
    assert breach["outcome"] == "fail"
    assert [row["ours"] for row in breach["subjects"]] == [True, False]
    assert breach["subjects"][0]["figures"]["false_allows"] == 1
    assert breach["subjects"][0]["clauses"][0]["outcome"] == "fail"
