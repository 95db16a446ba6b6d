"""Features of the credit bureau."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.features.tax import REVENUE
from creditmesh.gateway.keydata.formula import (
    Arithmetic,
    Compare,
    Const,
    Fold,
    InMonths,
    Item,
    MonthsSince,
    Not,
    Ratio,
    Rows,
    both,
    item_is,
    number,
    since,
    total,
)

# A guarantee for another's debt is no drawing of one's own.
_BORROWED = both(Item("open"), Not(item_is("kind", "guarantee")))
_DUE = total("accounts", "monthly_payment", _BORROWED)
_MONTHS = InMonths(Item("month"), 24)
_APPLIED = item_is("reason", "loan_application")

CREDIT = (
    Feature("active_account_count", "count", "as of", "Open credit accounts, guarantees included.",
            number("accounts", Item("open"))),
    Feature("active_lender_count", "count", "as of", "Lenders with an open account.",
            Fold("distinct", Rows("accounts", Item("open")), Item("lender"))),
    Feature("credit_limit_minor", "fen", "as of", "Limits of the open accounts, without guarantees.",
            total("accounts", "credit_limit", _BORROWED)),
    Feature("credit_balance_minor", "fen", "as of", "Outstanding on the open accounts, without guarantees.",
            total("accounts", "balance", _BORROWED)),
    Feature("credit_utilisation_bps", "bps", "as of", "Outstanding as a share of the limits, without guarantees.",
            Ratio(total("accounts", "balance", _BORROWED), total("accounts", "credit_limit", _BORROWED))),
    Feature("guarantee_balance_minor", "fen", "as of", "What the firm guarantees for others.",
            total("accounts", "balance", both(Item("open"), item_is("kind", "guarantee")))),
    Feature("monthly_debt_service_minor", "fen", "as of", "What falls due each month on the open accounts.", _DUE),
    Feature("debt_service_to_revenue_bps", "bps", "12m", "A year's debt service as a share of revenue.",
            Ratio(Arithmetic("*", _DUE, Const(12)), REVENUE)),
    Feature("overdue_amount_minor", "fen", "as of", "Overdue on the open accounts.",
            total("accounts", "overdue_amount", Item("open"))),
    Feature("overdue_account_count", "count", "as of", "Open accounts with something overdue.",
            number("accounts", both(Item("open"), Compare(">", Item("overdue_amount"), Const(0))))),
    Feature("overdue_months_24m", "months", "24m", "Months in which any account was overdue.",
            Fold("distinct", Rows("overdue", _MONTHS), Item("month"))),
    Feature("overdue_days_max_24m", "days", "24m", "Most days past due.",
            Fold("max", Rows("overdue", _MONTHS), Item("days_past_due"), 0)),
    Feature("worst_months_past_due_24m", "months", "24m, as the bureau counts",
            "Most months past due of any account, closed ones included.",
            Fold("max", Rows("accounts"), Item("worst_months"), 0)),
    Feature("credit_history_months", "months", "as of", "Full months since the first account was opened.",
            MonthsSince(Fold("min", Rows("accounts"), Item("opened_on")))),
    Feature("accounts_opened_12m", "count", "12m and the running month", "Accounts opened.",
            number("accounts", since(12, "opened_on"))),
    Feature("enquiry_count_3m", "count", "3m and the running month", "Enquiries because of a loan application.",
            number("enquiries", both(_APPLIED, since(3, "on")))),
    Feature("enquiry_count_6m", "count", "6m and the running month", "Enquiries because of a loan application.",
            number("enquiries", both(_APPLIED, since(6, "on")))),
)  # fmt: skip
