"""The tax bureau's data about a firm: statements, payments, invoices in fen (docs/reference/institutions.md)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from institutions.draw import clamp, power
from institutions.population import Firm

_LEVEL_MONTH = 2024 * 12
_QUARTERS = 8
_MONTHS = 24
_FILED_AFTER_DAYS = 15


def tax_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The bureau's complete answer about a firm on a day."""
    return {
        "basics": {
            "taxpayer_id": firm.taxpayer_id,
            "name": firm.name,
            "status": _status(firm),
            "credit_rating": _rating(firm, as_of),
            "registered_on": firm.registered_on.isoformat(),
            "industry": firm.sector.code,
        },
        "statements": [_statement(firm, last) for last in _quarters(as_of) if last >= month_of(firm.registered_on)],
        "payments": [payment for month in _months(firm, as_of) for payment in _payments(firm, month, as_of)],
        "invoices": [row for month in _months(firm, as_of) if (row := _invoice(firm, month)) is not None],
        "currency": "CNY",
        "generated_at": f"{as_of.isoformat()}T00:00:00Z",
    }


def month_of(day: date) -> int:
    """Months since year 0."""
    return day.year * 12 + day.month - 1


def month_text(month: int) -> str:
    """``2026-09``."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def money(fen: int) -> str:
    """Fen as a decimal string."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


@lru_cache(maxsize=4096)
def invoiced_fen(firm: Firm, month: int) -> int:
    """A month's invoiced amount; deterministic, so that history never changes."""
    if month < month_of(firm.registered_on):
        return 0
    draw = firm.draw("month", month)
    if draw.chance(clamp(0.012 - 0.02 * firm.factors.quality - 0.01 * firm.factors.discipline, 0.0, 0.3)):
        return 0
    level = power(1.0 + firm.factors.growth / 12.0, month - _LEVEL_MONTH)
    season = firm.sector.season[month % 12] / 100.0
    swing = clamp(0.16 - 0.05 * firm.factors.quality, 0.04, 0.4)
    return int(firm.annual_revenue_fen / 12.0 * level * season * clamp(1.0 + swing * draw.normal(), 0.1, 3.0))


def _status(firm: Firm) -> str:
    draw = firm.draw("status")
    if firm.persona != "ordinary":
        return "abnormal" if firm.persona == "tax_abnormal" else "normal"
    if not draw.chance(clamp(0.015 - 0.03 * firm.factors.discipline, 0.005, 0.3)):
        return "normal"
    return draw.pick(("abnormal", "abnormal", "suspended", "deregistered"))


def _rating(firm: Firm, as_of: date) -> str | None:
    age = month_of(as_of) - month_of(firm.registered_on)
    if age < 12:
        return None
    if age < 36:
        return "M"
    standing = 0.4 * firm.factors.quality + 0.6 * firm.factors.discipline + 0.3 * firm.draw("rating").normal()
    return "A" if standing > 0.8 else "B" if standing > -0.8 else "C" if standing > -1.5 else "D"


def _quarters(as_of: date) -> list[int]:
    """The last months of the last eight quarters whose statements are filed, oldest first."""
    month = month_of(as_of - timedelta(days=_FILED_AFTER_DAYS)) - 1
    last = month - (month + 1) % 3
    return [last - 3 * back for back in range(_QUARTERS - 1, -1, -1)]


def _months(firm: Firm, as_of: date) -> range:
    now = month_of(as_of)
    return range(max(now - _MONTHS, month_of(firm.registered_on)), now)


def _revenue_fen(firm: Firm, month: int) -> int:
    """Declared revenue: slightly above the invoiced amount, since not every sale is invoiced."""
    return int(invoiced_fen(firm, month) * (1.02 + 0.01 * firm.draw("declared", month).unit()))


def _profit_fen(firm: Firm, last: int) -> int:
    revenue = sum(_revenue_fen(firm, month) for month in range(last - 2, last + 1))
    return int(revenue * (firm.margin + 0.015 * firm.draw("profit", last).normal()))


def _statement(firm: Firm, last: int) -> dict[str, Any]:
    draw = firm.draw("statement", last)
    first = max(last - 2, month_of(firm.registered_on))
    revenue = sum(_revenue_fen(firm, month) for month in range(first, last + 1))
    profit = _profit_fen(firm, last)
    level = power(1.0 + firm.factors.growth / 12.0, last - _LEVEL_MONTH)
    assets = int(firm.annual_revenue_fen * level / firm.sector.turnover * (1.0 + 0.03 * draw.normal()))
    liabilities = int(assets * clamp(firm.leverage + 0.02 * draw.normal(), 0.03, 1.5))
    year, month = divmod(last, 12)
    return {
        "period_end": date(year, month + 1, monthrange(year, month + 1)[1]).isoformat(),
        "months": last - first + 1,
        "revenue": money(revenue),
        "profit": money(profit),
        "operating_cash_flow": money(profit + int(revenue * (0.01 + 0.03 * draw.normal()))),
        "total_assets": money(assets),
        "current_assets": money(int(assets * (0.55 + 0.15 * draw.unit()))),
        "total_liabilities": money(liabilities),
        "current_liabilities": money(int(liabilities * (0.70 + 0.15 * draw.unit()))),
    }


def _payments(firm: Firm, month: int, as_of: date) -> list[dict[str, Any]]:
    revenue = _revenue_fen(firm, month)
    owed = {"VAT": int(revenue * firm.sector.vat), "PIT": int(revenue * 0.002)}
    if month % 3 == 2:
        owed["CIT"] = int(max(0, _profit_fen(firm, month)) * 0.05)
        owed["STAMP"] = int(revenue * 0.0009)
    return [_payment(firm, tax_type, month, amount, as_of) for tax_type, amount in owed.items() if amount > 0]


def _payment(firm: Firm, tax_type: str, month: int, amount: int, as_of: date) -> dict[str, Any]:
    draw = firm.draw("payment", tax_type, month)
    due_on = date((month + 1) // 12, (month + 1) % 12 + 1, 15)
    discipline = firm.factors.discipline
    never = draw.chance(clamp(-0.08 * (discipline + 1.3), 0.0, 0.2))
    late = draw.chance(clamp(0.03 - 0.03 * discipline, 0.0, 0.4))
    paid_on = due_on + timedelta(days=draw.whole(1, 40) if late else -draw.whole(0, 9))
    return {
        "tax_type": tax_type,
        "period": month_text(month),
        "amount": money(amount),
        "due_on": due_on.isoformat(),
        "paid_on": None if never or paid_on > as_of else paid_on.isoformat(),
    }


def _invoice(firm: Firm, month: int) -> dict[str, Any] | None:
    amount = invoiced_fen(firm, month)
    if amount == 0:
        return None
    draw = firm.draw("invoice", month)
    factors = firm.factors
    count = max(1, int(amount / firm.sector.ticket_fen * (0.8 + 0.4 * draw.unit())))
    void_rate = clamp(0.03 - 0.012 * factors.quality, 0.002, 0.2) * 2.0 * draw.unit()
    top_share = clamp(0.30 - 0.06 * factors.quality - 0.04 * factors.size + 0.05 * draw.normal(), 0.04, 1.0)
    return {
        "month": month_text(month),
        "count": count,
        "void_count": int(count * void_rate + draw.unit() * 0.9),
        "amount": money(amount),
        "customer_count": max(1, min(count, int(4 + count * 0.35 * (0.9 + 0.2 * draw.unit())))),
        "top_customer_amount": money(int(amount * top_share)),
    }
