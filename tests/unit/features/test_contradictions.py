"""What two sources say differently is told, with both sides, and nothing is dropped (C10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from creditmesh.gateway.key_data import Finding, KeyData, extract
from tests.unit.features.test_sources import AS_OF, account, bureau, fraud, judicial, shop
from tests.unit.gateway.test_key_data import ENDS, registry_answer, statement, tax_answer

Sources = dict[str, Any]


def sources() -> Sources:
    """All sources of one mind."""
    found = {
        "tax": tax_answer(),
        "registry": registry_answer(),
        "judicial": judicial(),
        "credit_bureau": bureau(),
        "shop": shop(),
        "anti_fraud": fraud(),
    }
    found["tax"]["statements"] = [statement(end, "330.00", "20.00") for end in ENDS]
    for row in found["shop"]["orders"]:
        row["amount"] = "40.00"
    return found


def drawn(found: Sources) -> KeyData:
    return extract(found, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF)


def disagreements(found: Sources) -> list[Finding]:
    return [one for one in drawn(found).quality if one.finding == "sources_disagree"]


def test_sources_of_one_mind_give_no_finding() -> None:
    assert disagreements(sources()) == []


def later_ids(found: Sources) -> None:
    found["shop"]["shop"]["taxpayer_id"] = "99990100MA00000001"


def judicial_id(found: Sources) -> None:
    found["judicial"]["taxpayer_id"] = "99990100MA00000001"


def name(found: Sources) -> None:
    found["registry"]["registration"]["name"] = "Yunzhou Other"


def section(found: Sources) -> None:
    found["registry"]["registration"]["industry"] = "F51"


def division(found: Sources) -> None:
    found["registry"]["registration"]["industry"] = "Ｃ３５"


def cancelled(found: Sources) -> None:
    found["registry"]["registration"]["status"] = "cancelled"
    del found["shop"]


def deregistered(found: Sources) -> None:
    found["tax"]["basics"]["status"] = "deregistered"


def open_shop_of_a_revoked_firm(found: Sources) -> None:
    found["registry"]["registration"]["status"] = "revoked"
    found["tax"]["basics"]["status"] = "abnormal"


def best_rating_of_a_listed_firm(found: Sources) -> None:
    found["tax"]["basics"]["credit_rating"] = "A"


def taxed_before_established(found: Sources) -> None:
    found["tax"]["basics"]["registered_on"] = "2015-02-20"


def sold_before_established(found: Sources) -> None:
    found["shop"]["shop"]["opened_on"] = "2014-01-01"


def declared_little(found: Sources) -> None:
    found["tax"]["statements"][4:] = [statement(end, "112.49", "20.00") for end in ENDS[4:]]


def sold_much(found: Sources) -> None:
    found["shop"]["orders"][-1]["amount"] = "1220.01"


def overdue_without_a_month(found: Sources) -> None:
    found["credit_bureau"]["overdue"] = []


def months_without_an_overdue_account(found: Sources) -> None:
    found["credit_bureau"]["accounts"] = [account("1")]


def harmless_with_a_severe_hit(found: Sources) -> None:
    found["anti_fraud"]["level"] = "low"


@pytest.mark.parametrize(
    ("change", "field", "severity", "values"),
    [
        (later_ids, "shop.shop.taxpayer_id", "error", {}),
        (judicial_id, "judicial.taxpayer_id", "error", {}),
        (name, "registry.registration.name", "warning", {}),
        (section, "registry.registration.industry", "warning", {"tax": "C34", "registry": "F51"}),
        (division, "registry.registration.industry", "info", {"tax": "C34", "registry": "C35"}),
        (cancelled, "registry.registration.status", "error", {"tax": "normal", "registry": "cancelled"}),
        (deregistered, "registry.registration.status", "warning", {"tax": "deregistered", "registry": "active"}),
        (open_shop_of_a_revoked_firm, "shop.shop.status", "warning", {"shop": "open", "registry": "revoked"}),
        (best_rating_of_a_listed_firm, "judicial.dishonest_debtor.listed", "warning",
         {"judicial": "listed", "tax": "A"}),
        (taxed_before_established, "tax.basics.registered_on", "warning",
         {"tax": "2015-02-20", "registry": "2015-02-21"}),
        (sold_before_established, "shop.shop.opened_on", "warning", {"shop": "2014-01-01", "registry": "2015-02-21"}),
        (declared_little, "tax.statements", "warning", {"invoices": "135000", "statements": "44996"}),
        (sold_much, "shop.orders", "warning", {"shop": "162001", "tax": "135000"}),
        (overdue_without_a_month, "credit_bureau.overdue", "warning", {"accounts": "overdue", "overdue": "none"}),
        (months_without_an_overdue_account, "credit_bureau.overdue", "warning",
         {"accounts": "none", "overdue": "overdue"}),
        (harmless_with_a_severe_hit, "anti_fraud.level", "warning", {"level": "low", "hits": "high"}),
    ],
)  # fmt: skip
def test_each_contradiction_is_told_with_both_sides(
    change: Callable[[Sources], None], field: str, severity: str, values: dict[str, str]
) -> None:
    found = sources()
    change(found)
    (finding,) = disagreements(found)
    assert (finding.field, finding.severity, finding.values) == (field, severity, values)


def test_what_disagrees_is_still_there() -> None:
    found = sources()
    cancelled(found)
    features = drawn(found).features
    assert (features["taxpayer_status"], features["registration_status"]) == ("normal", "cancelled")


def test_turnovers_just_within_the_factor_are_no_contradiction() -> None:
    found = sources()
    found["tax"]["statements"][4:] = [statement(end, "112.50", "20.00") for end in ENDS[4:]]
    found["shop"]["orders"][-1]["amount"] = "1220.00"
    assert disagreements(found) == []
