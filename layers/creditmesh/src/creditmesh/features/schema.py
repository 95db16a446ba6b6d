"""The clean row: one typed row per firm and day, from which features are computed.

The single definition of the row. Spark's schema (``ddl``), Spark's tuples (``as_tuple``) and the tables of
docs/reference/key-data.md are derived from it. Null always means unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from creditmesh.features.cleaning import MAX_COUNT, MAX_MINOR

Values = dict[str, Any]

TAXPAYER_STATUSES = ("normal", "abnormal", "suspended", "deregistered")
CREDIT_RATINGS = ("A", "B", "M", "C", "D")
TAX_TYPES = ("VAT", "CIT", "PIT", "STAMP")
REGISTRATION_STATUSES = ("active", "cancelled", "revoked", "liquidation")
CHANGES = ("legal_representative", "address", "capital", "scope", "shareholder")
ROLES = ("plaintiff", "defendant", "third_party")
CASES = ("civil", "criminal", "administrative", "labour")
ENFORCEMENT_STATUSES = ("open", "closed", "terminated")
ACCOUNTS = ("loan", "credit_card", "guarantee", "leasing")
ENQUIRIES = ("loan_application", "post_loan", "own")
SHOP_STATUSES = ("open", "suspended", "closed")
# Ordered: the position, counted from 1, is the rank.
DEGREES = ("secondary", "associate", "bachelor", "master", "doctor")
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class ColumnKind:
    """Type of a column: its SQL type, bounds of a number, and a description."""

    sql: str
    meaning: str
    low: int = 0
    high: int = 0


KINDS: dict[str, ColumnKind] = {
    "amount": ColumnKind("BIGINT", "fen, not negative", 0, MAX_MINOR),
    "signed": ColumnKind("BIGINT", "fen, also negative", -MAX_MINOR, MAX_MINOR),
    "count": ColumnKind("BIGINT", "whole number", 0, MAX_COUNT),
    "small": ColumnKind("BIGINT", "whole number up to 1,000", 0, 1_000),
    "days": ColumnKind("BIGINT", "number of days", 0, 200_000),
    "month": ColumnKind("BIGINT", "year × 12 + month − 1", 1899 * 12, 2200 * 12 + 11),
    "day": ColumnKind("BIGINT", "days since 1970-01-01", -25_567, 84_370),
    "flag": ColumnKind("BOOLEAN", "true or false"),
    "word": ColumnKind("STRING", "one of the words listed"),
    "text": ColumnKind("STRING", "text"),
}


@dataclass(frozen=True)
class Column:
    """A value of a section."""

    name: str
    kind: str
    meaning: str
    paths: tuple[str, ...]
    """Its origin within the source's third information."""
    words: tuple[str, ...] = ()
    """Allowed words of a word column."""
    always: bool = False
    """Known in every row: a period that identifies the row, or a part of a series without gaps."""


@dataclass(frozen=True)
class Section:
    """A struct of the clean row, or a list of structs."""

    name: str
    source: str
    """Kind of third information it is made from."""
    meaning: str
    columns: tuple[Column, ...]
    most: int = 0
    """Maximum number of rows of a list; 0 for a struct."""

    @property
    def is_list(self) -> bool:
        return self.most > 0

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def ddl(sections: tuple[Section, ...], top: tuple[Column, ...]) -> str:
    """Spark's schema of the clean row, in the syntax of CREATE TABLE."""
    parts = [f"{column.name} {KINDS[column.kind].sql}" for column in top]
    for section in sections:
        fields = ", ".join(f"{column.name}: {KINDS[column.kind].sql}" for column in section.columns)
        struct = f"STRUCT<{fields}>"
        parts.append(f"{section.name} ARRAY<{struct}>" if section.is_list else f"{section.name} {struct}")
    return ", ".join(parts)
