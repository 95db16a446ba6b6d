"""Contradictions between sources or within one: each becomes a note with both sides; nothing is dropped.

``error``: the sources may be about different firms, or disagree whether the firm still exists. ``warning``: a person
should look. ``info``: harmless. Ids and names are compared, never shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.features.answer import Answer
from creditmesh.features.cleaning import date_of, folded
from creditmesh.features.exact import sum_known
from creditmesh.features.findings import NO_VALUES, Quality, Severity
from creditmesh.features.schema import Values
from creditmesh.features.sources.registry import industry_code

YEAR = 12
# Declared and invoiced turnover cover windows up to half a year apart and never agree exactly.
TURNOVERS_APART = 3
# Platforms also count orders cancelled later, so slightly more than is invoiced is normal.
SHOP_ABOVE_INVOICES_PERCENT = 120
_GONE = ("cancelled", "revoked")
Answers = Mapping[str, Answer]


def tell_contradictions(answers: Answers, row: Values, quality: Quality) -> None:
    """Add a note for each contradiction in a clean row and the answers that it was made from."""
    _compare_identity(answers, quality)
    _compare_names(answers, quality)
    _compare_industry(answers, quality)
    _compare_standing(row, quality)
    _compare_dates(row, quality)
    _compare_turnover(row, quality)
    _compare_arrears(row, quality)
    _compare_fraud(row, quality)


def _tell(quality: Quality, field: str, severity: Severity, sides: Mapping[str, object] = NO_VALUES) -> None:
    quality.add(field, severity, "sources_disagree", {source: str(value) for source, value in sides.items()})


def _compare_identity(answers: Answers, quality: Quality) -> None:
    """Compares the sources' identifiers: data about different firms must not be mixed silently."""
    places = {"tax": "basics", "registry": "registration", "shop": "shop"}
    first: str | None = None
    for kind, answer in answers.items():
        section = places.get(kind, "")
        row = (answer.section(section) if section else answer.root()) if answer.available else None
        taxpayer = row.text("taxpayer_id") if row is not None and row.present else None
        if row is None or taxpayer is None:
            continue
        if first is None:
            first = taxpayer.upper()
        elif taxpayer.upper() != first:
            _tell(quality, f"{kind}.{row.path_of('taxpayer_id')}", "error")


def _pair(answers: Answers, key: str) -> tuple[str, str] | None:
    """A field's text at the tax bureau and at the registry; None unless both have it."""
    tax, registry = answers.get("tax"), answers.get("registry")
    if tax is None or registry is None or not (tax.available and registry.available):
        return None
    one = folded(tax.section("basics").fields.get(key))
    other = folded(registry.section("registration").fields.get(key))
    return (one, other) if one and other else None


def _compare_names(answers: Answers, quality: Quality) -> None:
    names = _pair(answers, "name")
    if names is not None and names[0].casefold() != names[1].casefold():
        _tell(quality, "registry.registration.name", "warning")


def _compare_industry(answers: Answers, quality: Quality) -> None:
    """A different section is another trade; a different division may only be out of date."""
    texts = _pair(answers, "industry")
    if texts is None:
        return
    tax, registry = map(industry_code, texts)
    if tax is not None and registry is not None and tax != registry:
        severity: Severity = "info" if tax[0] == registry[0] else "warning"
        _tell(quality, "registry.registration.industry", severity, {"tax": tax, "registry": registry})


def _compare_standing(row: Values, quality: Quality) -> None:
    tax, registry, shop = (_of(row, name, "status") for name in ("tax_basics", "registration", "shop"))
    if tax == "normal" and registry in _GONE:
        _tell(quality, "registry.registration.status", "error", {"tax": tax, "registry": registry})
    if tax == "deregistered" and registry == "active":
        _tell(quality, "registry.registration.status", "warning", {"tax": tax, "registry": registry})
    if shop == "open" and registry in _GONE:
        _tell(quality, "shop.shop.status", "warning", {"shop": shop, "registry": registry})
    listed = _of(row, "dishonest_debtor", "listed")
    rating = _of(row, "tax_basics", "credit_rating")
    if listed and rating == "A":
        _tell(quality, "judicial.dishonest_debtor.listed", "warning", {"judicial": "listed", "tax": rating})


def _compare_dates(row: Values, quality: Quality) -> None:
    """A firm is established before it registers for tax, and registers before it sells."""
    established_on, registered_on = _of(row, "registration", "established_on"), _of(row, "tax_basics", "registered_on")
    if established_on is not None and registered_on is not None and registered_on < established_on:
        sides = {"tax": date_of(registered_on), "registry": date_of(established_on)}
        _tell(quality, "tax.basics.registered_on", "warning", sides)
    opened_on = _of(row, "shop", "opened_on")
    if established_on is not None and opened_on is not None and opened_on < established_on:
        sides = {"shop": date_of(opened_on), "registry": date_of(established_on)}
        _tell(quality, "shop.shop.opened_on", "warning", sides)


def _compare_turnover(row: Values, quality: Quality) -> None:
    invoiced = _last_year(row["invoices"], "amount")
    statements = [one for one in row["statements"] or [] if one["year"] == 0]
    if invoiced is not None and sum(statement["months"] for statement in statements) == YEAR:
        revenue = sum_known(statement["revenue"] for statement in statements)
        if revenue is not None and max(invoiced, revenue) > TURNOVERS_APART * min(invoiced, revenue):
            _tell(quality, "tax.statements", "warning", {"invoices": invoiced, "statements": revenue})
    sold = _last_year(row["orders"], "amount")
    if sold is not None and invoiced is not None and 100 * sold > SHOP_ABOVE_INVOICES_PERCENT * invoiced:
        _tell(quality, "shop.orders", "warning", {"shop": sold, "tax": invoiced})


def _compare_arrears(row: Values, quality: Quality) -> None:
    """The credit bureau's accounts and its list of overdue months must report the same arrears."""
    accounts, overdue = row["accounts"], row["overdue"]
    if accounts is None or overdue is None:
        return
    late = any(account["overdue_amount"] or account["worst_months"] for account in accounts)
    if late and not overdue:
        _tell(quality, "credit_bureau.overdue", "warning", {"accounts": "overdue", "overdue": "none"})
    if overdue and accounts and not late and all(account["worst_months"] == 0 for account in accounts):
        _tell(quality, "credit_bureau.overdue", "warning", {"accounts": "none", "overdue": "overdue"})


def _compare_fraud(row: Values, quality: Quality) -> None:
    severe = any(hit["severity"] == "high" for hit in row["fraud_hits"] or [])
    if severe and _of(row, "fraud", "level") == "low":
        _tell(quality, "anti_fraud.level", "warning", {"level": "low", "hits": "high"})


def _of(row: Values, section: str, name: str) -> Any:
    """A value of one of the row's structs; None if the struct is unknown."""
    return (row[section] or {}).get(name)


def _last_year(series: Sequence[Values] | None, name: str) -> int | None:
    """The sum of the last 12 months of a series of 24; None unless the firm existed in all of them."""
    year = (series or [])[-YEAR:]
    return sum_known(one[name] for one in year) if year and all(one["lived"] for one in year) else None
