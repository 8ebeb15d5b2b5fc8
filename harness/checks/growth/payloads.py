"""IMP-3: what payloads histories carry, by field and encoding, and none that is a record store."""

from __future__ import annotations

from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.growth.weight import LEAST_HISTORIES, Blob, table_of, weights
from harness.checks.histories.clauses import Broken, conclude

LARGE: Final = "large payload"
CLAUSES: Final = (LARGE,)
MOST_ROWS: Final = 20


def payloads_are_small(evidence: Evidence) -> Finding:
    """ADR, Trade-offs: "business state remains in service databases".

    No payload in a history is larger than is declared: what a workflow carries are references and
    amounts, not business records. The census by field and encoding is shown.
    """
    found = weights(evidence)
    most = int(evidence.parameters["payload_bytes_most"])
    broken = [
        Broken(
            LARGE,
            f"{weight.name}: {blob.size_bytes} bytes in {blob.field} of event {blob.event_id}, "
            f"{most} are the most",
            weight.history.path,
        )
        for weight in found
        for blob in weight.blobs
        if blob.size_bytes > most
    ]
    blobs = [blob for weight in found for blob in weight.blobs]
    lacks = [
        ""
        if len(found) >= LEAST_HISTORIES
        else f"{len(found)} histories were recorded, {LEAST_HISTORIES} are the least",
        "" if blobs else "no history has a payload",
    ]
    figures: dict[str, Any] = {
        "payloads": len(blobs),
        "census": _census(blobs),
        "most_declared_bytes": most,
    }
    largest = max((blob.size_bytes for blob in blobs), default=0)
    kept = f"the largest of {len(blobs)} payloads has {largest} bytes, {most} are the most"
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _census(blobs: list[Blob]) -> list[dict[str, Any]]:
    kinds: dict[tuple[str, str], list[float]] = {}
    for blob in blobs:
        kinds.setdefault((blob.field, blob.encoding), []).append(blob.size_bytes)
    ordered = sorted(kinds.items(), key=lambda pair: -max(pair[1]))
    return [
        {"field": field, "encoding": encoding, "payloads": len(sizes), **table_of(sizes)}
        for (field, encoding), sizes in ordered[:MOST_ROWS]
    ]
