"""The credit bureau's data about a firm: accounts, arrears, enquiries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from institutions.draw import clamp
from institutions.history import CURRENCY, day_in, happened, in_order
from institutions.identity import CITIES
from institutions.population import Firm
from institutions.tax_figures import money, month_of, month_text

_MONTHS = 24
# Closed accounts older than this are not shown.
_YEARS_BACK = 6
_LENDERS = ("银行", "农商银行", "融资租赁公司", "小额贷款公司")
_TERMS = (12, 12, 24, 36)
_LONGEST_ARREARS = 6


@dataclass(frozen=True)
class Account:
    """An account over its lifetime; amounts in fen, the term in months (0: open-ended)."""

    account_id: str
    kind: str
    lender: str
    opened_on: date
    term_months: int
    limit_fen: int
    closes_on: date | None

    @property
    def instalment_fen(self) -> int:
        """The monthly instalment of an instalment loan."""
        return self.limit_fen // self.term_months if self.kind in ("loan", "leasing") else 0


def credit_bureau_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The bureau's report on a firm on a day, as third information of the kind ``credit_bureau``."""
    accounts = _accounts(firm, as_of)
    overdue = {account.account_id: _overdue(firm, account, as_of) for account in accounts}
    rows = [row for account in accounts for row in overdue[account.account_id]]
    return {
        "taxpayer_id": firm.taxpayer_id,
        "accounts": [_account_row(firm, account, overdue[account.account_id], as_of) for account in accounts],
        "overdue": sorted(rows, key=lambda row: (row["month"], row["account_id"])),
        "enquiries": _enquiries(firm, accounts, as_of),
        "currency": CURRENCY,
    }


def _accounts(firm: Firm, as_of: date) -> list[Account]:
    """The accounts in a report: open ones, and those closed in recent years; oldest first."""
    first = as_of - timedelta(days=365 * _YEARS_BACK)
    drawn = (
        _account(firm, year, slot) for year in range(firm.established_on.year, as_of.year + 1) for slot in range(2)
    )
    found = [one for one in (_first_card(firm), *drawn) if one is not None and one.opened_on <= as_of]
    shown = sorted((one for one in found if not one.closes_on or one.closes_on >= first), key=lambda one: one.opened_on)
    return shown[:2] if firm.persona == "thin_file" else shown


@lru_cache(maxsize=2048)
def _first_card(firm: Firm) -> Account | None:
    """Most firms get a credit card soon after their start."""
    draw = firm.draw("first-card")
    if not draw.chance(0.8) and firm.persona == "ordinary":
        return None
    opened_on = firm.registered_on + timedelta(days=draw.whole(45, 110))
    limit = max(2, int(firm.annual_revenue_fen * (0.005 + 0.01 * draw.unit()) / 1_000_000)) * 1_000_000
    return Account(_account_id(firm, 0, 9), "credit_card", _lender(firm, 0, 9), opened_on, 0, limit, None)


