"""Semantic versions, as build ids: which is one, and which promise to be compatible."""

from __future__ import annotations

import re
from typing import Final

# the expression that semver.org (2.0.0) suggests, in a shorter form
_NUMBER: Final = r"(?:0|[1-9]\d*)"
_PART: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER: Final = re.compile(
    rf"(?P<major>{_NUMBER})\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


def is_semantic(build_id: str) -> bool:
    """Whether a build id is a semantic version (2.0.0), without a `v` before it."""
    return _SEMVER.fullmatch(build_id) is not None


def same_major(one: str, other: str) -> bool:
    """Whether two build ids promise to be compatible: semantic, with the same major number.

    By semver.org (4) a major number of zero promises nothing.
    """
    found = _SEMVER.fullmatch(one), _SEMVER.fullmatch(other)
    majors = {each["major"] for each in found if each}
    return all(found) and len(majors) == 1 and majors != {"0"}


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: `1.29.1-rc.2` is (1, 29, 1)."""
    return tuple(int(each) for each in re.match(r"[\d.]*", version)[0].split(".") if each)  # type: ignore[index]
