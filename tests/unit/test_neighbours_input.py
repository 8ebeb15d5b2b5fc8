"""What `harness load --workload neighbours` refuses before anything starts, and how it says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from harness.catalogue import load_catalogue
from harness.cli.load import run
from harness.cli.parser import parse
from harness.errors import UsageError
from harness.load.blocks import FLOODS, USUAL
from harness.load.flood import KINDS
from harness.platform.breakage import Breakage
from harness.run.load import Arrivals, load
from harness.run.neighbours import Noise, planned
from harness.run.request import Request
from harness.target.model import Allow, LoadLimit, Target
from harness.target.parse import reference_target

ARRIVALS = Arrivals(workload="neighbours")


def request(target: Target | None = None, **parameters: Any) -> Request:
    return Request(
        arm="load",
        profile="load",
        target=target or reference_target(),
        ours=True,
        asked=("INV-ISO-14",),
        parameters={**load_catalogue().defaults, **parameters},
        seed=1,
    )


def allowing(rate_per_s: float | None) -> Target:
    load = LoadLimit(max_rate_per_s=rate_per_s) if rate_per_s else None
    return msgspec.structs.replace(reference_target(), allow=Allow(load=load))


def test_the_usual_run_floods_ten_times_as_often_as_the_victim_works() -> None:
    shape, plan, warmup_s = planned(request(), ARRIVALS, Noise())
    assert (shape.nominal_per_s, plan.rate_per_s, len(plan.blocks)) == (5.0, 50.0, 16)
    assert warmup_s + plan.lasts_s <= shape.duration_s
    assert plan.queue_per_s == 0


def test_the_flood_stays_below_what_the_target_allows() -> None:
    _, plan, _ = planned(request(allowing(20)), ARRIVALS, Noise())
    assert plan.rate_per_s == 15


def test_a_declared_rate_of_a_queue_is_set_where_the_engine_is_ours() -> None:
    asked = request(queue_activities_per_s=7)
    broken = replace(asked, breakage=Breakage(drive=("queue-limit-unset",)))
    assert planned(asked, ARRIVALS, Noise())[1].queue_per_s == 7
    assert planned(broken, ARRIVALS, Noise())[1].queue_per_s == 0


def test_a_target_that_does_not_allow_load_says_how_to_allow_it() -> None:
    with pytest.raises(UsageError, match=r"allow it in the target file with .*max_rate_per_s"):
        planned(request(allowing(None)), ARRIVALS, Noise())


@pytest.mark.parametrize(
    ("arrivals", "noise", "said"),
    [
        ({"shape": "ramp:1-20"}, {}, "leave out --shape"),
        ({"processes": 2}, {}, "leave out --shape, --processes"),
        ({"volume": 10}, {}, "--volume"),
        ({}, {"pairs": 5}, "give 6 to 200"),
        ({}, {"pairs": 201}, "give 6 to 200"),
        ({}, {"rate_per_s": 0.0}, "both above 0"),
        ({}, {"rate_per_s": -1.0}, "both above 0"),
        ({}, {"rate_per_s": 996.0}, "allow.load.max_rate_per_s of 1000"),
        ({"duration_s": 10.0}, {}, "8 pairs of blocks need at least"),
        ({"rate_per_s": 0.0}, {}, "rate"),
    ],
)
def test_what_cannot_be_is_one_line_that_says_what_to_do(
    arrivals: dict[str, Any], noise: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        planned(request(), replace(ARRIVALS, **arrivals), Noise(**noise))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_target_with_the_rate_of_its_victim_alone_has_no_room_for_a_flood() -> None:
    with pytest.raises(UsageError, match="max_rate_per_s of 5"):
        planned(request(allowing(5)), ARRIVALS, Noise())


def test_other_commands_do_not_run_it() -> None:
    with pytest.raises(UsageError, match="`harness load` alone"):
        load(request(), ARRIVALS)


@pytest.mark.parametrize("option", [["--flood", "lists"], ["--flood-rate", "9"], ["--pairs", "7"]])
def test_its_options_are_refused_with_another_workload(option: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{option[0]}: only with --workload neighbours"):
        run(parse(["load", *option]))


def test_every_flood_is_described_and_can_be_sent() -> None:
    assert tuple(FLOODS) == KINDS
    assert set(USUAL) < set(FLOODS)
