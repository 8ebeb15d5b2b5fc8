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
from typing import Any

import msgspec

SLOW_S = 0.2


def main() -> None:
    trial = Path(sys.argv[1])
    began, began_cpu = time.perf_counter(), time.process_time()
    told = decode(trial) if sys.argv[2:] == ["decode"] else judge(trial)
    told["seconds"] = time.perf_counter() - began
    told["cpu_s"] = time.process_time() - began_cpu
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


def judge(trial: Path) -> dict[str, Any]:
    """All that `harness recheck` does, and which of it took long."""
    from harness.checks import verdict
    from harness.judging import judge_trial

    slow: dict[str, float] = {}
    began = time.process_time()
    finding = verdict._finding

    def timed(journal: Any, check: Any, parameters: Any) -> Any:
        at = time.process_time()
        slow.setdefault("reading", at - began)
        try:
            return finding(journal, check, parameters)
        finally:
            slow[check.id] = time.process_time() - at

    verdict._finding = timed
    journal, judgement = judge_trial(trial)
    return {
        "records": sum(file.records for file in journal.manifest.files),
        "verdicts": dict(Counter(each.outcome.value for each in judgement.verdicts)),
        "slow": {name: took for name, took in slow.items() if took >= SLOW_S},
    }


def decode(trial: Path) -> dict[str, Any]:
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
