"""The clean row: one typed row per firm and day, from which the features are computed.

This table is the only place that says what a clean row holds. Spark's schema (``ddl``), the tuples that Spark is given
(``as_tuple``) and the tables of docs/reference/key-data.md follow from it. Null always means not known.
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
# In order: the position, counted from 1, is the rank.
DEGREES = ("secondary", "associate", "bachelor", "master", "doctor")
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class ColumnKind:
    """What a column can hold: its SQL type, the bounds of a number, and a word for it."""

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
    """One value of a section."""

    name: str
    kind: str
    meaning: str
    paths: tuple[str, ...]
    """Where it comes from, inside the source's answer in the shape of third information."""
    words: tuple[str, ...] = ()
    """Of a word, those allowed."""
    always: bool = False
    """Whether it is known in every row: a period without which a row is none, or a part of an unbroken series."""


@dataclass(frozen=True)
class Section:
    """One struct of the clean row, or one list of structs."""

    name: str
    source: str
    """The kind of third information it is made of."""
    meaning: str
    columns: tuple[Column, ...]
    most: int = 0
    """How many rows a list has at most; 0 for a struct."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of structs."""
        return self.most > 0

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def ddl(sections: tuple[Section, ...], top: tuple[Column, ...]) -> str:
    """Spark's schema of the clean row, in the words of CREATE TABLE."""
    parts = [f"{column.name} {KINDS[column.kind].sql}" for column in top]
    for section in sections:
        fields = ", ".join(f"{column.name}: {KINDS[column.kind].sql}" for column in section.columns)
        struct = f"STRUCT<{fields}>"
        parts.append(f"{section.name} ARRAY<{struct}>" if section.is_list else f"{section.name} {struct}")
    return ", ".join(parts)
