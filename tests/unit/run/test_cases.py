"""How the examples' borrowers choose, and which files of applications are taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from client.views import Offer
from run import cases
from run.cases import Behaviour, NotOffered
from run.errors import RunError


def offer(product_id: str, amount: str, *, low: str = "50000.00", high: str = "500000.00") -> Offer:
    return Offer(
        lender_id="harbor-bank", product_id=product_id, version=1, name=product_id, fit="full", amount=amount,
        min_amount=low, max_amount=high, amount_step="1000.00", annual_rate_bps=500,
    )  # fmt: skip


RANKED = [offer("quick", "300000.00"), offer("growth", "900000.00"), offer("prime", "900000.00")]


@pytest.mark.parametrize(
    ("behaviour", "chosen"),
    [
        ({}, ("quick", "300000.00")),
        ({"choice": "largest"}, ("growth", "900000.00")),
        ({"product_id": "prime"}, ("prime", "900000.00")),
        ({"amount": "60000.00"}, ("quick", "60000.00")),
    ],
    ids=["best", "largest", "product", "amount"],
)
def test_a_borrower_chooses_as_the_line_says(behaviour: dict[str, Any], chosen: tuple[str, str]) -> None:
    picked = Behaviour.model_validate(behaviour).pick(RANKED)
    assert (picked.product_id, picked.amount) == chosen


def test_a_product_that_is_not_offered_is_named() -> None:
    with pytest.raises(NotOffered, match="starter"):
        Behaviour(product_id="starter").pick(RANKED)


@pytest.mark.parametrize(
    ("left", "amount"),
    [("700500.00", "500000.00"), ("250999.99", "250000.00"), ("50000.00", "50000.00"), ("49999.99", None)],
)
def test_less_of_an_offer_is_whole_steps_within_what_is_left(left: str, amount: str | None) -> None:
    less = offer("quick", "300000.00").at_most(left)
    assert (less and less.amount) == amount


def test_a_line_waits_for_an_earlier_one_only(tmp_path: Path) -> None:
    firm = {"name": "a", "taxpayer_id": "b"}
    lines: list[dict[str, Any]] = [
        {"persona": "second", "firm": firm, "application": {}, "behaviour": {"after": "first"}},
        {"persona": "first", "firm": firm, "application": {}},
    ]
    file = tmp_path / "applications.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(RunError, match=r"application 1: behaviour\.after .* first"):
        cases.read(file)
    file.write_text("\n".join(map(json.dumps, reversed(lines))))
    assert [case.persona for case in cases.read(file)] == ["first", "second"]
