"""Named chaos scenarios: the YAML files of `scenarios/chaos`.

name: worker-link-cut          # as the file
story: one sentence
load: {rate_per_s: 4, duration_s: 20}
faults:
  - {kind: link_cut, link: worker-engine, start_s: 5, duration_s: 5}
recover_within_s: 15
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import yaml

from harness.errors import UsageError
from harness.faults.schedule import KINDS, AnyFault, DurationS, broken_rules, unknown_link

Rate = Annotated[float, msgspec.Meta(gt=0, le=10_000)]
Text = Annotated[str, msgspec.Meta(min_length=1)]

_KIND: Final = "kind"


class ChaosFileError(UsageError):
    """A chaos scenario's file has problems; the message lists all of them, one a line."""

    def __init__(self, path: Path, problems: Sequence[tuple[int, str]]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}:{line}: {problem}" for line, problem in problems))


class SagaLoad(msgspec.Struct, frozen=True, kw_only=True):
    """A steady arrival of sagas while the faults happen."""

    rate_per_s: Rate
    duration_s: DurationS


class ChaosScenario(msgspec.Struct, frozen=True, kw_only=True):
    """A load, the faults under it, and how soon after the last one all must be well again."""

    name: Text
    story: Text
    load: SagaLoad
    faults: tuple[AnyFault, ...]
    recover_within_s: DurationS


def read_chaos(path: Path, links: Collection[str]) -> ChaosScenario:
    """Read one scenario for a platform with these links.

    Raises `ChaosFileError` with every problem, its line and the valid choices.
    """
    root = _parsed(path)
    reading = _Reading(links)
    fields = reading.fields(root, ChaosScenario, "the scenario")
    reading.check(fields, path.stem)
    if reading.problems:
        raise ChaosFileError(path, sorted(set(reading.problems)))
    return ChaosScenario(**{name: field.value for name, field in fields.items()})


def _parsed(path: Path) -> yaml.Node:
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ChaosFileError(path, [(1, f"cannot be read: {error}")]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ChaosFileError(path, [(line, f"not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise ChaosFileError(path, [(1, f"not YAML: {error}")]) from None
    if root is None:
        raise ChaosFileError(path, [(1, "is empty")])
    return root


class _Field(NamedTuple):
    """A field that was read, and its line."""

    line: int
    value: Any


class _Reading:
    """One pass over a file's nodes that goes on after a problem."""

    def __init__(self, links: Collection[str]) -> None:
        self.problems: list[tuple[int, str]] = []
        self._links = links
        self._faults: list[tuple[int, AnyFault]] = []
        self._values = yaml.SafeLoader("")

    def fields(self, node: yaml.Node, type_: type[msgspec.Struct], what: str) -> dict[str, _Field]:
        """Those fields of a mapping that are right for `type_`."""
        types = {field.encode_name: field.type for field in msgspec.structs.fields(type_)}
        given = self._entries(node, what)
        if given is None:
            return {}
        for key, (line, _) in given.items():
            if key not in types and not (key == _KIND and type_ in KINDS.values()):
                self._problem(line, f"{what} has no {key!r}; choose from {', '.join(types)}")
        for name in types.keys() - given.keys():
            self._problem(_line(node), f"{what} lacks {name}")
        read = {
            name: _Field(line, self._value(name, value, types[name]))
            for name, (line, value) in given.items()
            if name in types
        }
        return {name: field for name, field in read.items() if field.value is not None}

    def check(self, fields: dict[str, _Field], stem: str) -> None:
        """What must hold between fields, as far as they could be read."""
        if (name := fields.get("name")) and name.value != stem:
            self._problem(name.line, f"name is {name.value!r}, the file's is {stem!r}")
        for position, problem in broken_rules([fault for _, fault in self._faults], self._links):
            self._problem(self._faults[position][0], problem)
        if load := fields.get("load"):
            for line, fault in self._faults:
                if fault.end_s > load.value.duration_s:
                    self._problem(
                        line,
                        f"the fault ends at {fault.end_s:g} s, after the load "
                        f"({load.value.duration_s:g} s): its end would disturb nothing",
                    )

    def _value(self, name: str, node: yaml.Node, type_: Any) -> Any:
        """The field's value, or None after a problem."""
        if type_ is SagaLoad:
            return self._struct(node, SagaLoad, name)
        if name == "faults":
            return self._schedule(node)
        try:
            return msgspec.convert(self._values.construct_object(node, deep=True), type_)
        except (msgspec.ValidationError, yaml.YAMLError, ValueError) as error:
            return self._problem(_line(node), f"{name}: {error}")

    def _struct(self, node: yaml.Node, type_: type[msgspec.Struct], what: str) -> Any:
        return _made(type_, self.fields(node, type_, what))

    def _schedule(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            return self._problem(_line(node), "faults: give a list of at least one fault")
        for each in node.value:
            self._fault(each)
        return tuple(fault for _, fault in self._faults)

    def _fault(self, node: yaml.Node) -> None:
        kind = _kind(node)
        if kind not in KINDS:
            said = "lacks its kind" if kind is None else f"cannot be of kind {kind!r}"
            return self._problem(_line(node), f"a fault {said}; choose from {', '.join(KINDS)}")
        fields = self.fields(node, KINDS[kind], kind)
        if fault := _made(KINDS[kind], fields):
            self._faults.append((_line(node), fault))
        elif (link := fields.get("link")) and link.value not in self._links:
            self._problem(_line(node), unknown_link(link.value, self._links))
        return None

    def _entries(self, node: yaml.Node, what: str) -> dict[str, tuple[int, yaml.Node]] | None:
        if not isinstance(node, yaml.MappingNode):
            self._problem(_line(node), f"{what} must be a mapping of fields")
            return None
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "(not a name)"
            if name in entries:
                self._problem(_line(key), f"{what} has {name!r} twice")
            entries[name] = (_line(key), value)
        return entries

    def _problem(self, line: int, problem: str) -> None:
        self.problems.append((line, problem))


def _made(type_: type[msgspec.Struct], fields: dict[str, _Field]) -> Any:
    """The value of all its fields, or None if one could not be read."""
    if len(fields) < len(msgspec.structs.fields(type_)):
        return None
    return type_(**{name: field.value for name, field in fields.items()})


def _kind(node: yaml.Node) -> str | None:
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in entries if key.value == _KIND), None)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
