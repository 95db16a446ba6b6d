"""The court register's data about a firm: cases, enforcement, the list of dishonest debtors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from institutions.draw import clamp
from institutions.history import CURRENCY, day_in, happened, in_order, years
from institutions.population import Firm
from institutions.tax_figures import money

_YEARS_BACK = 5
_SLOTS = 3
_WORDS = {"civil": "民初", "criminal": "刑初", "administrative": "行初", "labour": "民初"}
_CAUSES = {
    "civil": ("买卖合同纠纷", "承揽合同纠纷", "租赁合同纠纷", "借款合同纠纷", "运输合同纠纷"),
    "criminal": ("虚开增值税专用发票", "合同诈骗"),
    "administrative": ("不服行政处罚", "不服责令改正"),
    "labour": ("追索劳动报酬纠纷", "劳动合同纠纷"),
}
_LISTING_REASON = "有履行能力而拒不履行生效法律文书确定义务"
# The persona's story, in the past on every day of the data.
_PERSONA_FILED_ON = date(2022, 3, 14)


@dataclass(frozen=True)
class _Case:
    """A case and its result; days may be after the requested day."""

    case_no: str
    role: str
    kind: str
    cause: str
    filed_on: date
    closed_on: date
    claim_fen: int
    enforcement: _Enforcement | None


@dataclass(frozen=True)
class _Enforcement:
    case_no: str
    filed_on: date
    ended_on: date
    ending: str
    amount_fen: int
    listed_on: date | None
    removed_on: date | None


def judicial_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The register's data about a firm on a day, as third information of the kind ``judicial``."""
    cases = [case for case in _cases(firm, as_of) if firm.established_on <= case.filed_on <= as_of]
    orders = [case.enforcement for case in cases if case.enforcement and case.enforcement.filed_on <= as_of]
    return {
        "taxpayer_id": firm.taxpayer_id,
        "cases": in_order([_case_row(case, as_of) for case in cases], "filed_on"),
        "enforcement": in_order([_enforcement_row(order, as_of) for order in orders], "filed_on"),
        "dishonest_debtor": _listing(orders, as_of),
        "currency": CURRENCY,
    }


def _case_row(case: _Case, as_of: date) -> dict[str, Any]:
    closed_on = happened(case.closed_on, as_of)
    return {
        "case_no": case.case_no,
        "role": case.role,
        "kind": case.kind,
        "cause": case.cause,
        "filed_on": case.filed_on.isoformat(),
        "closed_on": closed_on,
        "claim_amount": money(case.claim_fen),
        "status": "closed" if closed_on else "open",
    }


def _enforcement_row(order: _Enforcement, as_of: date) -> dict[str, Any]:
    return {
        "case_no": order.case_no,
        "filed_on": order.filed_on.isoformat(),
        "amount": money(order.amount_fen),
        "status": order.ending if order.ended_on <= as_of else "open",
    }


def _listing(orders: list[_Enforcement], as_of: date) -> dict[str, Any]:
    """The latest listing; a lifted one is still reported, with the day."""
    listed = [order for order in orders if order.listed_on is not None and order.listed_on <= as_of]
    if not listed:
        return {"listed": False, "listed_on": None, "removed_on": None, "reason": None}
    latest = max(listed, key=lambda order: (happened(order.listed_on, as_of) or "", order.case_no))
    removed_on = happened(latest.removed_on, as_of)
    return {
        "listed": removed_on is None,
        "listed_on": happened(latest.listed_on, as_of),
        "removed_on": removed_on,
        "reason": _LISTING_REASON,
    }


def _cases(firm: Firm, as_of: date) -> list[_Case]:
    found = [
        case for year in years(firm, as_of, _YEARS_BACK) for slot in range(_SLOTS) if (case := _case(firm, year, slot))
    ]
    return [*found, _persona_case(firm)] if firm.persona == "blacklisted" else found


