"""Generates the tables of docs/reference/key-data.md from the tables in code.

``python -m creditmesh.features.page docs/reference/key-data.md`` updates the page; a test keeps both equal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from creditmesh.features.feature import Feature
from creditmesh.features.formula import Field
from creditmesh.features.row import SECTIONS, TOP
from creditmesh.features.schema import KINDS, Column
from creditmesh.features.table import FEATURES, lineage


def feature_table() -> str:
    head = "| feature | type | unit | source | window | meaning | formula |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(map(_feature, FEATURES))


def row_table() -> str:
    head = "| section | column | type | meaning | from |\n|---|---|---|---|---|\n"
    lines = [_column("", "platform", column) for column in TOP]
    for section in SECTIONS:
        shape = f"list, at most {section.most:,}" if section.is_list else "struct"
        lines.append(f"| **{section.name}** | | {shape} | {section.meaning} | {section.source} |\n")
        lines += [_column(section.name, section.source, column) for column in section.columns]
    return head + "".join(lines)


# Longest first, since one may be part of another.
_NAMES = sorted(
    ((str(feature.formula), feature.name) for feature in FEATURES if not isinstance(feature.formula, Field)),
    key=lambda pair: -len(pair[0]),
)
TABLES: dict[str, Callable[[], str]] = {"features": feature_table, "row": row_table}


def written(page: str) -> str:
    """The page with its tables regenerated between their marks.

    Raises:
        ValueError: a mark is missing.
    """
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: written by creditmesh.features.page -->\n", f"<!-- end of {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has no marks for the table {name}")
        before, rest = page.split(begin)
        page = before + begin + table() + end + rest.split(end)[1]
    return page


def _feature(feature: Feature) -> str:
    sources = ", ".join(source for source, _ in lineage()[feature.name])
    parts = (
        feature.name,
        feature.type,
        feature.unit,
        sources,
        feature.window,
        feature.meaning,
        f"`{_formula(feature)}`",
    )
    return f"| {' | '.join(parts)} |\n"


def _formula(feature: Feature) -> str:
    """The formula; parts that are features themselves appear by name."""
    text = str(feature.formula)
    for formula, name in _NAMES:
        if name != feature.name:
            text = text.replace(formula, name)
    return text


def _column(section: str, source: str, column: Column) -> str:
    kind = KINDS[column.kind]
    words = f": {', '.join(column.words)}" if column.words else ""
    paths = ", ".join(f"`{path}`" for path in column.paths)
    return f"| {section} | {column.name} | {kind.sql}, {kind.meaning} | {column.meaning}{words} | {paths or source} |\n"


def main() -> None:
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
