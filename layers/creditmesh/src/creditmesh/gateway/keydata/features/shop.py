"""Features of the shop on a trading platform."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.features.invoices import INVOICED
from creditmesh.gateway.keydata.formula import (
    Arithmetic,
    Expression,
    Field,
    Fold,
    Given,
    InMonths,
    Item,
    MonthsSince,
    Quotient,
    Ratio,
    Rows,
    Volatility,
    both,
    change,
    equal,
    item_is,
    number,
    total,
)

_MONTH = Item("month")
_YEAR = InMonths(_MONTH, 12)


def _sum(section: str, name: str, where: Expression = _YEAR) -> Fold:
    return total(section, name, where)


_SOLD, _ORDERS = _sum("orders", "amount"), _sum("orders", "count")

SHOP = (
    Feature("shop_status", "code", "as of", "The shop's standing: open, suspended, closed.", Field("shop.status")),
    Feature("shop_months_open", "months", "as of", "Full months since the shop was opened.",
            MonthsSince(Field("shop.opened_on"))),
    Feature("shop_sales_12m_minor", "fen", "12m", "Amount ordered.", _SOLD),
    Feature("shop_order_count_12m", "count", "12m", "Orders.", _ORDERS),
    Feature("shop_average_order_minor", "fen", "12m", "Average amount of an order.", Quotient(_SOLD, _ORDERS)),
    Feature("shop_sales_trend_bps", "bps", "12m",
            "Amount of the last 6 months against the 6 before, for a shop that has been open in all 12.",
            Given(equal(number("orders", both(_YEAR, Item("lived"))), 12),
                  change(_sum("orders", "amount", InMonths(_MONTH, 6)),
                         _sum("orders", "amount", InMonths(_MONTH, 12, 7))))),
    Feature("shop_sales_volatility_bps", "bps", "12m",
            "Population standard deviation over mean of the monthly amount since the shop was opened.",
            Volatility(Rows("orders", both(_YEAR, Item("lived"))), Item("amount"), 3)),
    Feature("shop_gap_months_max_24m", "months", "24m", "Longest run of months without an order since it was opened.",
            Fold("longest_run", Rows("orders", both(InMonths(_MONTH, 24), Item("lived"))), item_is("count", 0))),
    Feature("shop_refund_rate_bps", "bps", "12m", "Amount refunded as a share of the amount ordered.",
            Ratio(_sum("refunds", "amount"), _SOLD)),
    Feature("shop_cancel_rate_bps", "bps", "12m", "Orders cancelled as a share of all.",
            Ratio(_sum("orders", "cancelled_count"), _ORDERS)),
    Feature("shop_rating_12m_x100", "× 100", "12m", "Average rating by customers, from 100 to 500.",
            Quotient(Fold("sum", Rows("ratings", _YEAR), Arithmetic("*", Item("average_x100"), Item("count"))),
                     _sum("ratings", "count"))),
    Feature("shop_share_of_invoices_bps", "bps", "12m", "Amount ordered against the amount invoiced.",
            Ratio(_SOLD, INVOICED)),
)  # fmt: skip
