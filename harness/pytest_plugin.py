"""Shows verdicts as pytest items: each catalogue ID that a suite feeds is one item.

A suite's module has a `SUITE` and a test with the argument `verdict`. With `--trial DIR` the items
show that trial's verdicts; without, the plugin asks the supervisor for one drive of what was
selected. pytest itself imports neither the SDK nor Locust.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.checks.verdict import Verdict
from harness.outcome import Outcome, worst

TRIAL = pytest.StashKey[Path]()
VERDICTS = pytest.StashKey[dict[str, Verdict]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "conformance verdicts")
    group.addoption("--trial", metavar="DIR", help="show this trial's verdicts, drive nothing")
    group.addoption("--target", metavar="FILE", help="the platform to drive (default: reference)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "verdict" not in metafunc.fixturenames:
        return
    from harness.catalogue import load_catalogue

    catalogue = load_catalogue()
    metafunc.parametrize(
        "verdict",
        [
            pytest.param(each, id=each, marks=_marks(catalogue.get(each)))
            for each in metafunc.module.SUITE.feeds
        ],
        indirect=True,
    )


def _marks(assertion: Any) -> list[pytest.MarkDecorator]:
    return [
        getattr(pytest.mark, f"level_{assertion.level}"),
        *(getattr(pytest.mark, f"kind_{kind}") for kind in assertion.kinds),
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A trial in which an ID was not asked has nothing to show for it."""
    if not config.getoption("--trial"):
        return
    judged = _verdicts(config, items)
    absent = [item for item in items if (asked := _asked(item)) and asked not in judged]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def _asked(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("verdict") if callspec else None


def _verdicts(config: pytest.Config, items: list[pytest.Item]) -> dict[str, Verdict]:
    if VERDICTS not in config.stash:
        from harness.judging import read_verdicts

        config.stash[VERDICTS] = {}
        given = config.getoption("--trial")
        folder = Path(given) if given else _driven(config, items)
        if folder is not None:
            config.stash[TRIAL] = folder
            config.stash[VERDICTS] = _worst(read_verdicts(folder).verdicts)
    return config.stash[VERDICTS]


def _worst(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """One verdict for each ID: of several, for several subjects, the one that counts most."""
    found: dict[str, Verdict] = {}
    for verdict in verdicts:
        known = found.get(verdict.id)
        if known is None or worst([known.outcome, verdict.outcome]) is not known.outcome:
            found[verdict.id] = verdict
    return found


def _driven(config: pytest.Config, items: list[pytest.Item]) -> Path | None:
    """One drive of what the selected items need, by the supervisor; None if they need none."""
    from harness.checks.table import PROFILES

    selected = {_asked(item) for item in items}
    asked = [each for each in PROFILES["core"] if each in selected]
    if not asked:
        return None
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=_out(config)))
    command = [sys.executable, "-m", "harness", "verify", "--no-show", "--out", str(folder)]
    if target := config.getoption("--target"):
        command += ["--target", target]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, check=False)
    if not (folder / "verdicts.json").exists():
        pytest.exit(
            f"the drive failed ({done.returncode}): {done.stderr.strip()}",
            returncode=done.returncode,
        )
    return folder


def _out(config: pytest.Config) -> Path:
    out = config.rootpath / "out"
    out.mkdir(exist_ok=True)
    return out


class Shown:
    """A verdict as a test sees it."""

    def __init__(
        self, verdict: Verdict, trial: Path, record: Callable[[str, object], None]
    ) -> None:
        self.verdict = verdict
        self._trial = trial
        self._record = record

    def show(self) -> None:
        """Pass, fail (inconclusive fails too, and says so), or be listed as not applicable."""
        verdict = self.verdict
        for name, value in (
            ("outcome", verdict.outcome.value),
            ("reason", verdict.reason),
            ("level", verdict.level),
            ("subject", verdict.subject),
            *verdict.figures.items(),
        ):
            self._record(name, value)
        match verdict.outcome:
            case Outcome.PASS:
                return
            case Outcome.NOT_APPLICABLE:
                pytest.skip(f"not applicable: {verdict.reason}")
            case Outcome.WAIVED | Outcome.ATTESTED:
                pytest.xfail(f"{verdict.outcome.value}: {verdict.waiver or verdict.reason}")
            case _ if verdict.level == "I":
                pytest.xfail(f"informative: {verdict.outcome.value}: {verdict.reason}")
            case _:
                pytest.fail(self._text(), pytrace=False)

    def _text(self) -> str:
        verdict = self.verdict
        lines = [
            f"{verdict.outcome.value.upper()} {verdict.id} ({verdict.subject}): {verdict.reason}"
        ]
        lines += [f"  - {w.text}{f'  [{w.path}]' if w.path else ''}" for w in verdict.witnesses]
        lines += [f"  clause {c.name}: {c.outcome.value} {c.reason}" for c in verdict.clauses]
        return "\n".join([*lines, f"  trial: {self._trial}"])


@pytest.fixture
def verdict(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Shown:
    """The verdict of this item's catalogue ID."""
    judged = _verdicts(request.config, request.session.items)
    if request.param not in judged:
        pytest.fail(
            f"INCONCLUSIVE {request.param}: no verdict; it is driven by `harness load` or "
            "`harness chaos`, show theirs with --trial DIR",
            pytrace=False,
        )
    return Shown(judged[request.param], request.config.stash[TRIAL], record_property)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if TRIAL in config.stash:
        terminalreporter.write_line(f"trial: {config.stash[TRIAL]}")