@lru_cache(maxsize=8192)
def _account(firm: Firm, year: int, slot: int) -> Account | None:
    """The account opened in one slot of a year: more debt, more accounts."""
    draw = firm.draw("account", year, slot)
    if not draw.chance(clamp(0.15 + 0.4 * firm.leverage, 0.05, 0.7)):
        return None
    lot, opened_on = draw.unit(), day_in(draw, year)
    kind = "loan" if lot < 0.8 else "leasing" if lot < 0.9 else "guarantee"
    if opened_on < firm.registered_on + timedelta(days=120):
        return None
    term = draw.pick(_TERMS)
    debt = firm.annual_revenue_fen / firm.sector.turnover * firm.leverage
    limit = max(5, int(debt * (0.12 + 0.30 * draw.unit()) / 1_000_000)) * 1_000_000
    months = month_of(opened_on) + term
    closes_on = date(months // 12, months % 12 + 1, min(opened_on.day, 28))
    lender = _lender(firm, year, slot)
    return Account(_account_id(firm, year, slot), kind, lender, opened_on, term, limit, closes_on)


def _account_row(firm: Firm, account: Account, overdue: list[dict[str, Any]], as_of: date) -> dict[str, Any]:
    closed_on = happened(account.closes_on, as_of)
    now = month_of(as_of)
    # Lateness at the end of last month, if it continues: this month's shows only at its end.
    late = _months_late(firm, account, now - 1) if not closed_on and _months_late(firm, account, now) else 0
    balance, due = (0, 0) if closed_on else _balance_fen(firm, account, late, as_of)
    return {
        "account_id": account.account_id,
        "kind": account.kind,
        "lender": account.lender,
        "opened_on": account.opened_on.isoformat(),
        "closed_on": closed_on,
        "credit_limit": money(account.limit_fen),
        "balance": money(balance),
        "monthly_payment": money(due),
        "overdue_amount": money(min(balance, due * late)),
        "worst_months_past_due_24m": max((row["days_past_due"] // 30 + 1 for row in overdue), default=0),
    }


def _balance_fen(firm: Firm, account: Account, late: int, as_of: date) -> tuple[int, int]:
    """Balance, and the part due within a month; late instalments are added."""
    if account.kind == "guarantee":
        return account.limit_fen, 0
    if account.kind == "credit_card":
        use = clamp(firm.leverage - 0.15 + 0.08 * firm.draw("card", month_of(as_of)).normal(), 0.0, 0.98)
        balance = int(account.limit_fen * use)
        return balance, balance // 10
    paid = max(0, month_of(as_of) - month_of(account.opened_on) - late)
    return account.limit_fen - account.instalment_fen * paid, account.instalment_fen


def _overdue(firm: Firm, account: Account, as_of: date) -> list[dict[str, Any]]:
    """One row for each of the last 24 months that ended in arrears."""
    now = month_of(as_of)
    rows = []
    for month in range(max(now - _MONTHS, month_of(account.opened_on) + 1), now):
        late = _months_late(firm, account, month)
        if late:
            extra = firm.draw("days-late", account.account_id, month).whole(1, 28)
            _, due = _balance_fen(firm, account, 0, date(month // 12, month % 12 + 1, 1))
            row = {"account_id": account.account_id, "month": month_text(month)}
            rows.append({**row, "days_past_due": 30 * (late - 1) + extra, "amount": money(due * late)})
    return rows


@lru_cache(maxsize=65_536)
def _months_late(firm: Firm, account: Account, month: int) -> int:
    """Unpaid instalments at the end of a month; a spell of lateness begins at random and ends at once."""
    first = month_of(account.opened_on) + 1
    last = month_of(account.closes_on) - 1 if account.closes_on else month
    if account.kind == "guarantee" or not first <= month <= last:
        return 0
    spells = range(max(first, month - _LONGEST_ARREARS + 1), month + 1)
    return max((month - begun + 1 for begun in spells if begun + _spell(firm, account, begun) > month), default=0)


def _spell(firm: Firm, account: Account, begun: int) -> int:
    """Length in months of the spell of lateness that begins in a month; 0 if none does."""
    draw, discipline = firm.draw("spell", account.account_id, begun), firm.factors.discipline
    if not draw.chance(clamp(0.008 - 0.014 * discipline - 0.004 * firm.factors.quality, 0.0, 0.12)):
        return 0
    longer = clamp(0.20 - 0.15 * discipline, 0.05, 0.7)
    months = 1
    while months < _LONGEST_ARREARS and draw.chance(longer):
        months += 1
    return months


def _enquiries(firm: Firm, accounts: list[Account], as_of: date) -> list[dict[str, Any]]:
    """Enquiries of the last 24 months: before each account, and more often for less disciplined firms."""
    now = month_of(as_of)
    found = []
    for month in range(max(now - _MONTHS, month_of(firm.registered_on) + 1), now + 1):
        draw = firm.draw("enquiries", month)
        seeks = clamp(0.05 - 0.05 * firm.factors.discipline, 0.0, 0.4)
        for reason, chance in (("loan_application", seeks), ("loan_application", seeks), *_ROUTINE):
            if draw.chance(chance):
                on = date(month // 12, month % 12 + 1, draw.whole(1, 28))
                found.append(_enquiry(on, reason, draw.pick(CITIES)[0] + draw.pick(_LENDERS)))
    first = date((now - _MONTHS) // 12, (now - _MONTHS) % 12 + 1, 1)
    for account in accounts:
        asked_on = account.opened_on - timedelta(days=firm.draw("asked", account.account_id).whole(5, 25))
        if asked_on >= first:
            found.append(_enquiry(asked_on, "loan_application", account.lender))
    return in_order([row for row in found if row["on"] <= as_of.isoformat()], "on")


_ROUTINE = (("post_loan", 0.06), ("own", 0.02))


def _enquiry(on: date, reason: str, institution: str) -> dict[str, Any]:
    return {"on": on.isoformat(), "reason": reason, "institution": institution}


def _account_id(firm: Firm, year: int, slot: int) -> str:
    return f"ACC-{firm.draw('account-id', year, slot).whole(10**9, 10**10 - 1)}"


def _lender(firm: Firm, year: int, slot: int) -> str:
    draw = firm.draw("lender", year, slot)
    return draw.pick(CITIES)[0] + draw.pick(_LENDERS)
