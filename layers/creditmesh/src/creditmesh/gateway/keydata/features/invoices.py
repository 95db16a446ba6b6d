"""Features of the monthly invoices."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.features.tax import REVENUE
from creditmesh.gateway.keydata.formula import (
    Expression,
    Fold,
    Given,
    InMonths,
    Item,
    Last,
    Not,
    OrElse,
    Quotient,
    Ratio,
    Rows,
    Volatility,
    both,
    change,
    equal,
    number,
    total,
)

_MONTH = Item("month")
_YEAR, _YEAR_BEFORE = InMonths(_MONTH, 12), InMonths(_MONTH, 24, 13)
# A month of which nothing is known may have had customers.
_ACTIVE = both(_YEAR, OrElse(Item("active"), True))


def _sum(name: str, where: Expression = _YEAR) -> Fold:
    return total("invoices", name, where)


def _lived(window: Expression, months: int) -> Expression:
    return equal(number("invoices", both(window, Item("lived"))), months)


INVOICED = _sum("amount")

INVOICES = (
    Feature("invoice_total_12m_minor", "fen", "12m", "Invoiced amount.", INVOICED),
    Feature("invoice_months_active_12m", "months", "12m", "Months with an invoice.",
            number("invoices", both(_YEAR, Item("active")))),
    Feature("invoice_gap_months_max_24m", "months", "24m",
            "Longest run of months without an invoice, from the month of tax registration on.",
            Fold("longest_run", Rows("invoices", both(InMonths(_MONTH, 24), Item("lived"))), Not(Item("active")))),
    Feature("invoice_volatility_bps", "bps", "12m",
            "Population standard deviation over mean of the monthly amount since tax registration.",
            Volatility(Rows("invoices", both(_YEAR, Item("lived"))), Item("amount"), 3)),
    Feature("invoice_trend_bps", "bps", "12m",
            "Amount of the last 6 months against the 6 before, for a firm that has lived the 12.",
            Given(_lived(_YEAR, 12),
                  change(_sum("amount", InMonths(_MONTH, 6)), _sum("amount", InMonths(_MONTH, 12, 7))))),
    Feature("invoice_void_rate_bps", "bps", "12m", "Void invoices as a share of all.",
            Ratio(_sum("void_count"), _sum("count"))),
    Feature("top_customer_share_bps", "bps", "12m", "Each month's largest customer, as a share of what was invoiced.",
            Ratio(_sum("top_customer_amount", _ACTIVE), _sum("amount", _ACTIVE))),
    Feature("customer_count_12m", "count", "12m", "Average number of customers of the months with an invoice.",
            Quotient(_sum("customer_count", _ACTIVE), number("invoices", _ACTIVE))),
)  # fmt: skip

MORE = (
    Feature("invoice_total_prior_12m_minor", "fen", "the 12m before", "Invoiced amount.",
            _sum("amount", _YEAR_BEFORE)),
    Feature("invoice_growth_bps", "bps", "24m",
            "Invoiced amount of the 12 months against the 12 before, for a firm that has lived the 24.",
            Given(_lived(InMonths(_MONTH, 24), 24), change(INVOICED, _sum("amount", _YEAR_BEFORE)))),
    Feature("invoice_zero_months_12m", "months", "12m", "Months without an invoice since tax registration.",
            number("invoices", both(_YEAR, Item("lived"), Not(Item("active"))))),
    Feature("invoice_last_month_share_bps", "bps", "12m", "The last full month's share of what was invoiced.",
            Ratio(Last("invoices", "amount"), INVOICED)),
    Feature("invoice_count_12m", "count", "12m", "Invoices written, void ones included.", _sum("count")),
    Feature("invoice_average_minor", "fen", "12m", "Average amount of an invoice.",
            Quotient(INVOICED, _sum("count"))),
    Feature("invoice_best_month_share_bps", "bps", "12m", "The best month's share of what was invoiced.",
            Ratio(Fold("max", Rows("invoices", _YEAR), Item("amount")), INVOICED)),
    Feature("invoice_to_revenue_bps", "bps", "12m", "Invoiced amount against declared revenue.",
            Ratio(INVOICED, REVENUE)),
)  # fmt: skip
