"""Products that could never be lent as they say are refused when they are pushed (C17)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.offers.contradictions import require_consistent
from creditmesh.offers.model import ProductTerms
from creditmesh.platform.fields import InvalidFields
from tests.support.world import TERMS, World


def fee(charged: str = "deducted", **size: Any) -> dict[str, Any]:
    return {"code": f"fee_{len(size)}{charged}", "charged": charged, **size}


def grades(*named: str) -> dict[str, Any]:
    return {"type": "by_grade", "annual_rates_bps": dict.fromkeys(named, 500)}


def terms(**changes: Any) -> ProductTerms:
    return ProductTerms.model_validate({**TERMS, **changes})


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"capacity": "49999.99"}, "capacity", "below"),
        ({"monthly_capacity": "49999.99"}, "monthly_capacity", "below"),
        ({"monthly_capacity": "0.00"}, "monthly_capacity", "below"),
        ({"amount_step": "450000.01"}, "amount_step", "step_exceeds_range"),
        ({"term_step_months": 34}, "term_step_months", "step_exceeds_range"),
        ({"price": grades("D", "E"), "min_grade": "C"}, "price.annual_rates_bps", "no_rate"),
        ({"grace_months": 1, "repayment_methods": ["bullet", "interest_only"]}, "grace_months", "no_instalments"),
        ({"fees": [fee(amount="500000.00")]}, "fees", "taken_up_by_fees"),
        ({"fees": [fee("at_payout", amount="400000.00"), fee(share_bps=2000)]}, "fees", "taken_up_by_fees"),
    ],
)
def test_a_contradiction_is_named(changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        require_consistent(terms(**changes))
    assert [(one.field, one.code) for one in refused.value.errors] == [(field, code)]


@pytest.mark.parametrize(
    "changes",
    [
        {"capacity": "50000.00", "monthly_capacity": "50000.00"},
        {"amount_step": "450000.00", "term_step_months": 33},
        {"min_amount": "500000.00", "amount_step": "1000.00", "min_term_months": 36, "term_step_months": 6},
        {"price": grades("C", "E"), "min_grade": "C"},
        {"price": grades("AAA"), "min_grade": "C"},
        {"grace_months": 1, "repayment_methods": ["bullet", "annuity"]},
        {"fees": [fee(amount="499999.99"), fee("late", amount="900000.00"), fee("prepayment", share_bps=2000)]},
    ],
)
def test_what_can_be_lent_at_its_very_edge_is_none(changes: dict[str, Any]) -> None:
    require_consistent(terms(**changes))


def test_every_contradiction_is_named_at_once_and_nothing_is_stored(world: World) -> None:
    with pytest.raises(InvalidFields) as refused:
        world.push(capacity="1.00", term_step_months=34, grace_months=1, repayment_methods=["bullet"])
    assert [one.field for one in refused.value.errors] == ["capacity", "term_step_months", "grace_months"]
    assert refused.value.errors[1].rule == "exceeds what lies between min_term_months and max_term_months"
    assert refused.value.errors[0].parameters == {"other": "min_amount"}
    assert world.items("Products") == []
