"""The ledger applies each key at most once, whatever arrives in whatever order."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.program import COMPENSATION, idempotency_key
from harness.doubles.defects import Defect
from harness.doubles.ledger import Ledger, Order, Outcome
from harness.journal.records import Disposition

APPLIED, SUPPRESSED, VOID, REFUSED = (
    Disposition.APPLIED,
    Disposition.SUPPRESSED,
    Disposition.VOID,
    Disposition.REFUSED,
)


def order(
    direction: str = "forward", *, saga_id: str = "s-1", step: int = 0, tenant: str = "alpha",
    key: str = "",
) -> Order:  # fmt: skip
    (service, forward), back = list(COMPENSATION.items())[step % len(COMPENSATION)]
    return Order(
        tenant=tenant,
        key=key or idempotency_key(saga_id, step, direction),
        saga_id=saga_id,
        step=step,
        direction=direction,
        service=service,
        operation=forward if direction == "forward" else back,
        resource="room-7",
        amount="3",
    )


def said(ledger: Ledger, *directions: str) -> list[Disposition]:
    return [ledger.apply(order(direction)).disposition for direction in directions]


def test_a_first_forward_is_applied_and_its_repetition_gets_the_same_result() -> None:
    ledger = Ledger()
    first, again = ledger.apply(order()), ledger.apply(order())
    assert first.result is not None
    assert re.fullmatch(r"rms-[0-9a-f]{12}", first.result.pop("reference"))
    assert first.result == {"amount": "3", "applied": 1}
    assert (first.disposition, again.disposition) == (APPLIED, SUPPRESSED)
    assert again.result == ledger.apply(order()).result
    assert Ledger().apply(order()).result == again.result  # the same in every trial


def test_a_compensation_undoes_once_and_a_late_forward_finds_its_key() -> None:
    assert said(Ledger(), "forward", "compensation", "compensation", "forward") == [
        APPLIED, APPLIED, SUPPRESSED, SUPPRESSED,
    ]  # fmt: skip


def test_a_compensation_of_nothing_is_void_and_bars_the_forward() -> None:
    ledger = Ledger()
    void = ledger.apply(order("compensation"))
    assert void.disposition is VOID
    assert void.result is not None
    assert void.result["void"] is True
    assert said(ledger, "compensation", "forward", "forward") == [SUPPRESSED, REFUSED, REFUSED]
    assert ledger.apply(order()).status == 409


def test_tenants_and_steps_do_not_share_keys() -> None:
    ledger = Ledger()
    orders = [order(tenant="beta"), order(), order(step=1), order(saga_id="s-2")]
    assert {ledger.apply(each).disposition for each in orders} == {APPLIED}


def test_a_wrong_key_is_seen_to_apply_twice_and_its_compensation_still_undoes() -> None:
    ledger = Ledger()
    for run_id in ("r-1", "r-2"):
        assert ledger.apply(order(key=f"{run_id}/5")).disposition is APPLIED
    assert ledger.apply(order("compensation", key="r-2/9")).disposition is APPLIED


def test_a_key_used_for_another_effect_is_suppressed_and_named() -> None:
    ledger = Ledger()
    ledger.apply(order(key="k"))
    other = ledger.apply(order(key="k", step=1))
    assert other.disposition is SUPPRESSED
    assert "first used for rms.reserve" in other.problem


def test_the_defects_do_what_they_say() -> None:
    fresh = Ledger(frozenset({Defect.FRESH_RESULT}))
    results = [fresh.apply(order()).result for _ in range(3)]
    assert len({str(result) for result in results}) == 3
    assert said(fresh, "forward") == [SUPPRESSED]
    twice = Ledger(frozenset({Defect.NO_DEDUPE}))
    assert said(twice, "forward", "forward", "compensation", "compensation") == [APPLIED] * 4


ORDERS = st.lists(
    st.builds(
        order,
        st.sampled_from(["forward", "compensation"]),
        saga_id=st.sampled_from(["s-1", "s-2"]),
        step=st.integers(0, 1),
        tenant=st.sampled_from(["alpha", "beta"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(ORDERS)
def test_whatever_arrives_each_key_is_applied_at_most_once(orders: list[Order]) -> None:
    ledger = Ledger()
    outcomes: list[tuple[Order, Outcome]] = [(each, ledger.apply(each)) for each in orders]
    applied = Counter(each.place for each, outcome in outcomes if outcome.disposition is APPLIED)
    voided = {each.place for each, outcome in outcomes if outcome.disposition is VOID}
    assert all(count == 1 for count in applied.values())
    assert not voided & set(applied)
    for each, outcome in outcomes:
        if each.direction == "compensation" and each.place in applied:
            assert (*each.place[:3], "forward") in applied  # nothing undone that was not done
        if outcome.disposition is REFUSED:
            assert (*each.place[:3], "compensation") in voided
    results: dict[tuple[str, str], str] = {}
    for each, outcome in outcomes:
        if outcome.result is not None:  # one key, one result
            assert results.setdefault((each.tenant, each.key), str(outcome.result)) == str(
                outcome.result
            )
