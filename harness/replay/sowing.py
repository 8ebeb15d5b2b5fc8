"""Replaying what was sown: one record for each defect, and whether the detector named it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace as with_fields

from harness.journal.records import Ending, Replay, Seed, now
from harness.replay import seeds
from harness.replay.digest import digests
from harness.replay.inprocess import Given, Result, replay

_AS_RECORDED = "as recorded"


async def sow(blind: Collection[str]) -> AsyncIterator[Seed]:
    """The stock and the strict detector, on their defects and on what is sound."""
    async for name, result in _results(seeds.STOCK):
        ending, said, _ = result.stock
        yield _seed("stock", name, alarmed=ending is Ending.FAIL, said=said)
    async for name, result in _results(seeds.STRICT):
        ending, said, differences = with_fields(result, blind=blind).strict
        named = any(each.attribute.endswith(f".{name}") for each in differences)
        yield _seed("strict", name, alarmed=ending is Ending.FAIL and named, said=said)
    async for name, result in _results(seeds.SOUND):
        ending, said, _ = with_fields(result, blind=blind).strict
        yield _seed("strict", name, alarmed=ending is not Ending.OK, said=said, sound=True)


def _seed(detector: str, name: str, *, alarmed: bool, said: str, sound: bool = False) -> Seed:
    return Seed(
        **now(), detector=detector, name=name, sound=sound, alarmed=alarmed, said=said[:200]
    )


async def sow_around(surroundings: str) -> AsyncIterator[Replay]:
    """What one process's surroundings make of the versions that depend on them."""
    sound = {_AS_RECORDED: seeds.SOUND[_AS_RECORDED]}
    async for name, result in _results({**seeds.PERTURBED, **sound}):
        ending, message, _ = result.strict
        yield Replay(
            **now(),
            mode="seed" if name in seeds.PERTURBED else "sound",
            tenant="",
            workflow_id=name,
            run_id=name,
            ending=ending,
            message=message[:200],
            surroundings=surroundings,
            commands=digests(result.captured.commands),
        )


async def _results(versions: Mapping[str, type]) -> AsyncIterator[tuple[str, Result]]:
    for name, version in versions.items():
        async for result in replay([Given(namespace="seeds", history=seeds.history)], [version]):
            yield name, result
