"""The feature table: complete, exact, traceable, and the same as its page (C10)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from creditmesh.features.formula import Fold, InMonths, walk
from creditmesh.features.page import written
from creditmesh.features.row import SECTIONS, TOP, TOP_BY_NAME
from creditmesh.features.table import FEATURES, lineage
from creditmesh.gateway.key_data import FEATURE_TYPES, extract
from tests.unit.features.test_contradictions import sources
from tests.unit.features.test_sources import AS_OF, degree, education

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "key-data.md"
MODEL = ROOT / "models" / "origination-2.1.0.json"


def test_the_page_is_written_from_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="features"):
        written("# Key data\n")


def test_names_are_unique_and_there_are_enough_of_them() -> None:
    assert len(FEATURE_TYPES) == len(FEATURES) >= 68
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,63}", feature.name) for feature in FEATURES)
    assert all(feature.meaning.endswith(".") and feature.window for feature in FEATURES)


def test_the_risk_models_features_are_here_with_their_types() -> None:
    model = json.loads(MODEL.read_text(encoding="utf-8"))["feature_schema"]["features"]
    types = {feature.name: feature.type for feature in FEATURES}
    assert {name: types[name] for name in model} == {name: one["type"] for name, one in model.items()}


def test_the_window_told_is_that_of_the_formula() -> None:
    for feature in FEATURES:
        months = {node.first for node in walk(feature.formula) if isinstance(node, InMonths)}
        if told := re.match(r"([0-9]+)m($| and the running)", feature.window):
            statements = any(
                isinstance(node, Fold) and node.rows.section == "statements" for node in walk(feature.formula)
            )
            assert int(told[1]) == max(months, default=12 if statements else 0), feature.name


# Lineage


def test_every_feature_leads_back_to_paths_of_its_sources() -> None:
    known = {(section.source, path) for section in SECTIONS for column in section.columns for path in column.paths}
    known |= {tuple(path.split(".", 1)) for column in TOP for path in column.paths}
    for name, origins in lineage().items():
        assert origins, name
        for source, paths in origins:
            assert paths, name
            for path in paths:
                assert path == "currency" or (source, path) in known, (name, path)


def everything() -> dict[str, Any]:
    return {**sources(), "education": education(degree("master"))}


def put(document: Any, path: str, value: Any) -> None:
    """Replace every value that a lineage path leads to."""
    head, _, rest = path.partition(".")
    if head.endswith("[*]"):
        for row in document[head[:-3]]:
            put(row, rest, value)
    elif rest:
        put(document[head], rest, value)
    else:
        document[head] = value


@pytest.mark.parametrize("name", [feature.name for feature in FEATURES if feature.name not in TOP_BY_NAME])
def test_a_feature_stands_on_the_paths_told_and_on_no_others(name: str) -> None:
    """Spoil everything the lineage does not name: the feature stays. Spoil what it names: it does not."""
    before = drawn(everything())
    assert before[name] is not None, "a feature that is null proves nothing"
    named = {(source, path) for source, paths in lineage()[name] for path in paths}
    others = everything()
    for section in SECTIONS:
        for path in {path for column in section.columns for path in column.paths}:
            if (section.source, path) not in named and not _is_key(section.name, path):
                put(others[section.source], path, "spoilt")
    assert drawn(others)[name] == before[name]
    spoilt = everything()
    for source, path in sorted(named):
        put(spoilt[source], path, "spoilt")
    assert drawn(spoilt)[name] != before[name]


def _is_key(section: str, path: str) -> bool:
    """Without its period a row is not a row: that spoils its whole section, and every feature of it."""
    keys = {"payments[*].period", "payments[*].tax_type", "statements[*].period_end", "statements[*].months"}
    return path in keys or path.endswith(".month") or path in {"registration.established_on", "filings[*].year"}


def drawn(found: dict[str, Any]) -> dict[str, Any]:
    data = extract(found, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF)
    return dict(data.features)


def test_key_data_carries_the_lineage() -> None:
    data = extract(everything(), blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF)
    assert list(data.lineage) == list(data.features)
    assert data.lineage["tax_burden_bps"] == [
        {"source": "tax", "paths": ["payments[*].period", "payments[*].paid_on", "payments[*].amount", "currency",
                                    "statements[*].period_end", "statements[*].months", "statements[*].revenue"]},
    ]  # fmt: skip
    for name in ("blacklist_hits", "whitelist_hits", "greylist_name_score_bps"):
        assert data.lineage[name] == [{"source": "screening", "paths": [name]}]
