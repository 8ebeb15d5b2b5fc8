"""The foreign grammars that attribute values follow, each as one question about a string.

URI and URI-reference: RFC 3986. Media type: RFC 2046 (with RFC 2045's parameters). Time: RFC 3339.
Every question takes time linear in the length of the string.
"""

from __future__ import annotations

import calendar
import ipaddress
import re
from functools import lru_cache
from typing import Final

_URI: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*+):)?"
    r"(?://(?P<authority>[^/?#]*+))?"
    r"(?P<path>[^?#]*+)(?P<query>\?[^#]*+)?(?P<fragment>#.*+)?",
    re.DOTALL,
)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]*+")
_QUERY: Final = re.compile(r"[?#][A-Za-z0-9._~!$&'()*+,;=:@/?%-]*+")
_AUTHORITY: Final = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*+@)?(?P<host>\[[^\]@]*+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*+)"
    r"(?::[0-9]*+)?"
)
_FUTURE_ADDRESS: Final = re.compile(r"[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+")
_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]++"
_QUOTED: Final = r'"(?:[ !#-\[\]-~\t]|\\[ -~\t])*+"'
_MEDIA_TYPE: Final = re.compile(
    rf"{_TOKEN}/(?P<subtype>{_TOKEN})(?:[ \t]*+;[ \t]*+{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))*+[ \t]*+"
)
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)"
    r"(?:\.[0-9]++)?+(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_TRACE: Final = r"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT: Final = re.compile(rf"00-{_TRACE}|(?!00|ff)[0-9a-f]{{2}}-{_TRACE}(?:-.*)?")
_REVERSE_DNS: Final = re.compile(r"[A-Za-z]{2,}+\.[A-Za-z0-9_-]++\..++", re.DOTALL)
_NOT_IN_A_STRING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)


def is_uri_reference(text: str) -> bool:
    """Whether `text` is a URI-reference, absolute or relative, of RFC 3986, section 4.1."""
    parts = _URI.fullmatch(text)
    if parts is None or _BAD_ESCAPE.search(text):
        return False
    path, authority = parts["path"], parts["authority"]
    if authority is not None:
        fits = _is_authority(authority)
    else:
        fits = parts["scheme"] is not None or ":" not in path.partition("/")[0]
    return (
        fits
        and _PATH.fullmatch(path) is not None
        and all(not part or _QUERY.fullmatch(part) for part in parts.group("query", "fragment"))
    )


def is_absolute_uri(text: str) -> bool:
    """Whether `text` is a URI with a scheme."""
    found = _URI.fullmatch(text)
    return bool(found and found["scheme"]) and is_uri_reference(text)


def _is_authority(text: str) -> bool:
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return False
    host = found["host"]
    return not host.startswith("[") or _is_ip_literal(host[1:-1])


def _is_ip_literal(text: str) -> bool:
    if _FUTURE_ADDRESS.fullmatch(text):
        return True
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone, which RFC 3986 does not know


def is_media_type(text: str) -> bool:
    """Whether `text` is a media type with or without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def declares_json(media_type: str) -> bool:
    """Whether data of this media type is JSON: its subtype is `json` or ends with `+json`."""
    found = _MEDIA_TYPE.fullmatch(media_type)
    subtype = found["subtype"].lower() if found else ""
    return subtype == "json" or subtype.endswith("+json")


def is_time(text: str) -> bool:
    """Whether `text` is a date and time with an offset; leap seconds are allowed."""
    return _TIME.fullmatch(text) is not None and _is_date(text[:10])


@lru_cache(512)
def _is_date(text: str) -> bool:
    year, month, day = map(int, text.split("-"))
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 4, month)[1]


def is_traceparent(text: str) -> bool:
    """Whether `text` is a `traceparent` of W3C trace context."""
    return _TRACEPARENT.fullmatch(text) is not None


def has_reverse_dns_prefix(text: str) -> bool:
    """Whether a type looks as if it began with a domain read backwards: three labels at least."""
    return _REVERSE_DNS.fullmatch(text) is not None


def forbidden_character(text: str) -> str:
    """The first character that a CloudEvents string must not have; empty if there is none."""
    if text.isascii() and text.isprintable():
        return ""
    found = _NOT_IN_A_STRING.search(text)
    return found[0] if found else ""
