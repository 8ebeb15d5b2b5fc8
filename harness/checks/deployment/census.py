"""IFC-1: which SDKs the workers are written with."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.records import Ending, History, Operation

UNNAMED: Final = "SDK that the decision record does not name"
RUST: Final = "temporal-rust"
NAMED: Final = frozenset(
    {RUST} | {f"temporal-{name}" for name in ("go", "java", "python", "typescript", "dotnet")}
)


def workers_are_of_named_sdks(evidence: Evidence) -> Finding:
    """ADR, Interfaces: "Code-based (Rust primary, Go/Java/Python/TypeScript/.NET optional)".

    The SDK that the first completed workflow task of each run names, counted by its version; the
    engine's list of workers is shown beside it. Any SDK but those six fails. The share of Rust
    informs.
    """
    census: Counter[tuple[str, str]] = Counter()
    workers: dict[tuple[str, str], set[str]] = {}
    silent = 0
    examples: dict[str, History] = {}
    for history in evidence.of(History):
        if history.workflow_type != WORKFLOW_TYPE:
            continue
        done = [e for e in evidence.events(history) if e.type == "WORKFLOW_TASK_COMPLETED"]
        if not done:
            continue
        metadata = done[0].attributes.get("sdkMetadata") or {}
        sdk = str(metadata.get("sdkName", "")), str(metadata.get("sdkVersion", ""))
        if not sdk[0]:
            silent += 1
            continue
        census[sdk] += 1
        workers.setdefault(sdk, set()).add(str(done[0].attributes.get("identity", "")))
        examples.setdefault(sdk[0], history)
    runs = sum(census.values())
    rust = sum(count for (name, _), count in census.items() if name == RUST)
    return conclude(
        [UNNAMED],
        [
            Broken(UNNAMED, f"{name}, in {census_of(census, name)} runs", examples[name].path)
            for name in sorted(examples)
            if name not in NAMED
        ],
        [
            "" if runs else "no run says by which SDK it was worked on",
            f"{silent} runs do not say by which SDK they were worked on" if silent else "",
        ],
        f"{runs} runs by {', '.join(sorted(f'{name} {version}' for name, version in census))}",
        {
            "runs": runs,
            "share_of_rust": round(rust / runs, 4) if runs else 0.0,
            "table": [
                {"sdk": sdk[0], "version": sdk[1], "runs": count, "workers": len(workers[sdk])}
                for sdk, count in sorted(census.items())
            ],
            "workers_that_the_engine_lists": _listed(evidence),
        },
    )


def census_of(census: Counter[tuple[str, str]], name: str) -> int:
    """The runs of one SDK in all its versions."""
    return sum(count for (each, _), count in census.items() if each == name)


def _listed(evidence: Evidence) -> dict[str, Any]:
    """The engine's own count of workers by SDK, if it keeps one."""
    found: Counter[str] = Counter()
    for op in evidence.of(Operation):
        if op.name == "list-workers" and op.ending is Ending.OK:
            found.update(op.result["sdks"])
    return dict(sorted(found.items()))
