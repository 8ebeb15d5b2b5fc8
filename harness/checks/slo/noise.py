"""A load beside a flood, as checks see it: the victim's arrivals, the blocks, the flood's calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.checks.check import Evidence
from harness.checks.slo.load import Load, Unfit, fit_load
from harness.journal.records import Block, Flood, LoadRun
from harness.load.samples import SampleOutcome, Samples, read_samples
from harness.load.whole import sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

SETTLES: Final = 0.2  # of a block: left out of latencies
REFUSED: Final = "RESOURCE_EXHAUSTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """A run with noise: the victim's load, the blocks, and the flood with its samples."""

    load: Load
    blocks: tuple[Block, ...]
    flood: Flood
    calls: Samples

    @property
    def noisy(self) -> tuple[Block, ...]:
        """The blocks with noise."""
        return tuple(block for block in self.blocks if block.noisy)

    @property
    def quiet(self) -> tuple[Block, ...]:
        """The blocks without."""
        return tuple(block for block in self.blocks if not block.noisy)

    def during(self, load: Load, blocks: Sequence[Block], settles: float = SETTLES) -> Load:
        """The victim's arrivals that were meant for these blocks, without their beginnings."""
        intended = load.column("intended_ns")
        mask = intended < 0
        for block in blocks:
            begin_ns = block.begin_ns + round(settles * (block.end_ns - block.begin_ns))
            mask |= (intended >= begin_ns) & (intended < block.end_ns)
        return replace(load, samples=load.samples.where(mask))

    def calls_in(self, block: Block, settles: float = 0.0) -> Calls:
        """What the flood did in a block."""
        import numpy

        sent = numpy.frombuffer(self.calls.sent_ns, dtype=numpy.int64)
        outcome = numpy.frombuffer(self.calls.outcome, dtype=numpy.uint8)
        causes = numpy.frombuffer(self.calls.cause, dtype=numpy.uint8)
        refusals = [n for n, name in enumerate(self.calls.causes) if name.startswith(REFUSED)]
        begin_ns = block.begin_ns + round(settles * (block.end_ns - block.begin_ns))
        within = (sent >= begin_ns) & (sent < block.end_ns)
        refused = within & numpy.isin(causes, refusals)
        served = within & (outcome == SampleOutcome.OK)
        open_ = within & (outcome == SampleOutcome.INFO)
        return Calls(
            seconds=(block.end_ns - begin_ns) / 1e9,
            served=int(served.sum()),
            refused=int(refused.sum()),
            unanswered=int(open_.sum()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What became of the flood's calls in a stretch."""

    seconds: float
    served: int
    refused: int
    unanswered: int

    @property
    def noise_per_s(self) -> float:
        """Calls that reached the platform: served, refused, or never answered."""
        return (self.served + self.refused + self.unanswered) / self.seconds


def seen_neighbours(evidence: Evidence) -> Neighbours:
    """The run with noise of a trial; `Unfit` where there is none to be judged."""
    runs = sessions(evidence.of(LoadRun))
    floods = evidence.of(Flood)
    if len(runs) != 1 or len(floods) != 1:
        raise Unfit(f"{len(runs)} load runs and {len(floods)} floods in one trial, expected one")
    blocks = tuple(sorted(evidence.of(Block), key=lambda block: block.begin_ns))
    load = fit_load(runs[0], evidence)
    flood = floods[0]
    calls = read_samples(evidence.raw(flood.samples, flood.sha256))
    if len(calls) != flood.planned:
        raise Unfit(f"{len(calls)} samples of {flood.planned} planned calls of the flood")
    if not any(block.noisy for block in blocks):
        raise Unfit("no noisy block came to its end")
    return Neighbours(load=load, blocks=blocks, flood=flood, calls=calls)


def too_quiet(seen: Neighbours, parameters: Mapping[str, Any]) -> str:
    """Why the flood was no noise; empty if it was, in every block."""
    least_per_s = parameters["noise_multiple"] * seen.load.run.rate_per_s
    quietest = min(seen.noisy, key=lambda block: seen.calls_in(block).noise_per_s)
    achieved = seen.calls_in(quietest).noise_per_s
    if achieved >= least_per_s:
        return ""
    return (
        f"the flood of {quietest.flood} in pair {quietest.pair + 1} reached {achieved:.3g} calls "
        f"a second, noise is {least_per_s:g} at least ({parameters['noise_multiple']:g} times the "
        "victim's arrivals): a test without noise proves nothing; raise --flood-rate"
    )
