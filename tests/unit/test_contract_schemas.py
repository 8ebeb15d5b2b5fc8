"""The contract's schemas, its document, the harness's programs and the reference worker agree."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.contract
from harness.checks.audit.schemas import misfits
from harness.contract import program as written
from harness.contract.event_schemas import FOLDER as EVENT_SCHEMAS
from harness.contract.event_schemas import SCHEME, catalogue, older
from harness.contract.noop import noops
from harness.contract.transitions import TYPES
from scenarios.reference import program as read

FOLDER = Path(harness.contract.__file__).parent
DOCUMENT = (FOLDER / "CONTRACT.md").read_text()
SCHEMAS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "schemas").glob("*.json"))
}
PROGRAM = jsonschema.Draft202012Validator(SCHEMAS["program"])


def fits(name: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMAS[name]).is_valid(value))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_is_open(name: str) -> None:
    """Unknown fields are ignored, so no schema may forbid them."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert "additionalProperties" not in json.dumps(SCHEMAS[name])


def test_every_schema_that_the_document_names_is_there() -> None:
    named = set(re.findall(r"schemas/([a-z-]+)\.json", DOCUMENT))
    assert named
    assert named <= SCHEMAS.keys()


def blocks() -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]


def test_the_program_in_the_document_fits() -> None:
    [program] = [block for block in blocks() if "nodes" in block]
    PROGRAM.validate(program)
    assert len(read.parse(program).nodes) == len(program["nodes"])
    assert written.to_json(written.from_json(program)) == program


def test_the_noops_in_the_document_fit() -> None:
    [argument] = [block for block in blocks() if "count" in block]
    assert fits("noop", argument)
    assert argument == noops("alpha", "n-0001", 5, "ordinary")
    assert set(SCHEMAS["noop"]["properties"]["how"]["enum"]) == {*read.HOW}
    assert SCHEMAS["noop"]["properties"]["count"]["maximum"] == read.MAX_NOOPS


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "2.0"}, {"contract": 1}, {"tenant": ""}, {"tenant": "a b"}, {"saga_id": None},
        {"count": 0}, {"count": 1001}, {"count": "5"}, {"count": True}, {"how": "fast"}, {"how": 1},
        {"count": 5.0}, {"more": 1}, {},
    ],
)  # fmt: skip
def test_the_worker_takes_the_noops_that_fit(change: dict[str, Any]) -> None:
    argument = {**noops("alpha", "n-0001", 5, "local"), **change}
    try:
        taken = read.parse_noops(argument).count == 5
    except read.Misfit:
        taken = False
    assert taken == fits("noop", argument)


def test_the_authorization_request_in_the_document_fits() -> None:
    [request] = [block for block in blocks() if "subject" in block]
    assert fits("authorization-request", request)


def test_the_ready_line_in_the_document_fits() -> None:
    [line] = re.findall(r"^HARNESS-READY (.*)$", DOCUMENT, re.MULTILINE)
    assert fits("ready", json.loads(line))


def test_the_tables_in_the_document_are_those_of_the_code() -> None:
    rows = re.findall(
        r"^\| `([a-z.]+)` \| `\w+` \| `\w+` \| forward \| `([a-z.]+)` \|$", DOCUMENT, re.MULTILINE
    )
    expected = [(f"{s}.{f}", f"{s}.{c}") for (s, f), c in read.COMPENSATION.items()]
    assert rows == expected
    assert dict(written.COMPENSATION) == dict(read.COMPENSATION)
    defaults = re.search(r'`(\{"initial_ms".*?\})`', DOCUMENT)
    assert defaults is not None
    retry = read.Retry()
    assert json.loads(defaults[1]) == {name: getattr(retry, name) for name in read.Retry.__slots__}


IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
TEXTS = st.text(min_size=1, max_size=8)
COUNTS = st.integers(0, 5)
BEHAVIOURS = st.builds(
    written.Behaviour,
    fail=COUNTS,
    lose_answer=COUNTS,
    delay_ms=COUNTS,
    business_failure=st.booleans(),
    hold=st.sampled_from(["", "before", "after"]),
)
RETRIES = st.builds(
    written.Retry,
    initial_ms=st.integers(1, 10_000),
    coefficient=st.floats(1, 10),
    max_interval_ms=st.integers(1, 10_000),
    max_attempts=st.integers(1, 20),
)
STEPS = st.builds(
    written.step,
    st.integers(0, 3),
    TEXTS,
    amount=TEXTS,
    retry=RETRIES,
    start_to_close_ms=st.integers(1, 10_000),
    heartbeat_ms=st.integers(0, 10_000),
    behaviour=BEHAVIOURS,
    compensation_behaviour=BEHAVIOURS,
)
LEAVES = (
    STEPS
    | st.builds(written.Wait, signal=TEXTS)
    | st.builds(written.Timer, duration_ms=st.integers(1, 10**9))
    | st.just(written.ContinueAsNew())
)


def programs(nodes: st.SearchStrategy[Any]) -> st.SearchStrategy[written.SagaProgram]:
    return st.builds(
        written.SagaProgram, tenant=IDS, saga_id=IDS, nodes=st.lists(nodes, max_size=4)
    )


PROGRAMS = programs(LEAVES | st.builds(written.Child, program=programs(LEAVES)))


