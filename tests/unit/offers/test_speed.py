"""Promised and measured hours: counted with the payment, ranked from twenty payments on (C19, rule 5)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.kernel.clock import iso
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.matching import match
from creditmesh.offers.speed import MEASURED_FROM, Speed
from tests.support import wired
from tests.support.world import (
    APPROVAL,
    BORROWER,
    CONTRACT,
    DISBURSEMENT,
    LENDER,
    NOW,
    OPERATOR,
    RANKING,
    REJECTION,
    World,
)
from tests.unit.offers.test_offering import need, product


def count(hours: int, times: int = 1, product_id: str = "p-1") -> None:
    at = iso(NOW - timedelta(hours=hours))
    for number in range(times):
        one = wired.speeds().measuring("lender-a", product_id, chosen_at=at, signed_at=at, paid_at=iso(NOW))
        wired.tables().transact([one], f"{product_id}-{hours}-{number}")


def speed(product_id: str = "p-1") -> Speed:
    return wired.speeds().of("lender-a", product_id)


@pytest.mark.parametrize(
    ("chosen", "signed", "reported", "hours"),
    [
        (-10.0, -9.0, -0.5, 10),  # 9.5 hours, rounded up
        (-10.0, -9.0, -1.0, 9),
        (-10.0, -9.0, 5.0, 10),  # reported later than now
        (-10.0, -2.0, -9.5, 8),  # reported before the signature
        (-10.0, -2.0, -4_000.0, 8),
        (0.0, 0.0, 0.0, 0),
        (-20_000.0, -19_000.0, 0.0, 8_784),
    ],
)
def test_hours_count_from_the_choice_to_the_reported_payment(
    world: World, chosen: float, signed: float, reported: float, hours: int
) -> None:
    at = {name: iso(NOW + timedelta(hours=one)) for name, one in
          {"chosen_at": chosen, "signed_at": signed, "paid_at": reported}.items()}  # fmt: skip
    wired.tables().write(wired.speeds().measuring("lender-a", "p-1", **at))
    assert speed().hours == {str(hours): 1}


def test_a_payment_counts_once_with_its_transaction(world: World) -> None:
    world.to_offered()
    world.clock.advance(600)
    world.choose()
    chosen = world.clock.now()
    world.clock.advance(3 * 3600)
    world.to_ordered()
    paid = {**DISBURSEMENT, "disbursed_at": iso(chosen + timedelta(hours=2, seconds=1))}
    assert world.say("loan.disbursed", "w-3", **paid)
    for webhook in ("w-3", "w-4"):
        assert not world.say("loan.disbursed", webhook, **paid)
    assert (speed().hours, speed().payments, speed().measured_hours) == ({"3": 1}, 1, None)


def test_hours_count_from_the_applicants_last_choice(world: World) -> None:
    """Not from that of a lender that refused, nor from an operator's retry."""
    world.to_assessed()
    for lender in ("lender-a", "lender-b"):
        world.push(lender=lender)
    own = world.application_id
    wired.offers().offer(own, "t-1")
    world.choose()
    wired.closings().submit(own, "t-2")
    world.clock.advance(50 * 3600)
    world.say("loan.decision", "w-1", **REJECTION)
    wired.offers().offer(own, "t-3")
    world.choose("lender-b")
    chosen = world.clock.now()
    world.clock.advance(4 * 3600)
    wired.operators().hand_over(own, "e-1", "SubmitToLender", "LenderUnavailable")
    (task,) = world.items("OperatorTasks")
    wired.operators().resolve(OPERATOR, task["task_id"], "retry", "the lender is back")
    assert world.application().status == "chosen"
    wired.closings().submit(own, "t-4")
    world.say("loan.decision", "w-2", "lender-b", **APPROVAL)
    wired.closings().request_contract(own, "t-5")
    world.say("loan.contract.ready", "w-3", "lender-b", **CONTRACT)
    wired.signatures().await_signature(own, "t-6")
    wired.signatures().sign(BORROWER, own, CONTRACT["document_sha256"], "Test Signer")
    wired.closings().order_disbursement(own, "t-7")
    world.clock.advance(2 * 3600)
    paid = {**DISBURSEMENT, "disbursed_at": iso(chosen + timedelta(hours=6))}
    assert world.say("loan.disbursed", "w-4", "lender-b", **paid)
    assert (speed().payments, wired.speeds().of("lender-b", "p-1").hours) == (0, {"6": 1})


def test_without_a_payment_nothing_is_counted(world: World) -> None:
    world.to_ordered()
    assert speed() == Speed(payments=0, measured_hours=None, hours={})
    assert wired.speeds().measured() == {}


def test_twenty_payments_are_measured(world: World) -> None:
    count(5, MEASURED_FROM - 1)
    assert (speed().measured_hours, wired.speeds().measured()) == (None, {})
    count(100)
    assert (speed().payments, speed().measured_hours) == (20, 5)
    assert wired.speeds().measured() == {("lender-a", "p-1"): 5}
    count(90, 2)
    assert speed().measured_hours == 90, "19 of 22 are less than 90 %"


@given(st.lists(st.integers(0, 60), min_size=MEASURED_FROM, max_size=80))
def test_nine_of_ten_are_paid_within_the_measured_hours(hours: list[int]) -> None:
    measured = Speed.of(Counter(hours)).measured_hours
    assert measured is not None
    assert measured in hours
    assert sum(one <= measured for one in hours) * 10 >= len(hours) * 9
    assert sum(one < measured for one in hours) * 10 < len(hours) * 9


def test_measured_hours_rank_in_place_of_the_promised() -> None:
    quick = product("quick", disbursement_hours=1)
    slow = product("slow", disbursement_hours=48)
    promised = match(Catalogue.of([slow, quick]), need(), RANKING).offers
    assert [(one.product_id, one.measured_hours) for one in promised] == [("quick", None), ("slow", None)]
    hours = {("lender-a", "quick"): 96, ("lender-a", "slow"): 0}
    measured = match(Catalogue.of([slow, quick], hours=hours), need(), RANKING).offers
    assert [(one.product_id, one.disbursement_hours, one.measured_hours, one.points.speed) for one in measured] == [
        ("slow", 48, 0, 10_000), ("quick", 1, 96, 2_000),
    ]  # fmt: skip


def test_offers_say_what_was_measured(world: World) -> None:
    world.to_assessed()
    world.push(disbursement_hours=2)
    count(30, MEASURED_FROM)
    wired.offers().offer(world.application_id, "t-1")
    ((offer,),) = [wired.offers().of(OPERATOR, world.application_id)[1]]
    assert (offer.disbursement_hours, offer.measured_hours) == (2, 30)
    mine, seen = wired.products().speed(LENDER, "p-1"), wired.products().speed(OPERATOR, "p-1", "lender-a")
    assert mine == seen == speed()
    assert [one.version for one in wired.products().versions(LENDER, "p-1")] == [1]
