"""The shop platform's data about a firm's shop: a part of its turnover, with refunds and ratings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from institutions.draw import clamp
from institutions.history import CURRENCY
from institutions.population import Firm
from institutions.tax_figures import invoiced_fen, money, month_of, month_text

_MONTHS = 24
# Share of firms with a shop, by trade; others are services or build to order.
_SELLS = {"C13": 0.9, "C18": 0.9, "F51": 0.85, "F52": 0.95, "H62": 0.85, "C39": 0.65, "C34": 0.5}
_OTHERS_SELL = 0.4
_ALWAYS_SELL = ("good_firm", "thin_file")
_ORDERS_IN_A_TICKET = 40
_LEAST_ORDER_FEN = 3_000


def shop_data(firm: Firm, as_of: date) -> dict[str, Any] | None:
    """The shop on a day, as third information of the kind ``shop``; None if the firm has none."""
    opened_on = _opened_on(firm)
    if opened_on is None or opened_on > as_of:
        return None
    status, closed_on = _standing(firm, opened_on, as_of)
    months = range(max(month_of(as_of) - _MONTHS, month_of(opened_on) + 1), month_of(as_of))
    rows = [_month(firm, month, sells=closed_on is None or month < month_of(closed_on)) for month in months]
    return {
        "shop": {
            "shop_id": f"S{firm.draw('shop-id').whole(10_000_000, 99_999_999)}",
            "taxpayer_id": firm.taxpayer_id,
            "opened_on": opened_on.isoformat(),
            "status": status,
        },
        "orders": [row["orders"] for row in rows],
        "refunds": [row["refunds"] for row in rows],
        "ratings": [row["ratings"] for row in rows],
        "currency": CURRENCY,
    }


def _opened_on(firm: Firm) -> date | None:
    draw = firm.draw("shop")
    sells = draw.chance(_SELLS.get(firm.sector.code, _OTHERS_SELL)) or firm.persona in _ALWAYS_SELL
    latest = 80 if firm.persona == "thin_file" else 900
    return firm.registered_on + timedelta(days=draw.whole(30, latest)) if sells else None


def _standing(firm: Firm, opened_on: date, as_of: date) -> tuple[str, date | None]:
    """Whether it is open, and since when it is closed."""
    draw = firm.draw("shop-end")
    ends = firm.persona == "ordinary" and draw.chance(clamp(0.07 - 0.05 * firm.factors.quality, 0.0, 0.3))
    ended_on = opened_on + timedelta(days=draw.whole(400, 4_000))
    if not ends or ended_on > as_of:
        return "open", None
    return draw.pick(("closed", "closed", "suspended")), ended_on


def _month(firm: Firm, month: int, *, sells: bool) -> dict[str, dict[str, Any]]:
    draw, quality = firm.draw("shop-month", month), firm.factors.quality
    share = clamp(0.30 + 0.12 * firm.draw("shop-share").normal(), 0.05, 0.8)
    swing = 1.0 + 0.06 * draw.normal()
    amount = int(invoiced_fen(firm, month) * share * clamp(swing, 0.5, 1.2)) if sells else 0
    usual = max(_LEAST_ORDER_FEN, firm.sector.ticket_fen // _ORDERS_IN_A_TICKET)
    count = max(1, int(amount / usual * (0.85 + 0.3 * draw.unit()))) if amount else 0
    refund_rate = clamp(0.045 - 0.015 * quality + 0.008 * draw.normal(), 0.002, 0.3)
    refunds = int(count * refund_rate + draw.unit() * 0.9)
    cancel_rate = clamp(0.035 - 0.010 * quality + 0.006 * draw.normal(), 0.002, 0.3)
    rated = int(count * (0.15 + 0.1 * draw.unit()))
    rating = clamp(4.55 + 0.13 * quality + 0.05 * draw.normal(), 1.0, 5.0)
    name = month_text(month)
    orders = {
        "month": name,
        "count": count,
        "amount": money(amount),
        "customer_count": max(1, int(count * (0.55 + 0.25 * draw.unit()))) if count else 0,
        "cancelled_count": int(count * cancel_rate),
    }
    refunded = int(amount * refunds / count * (0.7 + 0.4 * draw.unit())) if count else 0
    return {
        "orders": orders,
        "refunds": {"month": name, "count": min(refunds, count), "amount": money(min(refunded, amount))},
        "ratings": {"month": name, "average": money(int(rating * 100)) if rated else None, "count": rated},
    }
