"""The samples file: what was written is read back, and what is broken is refused."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TamperedJournal, TruncatedJournal, UnknownJournalVersion
from harness.load.engine import Sample
from harness.load.samples import (
    COLUMNS,
    MOST_CAUSES,
    OTHER,
    Encoder,
    Origin,
    SampleOutcome,
    encode,
    read_samples,
)

ORIGIN = Origin(
    trial_id="t",
    workload="saga",
    workflow_id_prefix="load-t",
    tenants=["alpha", "beta"],
    begin_ns=7,
    begin_wall_ns=8,
    horizon_s=60.0,
    settings={"rate_per_s": 10.0},
)
times = st.integers(0, 2**63 - 1)
rows = st.builds(
    Sample,
    index=st.integers(0, 2**32 - 1),
    tenant=st.integers(0, 1),
    intended_ns=times,
    sent_ns=times,
    first_attempt_ns=times,
    answered_ns=times,
    first_task_ns=times,
    completed_ns=times,
    attempts=st.integers(0, 11),
    outcome=st.sampled_from(SampleOutcome),
    cause=st.sampled_from(["", "lost", "horizon", "failure:Käse"]),
)


@given(st.lists(st.lists(rows, max_size=5), max_size=5))
def test_rows_come_back_as_they_were_written(batches: list[list[Sample]]) -> None:
    encoder = Encoder()
    raw = encoder.begin(ORIGIN) + b"".join(map(encoder.block, batches)) + encoder.end()
    read = read_samples(raw)
    written = list(itertools.chain.from_iterable(batches))
    assert read.origin == ORIGIN
    assert len(read) == len(written) == encoder.rows
    for name, _ in COLUMNS[:-1]:
        assert list(getattr(read, name)) == [getattr(row, name) for row in written]
    assert [read.causes[number] for number in read.cause] == [row.cause for row in written]


def test_the_workflow_id_follows_from_the_index() -> None:
    assert ORIGIN.workflow_id(17) == "load-t-17"


def test_more_causes_than_the_table_holds_become_other() -> None:
    ended = [
        Sample(index=i, tenant=0, intended_ns=1, cause=f"cause-{i}")
        for i in range(MOST_CAUSES + 20)
    ]
    read = read_samples(encode(ORIGIN, ended))
    names = [read.causes[number] for number in read.cause]
    assert names[: MOST_CAUSES - 1] == [f"cause-{i}" for i in range(MOST_CAUSES - 1)]
    assert set(names[MOST_CAUSES - 1 :]) == {OTHER}


def test_a_file_that_was_cut_off_anywhere_is_truncated() -> None:
    raw = encode(ORIGIN, [Sample(index=0, tenant=0, intended_ns=1, cause="lost")])
    for length in range(len(raw)):
        with pytest.raises((TruncatedJournal, TamperedJournal)):
            read_samples(raw[:length])
    with pytest.raises(TruncatedJournal):
        read_samples(raw[:-1])


def test_what_is_no_samples_file_is_refused() -> None:
    with pytest.raises(TamperedJournal, match="not a samples file"):
        read_samples(b"x" * 100)


def test_a_newer_file_is_refused() -> None:
    raw = bytearray(encode(ORIGIN, []))
    struct.pack_into("<H", raw, 8, 99)
    with pytest.raises(UnknownJournalVersion, match="version 99"):
        read_samples(bytes(raw))


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(TamperedJournal, match="rows"):
        read_samples(encode(ORIGIN, []) + b"more")


def test_a_block_that_is_none_is_refused() -> None:
    raw = encode(ORIGIN, []).replace(b"DONE", b"JUNK")
    with pytest.raises(TamperedJournal, match="no block"):
        read_samples(raw)
