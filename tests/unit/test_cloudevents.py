"""The CloudEvents validator names the rule that an event breaks, and accepts what is allowed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from harness.cloudevents import MUST, RULES, Event, parse

JSON_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "run-1:5",
    "source": "urn:example:cluster",
    "type": "com.example.workflow.started",
    "time": "2024-05-01T10:00:00.123456789Z",
    "subject": "wf-1/run-1",
    "tenantid": "alpha",
    "datacontenttype": "application/json",
    "data": {"run_id": "run-1", "event_id": 5},
}
STRUCTURED = [("Content-Type", "application/cloudevents+json; charset=UTF-8")]
BATCHED = [("content-type", "application/cloudevents-batch+json")]
HEADERS = [
    ("Host", "sink.example"),
    ("Content-Type", "application/json"),
    ("ce-specversion", "1.0"),
    ("ce-id", "run-1:5"),
    ("ce-source", "urn:example:cluster"),
    ("ce-type", "com.example.workflow.started"),
]
NOT_GIVEN = object()


def rules(events: list[Event]) -> list[str]:
    """The rules that the events break, in order."""
    return [problem.rule for event in events for problem in event.problems]


def structured(**changes: Any) -> list[Event]:
    """The event in structured mode with some members changed, or taken out."""
    members = {k: v for k, v in {**JSON_EVENT, **changes}.items() if v is not NOT_GIVEN}
    return parse(STRUCTURED, json.dumps(members).encode())


def binary(*more: tuple[str, str], body: bytes = b"{}", without: str = "") -> list[Event]:
    """The event in binary mode with header lines added, or one taken out."""
    kept = [line for line in HEADERS if line[0] != without]
    return parse([*kept, *more], body)


def test_a_valid_event_is_read_alike_in_all_three_modes() -> None:
    """Attributes and data are the same, and no rule is broken."""
    whole = json.dumps(JSON_EVENT).encode()
    lines = [
        (f"CE-{name}", value.replace(" ", "%20"))
        for name, value in JSON_EVENT.items()
        if name not in ("data", "datacontenttype")
    ]
    lines.append(("content-type", "application/json"))
    found = [
        *parse(lines, json.dumps(JSON_EVENT["data"]).encode()),
        *parse(STRUCTURED, whole),
        *parse(BATCHED, b"[" + whole + b"]"),
    ]
    assert [event.mode for event in found] == ["binary", "structured", "batched"]
    assert rules(found) == []
    for event in found:
        assert event.data == JSON_EVENT["data"]
        assert event.attributes | {"data": event.data} == JSON_EVENT


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"id": NOT_GIVEN}, "CE-3.1.1-id"),
        ({"id": ""}, "CE-3.1.1-id"),
        ({"id": 7}, "CE-3.1.1-id"),
        ({"id": None}, "CE-3.1.1-id"),
        ({"source": NOT_GIVEN}, "CE-3.1.2-source"),
        ({"source": ""}, "CE-3.1.2-source"),
        ({"source": "http://[bad uri"}, "CE-3.1.2-source-uri"),
        ({"source": "a b"}, "CE-3.1.2-source-uri"),
        ({"source": "%zz"}, "CE-3.1.2-source-uri"),
        ({"source": "1:2"}, "CE-3.1.2-source-uri"),
        ({"source": "/relative"}, "CE-3.1.2-source-absolute"),
        ({"specversion": NOT_GIVEN}, "CE-3.1.3-specversion"),
        ({"specversion": "0.3"}, "CE-3.1.3-specversion"),
        ({"specversion": 1.0}, "CE-3.1.3-specversion"),
        ({"type": NOT_GIVEN}, "CE-3.1.4-type"),
        ({"type": ""}, "CE-3.1.4-type"),
        ({"type": "workflow.started"}, "CE-3.1.4-type-prefix"),
        ({"datacontenttype": "json"}, "CE-3.2.1-datacontenttype"),
        ({"datacontenttype": "application/json;"}, "CE-3.2.1-datacontenttype"),
        ({"dataschema": "/relative"}, "CE-3.2.2-dataschema"),
        ({"dataschema": ""}, "CE-3.2.2-dataschema"),
        ({"subject": ""}, "CE-3.2.3-subject"),
        ({"subject": ["x"]}, "CE-3.2.3-subject"),
        ({"time": "2024-05-01T10:00:00"}, "CE-3.2.4-time"),
        ({"time": "2024-05-01 10:00:00Z"}, "CE-3.2.4-time"),
        ({"time": "2023-02-29T10:00:00Z"}, "CE-3.2.4-time"),
        ({"time": "2024-05-01T24:00:00Z"}, "CE-3.2.4-time"),
        ({"time": "2024-05-01T10:00:00+2400"}, "CE-3.2.4-time"),
        ({"time": 1714557600}, "CE-3.2.4-time"),
        ({"tenantId": "alpha"}, "CE-3.4-name"),
        ({"tenant_id": "alpha"}, "CE-3.4-name"),
        ({"": "alpha"}, "CE-3.4-name"),
        ({"averylongextensionname1": "x"}, "CE-3.4-name-length"),
        ({"ext": {"a": 1}}, "CE-3.5-type"),
        ({"ext": ["a"]}, "CE-3.5-type"),
        ({"ext": 1.5}, "CE-3.5-type"),
        ({"ext": 2**31}, "CE-3.5-integer"),
        ({"ext": -(2**31) - 1}, "CE-3.5-integer"),
        ({"ext": "a\x07b"}, "CE-3.5-string"),
        ({"ext": "a\x85b"}, "CE-3.5-string"),
        ({"ext": "\ufdd0"}, "CE-3.5-string"),
        ({"ext": "\U0010ffff"}, "CE-3.5-string"),
        ({"ext": "\ud800"}, "CE-3.5-string"),
        ({"id": "a\nb"}, "CE-3.5-string"),
        ({"traceparent": "00-00-00-01"}, "CE-EXT-traceparent"),
        ({"traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}, "CE-EXT-traceparent"),
        ({"data_base64": "e30="}, "CE-JSON-3.1-exclusive"),
        ({"data": NOT_GIVEN, "data_base64": "not base64!"}, "CE-JSON-3.1-base64"),
        ({"data": NOT_GIVEN, "data_base64": 5}, "CE-JSON-3.1-base64"),
        ({"data": NOT_GIVEN, "data_base64": base64.b64encode(b"{").decode()}, "CE-4-data"),
        ({"data": {"a": 1}, "datacontenttype": "application/xml"}, "CE-JSON-3.1-string"),
        ({"data": "x" * 65536}, "CE-5-size"),
    ],
)
def test_each_rule_of_the_json_format_is_seen(change: dict[str, Any], rule: str) -> None:
    """One change, one rule."""
    assert rules(structured(**change)) == [rule]


@pytest.mark.parametrize(
    "change",
    [
        {"subject": None},
        {"time": None, "dataschema": None, "ext": None},
        {"source": "x"},
        {"source": "../a?b#c"},
        {"source": "//cluster.example/namespaces/a"},
        {"source": "http://user:p@[::1]:80/%C3%A4?q=/?#f"},
        {"time": "2016-12-31T23:59:60.5+01:30"},
        {"time": "2024-02-29t10:00:00z"},
        {"datacontenttype": NOT_GIVEN},
        {"datacontenttype": 'Application/Vnd.x+JSON; charset="utf 8"; a=b'},
        {"dataschema": "https://example.com/schema#v1"},
        {"ext": True, "ext2": 2**31 - 1, "ext3": -(2**31), "ext4": "", "a" * 20: "x"},
        {"subject": "Grüße 😀"},
        {"data": None},
        {"data": NOT_GIVEN},
        {"data": "a string that says {", "datacontenttype": "text/plain"},
        {"data": NOT_GIVEN, "data_base64": "AAECAw==", "datacontenttype": "image/png"},
        {"data": "x" * 60000},
        {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"},
        {"traceparent": f"01-{'a' * 32}-{'b' * 16}-00-more"},
    ],
)
def test_what_is_allowed_breaks_no_rule_that_must_be_kept(change: dict[str, Any]) -> None:
    """Unusual is not wrong."""
    (event,) = structured(**change)
    assert event.valid, event.problems


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (("ce-datacontenttype", "text/plain"), "CE-HTTP-3.1.1-datacontenttype"),
        (("CE-ID", "run-1:5"), "CE-HTTP-3.1.3-duplicate"),
        (("content-TYPE", "application/json"), "CE-HTTP-3.1.3-duplicate"),
        (("ce-subject", "a b"), "CE-HTTP-3.1.3.2-space"),
        (("ce-subject", 'a"b'), "CE-HTTP-3.1.3.2-quote"),
        (("ce-subject", '"a b"'), "CE-HTTP-3.1.3.2-quoted"),
        (("ce-subject", "gr\xc3\xbc\xc3\x9fe"), "CE-HTTP-3.1.3.2-ascii"),
        (("ce-subject", "50%"), "CE-HTTP-3.1.3.2-percent"),
        (("ce-subject", "50%2"), "CE-HTTP-3.1.3.2-percent"),
        (("ce-subject", "%C0%A0"), "CE-HTTP-3.1.3.2-utf8"),
        (("ce-subject", "%e2%82%ac"), "CE-HTTP-3.1.3.2-case"),
        (("ce-subject", "%00"), "CE-3.5-string"),
        (("ce-subject", ""), "CE-3.2.3-subject"),
        (("ce-my_ext", "x"), "CE-3.4-name"),
        (("ce-data", "x"), "CE-3.4-name-data"),
    ],
)
def test_each_rule_of_header_lines_is_seen(line: tuple[str, str], rule: str) -> None:
    """One line more, one rule."""
    assert rules(binary(line)) == [rule]


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_a_required_attribute_is_missed_in_binary_mode(name: str) -> None:
    """Nothing is invented for it."""
    (problem,) = binary(without=f"ce-{name}")[0].problems
    assert (problem.level, problem.rule.endswith(name)) == (MUST, True)


def test_header_values_are_decoded_once() -> None:
    """Percent-encoding, in both cases, and quoted strings are undone in one round."""
    (event,) = binary(("ce-subject", "Euro%20%E2%82%ac%20%2541"), ("ce-ext", '"a \\"b\\" %25"'))
    assert event.attributes["subject"] == "Euro € %41"
    assert event.attributes["ext"] == 'a "b" %'
    assert event.valid


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff", b"\xef\xbb\xbf{}", b"{} x", b'{"a": NaN}', b"[" * 200_000]
)
def test_a_structured_body_that_is_no_json_is_one_event_with_that_problem(body: bytes) -> None:
    """Whatever the bytes are."""
    assert rules(parse(STRUCTURED, body)) == ["CE-JSON-3-json"]


def test_an_event_is_an_object_and_a_batch_an_array() -> None:
    """Anything else is said to be neither."""
    assert rules(parse(STRUCTURED, b"[]")) == ["CE-JSON-3-object"]
    assert rules(parse(BATCHED, b"{}")) == ["CE-JSON-4-array"]
    assert rules(parse(BATCHED, b"[1]")) == ["CE-JSON-3-object"]
    assert parse(BATCHED, b"[]") == []


def test_json_data_in_binary_mode_must_be_json() -> None:
    """An empty body is no data; other media types are not looked into."""
    assert rules(binary(body=b"{")) == ["CE-4-data"]
    assert rules(binary(body=b"")) == []
    (event,) = binary(("Content-Type", "text/plain"), body=b"{", without="Content-Type")
    assert (event.data, event.problems) == (b"{", ())


def test_repeated_members_are_told_apart_by_where_they_are() -> None:
    """Attributes must not repeat; in the data it is only unwise."""
    whole = json.dumps(JSON_EVENT)
    twice = whole[:-1] + ', "id": "other"}'
    assert rules(parse(STRUCTURED, twice.encode())) == ["CE-JSON-3-duplicate"]
    assert rules(parse(BATCHED, f"[{whole},{twice}]".encode())) == ["CE-JSON-3-duplicate"]
    below = whole.replace('"event_id": 5', '"event_id": 5, "event_id": 6')
    assert rules(parse(STRUCTURED, below.encode())) == ["CE-4-data-duplicate"]
    assert rules(binary(body=b'{"a":1,"a":2}')) == ["CE-4-data-duplicate"]


def test_a_batch_has_one_specversion() -> None:
    """Every event of a mixed batch is told so."""
    other = json.dumps(JSON_EVENT | {"specversion": "0.3"})
    found = parse(BATCHED, f"[{json.dumps(JSON_EVENT)},{other}]".encode())
    assert [rules([event])[0] for event in found] == ["CE-HTTP-3.3.2-specversion"] * 2


@pytest.mark.parametrize(
    ("media_type", "mode"),
    [
        ("application/cloudevents+json", "structured"),
        ("APPLICATION/CLOUDEVENTS+JSON; charset=utf-8", "structured"),
        ("application/cloudevents-batch+json", "batched"),
        ("text/plain", "binary"),
        ("application/json", "binary"),
        ("", "binary"),
    ],
)
def test_the_content_type_alone_decides_the_mode(media_type: str, mode: str) -> None:
    """Also when `ce-` header lines are there."""
    lines = [*(line for line in HEADERS if line[0] != "Content-Type"), ("Content-Type", media_type)]
    assert {event.mode for event in parse(lines, b"[{}]")} == {mode}


def test_a_structured_event_may_repeat_its_attributes_in_header_lines() -> None:
    """They are not looked at."""
    assert rules(parse([*STRUCTURED, ("ce-id", "other")], json.dumps(JSON_EVENT).encode())) == []


def test_json_sent_as_text_is_a_binary_event_without_attributes() -> None:
    """The four required attributes are missing."""
    found = parse([("Content-Type", "text/plain")], json.dumps(JSON_EVENT).encode())
    assert len(rules(found)) == 4


@pytest.mark.parametrize(
    "media_type",
    ["application/cloudevents+avro", "application/cloudevents", "application/cloudeventsx"],
)
def test_a_format_that_cannot_be_read_is_never_valid(media_type: str) -> None:
    """What was not judged must not pass."""
    assert rules(parse([("Content-Type", media_type)], b"{}")) == ["CE-HTTP-3.2.1-format"]


def test_a_number_of_thousands_of_digits_is_json() -> None:
    """In the data it is no problem; as an attribute it is too large."""
    digits = "9" * 5000
    whole = json.dumps(JSON_EVENT)
    data = whole.replace('"event_id": 5', f'"event_id": {digits}')
    assert rules(parse(STRUCTURED, data.encode())) == []
    attribute = whole[:-1] + f', "ext": {digits}}}'
    assert rules(parse(STRUCTURED, attribute.encode())) == ["CE-3.5-integer"]


def test_the_size_counts_header_lines() -> None:
    """64 KiB exactly is within the limit, one byte more is not."""
    room = 64 * 1024 - sum(len(name) + len(value) for name, value in HEADERS)
    body = json.dumps("x" * (room - 2)).encode()
    assert rules(binary(body=body)) == []
    assert rules(binary(body=body + b" ")) == ["CE-5-size"]


def test_every_rule_has_a_test_here() -> None:
    """The table of rules holds none that no input can break."""
    text = open(__file__, encoding="utf-8").read()  # noqa: PTH123, SIM115
    assert {rule for rule in RULES if f'"{rule}"' not in text} == set()
