"""Key data: the flat document of exact features that risk control is given about a firm (C10).

Pure: no clock, no I/O. ``docs/interfaces/key-data.md`` tells what each feature means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import cast

from pydantic import BaseModel, ConfigDict

from creditmesh.gateway.answer import Answer
from creditmesh.gateway.company import age_months, registry_features
from creditmesh.gateway.exact import ratio_bps
from creditmesh.gateway.findings import Finding, Quality, SourceDataInvalid
from creditmesh.gateway.invoices import invoice_features
from creditmesh.gateway.payments import payment_features
from creditmesh.gateway.statements import Features, statement_features

__all__ = ["FEATURE_TYPES", "Finding", "KeyData", "SourceDataInvalid", "extract"]

TAXPAYER_STATUSES = ("normal", "abnormal", "suspended", "deregistered")
CREDIT_RATINGS = ("A", "B", "M", "C", "D")

# In the order of docs/interfaces/key-data.md.
FEATURE_TYPES: dict[str, type[int] | type[str] | type[bool]] = {
    "taxpayer_status": str,
    "tax_credit_rating": str,
    "tax_registration_months": int,
    "revenue_12m_minor": int,
    "revenue_prior_12m_minor": int,
    "revenue_growth_bps": int,
    "profit_12m_minor": int,
    "profit_margin_bps": int,
    "operating_cash_flow_12m_minor": int,
    "total_assets_minor": int,
    "total_liabilities_minor": int,
    "net_assets_minor": int,
    "debt_ratio_bps": int,
    "current_ratio_bps": int,
    "statement_months": int,
    "tax_paid_12m_minor": int,
    "tax_paid_prior_12m_minor": int,
    "tax_burden_bps": int,
    "tax_late_count_24m": int,
    "tax_arrears_minor": int,
    "invoice_total_12m_minor": int,
    "invoice_months_active_12m": int,
    "invoice_gap_months_max_24m": int,
    "invoice_volatility_bps": int,
    "invoice_trend_bps": int,
    "invoice_void_rate_bps": int,
    "top_customer_share_bps": int,
    "customer_count_12m": int,
    "registration_status": str,
    "industry": str,
    "company_age_months": int,
    "registered_capital_minor": int,
    "legal_rep_changes_24m": int,
    "penalty_count_24m": int,
    "pledge_active_count": int,
    "abnormal_operation_listed": bool,
    "annual_filings_missed": int,
    "blacklist_hits": int,
    "requested_amount_minor": int,
    "requested_term_months": int,
}


class KeyData(BaseModel):
    """A firm's features on one day, and what cleaning had to say.

    Attributes:
        as_of: The day the windows are counted from.
        features: Every name of ``FEATURE_TYPES``; None means not known. Amounts are fen, ratios basis points.
        quality: Findings, in the order the sources were read.
    """

    model_config = ConfigDict(frozen=True)

    as_of: date
    features: dict[str, int | str | bool | None]
    quality: list[Finding]


def extract(
    tax: Mapping[str, object] | None,
    registry: Mapping[str, object] | None,
    *,
    blacklist_hits: int,
    requested_amount_minor: int,
    requested_term_months: int,
    as_of: date,
) -> KeyData:
    """Clean the sources' raw answers and draw the features from them (C10).

    Args:
        tax: The tax bureau's answer; None where the source is unavailable (G13): its features are null then.
        registry: The company registry's answer; None likewise.
        blacklist_hits: Entries on blacklists that match the firm.
        requested_amount_minor: The amount applied for, in fen.
        requested_term_months: The term applied for.
        as_of: The day of the collection; the running month is never part of a window of full months.

    Raises:
        SourceDataInvalid: an answer has not the shape of that source's data.
    """
    quality = Quality()
    tax_answer, registry_answer = Answer("tax", tax, quality), Answer("registry", registry, quality)
    values = {
        **_tax_features(tax_answer, as_of),
        **registry_features(registry_answer, as_of),
        "blacklist_hits": blacklist_hits,
        "requested_amount_minor": requested_amount_minor,
        "requested_term_months": requested_term_months,
    }
    _compare_identity(tax_answer, registry_answer)
    features = {name: values[name] for name in FEATURE_TYPES}
    return KeyData(as_of=as_of, features=features, quality=quality.findings)


def _tax_features(answer: Answer, as_of: date) -> Features:
    basics = answer.section("basics")
    registered_on = basics.day("registered_on")
    values: Features = {
        "taxpayer_status": basics.choice("status", TAXPAYER_STATUSES),
        "tax_credit_rating": basics.choice("credit_rating", CREDIT_RATINGS, optional=True),
        "tax_registration_months": age_months(basics, "registered_on", registered_on, as_of),
        **statement_features(answer, as_of),
        **payment_features(answer, as_of),
        **invoice_features(answer, as_of, registered_on),
    }
    paid, revenue = values["tax_paid_12m_minor"], values["revenue_12m_minor"]
    values["tax_burden_bps"] = ratio_bps(cast("int | None", paid), cast("int | None", revenue))
    return values


def _compare_identity(tax: Answer, registry: Answer) -> None:
    """Two sources that speak of different firms must not be mixed unseen."""
    if not (tax.available and registry.available):
        return
    one = tax.section("basics").text("taxpayer_id")
    other = registry.section("registration").text("taxpayer_id")
    if one is not None and other is not None and one.upper() != other.upper():
        registry.spoil("registration.taxpayer_id", "sources_disagree")
