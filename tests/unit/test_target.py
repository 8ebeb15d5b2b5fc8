"""The target file: every bad input has its exact line, and nothing else is ever raised."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import TargetFileError
from harness.target.model import Breakage, Target, environment
from harness.target.parse import read_target, reference_target, summary
from harness.target.template import commented_template
from harness.yaml_lines import parse

GOOD = """\
engine:
  address: 127.0.0.1:7233
tenants:
  - {name: alpha, namespace: alpha, task_queue: qa}
  - {name: beta, namespace: beta, task_queue: qb}
worker:
  external: true
"""


class Choice:
    """A declared parameter with two choices."""

    def problem(self, value: object) -> str | None:
        return None if value in ("a", "b") else "sli must be one of a, b"


def read(folder: Path, text: str, **environ: str) -> Target:
    path = folder / "target.yaml"
    path.write_text(text, encoding="utf-8")
    return read_target(path, {"sli": Choice()}, environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(TargetFileError) as caught:
        read(folder, text, **environ)
    assert caught.value.exit_code == 64
    return list(caught.value.problems)


def with_line(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def section(text: str) -> str:
    return GOOD + textwrap.dedent(text)


def worker(text: str) -> str:
    return GOOD.replace("  external: true\n", textwrap.indent(textwrap.dedent(text), "  "))


def test_a_plain_target(tmp_path: Path) -> None:
    target = read(tmp_path, GOOD)
    assert target.engine.address == "127.0.0.1:7233"
    assert [tenant.name for tenant in target.tenants] == ["alpha", "beta"]
    assert target.worker.external
    assert target.exporter is None
    assert target.doubles.advertised_host == "127.0.0.1"
    assert target.warnings == ()


def test_nothing_may_be_broken_unless_it_is_named(tmp_path: Path) -> None:
    plain = read(tmp_path, GOOD)
    assert not any(plain.may(kind) for kind in get_args(Breakage))
    allowed = read(tmp_path, section("allow: {faults: [link-cut], load: {max_rate_per_s: 5}}"))
    assert allowed.may("link-cut")
    assert allowed.may("load")
    assert not allowed.may("kill-worker")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (text, text)
            for text in ("no", "on", "yes", "012", "0x10", "12:30", "2026-01-01", "1e999")
        ),
        *((text, text) for text in (".nan", ".inf", "9" * 30, "1_000", "=", "127.0.0.1")),
        *(("0", 0), ("-7", -7), ("10", 10), ("0.50", 0.5), ("1e3", 1000.0), (".5", 0.5)),
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None)),
        *(("'7'", "7"), ('"true"', "true"), ("''", ""), ("|\n  7\n", "7\n")),
    ],
)
def test_what_versions_of_yaml_read_differently_is_text(text: str, value: object) -> None:
    read_as = parse(f"a: {text}").value["a"]
    assert read_as == value
    assert type(read_as) is type(value)


def test_all_problems_are_reported_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = with_line("task_queue: qb", "task_que: qb") + "links: [wrker]\nallow: {load: {}}\n"
    text = text.replace("7233", "77777")
    assert problems(tmp_path, text) == [
        "line 2: engine.address: the port is a number from 1 to 65535",
        "line 5: tenants[1].task_que: unknown key; did you mean task_queue? "
        "valid keys: name, namespace, task_queue, credentials",
        "line 8: links[0]: not a valid choice; did you mean worker? "
        "choices: audit, pdp, services, starter, worker",
        "line 9: allow.load.max_rate_per_s: missing",
    ]


START = "give address: host:port of the Temporal frontend, or embedded: true"
SECRET = (
    "a secret must not stand in this file, only where it is: a file (token_file) or an "
    "environment variable (token_env)"
)
TENANT = "tenants[0]"
BAD: dict[str, tuple[str, list[str]]] = {
    "scheme": (
        with_line("127.0.0.1:7233", "http://x:1"),
        ["line 2: engine.address: leave out the scheme; expected host:port"],
    ),
    "no port": (
        with_line("127.0.0.1:7233", "temporal"),
        ["line 2: engine.address: expected host:port, for example 127.0.0.1:7233"],
    ),
    "port zero": (
        with_line("127.0.0.1:7233", "temporal:0"),
        ["line 2: engine.address: the port is a number from 1 to 65535"],
    ),
    "bare IPv6": (
        with_line("127.0.0.1:7233", '"::1:7233"'),
        ["line 2: engine.address: an IPv6 host stands in brackets: [::1]:7233"],
    ),
    "bad IPv4": (
        with_line("127.0.0.1:7233", "127.0.0.256:7233"),
        ["line 2: engine.address: not a host name or IP address"],
    ),
    "host with a space": (
        with_line("127.0.0.1:7233", "my host:7233"),
        ["line 2: engine.address: not a host name or IP address"],
    ),
    "no engine at all": (
        with_line("  address: 127.0.0.1:7233\n", "  {}\n"),
        [f"line 1: engine: {START}"],
    ),
    "embedded with an address": (
        with_line("engine:\n", "engine:\n  embedded: true\n").replace(
            "external: true", "command: [/bin/sh]"
        ),
        ["line 3: engine.address: an embedded engine has none; leave out this or embedded"],
    ),
    "boolean of YAML 1.1": (
        with_line("  address: 127.0.0.1:7233\n", "  embedded: yes\n"),
        [f"line 1: engine: {START}", "line 2: engine.embedded: expected true or false, found text"],
    ),
    "embedded engine for an external worker": (
        with_line("address: 127.0.0.1:7233", "embedded: true"),
        ["line 7: worker.external: cannot be told where an embedded engine listens; give command"],
    ),
    "engine is text": (
        with_line("engine:\n  address: 127.0.0.1:7233\n", "engine: temporal\n"),
        ["line 1: engine: expected a mapping, found text"],
    ),
    "engine is blank": (
        with_line("  address: 127.0.0.1:7233\n", ""),
        ["line 1: engine: is empty; give a value, or leave the key out"],
    ),
    "certificate without key": (
        with_line("7233\n", "7233\n  tls: {cert: target.yaml}\n"),
        ["line 3: engine.tls.cert: needs key beside it"],
    ),
    "one tenant": (
        with_line("  - {name: beta, namespace: beta, task_queue: qb}\n", ""),
        ["line 3: tenants: has 1; at least 2 are needed"],
    ),
    "missing keys": (
        with_line("worker:\n  external: true\n", "").replace(", task_queue: qa", ""),
        ["line 1: worker: missing", "line 4: tenants[0].task_queue: missing"],
    ),
    "same name twice": (
        with_line("name: beta", "name: alpha"),
        ["line 5: tenants[1].name: tenants[0] has the same name"],
    ),
    "duplicate key": (
        with_line("engine:\n", "engine:\n  address: a:1\n"),
        ["line 3: engine.address: given twice, first in line 2"],
    ),
    "duplicate section": (
        section("engine: {embedded: true}"),
        ["line 8: engine: given twice, first in line 1"],
    ),
    "number for text": (
        with_line("namespace: alpha", "namespace: 7"),
        ["line 4: tenants[0].namespace: expected text, found a number; put it in quotes"],
    ),
    "list for text": (
        with_line("namespace: alpha", "namespace: [a]"),
        ["line 4: tenants[0].namespace: expected text, found a list"],
    ),
    "the engine's own namespace": (
        with_line("namespace: alpha", "namespace: temporal-system"),
        ["line 4: tenants[0].namespace: temporal-system belongs to the engine"],
    ),
    "tenant name for headers": (
        with_line("name: alpha", "name: 'a b'"),
        [
            "line 4: tenants[0].name: expected at most 100 letters, digits, dots, dashes and "
            "underscores"
        ],
    ),
    "literal token": (
        with_line("task_queue: qa", "task_queue: qa, credentials: {token: hunter2}"),
        [f"line 4: {TENANT}.credentials.token: {SECRET}"],
    ),
    "literal password": (
        with_line("7233\n", "7233\n  password: hunter2\n"),
        [f"line 3: engine.password: {SECRET}"],
    ),
    "token file missing": (
        with_line("7233\n", "7233\n  token_file: /nowhere/hunter2\n"),
        ["line 3: engine.token_file: there is no such file"],
    ),
    "key in place of its file": (
        with_line("7233\n", "7233\n  token_file: '-----BEGIN hunter2'\n"),
        ["line 3: engine.token_file: expected a path, not the contents"],
    ),
    "token file is a folder": (
        with_line("7233\n", "7233\n  token_file: /\n"),
        ["line 3: engine.token_file: is a folder; expected a file"],
    ),
    "unset variable": (
        with_line("7233\n", "7233\n  token_env: hunter2\n"),
        ["line 3: engine.token_env: this environment variable is not set"],
    ),
    "two tokens": (
        with_line("7233\n", "7233\n  token_file: target.yaml\n  token_env: SET\n"),
        ["line 4: engine.token_env: give token_file or token_env, not both"],
    ),
    "empty credentials": (
        with_line("task_queue: qa", "task_queue: qa, credentials: {}"),
        [
            f"line 4: {TENANT}.credentials: names nothing; give token_file, token_env, or "
            "cert_file with key_file"
        ],
    ),
    "neither command nor external": (
        worker("language: go\n"),
        [
            "line 6: worker: give either command: [program, argument, ...] or external: true",
        ],
    ),
    "command and external": (
        worker("command: [/bin/sh]\nexternal: true\n"),
        ["line 6: worker: give either command: [program, argument, ...] or external: true"],
    ),
    "command is text": (
        worker("command: run me\n"),
        ["line 7: worker.command: expected a list, found text"],
    ),
    "empty command": (
        worker("command: []\n"),
        ["line 7: worker.command: has 0; at least 1 are needed"],
    ),
    "no such program": (
        worker("command: [no-such-program]\n"),
        ["line 7: worker.command[0]: there is no program 'no-such-program' in PATH"],
    ),
    "secret in the command": (
        worker("command: [/bin/sh, --token=hunter2]\n"),
        ["line 7: worker.command[1]: carries a secret; pass it by env: {NAME: $NAME} or as a file"],
    ),
    "secret after an option": (
        worker("command: [/bin/sh, --api-key, hunter2]\n"),
        ["line 7: worker.command[1]: carries a secret; pass it by env: {NAME: $NAME} or as a file"],
    ),
    "environment": (
        worker(
            """\
            command: [/bin/sh]
            env:
              DB_PASSWORD: hunter2
              DSN: postgres://me:hunter2@db/x
              TEMPORAL_ADDRESS: x
              1X: y
              A: $UNSET
              B: ${SET}/x
              PORT: 8080
            """
        ),
        [
            "line 9: worker.env.DB_PASSWORD: looks like a secret; write $NAME and set NAME outside "
            "this file",
            "line 10: worker.env.DSN: looks like a secret; write $NAME and set NAME outside this "
            "file",
            "line 11: worker.env.TEMPORAL_ADDRESS: the harness sets this variable itself (worker "
            "contract, section 1)",
            "line 12: worker.env.1X: not the name of an environment variable",
            "line 13: worker.env.A: this environment variable is not set",
            "line 14: worker.env.B: a reference is $NAME alone, with nothing before or after it",
            "line 15: worker.env.PORT: expected text, found a number; put it in quotes",
        ],
    ),
    "what an external worker cannot be given": (
        worker("external: true\ncwd: .\nenv: {A: b}\nready_within_s: 3\n"),
        [
            f"line {line}: worker.{key}: is for a command that the harness starts, not an external "
            "one"
            for line, key in ((8, "cwd"), (9, "env"), (10, "ready_within_s"))
        ],
    ),
    "lacks of a started worker": (
        worker("command: [/bin/sh]\nlacks: [updates]\n"),
        [
            "line 8: worker.lacks: is for an external worker; one that is started says it in "
            "HARNESS-READY"
        ],
    ),
    "unknown capability": (
        worker("external: true\nlacks: [update]\n"),
        [
            "line 8: worker.lacks[0]: not a valid choice; did you mean updates? choices: children, "
            "continue_as_new, heartbeat, noop, several_tenants, updates, versioning"
        ],
    ),
    "time out of range": (
        worker("command: [/bin/sh]\nready_within_s: 0\n"),
        ["line 8: worker.ready_within_s: must be above 0 and at most 3600"],
    ),
    "infinite time": (
        worker("command: [/bin/sh]\nready_within_s: .inf\n"),
        ["line 8: worker.ready_within_s: expected a number, found text"],
    ),
    "workflows of another language": (
        worker("external: true\nlanguage: go\nworkflows: a.b\n"),
        ["line 9: worker.workflows: is a Python module: it needs language: python"],
    ),
    "histories without workflows": (
        worker("external: true\nlanguage: python\nhistories: .\n"),
        ["line 9: worker.histories: are replayed by Python's workflows: it needs workflows"],
    ),
    "a deployment's name with a dot": (
        worker("command: [/bin/sh]\ndeployment: a.b\n"),
        ["line 8: worker.deployment: expected at most 100 letters, digits, dashes and underscores"],
    ),
    "a build id with a space": (
        worker('command: [/bin/sh]\nbuild_id: "1.0 0"\n'),
        ["line 8: worker.build_id: expected 1 to 200 visible ASCII characters, for example 1.4.2"],
    ),
    "a next build that is the worker's own": (
        worker("command: [/bin/sh]\nbuild_id: 1.4.2\nnext: {build_id: 1.4.2}\n"),
        ["line 9: worker.next.build_id: is the build_id of the worker itself"],
    ),
    "a next build that cannot be started": (
        worker("command: [/bin/sh]\nnext: {build_id: 1.4.2, command: [/bin/no-such]}\n"),
        ["line 8: worker.next.command[0]: there is no program '/bin/no-such'"],
    ),
    "versions of an external worker": (
        worker("external: true\nbuild_id: 1.4.2\n"),
        ["line 8: worker.build_id: is for a command that the harness starts, not an external one"],
    ),
    "killing an external worker": (
        section("allow:\n  faults:\n    - link-cut\n    - kill-worker\n"),
        [
            "line 11: allow.faults[1]: the harness cannot kill an external worker; it kills only "
            "what it started"
        ],
    ),
    "unknown fault": (
        section("allow: {faults: [link-cutt]}"),
        [
            "line 8: allow.faults[0]: not a valid choice; did you mean link-cut? choices: "
            "kill-exporter, kill-worker, link-cut, pdp-failure-modes, rpc-faults, service-faults, "
            "throwaway-tenants"
        ],
    ),
    "named twice": (
        section("links: [pdp, pdp]"),
        ["line 8: links[1]: is named twice"],
    ),
    "rate without bound": (
        section("allow: {load: {max_rate_per_s: 1000000}}"),
        ["line 8: allow.load.max_rate_per_s: must be above 0 and at most 100000"],
    ),
    "bound everywhere": (
        section("doubles:\n  bind: 0.0.0.0\n"),
        [
            "line 9: doubles.bind: listens everywhere; say in advertise which host the worker is "
            "to call"
        ],
    ),
    "a port twice": (
        section("doubles:\n  ports:\n    pdp: 7801\n    audit: 7801\n"),
        [
            "line 10: doubles.ports.pdp: the port 7801 is given more than once",
            "line 11: doubles.ports.audit: the port 7801 is given more than once",
        ],
    ),
    "declared": (
        section("declared:\n  sli: c\n  slo: a\n"),
        [
            "line 9: declared.sli: must be one of a, b",
            "line 10: declared.slo: unknown parameter; did you mean sli? parameters: sli",
        ],
    ),
    "not a mapping": ("- a\n", ["line 1: expected a mapping, found a list"]),
    "unclosed bracket": (
        GOOD + "links: [a\n",
        [
            "line 9: not YAML: while parsing a flow sequence expected ',' or ']', but got "
            "'<stream end>'"
        ],
    ),
    "tab": (
        with_line("  external", "\texternal"),
        [
            "line 7: not YAML: while scanning for the next token found character '\\t' that "
            "cannot start any token"
        ],
    ),
    "two documents": (
        GOOD + "---\n" + GOOD,
        ["line 8: not YAML: expected a single document in the stream but found another document"],
    ),
    "anchor": (
        with_line("name: alpha", "name: &n alpha"),
        ["line 4: not YAML: anchors and aliases (& and *) are not understood here"],
    ),
    "alias": (
        with_line("name: alpha", "name: *n"),
        ["line 4: not YAML: anchors and aliases (& and *) are not understood here"],
    ),
    "tag": (
        with_line("name: alpha", "name: !!python/name:os.system alpha"),
        ["line 4: not YAML: tags (!) are not understood here"],
    ),
    "deep": (
        GOOD + "links: " + "[" * 500 + "]" * 500 + "\n",
        ["line 8: not YAML: nested deeper than 40 levels"],
    ),
    "control character": (
        with_line("name: alpha", r'name: "a\u001b[31m"'),
        ["line 4: tenants[0].name: holds a control character"],
    ),
    "unprintable": (
        with_line("alpha", "\x00"),
        ["line 4: the character U+0000 may not stand in YAML"],
    ),
    "character that is none": (
        with_line("name: alpha", r'name: "\UFFFFFFFF"'),
        ["line 4: not YAML: a number or escape that is out of range"],
    ),
    "key that is a list": (
        section("? [a]\n: b\n"),
        ["line 8: a key must be one word, not a list or mapping"],
    ),
    "empty": ("", ["line 1: is empty; `harness init` writes one to start from"]),
    "comments only": ("# a\n", ["line 1: is empty; `harness init` writes one to start from"]),
}


@pytest.mark.parametrize("name", BAD)
def test_each_bad_input_has_its_line(name: str, tmp_path: Path) -> None:
    text, expected = BAD[name]
    found = problems(tmp_path, text, SET="x")
    assert found == expected
    assert "hunter2" not in "".join(found)
    assert all("\n" not in problem for problem in found)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: b\nc: \xff\n")
    long = tmp_path / "long.yaml"
    long.write_bytes(b"#" * 300_000)
    said = {}
    for path in (tmp_path / "none.yaml", tmp_path, binary, long, Path("a\0b")):
        with pytest.raises(TargetFileError) as caught:
            read_target(path)
        said[path.name] = caught.value.problems
    advice = "; `harness init` writes one to start from"
    assert list(said.values()) == [
        (f"cannot be read: no such file or directory{advice}",),
        (f"cannot be read: is a directory{advice}",),
        ("line 2: is not UTF-8 text",),
        (f"is longer than 200000 bytes{advice}",),
        (f"cannot be read: not a path{advice}",),
    ]


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    (tmp_path / "worker").write_text("#!/bin/sh\n")
    (tmp_path / "worker").chmod(0o700)
    text = worker("command: [./worker]\n").replace("7233\n", "7233\n  token_file: token\n")
    target = read(tmp_path, text)
    assert target.engine.token_file == str(tmp_path / "token")
    assert target.worker.cwd == str(tmp_path)
    (tmp_path / "worker").chmod(0o600)
    assert problems(tmp_path, text) == [
        f"line 8: worker.command[0]: '{tmp_path}/worker' cannot be executed"
    ]


def test_references_to_the_environment_are_kept_and_replaced_when_asked(tmp_path: Path) -> None:
    text = worker("command: [/bin/sh]\nenv: {API_TOKEN: $MINE, LEVEL: info}\n")
    target = read(tmp_path, text, MINE="hunter2")
    assert target.worker.env == {"API_TOKEN": "$MINE", "LEVEL": "info"}
    given = environment(target.worker, {"MINE": "hunter2"})
    assert given == {"API_TOKEN": "hunter2", "LEVEL": "info"}
    shown = json.dumps(summary(target))
    assert "$MINE" in shown
    assert "info" not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("'[::1]:1'", True),
        ("10.0.0.1:1", False),
        ("temporal.example:1", False),
        ("localhost.example:1", False),
    ],
)
def test_loopback(address: str, local: bool, tmp_path: Path) -> None:
    text = with_line("127.0.0.1:7233", address) + "allow: {faults: [link-cut]}\n"
    target = read(tmp_path, text + "doubles: {advertise: harness.example}\n")
    assert target.engine.on_this_machine is local
    assert bool(target.warnings) is not local


def test_tenants_in_one_namespace_are_accepted_with_a_warning(tmp_path: Path) -> None:
    target = read(tmp_path, with_line("namespace: beta", "namespace: alpha"))
    assert target.warnings == (
        "tenants alpha, beta share the namespace alpha; the decision record gives each tenant its "
        "own (INV-ISO-1)",
    )


def test_an_external_worker_elsewhere_must_reach_the_doubles(tmp_path: Path) -> None:
    target = read(tmp_path, with_line("127.0.0.1:7233", "temporal.example:7233"))
    assert len(target.warnings) == 1
    assert "doubles.advertise" in target.warnings[0]


def test_the_template_can_be_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(commented_template(), encoding="utf-8")
    target = read_target(path)
    assert target.allow == type(target.allow)()
    assert target.warnings == ()


def test_the_template_can_be_read_with_all_of_it_uncommented(tmp_path: Path) -> None:
    text = re.sub("^#:", "", commented_template(), flags=re.MULTILINE)
    for name in re.findall(r"(?:certs|tokens)/\S+", text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "histories").mkdir()
    target = read(tmp_path, re.sub("(?ms)^declared:.*", "", text), BETA_TOKEN="x")
    assert target.engine.tls
    assert target.tenants[0].credentials
    assert target.may("load")


def test_the_template_names_every_field() -> None:
    names: set[str] = set()

    def walk(kind: msgspec.inspect.Type) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            for field in kind.fields:
                names.add(field.encode_name)
                walk(field.type)
        for inner in (*getattr(kind, "types", ()), getattr(kind, "item_type", None)):
            if inner is not None:
                walk(inner)
        if isinstance(kind, msgspec.inspect.Metadata):
            walk(kind.type)

    walk(msgspec.inspect.type_info(Target))
    written = set(re.findall(r"([a-z_]+)(?::|\b)", commented_template()))
    assert names - written == set()


def test_without_a_next_build_the_same_one_has_another_build_id(tmp_path: Path) -> None:
    plain = read(tmp_path, worker("command: [/bin/sh]\nbuild_id: 1.4.2\n")).worker
    assert (plain.following.build_id, plain.following.command) == ("1.4.2+next", None)
    named = read(tmp_path, worker("command: [/bin/sh]\nnext: {build_id: 1.5.0}\n")).worker
    assert (named.build_id, named.following.build_id) == ("1.0.0", "1.5.0")


def test_the_reference_target_is_complete() -> None:
    target = reference_target()
    assert target.engine.embedded
    assert [tenant.name for tenant in target.tenants] == ["alpha", "beta"]
    assert target.worker.command == (sys.executable, "-m", "scenarios.reference.worker")
    assert target.worker.following.command != target.worker.command
    assert all(target.may(kind) for kind in get_args(Breakage))
    assert json.loads(json.dumps(summary(target)))["links"] == ["worker"]


def test_reading_imports_nothing_heavy() -> None:
    code = (
        "import sys, harness.target.parse, harness.target.template; "
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run(  # a process of its own: this one has hypothesis and pytest in it
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"temporalio", "locust", "pandas", "aiohttp", "asyncio"} & set(loaded)


FRAGMENTS = st.sampled_from(
    [
        *":-[]{},'\"#&*!|>%@`?~\t\n\r\x00\x85\u2028\ud7ff\U0001f600",
        *("- ", "? ", ": ", "<<: ", "---\n", "...\n", "%YAML 9\n", "!!int ", "!<x> ", "&a ", "*a"),
        *(r'"\ud800"', r'"\UFFFFFFFF"', r'"\0"', "9" * 30, "1e999", ".nan", "0b_", "1:30", "$"),
        *("external: true", "embedded: true", "tls: {ca: ~nobody/x}", "env: {A: $B}", "[" * 60),
        *("token_file: " + "a" * 300, "command: [./" + "b" * 300 + "]", "cwd: ~nobody", "x" * 500),
    ]
)
BASES = st.sampled_from(
    [
        GOOD,
        commented_template().replace("\n#:", "\n"),
        worker("command: [/bin/sh]\nenv: {A: b}\ncwd: .\n") + "declared: {sli: a}\nlinks: [pdp]\n",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(BASES)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        new = draw(FRAGMENTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
        text = text[:start] + new + text[start + length :]
    return text


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_mutated_text_is_read_or_refused_and_never_anything_else(text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        problems = outcome(Path(file.name))
    assert all(problem.isprintable() for problem in problems)


def outcome(path: Path) -> tuple[str, ...]:
    """The problems of a file; a target without any can be shown in the manifest."""
    try:
        target = read_target(path, {"sli": Choice()}, {})
    except TargetFileError as error:
        return error.problems
    json.dumps(summary(target))
    return target.warnings


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_its_problems(text: str) -> None:
    document = parse(text)
    assert document.problems or () in document.lines


def test_the_target_file_of_the_rust_worker_fits() -> None:
    folder = Path(__file__).parents[2] / "scenarios" / "reference"
    target = read_target(folder / "rust.yaml")
    assert (target.worker.language, target.worker.cwd) == ("rust", str(folder))
