"""What the keys of one mapping in a target file owe each other.

Each rule gets the mapping as it is written, with whatever else is wrong in it, and yields the
places below it that break the rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from harness.target import forms
from harness.target.forms import Surroundings
from harness.target.model import (
    DEFAULT_BUILD,
    Allow,
    Credentials,
    DoublePorts,
    Doubles,
    Engine,
    Exporter,
    Target,
    Tls,
    Worker,
)
from harness.yaml_fit import Rule
from harness.yaml_lines import Where

Complaints: TypeAlias = Iterator[tuple[Where, str]]

_SECRET = r"(?:token|secret|pass|passwd|password|passphrase|(?:api|private|access|secret)[_-]?key)"
_SECRET_NAME = re.compile(rf"(?i)(?:\w*_)?{_SECRET}|\w+password|\w+_pwd")
_SECRET_OPTION = re.compile(rf"(?i)--?(?:[\w-]*-)?{_SECRET}(?P<literal>=.+)?")
_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")


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
    if "histories" in given and "workflows" not in given:
        yield ("histories",), "are replayed by Python's workflows: it needs workflows"
    for key in ("deployment", "build_id", "next"):
        if given.get("external") is True and key in given:
            yield (key,), "is for a command that the harness starts, not an external one"
    yield from _next_build(given, around)


def _next_build(given: Mapping[str, Any], around: Surroundings) -> Complaints:
    following = _mapping(given, "next")
    if following.get("build_id") == given.get("build_id", DEFAULT_BUILD) and following:
        yield ("next", "build_id"), "is the build_id of the worker itself"
    words = _list(following, "command")
    if all(isinstance(word, str) for word in words):
        for below, text in _command(words, given, _mapping(given, "env"), around):
            yield ("next", *below), text


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
    env = _mapping(given, "env")
    for name, value in env.items():
        if isinstance(value, str) and not value.startswith("$") and _is_secret(name, value):
            yield ("env", name), "looks like a secret; write $NAME and set NAME outside this file"
    command = _list(given, "command")
    if all(isinstance(word, str) for word in command):
        yield from _command(command, given, env, around)


def _command(
    words: list[str], given: Mapping[str, Any], env: Mapping[str, Any], around: Surroundings
) -> Complaints:
    for n, word in enumerate(words):
        if _carries_secret(word, "".join(words[n + 1 : n + 2])):
            yield ("command", n), "carries a secret; pass it by env: {NAME: $NAME} or as a file"
    text = _not_runnable(words, given.get("cwd", "."), env.get("PATH"), around)
    if text:
        yield ("command", 0), text


def _carries_secret(word: str, following: str) -> bool:
    option = _SECRET_OPTION.fullmatch(word)
    if option is None:
        return _URL_WITH_PASSWORD.search(word) is not None
    return bool(option["literal"]) or following.strip("-") == following != ""


def _not_runnable(words: list[str], cwd: Any, search: Any, around: Surroundings) -> str | None:
    """Why the program cannot be started; None as well where another problem hides it."""
    if not words or not words[0].strip() or not isinstance(cwd, str):
        return None
    try:
        start = forms.path(cwd, around)
    except ValueError:
        return None
    literal = isinstance(search, str) and not search.startswith("$")
    return forms.program(words[0], around, start, search if literal else None)


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
    names = [t.get("name") if isinstance(t, dict) else None for t in _list(given, "tenants")]
    for n, name in enumerate(names):
        if isinstance(name, str) and name in names[:n]:
            yield ("tenants", n, "name"), f"tenants[{names.index(name)}] has the same name"
    embedded = _mapping(given, "engine").get("embedded") is True
    for part in ("worker", "exporter"):
        if embedded and _mapping(given, part).get("external") is True:
            yield (
                (part, "external"),
                "cannot be told where an embedded engine listens; give command",
            )
    faults = _list(_mapping(given, "allow"), "faults")
    external = _mapping(given, "worker").get("external") is True
    for part in ("worker", "exporter"):
        if _mapping(given, part).get("external") is True and f"kill-{part}" in faults:
            at = ("allow", "faults", faults.index(f"kill-{part}"))
            yield at, f"the harness cannot kill an external {part}; it kills only what it started"
    if "rpc-faults" in faults and (external or "tls" in _mapping(given, "engine")):
        at = ("allow", "faults", faults.index("rpc-faults"))
        yield at, "only a started worker's calls can be broken, and only without TLS to the engine"


def _mapping(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key)
    return found if isinstance(found, dict) else {}


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    found = given.get(key)
    return found if isinstance(found, list) else []


def _one_of(given: Mapping[str, Any], first: str, second: str) -> Complaints:
    if first in given and second in given:
        yield (second,), f"give {first} or {second}, not both"


def _together(given: Mapping[str, Any], first: str, second: str) -> Complaints:
    for one, other in ((first, second), (second, first)):
        if one in given and other not in given:
            yield (one,), f"needs {other} beside it"


def _repeated(given: Mapping[str, Any], key: str) -> Complaints:
    items = _list(given, key)
    for n, item in enumerate(items):
        if item in items[:n]:
            yield (key, n), "is named twice"


def _is_secret(name: str, value: str) -> bool:
    named = bool(value.strip()) and _SECRET_NAME.fullmatch(name) is not None
    return named or _URL_WITH_PASSWORD.search(value) is not None


def inline_secret(key: str) -> str | None:
    """The complaint about a key that would hold a secret; None for any other key."""
    if not _SECRET_NAME.fullmatch(key):
        return None
    return (
        "a secret must not stand in this file, only where it is: a file (token_file) or an "
        "environment variable (token_env)"
    )


RULES: Mapping[type, Rule] = {
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
