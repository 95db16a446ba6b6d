"""A matching that is replayed gives the same offers to the bit, whatever became of the catalogue since (S10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.offers.model import NothingMatches
from creditmesh.offers.replay import MatchingGone, MatchReplay
from creditmesh.offers.speed import MEASURED_FROM
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import LENDER, World
from tests.unit.offers.test_offering import another, fixed
from tests.unit.offers.test_speed import count

CONDITION = {"code": "any", "when": {"!": {"missing": "revenue_12m_minor"}}, "text": "known revenue"}


def replay(world: World) -> MatchReplay:
    return wired.matchings().replay(world.application())


def stored(world: World) -> Any:
    found = next(one for one in world.items("Offers") if one["application_id"] == world.application_id)
    return json.loads(found["offers"])


def catalogues(world: World) -> dict[str, bytes]:
    return {key: body for key, body in world.stack.documents().items() if key.startswith("catalogues/")}


@pytest.fixture
def matched(world: World) -> World:
    """Offered four products of two lenders: with a condition, a capacity, measured hours, fees."""
    world.to_assessed()
    world.push("p-1", eligibility=[CONDITION])
    world.push("p-2", capacity="90000.00")
    world.push("p-3", "lender-b", fees=[{"code": "entry", "charged": "at_payout", "share_bps": 100}])
    world.push("p-4", disbursement_hours=1)
    count(200, MEASURED_FROM, "p-4")
    wired.offers().offer(world.application_id, "t-1")
    return world


def test_a_matching_is_replayed_whatever_became_of_what_it_rested_on(matched: World) -> None:
    before, first = stored(matched), matched.application_id
    assert len(before) == 4
    matched.push("p-1", price=fixed(1200))
    wired.products().take_back(LENDER, "p-2")
    matched.push("p-5", price=fixed(1))
    count(1, 200, "p-4")
    another(matched, "key-00000002")
    matched.choose(amount="500000.00")
    matched.__dict__["application_id"] = first
    matched.clock.advance(400 * 86_400)  # no product is on offer any more
    found = replay(matched)
    assert (found.equal, found.differences, found.products) == (True, {}, 4)
    assert [one.model_dump(mode="json") for one in found.offers] == before == stored(matched)
    assert (found.matched_on.isoformat(), found.weights) == ("2026-11-21", {"cost": 40, "amount": 40, "speed": 20})


def test_what_fitted_nothing_is_replayed_too(world: World) -> None:
    world.to_assessed()
    world.push(min_grade="AAA", max_term_months=3)
    with pytest.raises(NothingMatches):
        wired.offers().offer(world.application_id, "t-1")
    found = replay(world)
    assert (found.equal, found.offers, found.products) == (True, [], 1)
    assert world.application().nearest is not None


def test_an_empty_catalogue_is_replayed(world: World) -> None:
    world.to_assessed()
    with pytest.raises(NothingMatches):
        wired.offers().offer(world.application_id, "t-1")
    assert replay(world).equal


def test_a_difference_is_named(matched: World) -> None:
    offers = stored(matched)
    offers[1]["annual_rate_bps"] = 1
    item = {"application_id": {"S": matched.application_id}}
    matched.stack.clients["dynamodb"].update_item(
        TableName=table_name("Offers"), Key=item, UpdateExpression="SET offers = :o",
        ExpressionAttributeValues={":o": {"S": json.dumps(offers[:3])}},
    )  # fmt: skip
    found = replay(matched)
    assert not found.equal
    assert found.differences["offers[1].annual_rate_bps"] == {"recorded": 1, "replayed": 780}
    assert {path for path in found.differences if not path.startswith("offers[3].")} == {"offers[1].annual_rate_bps"}


def test_the_catalogues_state_is_stored_once_and_is_small(matched: World) -> None:
    assert len(catalogues(matched)) == 1
    another(matched, "key-00000002")
    assert len(catalogues(matched)) == 1
    matched.clock.advance(31)  # the catalogue is read again, and has not changed
    another(matched, "key-00000003")
    assert len(catalogues(matched)) == 1
    matched.choose("lender-a", "p-2", amount="50000.00")
    matched.clock.advance(31)  # of a capacity less is left
    another(matched, "key-00000004")
    assert len(catalogues(matched)) == 2
    assert all(len(one["matching"]) < 1_000 for one in matched.items("Offers"))
    assert all(len(body) < 300 for body in catalogues(matched).values())


def test_what_is_not_kept_cannot_be_replayed(matched: World) -> None:
    (key,) = catalogues(matched)
    matched.stack.clients["s3"].delete_object(Bucket=matched.stack.refs["DataBucket"], Key=key)
    with pytest.raises(MatchingGone):
        replay(matched)
    matched.__dict__["application_id"] = matched.apply("key-00000009").application_id
    with pytest.raises(MatchingGone):
        replay(matched)


def test_a_missing_version_is_told(matched: World) -> None:
    key = {"lender_id": {"S": "lender-b"}, "product_id": {"S": "p-3#000000001"}}
    matched.stack.clients["dynamodb"].delete_item(TableName=table_name("Products"), Key=key)
    with pytest.raises(MatchingGone):
        replay(matched)