@settings(deadline=None)
@given(PROGRAMS)
def test_what_the_harness_writes_fits_and_is_read_as_meant(program: written.SagaProgram) -> None:
    plain = json.loads(json.dumps(written.to_json(program)))
    PROGRAM.validate(plain)
    parsed = read.parse(plain)
    assert (parsed.tenant, parsed.saga_id) == (program.tenant, program.saga_id)
    assert [type(node).__name__ for node in parsed.nodes] == [
        type(node).__name__ for node in program.nodes
    ]
    for meant, node in zip(program.nodes, parsed.nodes, strict=True):
        if isinstance(meant, written.Step) and isinstance(node, read.Step):
            for name in ("service", "operation", "compensation", "resource", "amount"):
                assert getattr(node, name) == getattr(meant, name)
            assert node.start_to_close_ms == meant.start_to_close_ms
            assert node.heartbeat_ms == meant.heartbeat_ms
            for name in written.Retry.__struct_fields__:
                assert getattr(node.retry, name) == getattr(meant.retry, name)


ODD = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 1.0, 1.5, 2**53, 10**20, "", "1", "a b", "\n", "é", "1.0", "2.0", {}])
    | st.just([])
    | st.text(max_size=3)
)


@settings(max_examples=300, deadline=None)
@given(PROGRAMS, ODD, st.data())
def test_the_worker_refuses_exactly_what_does_not_fit(
    program: written.SagaProgram, odd: Any, data: st.DataObject
) -> None:
    """One value is replaced or left out, anywhere; schema and parser agree on the outcome."""
    plain = written.to_json(program)
    holder, key = data.draw(st.sampled_from(places(plain)))
    if data.draw(st.booleans()):
        holder[key] = copy.deepcopy(odd)
    else:
        del holder[key]
    try:
        read.parse(plain)
        accepted = True
    except read.Misfit:
        accepted = False
    assert accepted == PROGRAM.is_valid(plain)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value inside an object or array."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def test_nesting_without_end_is_a_misfit() -> None:
    plain: dict[str, Any] = {"contract": "1.0", "tenant": "a", "saga_id": "s", "nodes": []}
    for _ in range(5_000):
        plain = {**plain, "nodes": [{"kind": "child", "program": plain}]}
    with pytest.raises(read.Misfit, match="deep"):
        read.parse(plain)


@pytest.mark.parametrize("progress", [None, [], {}, {"next": 2}, {"next": -1, "results": []}])
def test_a_misfit_in_what_was_reached_is_a_misfit(progress: Any) -> None:
    plain = {"contract": "1.0", "tenant": "a", "saga_id": "s", "nodes": [], "progress": progress}
    with pytest.raises(read.Misfit):
        read.parse(plain)


RESULTS = st.dictionaries(TEXTS, TEXTS, max_size=2)


@settings(deadline=None)
@given(PROGRAMS, st.data())
def test_what_was_reached_survives_the_journey(
    program: written.SagaProgram, data: st.DataObject
) -> None:
    steps = [n for n, node in enumerate(program.nodes) if isinstance(node, written.Step)]
    chosen = data.draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
    reached = read.Progress(
        next_node=data.draw(st.integers(0, len(program.nodes))),
        results=tuple((n, data.draw(RESULTS)) for n in chosen),
        signals=tuple(data.draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=3))),
    )
    plain = {**written.to_json(program), "progress": reached.to_json()}
    PROGRAM.validate(plain)
    assert read.parse(json.loads(json.dumps(plain))).progress == reached


# --- the event catalogue


EVENTS = catalogue()


@pytest.mark.parametrize("uri", EVENTS)
def test_an_event_schema_is_one_and_lies_where_its_uri_says(uri: str) -> None:
    name, version = uri.removeprefix(SCHEME).rsplit(":", 1)
    jsonschema.Draft202012Validator.check_schema(EVENTS[uri])
    assert "additionalProperties" not in json.dumps(EVENTS[uri])
    assert json.loads((EVENT_SCHEMAS / version / f"{name}.json").read_text()) == EVENTS[uri]


def test_every_event_type_has_a_schema_and_every_schema_a_type() -> None:
    assert {uri.removeprefix(SCHEME).rsplit(":", 1)[0] for uri in EVENTS} == set(TYPES)
    for name in TYPES:
        assert f"`{name}`" in DOCUMENT, name


@pytest.mark.parametrize("uri", [uri for uri in EVENTS if older(uri)])
def test_a_newer_event_schema_only_adds_optional_members(uri: str) -> None:
    """So a consumer of the old one reads new events, and one of the new reads old events."""
    new = EVENTS[uri]
    for each in older(uri):
        old = EVENTS[each]
        assert set(new["required"]) == set(old["required"])
        kept = {name: new["properties"].get(name) for name in old["properties"]}
        assert kept == old["properties"]


NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=4) | st.just([]) | st.just({})
MEMBERS = sorted({name for schema in EVENTS.values() for name in schema["properties"]})


@settings(max_examples=300)
@given(uri=st.sampled_from(sorted(EVENTS)), data=st.dictionaries(st.sampled_from(MEMBERS), VALUES))
def test_judging_by_shapes_is_judging_by_the_schema(uri: str, data: dict[str, Any]) -> None:
    """What stands in for an event's data fits exactly where the data does."""
    name = uri.removeprefix(SCHEME).rsplit(":", 1)[0]
    sound = {
        "tenant": "a", "namespace": "n", "workflow_id": "w", "run_id": "r", "workflow_type": "t",
        "event_id": 1, "outcome": name.rsplit(".", 1)[1],
        "transition": EVENTS[uri]["properties"]["transition"]["const"],
    }  # fmt: skip
    whole = {**sound, **data}
    assert (misfits(uri, whole) == ()) == fits_event(uri, whole)
    assert misfits(uri, sound) == ()


def fits_event(uri: str, data: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(EVENTS[uri]).is_valid(data))