def _case(firm: Firm, year: int, slot: int) -> _Case | None:
    """The case in one of a year's slots, if any: large firms sue, ill-disciplined firms are sued."""
    draw, factors = firm.draw("case", year, slot), firm.factors
    sued = clamp(0.05 - 0.06 * factors.discipline - 0.02 * factors.quality, 0.0, 0.5)
    sues = clamp(0.02 + 0.015 * factors.size, 0.0, 0.2) if firm.persona == "ordinary" else 0.0
    lot = draw.unit()
    if lot >= sued + sues + 0.01 or (lot >= sued and firm.persona != "ordinary"):
        return None
    role = "defendant" if lot < sued else "plaintiff" if lot < sued + sues else "third_party"
    kind = _kind(draw.unit()) if role == "defendant" else "civil"
    filed_on = day_in(draw, year)
    closed_on = filed_on + timedelta(days=draw.whole(45, 480))
    claim = _round(firm.annual_revenue_fen * (0.004 + 0.06 * draw.unit() * draw.unit()))
    number = draw.whole(20, 899) * 10 + slot
    return _Case(
        case_no=_number(firm, year, _WORDS[kind], number),
        role=role,
        kind=kind,
        cause=draw.pick(_CAUSES[kind]),
        filed_on=filed_on,
        closed_on=closed_on,
        claim_fen=claim,
        enforcement=_enforcement(firm, closed_on, number, claim) if role == "defendant" else None,
    )


def _enforcement(firm: Firm, closed_on: date, number: int, claim_fen: int) -> _Enforcement | None:
    """Enforcement of a judgment that the firm did not obey.

    In the worst case nothing is found, and the firm is listed.
    """
    draw, discipline = firm.draw("enforcement", closed_on.year, number), firm.factors.discipline
    if not draw.chance(clamp(0.30 - 0.15 * discipline, 0.05, 0.8)):
        return None
    filed_on = closed_on + timedelta(days=draw.whole(30, 150))
    terminated = draw.chance(clamp(0.20 - 0.15 * discipline, 0.0, 0.7))
    listed = terminated and draw.chance(0.6)
    listed_on = filed_on + timedelta(days=draw.whole(60, 200)) if listed else None
    pays_later = draw.chance(0.4)
    return _Enforcement(
        case_no=_number(firm, filed_on.year, "执", number),
        filed_on=filed_on,
        ended_on=filed_on + timedelta(days=draw.whole(60, 400)),
        ending="terminated" if terminated else "closed",
        amount_fen=_round(claim_fen * (0.3 + 0.7 * draw.unit())),
        listed_on=listed_on,
        removed_on=listed_on + timedelta(days=draw.whole(200, 900)) if listed_on and pays_later else None,
    )


def _persona_case(firm: Firm) -> _Case:
    """The reason for the persona's listing: a judgment that it could obey and does not."""
    filed_on, closed_on = _PERSONA_FILED_ON, _PERSONA_FILED_ON + timedelta(days=200)
    enforced_on = closed_on + timedelta(days=60)
    amount = _round(firm.annual_revenue_fen * 0.05)
    return _Case(
        case_no=_number(firm, filed_on.year, _WORDS["civil"], 9101),
        role="defendant",
        kind="civil",
        cause="买卖合同纠纷",
        filed_on=filed_on,
        closed_on=closed_on,
        claim_fen=amount,
        enforcement=_Enforcement(
            case_no=_number(firm, enforced_on.year, "执", 9102),
            filed_on=enforced_on,
            ended_on=enforced_on + timedelta(days=180),
            ending="terminated",
            amount_fen=amount,
            listed_on=enforced_on + timedelta(days=90),
            removed_on=None,
        ),
    )


def _kind(lot: float) -> str:
    return "civil" if lot < 0.72 else "labour" if lot < 0.92 else "administrative" if lot < 0.985 else "criminal"


def _number(firm: Firm, year: int, word: str, number: int) -> str:
    """A case number in the courts' format; court code 9901 does not exist."""
    return f"（{year}）{firm.city[0]}9901{word}{number}号"


def _round(fen: float) -> int:
    """Rounded to hundreds of yuan, at least one hundred."""
    return max(1, int(fen / 10_000)) * 10_000
