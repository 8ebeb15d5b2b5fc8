"""Settings travel through environment variables; all problems are said at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.load.run import deadline_s, locust_command
from harness.load.settings import Security, Settings, Tenant, from_environment, to_environment

ALPHA = Tenant(tenant="alpha", namespace="ten-a", task_queue="q")
BETA = Tenant(tenant="beta", namespace="ten-b", task_queue="q", weight=3)
PLANNED = Settings(
    address="127.0.0.1:7233",
    tenants=(ALPHA, BETA),
    rate_per_s=12.5,
    duration_s=30.0,
    spacing="poisson",
    seed=42,
    warmup_s=2.0,
    horizon_s=20.0,
    in_flight=300,
    sli="first_task_completed",
    trial=Path("/trial"),
    trial_id="load-1",
    security=Security(ca="/ca.pem", certificate="/c.pem", key="/k.pem", token_file="/t"),
)
SHAPED = replace(
    PLANNED, shape="steps:5x10,0x10,20x10", rate_per_s=250 / 30, duration_s=30.0, warmup_s=1.0
)
SILENT = replace(PLANNED, shape="burst:rate=50,every=20,for=2", rate_per_s=0.0)
INTERACTIVE = Settings(address="127.0.0.1:7233", tenants=(ALPHA,), per_user_per_s=2.0)


LATER = replace(PLANNED, session=7)


@pytest.mark.parametrize("settings", [PLANNED, SHAPED, SILENT, INTERACTIVE, LATER])
def test_settings_survive_the_environment(settings: Settings) -> None:
    assert from_environment(to_environment(settings)) == settings


def test_the_mode_follows_from_rate_and_duration() -> None:
    assert PLANNED.mode == "planned"
    assert INTERACTIVE.mode == "interactive"


def test_a_shape_alone_makes_a_planned_run() -> None:
    variables = to_environment(PLANNED) | {"HARNESS_LOAD_SHAPE": "steps:5x10,15.0x30"}
    del variables["HARNESS_LOAD_RATE"], variables["HARNESS_LOAD_DURATION_S"]
    settings = from_environment(variables)
    assert settings.planned
    assert (settings.shape, settings.rate_per_s) == ("steps:5x10,15x30", 12.5)
    assert settings.duration_s == 40
    assert len(replace(settings, spacing="even").plan()) == 500
    ramp = from_environment(
        to_environment(PLANNED) | {"HARNESS_LOAD_SHAPE": "ramp:5-20", "HARNESS_LOAD_RATE": ""}
    )
    assert (ramp.rate_per_s, ramp.duration_s) == (12.5, 30)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("saw", "shape 'saw': choose from constant"),
        ("ramp:1-20", "rate 12.5 contradicts ramp:1-20, whose rate is 10.5"),
        ("day:peak=0", "the day's peak 0: give 1 to 100"),
    ],
)
def test_a_shape_that_cannot_be_is_said(shape: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_environment(to_environment(PLANNED) | {"HARNESS_LOAD_SHAPE": shape})


def test_a_shape_with_other_problems_is_said_with_them() -> None:
    with pytest.raises(UsageError) as raised:
        from_environment({"HARNESS_LOAD_SHAPE": "day:peak=3"})
    for part in ("set TEMPORAL_ADDRESS", "day needs a rate", "day needs a duration",
                 "HARNESS_LOAD_TRIAL: a planned run"):  # fmt: skip
        assert part in str(raised.value)


def test_the_warmup_is_a_tenth_and_at_most_ten_seconds() -> None:
    assert Settings(address="a", tenants=(), duration_s=30).cut_s == 3.0
    assert Settings(address="a", tenants=(), duration_s=600).cut_s == 10.0
    assert PLANNED.cut_s == 2.0


def test_nothing_set_says_what_to_set() -> None:
    with pytest.raises(UsageError) as raised:
        from_environment({})
    assert "set TEMPORAL_ADDRESS" in str(raised.value)
    assert "set HARNESS_TENANTS" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_problems_are_said_at_once() -> None:
    tenants = [{"tenant": "a", "namespace": "n", "task_queue": "q", "weight": 0}] * 2
    with pytest.raises(UsageError) as raised:
        from_environment(
            {
                "TEMPORAL_ADDRESS": "127.0.0.1:7233",
                "HARNESS_TENANTS": json.dumps(tenants),
                "HARNESS_LOAD_RATE": "0",
                "HARNESS_LOAD_SPACING": "odd",
                "HARNESS_LOAD_SEED": "1.5",
                "HARNESS_LOAD_HORIZON_S": "soon",
                "HARNESS_LOAD_SLI": "fast",
            }
        )
    for part in (
        "constant needs a duration: give 1 to 604800 seconds",
        "rate 0: give",
        "'a' twice",
        "weight 0 of a",
        "'odd' is none of even, poisson",
        "'1.5' is no whole number",
        "'soon' is no number from 1 to 86400",
        "'fast' is none of",
        "HARNESS_LOAD_TRIAL",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize("raw", ["[", "[]", '[{"tenant": "a"}]', '{"a": 1}'])
def test_tenants_that_do_not_decode_are_said(raw: str) -> None:
    with pytest.raises(UsageError, match="HARNESS_TENANTS"):
        from_environment({"TEMPORAL_ADDRESS": "a:1", "HARNESS_TENANTS": raw})


def test_a_trial_id_that_is_no_file_name_is_refused() -> None:
    variables = to_environment(PLANNED) | {"HARNESS_LOAD_TRIAL_ID": "../x"}
    with pytest.raises(UsageError, match="HARNESS_LOAD_TRIAL_ID"):
        from_environment(variables)


def test_a_warmup_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves nothing"):
        from_environment(to_environment(PLANNED) | {"HARNESS_LOAD_WARMUP_S": "30"})


def test_the_command_is_headless_locust_with_our_settings_alone() -> None:
    inherited = {"PATH": "/bin", "LOCUST_USERS": "9", "HARNESS_LOAD_RATE": "1", "LANG": "C"}
    argv, environment = locust_command(
        PLANNED, locust_file=Path("saga.py"), environment=inherited, python="python"
    )
    assert argv[:5] == ["python", "-m", "locust", "--locustfile", "saga.py"]
    assert "--headless" in argv
    assert from_environment(environment) == PLANNED
    assert environment["PATH"] == "/bin"
    assert "LOCUST_USERS" not in environment


@pytest.mark.parametrize(
    ("rate_per_s", "duration_s", "said"),
    [
        (5000.0, 3600.0, "a plan holds 10,000,000"),
        (0.0, 10.0, "rate 0: give 0.01 to 5000"),
        (-3.0, 10.0, "rate -3"),
        (float("nan"), 10.0, "rate nan"),
        (5.0, 0.0, "duration 0: give 1 to 604800"),
        (0.01, 1.0, None),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_the_start(
    rate_per_s: float, duration_s: float, said: str | None
) -> None:
    asked = Settings(address="a", tenants=(ALPHA,), rate_per_s=rate_per_s, duration_s=duration_s)
    if said is None:
        locust_command(asked, locust_file=Path("saga.py"))
    else:
        with pytest.raises(UsageError, match=said):
            locust_command(asked, locust_file=Path("saga.py"))


def test_the_deadline_covers_the_last_saga_s_horizon() -> None:
    assert deadline_s(PLANNED) >= 30.0 + 20.0
