"""Features of the tax bureau's standing, statements and payments."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.formula import (
    Arithmetic,
    Compare,
    Const,
    Expression,
    Field,
    Fold,
    Given,
    InMonths,
    Item,
    Last,
    MonthsSince,
    Not,
    Ratio,
    Rows,
    both,
    change,
    equal,
    item_is,
    number,
    total,
)

_PERIOD = Item("period")


def _year(name: str, year: int = 0) -> Expression:
    """A sum over the statements of one year, where they cover it wholly."""
    covered = equal(total("statements", "months", item_is("year", year)), 12)
    return Given(covered, total("statements", name, item_is("year", year)))


def _paid(first: int, last: int, *tax_types: str) -> Fold:
    of_type = [item_is("tax_type", tax_type) for tax_type in tax_types]
    return total("payments", "amount", both(InMonths(_PERIOD, first, last), *of_type, item_is("paid")))


REVENUE, PROFIT, CASH_FLOW = _year("revenue"), _year("profit"), _year("operating_cash_flow")
_ASSETS, _LIABILITIES = Last("statements", "total_assets"), Last("statements", "total_liabilities")
_CURRENT_ASSETS, _CURRENT_LIABILITIES = (
    Last("statements", "current_assets"),
    Last("statements", "current_liabilities"),
)
TAX_PAID, _TAX_PAID_BEFORE = _paid(12, 1), _paid(24, 13)
_OWED = both(Not(Item("paid")), Item("late"))

STANDING = (
    Feature("taxpayer_status", "code", "as of", "The taxpayer's standing: normal, abnormal, suspended, deregistered.",
            Field("tax_basics.status")),
    Feature("tax_credit_rating", "code", "as of", "The tax bureau's credit rating: A, B, M, C, D.",
            Field("tax_basics.credit_rating")),
    Feature("tax_registration_months", "months", "as of", "Full months since tax registration.",
            MonthsSince(Field("tax_basics.registered_on"))),
)  # fmt: skip

STATEMENTS = (
    Feature("revenue_12m_minor", "fen", "12m to the latest statement",
            "Revenue of the 12 months that end with the latest statement.", REVENUE),
    Feature("revenue_prior_12m_minor", "fen", "the 12m before those", "Revenue of the 12 months before those.",
            _year("revenue", 1)),
    Feature("revenue_growth_bps", "bps", "12m to the latest statement", "Revenue against that of the year before.",
            change(REVENUE, _year("revenue", 1))),
    Feature("profit_12m_minor", "fen", "12m to the latest statement", "Profit of the same 12 months.", PROFIT),
    Feature("profit_margin_bps", "bps", "12m to the latest statement", "Profit as a share of revenue.",
            Ratio(PROFIT, REVENUE)),
    Feature("operating_cash_flow_12m_minor", "fen", "12m to the latest statement",
            "Operating cash flow of the same 12 months.", CASH_FLOW),
    Feature("total_assets_minor", "fen", "latest statement", "Total assets.", _ASSETS),
    Feature("total_liabilities_minor", "fen", "latest statement", "Total liabilities.", _LIABILITIES),
    Feature("net_assets_minor", "fen", "latest statement", "Assets less liabilities.",
            Arithmetic("-", _ASSETS, _LIABILITIES)),
    Feature("debt_ratio_bps", "bps", "latest statement", "Liabilities as a share of assets.",
            Ratio(_LIABILITIES, _ASSETS)),
    Feature("current_ratio_bps", "bps", "latest statement", "Current assets against current liabilities.",
            Ratio(_CURRENT_ASSETS, _CURRENT_LIABILITIES)),
    Feature("statement_months", "months", "24m to the latest statement", "Months covered by statements.",
            total("statements", "months")),
)  # fmt: skip

PAYMENTS = (
    Feature("tax_paid_12m_minor", "fen", "12m", "Tax paid for periods in the window.", TAX_PAID),
    Feature("tax_paid_prior_12m_minor", "fen", "the 12m before", "Tax paid for periods in the window.",
            _TAX_PAID_BEFORE),
    Feature("tax_burden_bps", "bps", "12m", "Tax paid as a share of revenue.", Ratio(TAX_PAID, REVENUE)),
    Feature("tax_late_count_24m", "count", "24m", "Payments made after their due date, or still unpaid after it.",
            number("payments", both(InMonths(_PERIOD, 24), Item("late")))),
    Feature("tax_arrears_minor", "fen", "as of", "Tax due and unpaid, of whatever period.",
            total("payments", "amount", _OWED)),
)  # fmt: skip

MORE = (
    Feature("profit_prior_12m_minor", "fen", "the 12m before those", "Profit of the 12 months before.",
            _year("profit", 1)),
    Feature("profit_growth_bps", "bps", "12m to the latest statement",
            "Profit against that of the year before, where that was positive.", change(PROFIT, _year("profit", 1))),
    Feature("operating_cash_flow_margin_bps", "bps", "12m to the latest statement",
            "Operating cash flow as a share of revenue.", Ratio(CASH_FLOW, REVENUE)),
    Feature("cash_conversion_bps", "bps", "12m to the latest statement",
            "Operating cash flow against profit, where there is one.", Ratio(CASH_FLOW, PROFIT)),
    Feature("asset_turnover_bps", "bps", "12m to the latest statement", "Revenue against total assets.",
            Ratio(REVENUE, _ASSETS)),
    Feature("working_capital_minor", "fen", "latest statement", "Current assets less current liabilities.",
            Arithmetic("-", _CURRENT_ASSETS, _CURRENT_LIABILITIES)),
    Feature("loss_statements_24m", "count", "24m to the latest statement", "Statements that show a loss.",
            number("statements", Compare("<", Item("profit"), Const(0)))),
    Feature("vat_paid_12m_minor", "fen", "12m", "Value added tax paid for periods in the window.",
            _paid(12, 1, "VAT")),
    Feature("income_tax_paid_12m_minor", "fen", "12m", "Corporate income tax paid for periods in the window.",
            _paid(12, 1, "CIT")),
    Feature("tax_paid_growth_bps", "bps", "24m", "Tax paid in 12 months against that of the 12 months before.",
            change(TAX_PAID, _TAX_PAID_BEFORE)),
    Feature("tax_days_late_max_24m", "days", "24m", "The longest delay of a payment, to this day if still unpaid.",
            Fold("max", Rows("payments", InMonths(_PERIOD, 24)), Item("days_late"), 0)),
    Feature("tax_unpaid_count", "count", "as of", "Payments due and not made, of whatever period.",
            number("payments", _OWED)),
)  # fmt: skip
