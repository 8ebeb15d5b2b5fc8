"""Reads target files; `reference_target` is what is used without one.

Nothing is connected to and no secret is read. All problems of a file are reported at once, each
with its line.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import TargetFileError
from harness.target import forms
from harness.target.declared import Parameter, validate_declared
from harness.target.forms import Surroundings
from harness.target.model import (
    Allow,
    Credentials,
    DoublePorts,
    Doubles,
    Engine,
    Exporter,
    LoadLimit,
    Target,
    Tenant,
    Tls,
    Worker,
)
from harness.yaml_fit import Grammar, Rule, fit
from harness.yaml_lines import Problem, Where, load

Complaints = Iterator[tuple[Where, str]]

_SECRET = r"(?:token|secret|password|passwd|passphrase|pass|(?:api|private|access|secret)[_-]?key)s?"
_SECRET_NAME = re.compile(rf"(?i)(?:\w*_)?{_SECRET}|\w+password")
_SECRET_OPTION = re.compile(rf"(?i)--?(?:[\w-]*-)?{_SECRET}(?P<literal>=.+)?")
_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")


def read_target(
    path: Path,
    parameters: Mapping[str, Parameter] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Target:
    """The target that a file describes.

    `parameters` are the meanings that may be declared, by name; None leaves them unchecked. Paths
    in the file are taken from the file's own folder, which is also where its commands are run.
    Raises TargetFileError with all problems.
    """
    around = Surroundings(
        folder=path.absolute().parent, environ=os.environ if environ is None else environ
    )
    document = load(path)
    grammar = Grammar(context=around, rules=_RULES, unknown=_inline_secret)
    target, problems = fit(document, Target, grammar)
    problems = sorted([*problems, *_declared(document.value, document.problem, parameters)])
    if problems or target is None:
        raise TargetFileError(str(path), [str(problem) for problem in problems])
    return _run_from(target, str(around.folder))


def reference_target() -> Target:
    """The platform that the harness starts itself where no file is given."""
    return Target(
        engine=Engine(embedded=True),
        tenants=tuple(
            Tenant(name=name, namespace=name, task_queue="sagas") for name in ("alpha", "beta")
        ),
        worker=Worker(
            command=(sys.executable, "-m", "scenarios.reference.worker"),
            language="python",
            workflows="scenarios.reference.workflow",
        ),
        exporter=Exporter(command=(sys.executable, "-m", "scenarios.reference.exporter")),
        links=("worker",),
        allow=Allow(
            faults=("link-cut", "kill-worker", "pdp-failure-modes", "service-faults"),
            load=LoadLimit(max_rate_per_s=1000.0),
        ),
    )


def summary(target: Target) -> dict[str, Any]:
    """What the manifest says of a target: plain JSON values, references in place of secrets."""
    plain: dict[str, Any] = msgspec.to_builtins(target)
    return _without_blanks(plain)


def _without_blanks(plain: dict[str, Any]) -> dict[str, Any]:
    """Drops what is not given, and hides literals given to the platform's own programs."""
    shown: dict[str, Any] = {}
    for key, value in plain.items():
        if key == "env":
            value = {k: v if v.startswith("$") else "(literal)" for k, v in value.items()}
        elif isinstance(value, dict) and key != "declared":
            value = _without_blanks(value)
        elif isinstance(value, list | tuple):
            value = [_without_blanks(v) if isinstance(v, dict) else v for v in value]
        if value not in (None, {}, [], False):
            shown[key] = value
    return shown


def _run_from(target: Target, folder: str) -> Target:
    """Commands that name no folder of their own are run from the file's."""
    worker, exporter = target.worker, target.exporter
    if worker.command and worker.cwd is None:
        worker = msgspec.structs.replace(worker, cwd=folder)
    if exporter and exporter.command and exporter.cwd is None:
        exporter = msgspec.structs.replace(exporter, cwd=folder)
    return msgspec.structs.replace(target, worker=worker, exporter=exporter)


def _declared(
    plain: Any, problem: Any, parameters: Mapping[str, Parameter] | None
) -> Iterable[Problem]:
    raw = plain.get("declared") if isinstance(plain, dict) else None
    if parameters is None or not isinstance(raw, dict):
        return []
    return [problem(("declared", *w), text) for w, text in validate_declared(raw, parameters)]


# --- what the keys of one mapping owe each other; each gets the mapping as written --------------


