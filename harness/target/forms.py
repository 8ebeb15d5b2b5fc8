"""The written forms of single values in a target file: what is accepted, and as what.

Each takes the text and its surroundings, returns the value as the harness uses it, and raises
ValueError with a complaint that never repeats a value which could be secret.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_BUILD = re.compile(r"[!-~]{1,200}")
_LONGEST_NAME = 1000  # the engine's own limit for ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a file's values refer to: the folder it lies in and the environment."""

    folder: Path
    environ: Mapping[str, str]


def host(text: str, _: Surroundings | None = None) -> str:
    """A host name or IP address, as it is."""
    if re.fullmatch(r"[0-9.]+|.*:.*", text):
        try:
            return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise ValueError("not a host name or IP address") from None
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("not a host name or IP address")
    return text


def address(text: str, _: Surroundings | None = None) -> str:
    """`host:port`; an IPv6 host stands in brackets."""
    if "://" in text:
        raise ValueError("leave out the scheme; expected host:port")
    name, colon, port = text.rpartition(":")
    if not colon or not name:
        raise ValueError("expected host:port, for example 127.0.0.1:7233")
    bracketed = name.startswith("[") and name.endswith("]")
    if ":" in name and not bracketed:
        raise ValueError("an IPv6 host stands in brackets: [::1]:7233")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("the port is a number from 1 to 65535")
    found = host(name[1:-1] if bracketed else name)
    return f"[{found}]:{int(port)}" if bracketed else f"{found}:{int(port)}"


def url(text: str, _: Surroundings | None = None) -> str:
    """`http://host:port` or https, with a path perhaps; no user, query or fragment."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://host:port or https://host:port")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("leave out user, query and fragment")
    return text.rstrip("/")


def bind_address(text: str, _: Surroundings | None = None) -> str:
    """An IP address of this machine to listen on."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise ValueError("expected an IP address to listen on, for example 127.0.0.1") from None


def is_loopback(name: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.0/8 or ::1."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def path(text: str, around: Surroundings) -> str:
    """A path, absolute or from the folder of the file that names it."""
    if not text.strip() or "\n" in text or text.startswith("-----BEGIN"):
        raise ValueError("expected a path, not the contents")
    try:
        return str((around.folder / Path(text).expanduser()).absolute())
    except RuntimeError:
        raise ValueError("there is no such home folder") from None


def file(text: str, around: Surroundings) -> str:
    """A file that can be read. Its name is not repeated: a secret could have been put there."""
    found = Path(path(text, around))
    try:
        if found.is_dir():
            raise ValueError("is a folder; expected a file")
        if not found.is_file():
            raise ValueError(f"there is no such file{_seen_from(text, around)}")
        if not os.access(found, os.R_OK):
            raise ValueError("the file cannot be read by this user")
    except OSError as error:
        raise ValueError(f"cannot be looked at: {error.strerror}") from None
    return str(found)


def _seen_from(text: str, around: Surroundings) -> str:
    rooted = text.startswith(("/", "~"))
    return "" if rooted else f" seen from {around.folder}, where this file lies"


def folder(text: str, around: Surroundings) -> str:
    """A folder that is there."""
    found = Path(path(text, around))
    try:
        if found.is_dir():
            return str(found)
    except OSError as error:
        raise ValueError(f"cannot be looked at: {error.strerror}") from None
    raise ValueError(f"there is no such folder{_seen_from(text, around)}")


def program(text: str, around: Surroundings, cwd: str, search: str | None) -> str | None:
    """Why a command's first word cannot be run from `cwd` or found in `search`; None if it can."""
    if os.sep in text:
        at = Path(cwd) / text
        try:
            there = at.is_file()
        except OSError:
            there = False
        if not there:
            return f"there is no program {str(at)!r}"
        return None if os.access(at, os.X_OK) else f"{str(at)!r} cannot be executed"
    if shutil.which(text, path=search or around.environ.get("PATH")) is None:
        return f"there is no program {text!r} in PATH"
    return None


def variable(text: str, around: Surroundings) -> str:
    """The name of an environment variable that is set."""
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError("expected the name of an environment variable, without $")
    if not around.environ.get(text):
        raise ValueError("this environment variable is not set")
    return text


def variable_name(text: str, _: Surroundings) -> str:
    """The name of a variable that a part is given."""
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError("not the name of an environment variable")
    if text.startswith("HARNESS_") or re.fullmatch(r"TEMPORAL_(ADDRESS|TLS_\w+|TOKEN_FILE)", text):
        raise ValueError("the harness sets this variable itself (worker contract, section 1)")
    return text


def variable_value(text: str, around: Surroundings) -> str:
    """A literal, or `$NAME` for the value that NAME has in the harness's own environment."""
    if not text.startswith("$"):
        return text
    if not _IDENTIFIER.fullmatch(text[1:]):
        raise ValueError("a reference is $NAME alone, with nothing before or after it")
    variable(text[1:], around)
    return text


def tenant_name(text: str, _: Surroundings) -> str:
    """A tenant's name: it stands in HTTP headers and workflow ids."""
    if not _TENANT.fullmatch(text):
        raise ValueError("expected at most 100 letters, digits, dots, dashes and underscores")
    return text


def engine_name(text: str, _: Surroundings) -> str:
    """The name of a namespace or task queue."""
    if not text or text != text.strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise ValueError(f"expected a name of 1 to {_LONGEST_NAME} printable characters")
    if text == "temporal-system":
        raise ValueError("temporal-system belongs to the engine")
    return text


def deployment_name(text: str, _: Surroundings) -> str:
    """The name of a Worker Deployment; the engine allows neither dot nor colon in it."""
    if not _DEPLOYMENT.fullmatch(text):
        raise ValueError("expected at most 100 letters, digits, dashes and underscores")
    return text


def build_id(text: str, _: Surroundings) -> str:
    """A build id. Whether it is a semantic version is judged (CMP-2), not refused."""
    if not _BUILD.fullmatch(text):
        raise ValueError("expected 1 to 200 visible ASCII characters, for example 1.4.2")
    return text


def module(text: str, _: Surroundings) -> str:
    """A Python module's dotted name."""
    if not _MODULE.fullmatch(text):
        raise ValueError("expected a Python module, for example platform.workflows")
    return text
