"""Features of the company registry."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.formula import (
    Expression,
    Field,
    Item,
    Last,
    MonthsSince,
    Not,
    OrElse,
    both,
    item_is,
    number,
    since,
    total,
)


def _changes(kind: str) -> Expression:
    """Changes of a kind; one of an unreadable kind counts for every kind."""
    return number("changes", both(OrElse(item_is("kind", kind), True), since(24, "on")))


REGISTRY = (
    Feature("registration_status", "code", "as of", "Standing: active, cancelled, revoked, liquidation.",
            Field("registration.status")),
    Feature("industry", "code", "as of", "Section letter and division of GB/T 4754.", Field("registration.industry")),
    Feature("company_age_months", "months", "as of", "Full months since establishment.",
            MonthsSince(Field("registration.established_on"))),
    Feature("registered_capital_minor", "fen", "as of", "Registered capital.",
            Field("registration.registered_capital")),
    Feature("legal_rep_changes_24m", "count", "24m and the running month", "Changes of the legal representative.",
            _changes("legal_representative")),
    Feature("penalty_count_24m", "count", "24m and the running month", "Administrative penalties.",
            number("penalties", since(24, "on"))),
    Feature("pledge_active_count", "count", "as of", "Pledges not released.", number("pledges", Item("active"))),
    Feature("abnormal_operation_listed", "flag", "as of", "On the list of abnormal operations.",
            Field("operations.abnormal_listed")),
    Feature("annual_filings_missed", "count", "last 5 years due",
            "Years whose report was due (by 30 June) and not filed, from the year of establishment on.",
            number("filings", Not(Item("filed")))),
)  # fmt: skip

MORE = (
    Feature("address_changes_24m", "count", "24m and the running month", "Changes of the address.",
            _changes("address")),
    Feature("shareholder_changes_24m", "count", "24m and the running month", "Changes of the shareholders.",
            _changes("shareholder")),
    Feature("registry_changes_12m", "count", "12m and the running month", "Changes of any kind.",
            number("changes", since(12, "on"))),
    Feature("penalty_amount_24m_minor", "fen", "24m and the running month", "Administrative fines.",
            total("penalties", "amount", since(24, "on"))),
    Feature("pledge_active_amount_minor", "fen", "as of", "Amount secured by pledges not released.",
            total("pledges", "amount", Item("active"))),
)  # fmt: skip

STAFF = (
    Feature("employee_count", "count", "latest year due",
            "Insured employees by the annual report of the latest year due; unknown where not filed or not told.",
            Last("filings", "insured_employees")),
)  # fmt: skip
