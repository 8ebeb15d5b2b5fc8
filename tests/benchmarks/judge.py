"""`python -m tests.benchmarks.judge TRIAL [decode]`: judge a trial, or decode its bytes alone.

In a process of its own, so that its memory is its own too; prints what it took as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec


def main() -> None:
    trial = Path(sys.argv[1])
    began = time.perf_counter()
    told = decode(trial) if sys.argv[2:] == ["decode"] else judge(trial)
    told["seconds"] = time.perf_counter() - began
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


def judge(trial: Path) -> dict[str, object]:
    """All that `harness recheck` does."""
    from harness.judging import judge_trial

    journal, judgement = judge_trial(trial)
    return {
        "records": sum(file.records for file in journal.manifest.files),
        "verdicts": dict(Counter(verdict.outcome.value for verdict in judgement.verdicts)),
        "reasons": {v.id: f"{v.outcome.value}: {v.reason}" for v in judgement.verdicts},
    }


def decode(trial: Path) -> dict[str, object]:
    """The peer: every line decoded to plain values and dropped."""
    lines = 0
    decoder = msgspec.json.Decoder()
    for path in (trial / "journal").glob("*.jsonl"):
        with path.open("rb") as stream:
            for line in stream:
                decoder.decode(line)
                lines += 1
    return {"records": lines}


if __name__ == "__main__":
    main()
