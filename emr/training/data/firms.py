"""Made-up firms of the embedded institutions, with key data as on the platform and simulated outcomes.

They have what the public loans lack: taxes, invoices, courts, credit, shop. Common features (``SHARED``) have the same
names and units as in ``sba``. Anything learnt from them must be marked as simulated; ``outcomes`` defines the outcomes.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from creditmesh.gateway import key_data as drawn
from creditmesh.gateway.key_data import FEATURE_TYPES, extract
from institutions import population
from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.draw import Draw
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.identity import LARGEST_POPULATION
from institutions.population import PERSONAS, Firm, Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data
from training.data import columns, outcomes
from training.data.archive import DIRECTORY
from training.frame import TrainingSet

TARGET = "defaulted"
DECIDED_ON = "decided_on"
FIRMS = 20_000
SEED = 101
"""Not the seed of `make run`, so that applicants are not training rows."""
_FIRST_DAY, _DAYS = date(2023, 1, 1), 900
"""Days of the made-up decisions; outcomes are of the following year."""
_TERMS = (6, 12, 12, 12, 24, 36)
_STEP_FEN = 1_000_000
_FEN_PER_CENT = 7
_YOUNG_MONTHS = 24
_KINDS: dict[str, Any] = {
    "tax": tax_data,
    "registry": registry_data,
    "judicial": judicial_data,
    "credit_bureau": credit_bureau_data,
    "shop": shop_data,
    "education": education_data,
    "anti_fraud": anti_fraud_data,
}
_POLARS: dict[type, Any] = {int: pl.Int64, str: pl.String, bool: pl.Boolean}
SHARED = ("industry_sector", "industry_group", "employees", "new_business", "approved_minor")
"""Features for models: first those shared with the public loans, then those of the institutions only."""
FEATURES = (
    *SHARED,
    "tax_credit_rating", "industry", "revenue_12m_minor", "revenue_growth_bps", "profit_margin_bps", "debt_ratio_bps",
    "current_ratio_bps", "tax_burden_bps", "tax_late_count_24m", "tax_arrears_minor", "invoice_volatility_bps",
    "invoice_trend_bps", "invoice_void_rate_bps", "invoice_months_active_12m", "top_customer_share_bps",
    "company_age_months", "legal_rep_changes_24m", "penalty_count_24m", "pledge_active_count",
    "defendant_case_open_count", "enforcement_open_count", "overdue_months_24m", "credit_utilisation_bps",
    "debt_service_to_revenue_bps", "enquiry_count_6m", "shop_refund_rate_bps", "fraud_score", "requested_amount_minor",
    "requested_term_months",
)  # fmt: skip
NAICS = {
    "C13": "31", "C18": "31", "C34": "31", "C39": "31", "E50": "23", "F51": "42", "F52": "44", "G54": "48",
    "H62": "72", "I65": "51", "L72": "56", "M74": "54",
}  # fmt: skip
"""Division of GB/T 4754 → sector of NAICS, with the sector names of ``sba``."""
NAICS_GROUPS = {"C13": "311", "C18": "315", "C34": "333", "C39": "334", "E50": "238", "G54": "484", "H62": "722"}
"""Divisions within one three-digit group of NAICS. The others span several groups, or cover all small firms of their
sector, so that the group adds no information."""


def cached(count: int = FIRMS, seed: int = SEED, directory: Path = DIRECTORY) -> pl.DataFrame:
    """``frame``, cached as a Parquet file: making the firms takes minutes and is deterministic."""
    path = directory / f"firms-{seed}-{count}-{_makers()}.parquet"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        frame(count, seed).write_parquet(part)
        part.rename(path)
    return pl.read_parquet(path)


def frame(count: int = FIRMS, seed: int = SEED, workers: int | None = None) -> pl.DataFrame:
    """Firms with the features of key data and of ``sba``, day of decision and outcome.

    Args:
        count: number of firms; above 10,000 from populations of the following seeds.
        workers: processes; by default one per core.
    """
    wanted = list(_applications(count, seed))
    processes = workers or os.cpu_count() or 1
    chunks = [wanted[start::processes] for start in range(processes)]
    if processes == 1:
        rows = [application(*key) for key in wanted]
    else:
        with ProcessPoolExecutor(processes) as pool:
            made = list(pool.map(_made, chunks))
        rows = [made[place % processes][place // processes] for place in range(len(wanted))]
    return pl.DataFrame(rows, schema=_schema(), orient="row")


def training_set(firms: pl.DataFrame, names: Sequence[str] = FEATURES) -> TrainingSet:
    """A training set with simulated outcomes, marked as such."""
    return columns.training_set(
        firms, names, name="made-up firms", target=TARGET, observed=DECIDED_ON, outcome_kind="simulated"
    )


def application(seed: int, index: int) -> dict[str, Any]:
    """One firm's application: what was known on the day, and the outcome."""
    decided_on = _day(seed, index)
    firm = _population(seed).firm(index, decided_on)
    draw = Draw(seed, index, "application")
    amount = int(5_000_000 * math.exp(draw.unit() * math.log(40))) // _STEP_FEN * _STEP_FEN
    features = key_data(firm, decided_on, amount, draw.pick(_TERMS))
    return {
        **mapped(features),
        TARGET: outcomes.defaulted(with_ratio(features), seed, index),
        DECIDED_ON: decided_on,
        "persona": firm.persona,
    }


