"""Properties of the CloudEvents validator over generated events, mutations and bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rfc3986_validator import validate_rfc3986  # type: ignore[import-untyped]

from harness.cloudevents import MUST, Event, parse
from harness.cloudevents.syntax import is_uri_reference

Attributes = dict[str, Any]

CHARACTERS = st.characters(exclude_categories=("Cc", "Cs", "Cn"))
STRINGS = st.text(CHARACTERS, min_size=1, max_size=30)
NAMES = st.from_regex("[a-z][a-z0-9]{0,19}", fullmatch=True).filter(
    lambda name: name not in {"data", "traceparent", "id", "source", "type", "time", "subject"}
)
OFFSETS = st.sampled_from(["Z", "+00:00", "-11:30", "z"])
TIMES = st.builds(
    lambda moment, fraction, offset: f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{offset}",
    st.datetimes(min_value=datetime(1000, 1, 1)),
    st.sampled_from(["", ".5", ".123456789"]),
    OFFSETS,
)
SOURCES = st.sampled_from(
    ["urn:example:a", "https://u@example.com:1/x?y#z", "//cluster/ns", "x/../y", "mailto:a@b.c"]
)
EXTENSIONS = st.dictionaries(
    NAMES, st.one_of(STRINGS, st.booleans(), st.integers(-(2**31), 2**31 - 1)), max_size=3
)
JSON_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def attributes(draw: st.DrawFn) -> Attributes:
    """The attributes of a valid event but datacontenttype."""
    optional = st.fixed_dictionaries(
        {},
        optional={
            "time": TIMES,
            "subject": STRINGS,
            "dataschema": st.just("https://example.com/s"),
        },
    )
    return {
        **draw(EXTENSIONS),
        "specversion": "1.0",
        "id": draw(STRINGS),
        "source": draw(SOURCES),
        "type": draw(STRINGS),
        **draw(optional),
    }


def in_binary(found: Attributes, data: Any) -> list[Event]:
    """An event in binary mode, its values percent-encoded."""
    lines = [("Content-Type", "application/json")]
    for name, value in found.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append((f"ce-{name}", quote(text, safe="!#$&'()*+,/:;=?@[]\\^`{|}<>")))
    return parse(lines, json.dumps(data).encode())


def in_json(found: Attributes, data: Any) -> list[Event]:
    """An event in structured mode."""
    body = json.dumps({**found, "datacontenttype": "application/json", "data": data})
    return parse([("content-type", "application/cloudevents+json")], body.encode())


def in_base64(found: Attributes, data: Any) -> list[Event]:
    """An event in structured mode whose data is binary."""
    coded = base64.b64encode(json.dumps(data).encode()).decode()
    body = json.dumps({**found, "datacontenttype": "application/json", "data_base64": coded})
    return parse([("content-type", "application/cloudevents+json")], body.encode())


def in_batch(found: Attributes, data: Any) -> list[Event]:
    """The same event twice in a batch."""
    body = json.dumps([{**found, "data": data}] * 2, ensure_ascii=False)
    return parse([("content-type", "application/cloudevents-batch+json")], body.encode())


MODES: list[Callable[[Attributes, Any], list[Event]]] = [in_binary, in_json, in_base64, in_batch]


def must(events: list[Event]) -> set[str]:
    """The rules of level MUST that are broken."""
    return {p.rule for event in events for p in event.problems if p.level == MUST}


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(found=attributes(), data=JSON_DATA)
def test_a_valid_event_breaks_no_rule_that_must_be_kept(
    mode: Callable[[Attributes, Any], list[Event]], found: Attributes, data: Any
) -> None:
    """In every mode, and its data and its strings come back as they were."""
    events = mode(found, data)
    assert must(events) == set()
    for event in events:
        assert event.data == data
        strings = {k: v for k, v in found.items() if isinstance(v, str)}
        assert strings.items() <= event.attributes.items()


MUTATIONS: list[tuple[str, Callable[[Attributes], Attributes]]] = [
    ("CE-3.1.1-id", lambda a: {k: v for k, v in a.items() if k != "id"}),
    ("CE-3.1.1-id", lambda a: a | {"id": ""}),
    ("CE-3.1.2-source", lambda a: {k: v for k, v in a.items() if k != "source"}),
    ("CE-3.1.2-source-uri", lambda a: a | {"source": a["source"] + " "}),
    ("CE-3.1.2-source-uri", lambda a: a | {"source": a["source"] + "%"}),
    ("CE-3.1.2-source-uri", lambda a: a | {"source": "http://[" + a["source"]}),
    ("CE-3.1.3-specversion", lambda a: a | {"specversion": "1"}),
    ("CE-3.1.4-type", lambda a: a | {"type": ""}),
    ("CE-3.2.2-dataschema", lambda a: a | {"dataschema": "schema.json"}),
    ("CE-3.2.3-subject", lambda a: a | {"subject": ""}),
    ("CE-3.2.4-time", lambda a: a | {"time": "2024-13-01T00:00:00Z"}),
    ("CE-3.2.4-time", lambda a: a | {"time": "yesterday"}),
    ("CE-3.4-name", lambda a: a | {"ext-1": "x"}),
    ("CE-3.5-string", lambda a: a | {"id": a["id"] + "\x1f"}),
    ("CE-3.5-string", lambda a: a | {"ext": "\ufffe"}),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("rule", "mutate"), MUTATIONS)
@settings(max_examples=10, deadline=None)
@given(found=attributes())
def test_one_mutation_breaks_the_rule_it_is_made_for_and_no_other(
    mode: Callable[[Attributes, Any], list[Event]],
    rule: str,
    mutate: Callable[[Attributes], Attributes],
    found: Attributes,
) -> None:
    """In every mode."""
    assert must(mode(mutate(found), {})) == {rule}


CONTENT_TYPES = st.sampled_from(
    [
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/json",
        "application/cloudevents",
        "image/png",
        "",
    ]
)
LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=20)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["ce-id", "ce-time", "CE-Source", "ce-", "Content-Type", "x"]), LATIN_1
    ),
    max_size=6,
)
NEARLY_JSON = st.one_of(
    st.binary(max_size=200),
    JSON_DATA.map(lambda value: json.dumps(value).encode()),
    st.recursive(
        st.none() | st.floats() | st.integers() | st.text(st.characters(), max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "source", "data", "data_base64", "datacontenttype", "time"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=400, deadline=None)
@given(media_type=CONTENT_TYPES, lines=LINES, body=NEARLY_JSON)
@example(media_type="application/json", lines=[], body=b"[" * 100_000)
@example(media_type="application/cloudevents+json", lines=[], body=b'{"a":' * 100_000)
@example(media_type="application/cloudevents-batch+json", lines=[], body=b'[{"id":1e400}]')
@example(media_type="application/cloudevents+json", lines=[], body=b'{"id":"\\ud800"}')
def test_no_bytes_make_it_fail(media_type: str, lines: list[tuple[str, str]], body: bytes) -> None:
    """Whatever comes, there are events with problems, and their texts can be printed."""
    for event in parse([("Content-Type", media_type), *lines], body):
        for problem in event.problems:
            problem.text.encode()
            assert len(problem.text) < 300


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=5, deadline=None)
@given(unit=st.sampled_from(["a", "%", "%41", "/", "a:", '"', "\\", ";a=b", "é", "\ud800", "["]))
def test_megabytes_are_handled(unit: str) -> None:
    """Values of a megabyte in each place where a grammar is applied."""
    long = unit * (1_000_000 // len(unit))
    text = long.encode("utf-8", "surrogatepass").decode("latin-1")
    for name in ("ce-source", "ce-id", "ce-time", "ce-traceparent", "Content-Type", "ce-type"):
        (event,) = parse([(name, text)], b"")
        assert not event.valid
    (event,) = in_json({"id": long, "source": "http://" + long, "dataschema": long}, long)
    assert not event.valid


@given(st.text(st.sampled_from("aZ0-.:/?#[]@!$%&1f~ \\<é"), max_size=25))
@settings(max_examples=1000, deadline=None)
@example("//[::1]:80/")
@example("//[v1.x]/")
@example("a:b:c")
@example("./a:b")
@example("//a:b@c:d")
def test_it_agrees_with_another_reading_of_rfc_3986(text: str) -> None:
    """The package `rfc3986_validator` says the same of every string."""
    assert is_uri_reference(text) == bool(validate_rfc3986(text, "URI_reference"))
