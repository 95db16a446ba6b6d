"""Days are the installation's: at 02:00 on 1 December in China, UTC still has 30 November (F4)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from creditmesh.kernel.errors import InvalidInput
from creditmesh.offers.model import NothingMatches
from institutions.registry_figures import registry_data
from institutions.tax_figures import tax_data
from tests.support import wired
from tests.support.world import FIRM, REGISTRY, TAX, World
from tests.unit.governance.test_labels import disbursed, seen
from tests.unit.screening.test_imports import HEAD, imported
from tests.unit.screening.test_lists import hits

YESTERDAY, TODAY = date(2026, 11, 30), date(2026, 12, 1)


@pytest.fixture
def night(world: World) -> World:
    """The world at 02:00 on 1 December in China."""
    world.clock.at = datetime(2026, 11, 30, 18, tzinfo=UTC)
    world.clock.zone = ZoneInfo("Asia/Shanghai")
    return world


def features(world: World, payment: dict[str, Any]) -> dict[str, Any]:
    """Key data of the firm with that tax payment only."""
    world.authorize()
    told = {**(tax_data(FIRM, YESTERDAY) or {}), "payments": [{"tax_type": "CIT", "amount": "1000.00", **payment}]}
    world.http.answer("POST", f"{TAX}/api/v1/taxpayer-data", 200, told)
    world.http.answer("GET", f"{REGISTRY}/api/v1/companies/", 200, registry_data(FIRM, TODAY))
    world.collect()
    return dict(wired.key_data().get(world.application().key_data_key or "").features)


def test_a_tax_that_was_due_yesterday_is_unpaid(night: World) -> None:
    due = {"period": "2026-10", "due_on": "2026-11-30", "paid_on": None}
    assert features(night, due)["tax_arrears_minor"] == 100_000


@pytest.mark.parametrize(("zone", "late"), [("Asia/Shanghai", 1), ("UTC", 0)])
def test_the_windows_of_months_end_with_the_month_that_is_over(night: World, zone: str, late: int) -> None:
    night.clock.zone = ZoneInfo(zone)
    paid = {"period": "2026-11", "due_on": "2026-11-28", "paid_on": "2026-11-29"}
    assert features(night, paid)["tax_late_count_24m"] == late


@pytest.mark.parametrize(("until", "fits"), [("2026-11-30", False), ("2026-12-01", True)])
def test_a_product_is_on_offer_until_the_end_of_its_last_day(night: World, until: str, fits: bool) -> None:
    night.to_assessed()
    night.push(valid_until=until)
    if fits:
        wired.offers().offer(night.application_id, "t-1")
        assert night.application().status == "offered"
    else:
        with pytest.raises(NothingMatches):
            wired.offers().offer(night.application_id, "t-1")


@pytest.mark.parametrize(
    ("begins", "ends", "found"),
    [
        ("2026-12-01", "", 1),
        ("2026-12-02", "", 0),
        ("", "2026-12-01", 0),
        ("", "2026-12-02", 1),
        ("2026-11-30T18:00:00Z", "", 1),
        ("2026-11-30T18:00:01Z", "", 0),
    ],
)
def test_a_list_entry_begins_and_ends_with_the_day(night: World, begins: str, ends: str, found: int) -> None:
    imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,{begins},{ends}\n")
    assert hits() == found


def test_a_decision_belongs_to_the_day_on_which_it_was_made(night: World) -> None:
    night.to_assessed()
    (decision,) = wired.decision_log().of_day("origination", TODAY)
    assert (decision.application_id, decision.on) == (night.application_id, TODAY.isoformat())
    assert list(wired.decision_log().of_day("origination", YESTERDAY)) == []
    assert (night.application().report_key or "").startswith("reports/on=2026-12-01/")


def test_an_outcome_may_be_observed_today_and_not_tomorrow(night: World) -> None:
    disbursed(night)
    assert wired.labels().record(seen(night, TODAY), "servicing")
    with pytest.raises(InvalidInput):
        wired.labels().record(seen(night, date(2026, 12, 2)), "servicing")


def test_the_drift_watch_takes_yesterday(night: World) -> None:
    assert wired.drift_watch().run("origination").day == YESTERDAY