def key_data(firm: Firm, as_of: date, amount_minor: int, term_months: int) -> dict[str, int | str | bool | None]:
    """The features that risk control would get if every source answered."""
    answers = {kind: read(firm, as_of) for kind, read in _KINDS.items()}
    told = {kind: answer for kind, answer in answers.items() if answer is not None}
    return extract(
        told, blacklist_hits=0, requested_amount_minor=amount_minor, requested_term_months=term_months, as_of=as_of
    ).features


def mapped(features: dict[str, int | str | bool | None]) -> dict[str, int | str | bool | None]:
    """The features, and those of the public loans in their names and units.

    ``approved_minor`` is US cents at seven fen to the cent: a scale, not an exchange rate.
    """
    age, amount, industry = (
        features["company_age_months"],
        features["requested_amount_minor"],
        features["industry"],
    )
    return {
        **features,
        "industry_sector": NAICS.get(str(industry)),
        "industry_group": NAICS_GROUPS.get(str(industry)),
        "employees": features["employee_count"],
        "new_business": age < _YOUNG_MONTHS if isinstance(age, int) else None,
        "approved_minor": amount // _FEN_PER_CENT if isinstance(amount, int) else None,
    }


def with_ratio(features: dict[str, int | str | bool | None]) -> dict[str, int | str | bool | None]:
    """The features, and the requested amount relative to annual revenue, which only the outcomes use."""
    amount, revenue = features["requested_amount_minor"], features["revenue_12m_minor"]
    known = isinstance(amount, int) and isinstance(revenue, int) and revenue > 0
    return {**features, "requested_to_revenue_bps": amount * 10_000 // revenue if known else None}  # type: ignore[operator]


def _applications(count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Seed and index of firms registered for tax on their day, without personas."""
    found = 0
    while True:
        for index in range(len(PERSONAS), LARGEST_POPULATION):
            if found == count:
                return
            day = _day(seed, index)
            if _population(seed).firm(index, day).registered_on < day - timedelta(days=62):
                found += 1
                yield seed, index
        seed += 1


def _day(seed: int, index: int) -> date:
    return _FIRST_DAY + timedelta(days=Draw(seed, index, "decision").whole(0, _DAYS - 1))


def _population(seed: int) -> Population:
    return Population(seed, LARGEST_POPULATION)


def _made(keys: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [application(*key) for key in keys]


def _schema() -> dict[str, Any]:
    own = {name: _POLARS[kind] for name, kind in FEATURE_TYPES.items()}
    text, flag, number = pl.String, pl.Boolean, pl.Int64
    shared = dict(zip(SHARED, (text, text, number, flag, number), strict=True))
    return {**own, **shared, TARGET: pl.Boolean, DECIDED_ON: pl.Date, "persona": pl.String}


def _makers() -> str:
    """A digest of the code that creates firms, their figures, key data or outcomes."""
    package, institutions = Path(drawn.__file__).parents[1], Path(population.__file__).parent
    basic = [institutions / f"{name}.py" for name in ("draw", "history", "identity", "population", "sectors")]
    files = [
        *basic, *institutions.glob("*_figures.py"), package / "gateway" / "key_data.py",
        *(package / "features").rglob("*.py"), *(package / "features").rglob("*.json"),
        Path(__file__), Path(outcomes.__file__),
    ]  # fmt: skip
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
