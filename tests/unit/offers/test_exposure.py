"""What firms owe and are promised, counted (C17, C20, S11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from creditmesh.offers.exposure import (
    Borrower,
    CapacityExhausted,
    Commitment,
    Exposures,
    LimitExhausted,
    capacities_of,
)
from creditmesh.offers.model import Product
from creditmesh.platform.tables import ConditionFailed
from tests.support import wired
from tests.support.world import FIRM, World
from tests.unit.offers.test_offering import product

NEWER_KEY = {"id": "2", "key": "n" * 64}
LIMIT = 1_000_00


@pytest.fixture
def exposures(world: World) -> Exposures:
    assert world.items("Exposures") == []
    return wired.exposures()


def choice(name: str, amount: int, capacities: Mapping[str, int] | None = None) -> Commitment:
    return Commitment(name, Borrower(FIRM.taxpayer_id), amount, LIMIT, capacities or {})


def commit(exposures: Exposures, one: Commitment) -> None:
    wired.tables().transact(exposures.committing(one), one.application_id)


def left(exposures: Exposures, one: Product, month: str = "2026-11") -> int | None:
    return exposures.left([one], month).get((one.lender_id, one.product_id))


@pytest.mark.parametrize(
    ("sizes", "most"),
    [
        ({}, None),
        ({"capacity": "900.00"}, 500_00),
        ({"monthly_capacity": "700.00"}, 300_00),
        ({"capacity": "900.00", "monthly_capacity": "700.00"}, 300_00),
        ({"capacity": "600.00", "monthly_capacity": "700.00"}, 200_00),
        ({"capacity": "300.00"}, -100_00),
    ],
)
def test_what_is_left_of_a_product_is_the_least_of_its_capacities(
    exposures: Exposures, sizes: dict[str, Any], most: int | None
) -> None:
    one = product(capacity="9000.00", monthly_capacity="9000.00")
    commit(exposures, choice("a", 400_00, capacities_of(one, "2026-11")))
    assert left(exposures, product(**sizes)) == most


def test_a_month_counts_its_own_choices(exposures: Exposures) -> None:
    one = product(capacity="900.00", monthly_capacity="500.00")
    commit(exposures, choice("a", 400_00, capacities_of(one, "2026-11")))
    assert [left(exposures, one, month) for month in ("2026-11", "2026-12", "2027-11")] == [100_00, 500_00, 500_00]
    commit(exposures, choice("b", 200_00, capacities_of(one, "2026-12")))
    assert left(exposures, one, "2026-12") == 300_00
    with pytest.raises(ConditionFailed):
        commit(exposures, choice("c", 100_01, capacities_of(one, "2026-11")))
    with pytest.raises(CapacityExhausted):
        exposures.refused(choice("c", 100_01, capacities_of(one, "2026-11")))


@pytest.mark.parametrize(("paid", "owed"), [(None, 0), (400_00, 400_00), (250_00, 250_00), (0, 0)])
def test_an_end_leaves_what_was_paid_on_every_counter(exposures: Exposures, paid: int | None, owed: int) -> None:
    one = product(capacity="900.00", monthly_capacity="900.00")
    commit(exposures, choice("a", 400_00, capacities_of(one, "2026-11")))
    assert [exposures.settle("a", paid), exposures.settle("a", paid)] == [True, False]
    assert exposures.used(FIRM.taxpayer_id) == owed
    for size in ("capacity", "monthly_capacity"):
        assert left(exposures, product(**{size: "900.00"})) == 900_00 - owed


def test_while_the_index_key_is_rotated_both_counters_bound_a_firm(world: World, exposures: Exposures) -> None:
    commit(exposures, choice("a", 600_00))
    with world.index_keys(NEWER_KEY, {"id": "1"}):
        assert exposures.used(FIRM.taxpayer_id) == 600_00
        with pytest.raises(LimitExhausted) as refused:
            exposures.committing(choice("b", 400_01))
        assert refused.value.parameters == {"left": "400.00"}
        commit(exposures, choice("b", 300_00))
        assert exposures.used(FIRM.taxpayer_id) == 900_00
        with pytest.raises(ConditionFailed):
            commit(exposures, choice("c", 100_01))
        with pytest.raises(LimitExhausted):
            exposures.refused(choice("c", 100_01))


def test_a_choice_under_the_earlier_key_meanwhile_is_seen(world: World, exposures: Exposures) -> None:
    with world.index_keys(NEWER_KEY, {"id": "1"}):
        late = exposures.committing(choice("b", 600_00))
    commit(exposures, choice("a", 600_00))
    with pytest.raises(ConditionFailed):
        wired.tables().transact(late, "b")


@pytest.mark.parametrize("paid", [None, 400_00, 250_00])
@pytest.mark.parametrize("ends_first", [False, True])
def test_a_commitment_moves_to_the_current_key(
    world: World, exposures: Exposures, paid: int | None, *, ends_first: bool
) -> None:
    one = product(capacity="900.00")
    commit(exposures, choice("a", 400_00, capacities_of(one, "2026-11")))
    with world.index_keys(NEWER_KEY, {"id": "1"}):
        if ends_first:
            exposures.settle("a", paid)
        assert [exposures.rekey("a", Borrower(FIRM.taxpayer_id)) for _ in range(2)] == [1, 0]
        assert exposures.rekey("unknown", Borrower(FIRM.taxpayer_id)) == 0
    with world.index_keys(NEWER_KEY, {"id": "1", "retired": True}):
        exposures.settle("a", paid)
        assert exposures.used(FIRM.taxpayer_id) == (paid or 0)
        assert left(exposures, one) == 900_00 - (paid or 0)


def test_a_commitment_that_moves_while_it_ends_ends_under_the_current_key(
    world: World, exposures: Exposures, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(exposures, choice("a", 400_00))
    with world.index_keys(NEWER_KEY, {"id": "1"}):
        tables = wired.tables()
        transact = tables.transact

        def late(writes: Any, token: str) -> None:
            monkeypatch.setattr(tables, "transact", transact)
            exposures.rekey("a", Borrower(FIRM.taxpayer_id))
            transact(writes, token)

        monkeypatch.setattr(tables, "transact", late)
        assert exposures.settle("a", None)
        assert {item["used_minor"] for item in world.items("Exposures") if "used_minor" in item} == {0}
