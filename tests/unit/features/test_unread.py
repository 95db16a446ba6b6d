"""Which unknown features were asked for and could not be read (G13)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from creditmesh.gateway.key_data import KeyData
from creditmesh.kernel.unread import read_unread
from tests.unit.features.test_sources import bureau, drawn, judicial, shop
from tests.unit.gateway.test_key_data import key_data, registry_answer, tax_answer


def lost(data: KeyData) -> dict[str, tuple[str, ...]]:
    return read_unread(data.unread or "")


def test_a_whole_answer_leaves_nothing_unread() -> None:
    assert key_data(tax_answer(), registry_answer()).unread is None
    assert drawn(judicial=judicial(), credit_bureau=bureau(), shop=shop()).unread is None


def test_a_source_that_was_not_asked_is_not_unread() -> None:
    data = drawn(registry=registry_answer())
    assert data.features["dishonest_debtor_listed"] is None
    assert data.unread is None


def test_what_a_source_has_no_value_for_is_not_unread() -> None:
    tax = tax_answer()
    tax["basics"]["credit_rating"] = None
    tax["statements"] = tax["statements"][-2:]
    data = key_data(tax)
    names = ("tax_credit_rating", "revenue_12m_minor", "revenue_growth_bps")
    assert [data.features[name] for name in names] == [None] * 3
    assert data.unread is None
    assert drawn(credit_bureau=bureau() | {"accounts": [], "overdue": []}).unread is None


def test_a_source_that_was_down_leaves_all_its_features_unread() -> None:
    data = drawn(judicial=None, shop=shop())
    assert lost(data) == {name: ("judicial",) for name in data.features if lineage(data, name) == {"judicial"}}
    assert "dishonest_debtor_listed" in lost(data)


def lineage(data: KeyData, name: str) -> set[str]:
    return {origin["source"] for origin in data.lineage[name]}


def placed(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed = deepcopy(document)
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "document", "path", "value", "expected"),
    [
        ("judicial", judicial(), ("dishonest_debtor", "listed"), {"nil": True}, {"dishonest_debtor_listed"}),
        ("judicial", judicial(), ("dishonest_debtor",), None, {"dishonest_debtor_listed"}),
        ("judicial", judicial(), ("enforcement", 0, "amount"), "(-5)",
         {"enforcement_open_amount_minor", "enforcement_amount_24m_minor"}),
        ("credit_bureau", bureau(), ("accounts", 0, "overdue_amount"), "--5",
         {"overdue_amount_minor", "overdue_account_count"}),
        # The balance of what the firm guarantees is known, though it is read from the same column.
        ("credit_bureau", bureau(), ("accounts", 1, "balance"), "much",
         {"credit_balance_minor", "credit_utilisation_bps"}),
        ("credit_bureau", bureau(), ("overdue", 0, "month"), "soon",
         {"overdue_months_24m", "overdue_days_max_24m"}),
        ("credit_bureau", bureau(), ("enquiries",), None, {"enquiry_count_3m", "enquiry_count_6m"}),
        ("shop", shop(), ("shop", "status"), "ajar", {"shop_status"}),
        ("shop", shop(), ("ratings", 0, "average"), "4,8", {"shop_rating_12m_x100"}),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read(
    kind: str, document: dict[str, Any], path: tuple[str | int, ...], value: object, expected: set[str]
) -> None:
    data = drawn(**{kind: placed(document, path, value)})
    assert lost(data) == dict.fromkeys(expected, (kind,))
    assert all(data.features[name] is None for name in lost(data))


def test_of_two_sources_the_one_that_failed_is_named() -> None:
    data = drawn(shop=shop(), tax=None)
    assert lost(data)["shop_share_of_invoices_bps"] == ("tax",)
    assert lost(drawn(shop=None, tax=None))["shop_share_of_invoices_bps"] == ("shop", "tax")


def test_a_doubt_that_loses_nothing_is_not_unread() -> None:
    tax = tax_answer()
    tax["statements"] = tax["statements"][:2]
    data = key_data(tax)
    assert {finding.finding for finding in data.quality} >= {"stale"}
    assert data.features["revenue_12m_minor"] is None
    assert data.unread is None


def test_another_currency_leaves_the_amounts_unread() -> None:
    data = drawn(credit_bureau=bureau() | {"currency": "USD"})
    assert "overdue_amount_minor" in lost(data)
    assert "active_account_count" not in lost(data)