def _engine(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    if given.get("embedded") is True:
        for key in ("address", "tls", "token_file", "token_env"):
            if key in given:
                yield (key,), "an embedded engine has none; leave out this or embedded"
    elif "address" not in given:
        yield (), "give address: host:port of the Temporal frontend, or embedded: true"
    yield from _one_of(given, "token_file", "token_env")


def _tls(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    yield from _together(given, "cert", "key")


def _credentials(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    if not given:
        yield (), "names nothing; give token_file, token_env, or cert_file with key_file"
    yield from _one_of(given, "token_file", "token_env")
    yield from _together(given, "cert_file", "key_file")


def _worker(given: Mapping[str, Any], around: Surroundings) -> Complaints:
    yield from _launched(given, around)
    yield from _repeated(given, "lacks")
    if given.get("external") is not True and "lacks" in given:
        yield ("lacks",), "is for an external worker; one that is started says it in HARNESS-READY"
    if "workflows" in given and given.get("language") != "python":
        yield ("workflows",), "is a Python module: it needs language: python"


def _exporter(given: Mapping[str, Any], around: Surroundings) -> Complaints:
    yield from _launched(given, around)
    if given.get("external") is True and "state" in given:
        yield ("state",), "is for a command that the harness starts, not an external one"


def _launched(given: Mapping[str, Any], around: Surroundings) -> Complaints:
    """A part is started by a command, or runs elsewhere."""
    external = given.get("external") is True
    if external == ("command" in given):
        yield (), "give either command: [program, argument, ...] or external: true"
    for key in ("cwd", "env", "ready_within_s"):
        if external and key in given:
            yield (key,), "is for a command that the harness starts, not an external one"
    env = given["env"] if isinstance(given.get("env"), dict) else {}
    for name, value in env.items():
        if isinstance(value, str) and not value.startswith("$") and _is_secret(name, value):
            yield ("env", name), "looks like a secret; write $NAME and set NAME outside this file"
    command = given.get("command")
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        yield from _command(command, given, env, around)


def _command(
    words: list[str], given: Mapping[str, Any], env: Mapping[str, Any], around: Surroundings
) -> Complaints:
    for n, word in enumerate(words):
        option = _SECRET_OPTION.fullmatch(word)
        literal = option and (option["literal"] or words[n + 1 : n + 2])
        if literal or _URL_WITH_PASSWORD.search(word):
            yield ("command", n), "carries a secret; pass it by env: {NAME: $NAME} or as a file"
    cwd = given.get("cwd")
    start = around.folder / cwd if isinstance(cwd, str) else around.folder
    search = env.get("PATH")
    if words and words[0].strip():
        text = forms.program(
            words[0], around, str(start), search if isinstance(search, str) else None
        )
        if text:
            yield ("command", 0), text


def _doubles(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    if given.get("bind") in ("0.0.0.0", "::") and "advertise" not in given:
        yield ("bind",), "listens everywhere; say in advertise which host the worker is to call"


def _ports(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    counted = Counter(port for port in given.values() if isinstance(port, int))
    for key, port in given.items():
        if isinstance(port, int) and counted[port] > 1:
            yield (key,), f"the port {port} is given more than once"


def _allow(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    yield from _repeated(given, "faults")


def _target(given: Mapping[str, Any], _: Surroundings) -> Complaints:
    yield from _repeated(given, "links")
    tenants = given.get("tenants")
    names = [t.get("name") if isinstance(t, dict) else None for t in tenants or ()] if isinstance(tenants, list) else []
    for n, name in enumerate(names):
        if isinstance(name, str) and name in names[:n]:
            yield ("tenants", n, "name"), f"tenants[{names.index(name)}] has the same name"
    worker, allow = given.get("worker"), given.get("allow")
    faults = allow.get("faults") if isinstance(allow, dict) else None
    external = isinstance(worker, dict) and worker.get("external") is True
    if external and isinstance(faults, list) and "kill-worker" in faults:
        at = ("allow", "faults", faults.index("kill-worker"))
        yield at, "the harness cannot kill an external worker; it kills only what it started"


def _one_of(given: Mapping[str, Any], first: str, second: str) -> Complaints:
    if first in given and second in given:
        yield (second,), f"give {first} or {second}, not both"


def _together(given: Mapping[str, Any], first: str, second: str) -> Complaints:
    for one, other in ((first, second), (second, first)):
        if one in given and other not in given:
            yield (one,), f"needs {other} beside it"


def _repeated(given: Mapping[str, Any], key: str) -> Complaints:
    items = given.get(key)
    for n, item in enumerate(items if isinstance(items, list) else ()):
        if item in items[:n]:
            yield (key, n), "is named twice"


def _is_secret(name: str, value: str) -> bool:
    named = bool(value.strip()) and _SECRET_NAME.fullmatch(name) is not None
    return named or _URL_WITH_PASSWORD.search(value) is not None


def _inline_secret(key: str) -> str | None:
    if not _SECRET_NAME.fullmatch(key):
        return None
    return (
        "a secret must not stand in this file; name where it is: token_file or token_env, "
        "cert_file and key_file"
    )


_RULES: Mapping[type, Rule] = {
    Engine: _engine,
    Tls: _tls,
    Credentials: _credentials,
    Worker: _worker,
    Exporter: _exporter,
    Doubles: _doubles,
    DoublePorts: _ports,
    Allow: _allow,
    Target: _target,
}
