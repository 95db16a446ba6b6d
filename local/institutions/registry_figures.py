"""The company registry's data about a firm (docs/reference/institutions.md)."""

from __future__ import annotations

from datetime import date
from typing import Any

from institutions.draw import Draw, clamp, power
from institutions.population import Firm
from institutions.tax_figures import money

_FILING_YEARS = 5
# Revenue and staff are defined at the beginning of 2024.
_STAFF_YEAR = 2023
_LEFT_OUT = 0.06
_SURNAMES = ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林")
_GIVEN = ("伟", "芳", "静", "磊", "洋", "艳", "勇", "军", "杰", "娟", "涛", "明", "超", "霞", "平", "刚")
_ROADS = ("青松路", "文汇街", "工业大道", "滨河路", "科创路", "新桥街")
_PENALTIES = ("tax_filing_late", "safety", "environment", "labour", "advertising")


def registry_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The registry's complete answer about a firm on a day."""
    return {
        "registration": _registration(firm),
        "filings": _filings(firm, as_of),
        "changes": _changes(firm, as_of),
        "pledges": _pledges(firm, as_of),
        "operations": _operations(firm, as_of),
        "penalties": _penalties(firm, as_of),
        "currency": "CNY",
        "generated_at": f"{as_of.isoformat()}T00:00:00Z",
    }


def legal_representative(firm: Firm) -> str:
    return str(_registration(firm)["legal_representative"])


def representative_key(firm: Firm) -> str:
    """The registry's number of the person, who represents this firm only."""
    draw = firm.draw("representative")
    return f"P{draw.whole(0, 999_999):06}{draw.whole(0, 999_999):06}"


def _registration(firm: Firm) -> dict[str, Any]:
    draw = firm.draw("registration")
    capital = max(10, int(firm.annual_revenue_fen * (0.08 + 0.2 * draw.unit()) / 10_000_000)) * 10_000_000
    failing = clamp(0.012 - 0.025 * firm.factors.quality, 0.004, 0.2)
    gone = firm.persona == "ordinary" and draw.chance(failing)
    return {
        "taxpayer_id": firm.taxpayer_id,
        "name": firm.name,
        "name_latin": firm.name_latin,
        "status": draw.pick(("cancelled", "revoked", "liquidation")) if gone else "active",
        "established_on": firm.established_on.isoformat(),
        "registered_capital": money(capital),
        "legal_representative": draw.pick(_SURNAMES) + draw.pick(_GIVEN) + draw.pick(_GIVEN),
        "legal_representative_key": representative_key(firm),
        "industry": firm.sector.code,
        "address": f"{firm.city}市{draw.pick(_ROADS)}{draw.whole(1, 480)}号",
    }


def _filings(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    last_due = as_of.year - (1 if as_of.month > 6 else 2)
    found = []
    for year in range(max(firm.established_on.year, last_due - _FILING_YEARS + 1), last_due + 1):
        draw = firm.draw("filing", year)
        missed = draw.chance(clamp(0.02 - 0.03 * firm.factors.discipline, 0.0, 0.4))
        filed_on = _day(draw, year + 1, last_month=6)
        there = not missed and filed_on <= as_of
        found.append(
            {
                "year": year,
                "filed_on": filed_on.isoformat() if there else None,
                "insured_employees": _insured(firm, year) if there else None,
            }
        )
    return found


def _insured(firm: Firm, year: int) -> int | None:
    """Insured employees at a year's end in the annual report; None if the report omits them.

    Staff follows revenue and trade, more slowly than revenue. Not all are insured; fewer in ill-disciplined firms.
    """
    lasting, yearly = firm.draw("staff"), firm.draw("insured", year)
    # (1 + x/8)^8 approximates e^x.
    usual = firm.annual_revenue_fen / firm.sector.per_head_fen * power(1.0 + 0.4 * lasting.normal() / 8.0, 8)
    people = usual * power(1.0 + firm.factors.growth / 2.0, year - _STAFF_YEAR) * (0.94 + 0.12 * yearly.unit())
    insured = clamp(0.8 + 0.1 * firm.factors.discipline + 0.1 * lasting.normal(), 0.2, 1.0)
    return None if yearly.chance(_LEFT_OUT) else int(people * insured + 0.5)


def _changes(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    found = []
    for year in _years(firm, as_of):
        draw = firm.draw("changes", year)
        kinds = [kind for kind in ("address", "capital", "scope", "shareholder") if draw.chance(0.08)]
        if draw.chance(clamp(0.03 - 0.03 * firm.factors.quality, 0.0, 0.4)):
            kinds.append("legal_representative")
        found += [{"kind": kind, "on": _day(draw, year).isoformat()} for kind in kinds]
    return _past(firm, found, "on", as_of)


def _pledges(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for year in _years(firm, as_of):
        draw = firm.draw("pledges", year)
        if draw.chance(clamp(firm.leverage - 0.55, 0.0, 0.5)):
            released_on = _day(draw, year + draw.whole(1, 4))
            amount = int(firm.annual_revenue_fen * 0.1 * draw.unit() / 1_000_000) * 1_000_000 + 5_000_000
            found.append(
                {
                    "registered_on": _day(draw, year).isoformat(),
                    "released_on": released_on.isoformat() if released_on <= as_of else None,
                    "amount": money(amount),
                }
            )
    return _past(firm, found, "registered_on", as_of)


def _operations(firm: Firm, as_of: date) -> dict[str, Any]:
    draw = firm.draw("operations")
    listed = firm.persona == "ordinary" and draw.chance(clamp(0.008 - 0.02 * firm.factors.discipline, 0.0, 0.2))
    listed_on = max(firm.established_on, _day(draw, as_of.year - 1))
    return {"abnormal_listed": listed, "listed_on": listed_on.isoformat() if listed else None}


def _penalties(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    found = []
    for year in _years(firm, as_of):
        draw = firm.draw("penalties", year)
        if draw.chance(clamp(0.04 - 0.05 * firm.factors.discipline, 0.0, 0.5)):
            amount = draw.whole(5, 300) * 10_000
            found.append({"on": _day(draw, year).isoformat(), "kind": draw.pick(_PENALTIES), "amount": money(amount)})
    return _past(firm, found, "on", as_of)


def _years(firm: Firm, as_of: date) -> range:
    return range(max(firm.established_on.year, as_of.year - 6), as_of.year + 1)


def _day(draw: Draw, year: int, last_month: int = 12) -> date:
    return date(year, draw.whole(1, last_month), draw.whole(1, 28))


def _past(firm: Firm, rows: list[dict[str, Any]], key: str, as_of: date) -> list[dict[str, Any]]:
    """Rows between the firm's establishment and the day, oldest first."""
    first, last = firm.established_on.isoformat(), as_of.isoformat()
    return sorted((row for row in rows if first <= row[key] <= last), key=lambda row: str(row[key]))
