"""Features of the court register."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.formula import (
    Compare,
    Field,
    Item,
    both,
    item_is,
    number,
    since,
    total,
)

_SUED = item_is("role", "defendant")
# What is filed on a later day than the as-of day is not known on it.
_FILED = Compare("<=", Item("filed_on"), Field("as_of"))

COURTS = (
    Feature("defendant_case_open_count", "count", "as of", "Open cases in which the firm is the defendant.",
            number("cases", both(_SUED, Item("open")))),
    Feature("defendant_claim_open_minor", "fen", "as of", "Claims in open cases against the firm.",
            total("cases", "claim_amount", both(_SUED, Item("open")))),
    Feature("defendant_case_count_24m", "count", "24m and the running month", "Cases filed against the firm.",
            number("cases", both(_SUED, since(24, "filed_on")))),
    Feature("labour_case_count_24m", "count", "24m and the running month", "Labour cases filed against the firm.",
            number("cases", both(_SUED, item_is("kind", "labour"), since(24, "filed_on")))),
    Feature("criminal_case_count", "count", "ever", "Criminal cases against the firm.",
            number("cases", both(_SUED, item_is("kind", "criminal"), _FILED))),
    Feature("plaintiff_case_open_count", "count", "as of", "Open cases that the firm has brought.",
            number("cases", both(item_is("role", "plaintiff"), Item("open")))),
    Feature("enforcement_open_count", "count", "as of", "Enforcements under way.",
            number("enforcement", both(item_is("status", "open"), _FILED))),
    Feature("enforcement_open_amount_minor", "fen", "as of", "Amount of the enforcements under way.",
            total("enforcement", "amount", both(item_is("status", "open"), _FILED))),
    Feature("enforcement_amount_24m_minor", "fen", "24m and the running month", "Amount of the enforcements filed.",
            total("enforcement", "amount", since(24, "filed_on"))),
    Feature("enforcement_terminated_count", "count", "ever", "Enforcements that ended for want of assets.",
            number("enforcement", both(item_is("status", "terminated"), _FILED))),
    Feature("dishonest_debtor_listed", "flag", "as of", "On the courts' list of dishonest debtors.",
            Field("dishonest_debtor.listed")),
)  # fmt: skip
