"""Third information of made-up firms, as documents and as the lines of a set (C10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.population import Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data

AS_OF = date(2026, 11, 21)
INPUTS = {"blacklist_hits": 1, "requested_amount_minor": 30_000_000, "requested_term_months": 12,
          "greylist_hits": 2, "blacklist_name_score_bps": 9_300}  # fmt: skip


def documents(index: int, as_of: date = AS_OF) -> dict[str, Any]:
    """All that the made-up institutions tell of a firm."""
    firm = Population(7, 400).firm(index, as_of)
    found = {
        "tax": tax_data(firm, as_of),
        "registry": registry_data(firm, as_of),
        "judicial": judicial_data(firm, as_of),
        "credit_bureau": credit_bureau_data(firm, as_of),
        "shop": shop_data(firm, as_of),
        "education": education_data(firm, as_of),
        "anti_fraud": anti_fraud_data(firm, as_of),
    }
    return {kind: document for kind, document in found.items() if document is not None}


def line(firm: str, sources: Mapping[str, Any], as_of: str = AS_OF.isoformat()) -> str:
    """One firm's line of a set (docs/reference/key-data.md)."""
    return json.dumps({"firm": firm, "as_of": as_of, "sources": sources, **INPUTS}, ensure_ascii=False)
