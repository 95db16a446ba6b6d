"""The document of features: a feature needs nothing else, and a fault is told by its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest

from creditmesh.features import table
from creditmesh.features.document import FeaturesInvalid, parse
from creditmesh.features.generated import _Writer, function_of
from creditmesh.gateway.key_data import extract
from tests.support.third_information import AS_OF, INPUTS, documents

SHIPPED: dict[str, Any] = json.loads(files(table.__package__).joinpath("features.json").read_text(encoding="utf-8"))
AMOUNT = {"item": "amount"}
TAX = {"sum": {"of": AMOUNT, "rows": "payments"}}


def feature(formula: Any, name: str = "new_minor", unit: str = "fen", **more: Any) -> dict[str, Any]:
    return {"name": name, "unit": unit, "window": "as of", "meaning": "New.", "formula": formula, **more}


def where(condition: Any) -> Any:
    return {"count": {"rows": "payments", "where": condition}}


def with_feature(added: Mapping[str, Any]) -> str:
    """The shipped document and one feature more."""
    document = deepcopy(SHIPPED)
    document["features"].append(added)
    return json.dumps(document)


def test_a_feature_is_added_by_the_document_alone() -> None:
    """The value added tax of the last half year that was paid late, as a share of all that was paid in it."""
    paid = {"and": [{"in_months": [{"item": "period"}, 6, 1]}, {"item": "paid"}]}
    late = {"and": [*paid["and"], {"item": "late"}, {"=": [{"item": "tax_type"}, "VAT"]}]}
    sums = [{"sum": {"of": AMOUNT, "rows": "payments", "where": where}} for where in (late, paid)]
    found = parse(with_feature(feature({"ratio_bps": sums}, "vat_late_share_6m_bps", "bps")))
    assert found.version == table.VERSION == extract(documents(1), **INPUTS, as_of=AS_OF).features_version
    assert [one.name for one in found.features] == [*(one.name for one in table.FEATURES), "vat_late_share_6m_bps"]

    sources = documents(1)
    sources["tax"]["payments"] = [
        {"tax_type": "VAT", "period": "2026-09", "amount": "25.00", "due_on": "2026-10-15", "paid_on": "2026-10-20"},
        {"tax_type": "VAT", "period": "2026-08", "amount": "50.00", "due_on": "2026-09-15", "paid_on": "2026-09-10"},
        {"tax_type": "CIT", "period": "2026-07", "amount": "25.00", "due_on": "2026-08-15", "paid_on": "2026-08-20"},
        {"tax_type": "VAT", "period": "2026-01", "amount": "99.00", "due_on": "2026-02-15", "paid_on": "2026-02-20"},
    ]
    data = extract(sources, **INPUTS, as_of=AS_OF)
    *others, value = function_of([one.formula for one in found.features])(data.rows)
    assert value == 2_500
    assert others == list(data.features.values())


def test_nothing_that_an_author_writes_is_run() -> None:
    """A literal is a value; the text of the function knows it by a name of its own."""
    text = "A'); raise SystemExit('"
    rows = {
        "count": {"rows": "penalties", "where": {"=": [{"month_of": {"item": "on"}}, {"month_of": {"item": "on"}}]}}
    }
    same = {"=": [{"field": "registration.industry"}, text]}
    formulas = [parse(with_feature(feature(one, "new", unit))).features[-1].formula
                for one, unit in ((same, "flag"), (rows, "count"))]  # fmt: skip
    writer = _Writer()
    assert "raise" not in writer.function(formulas)
    assert text in writer.literals.values()
    industry, _ = function_of(formulas)(extract(documents(1), **INPUTS, as_of=AS_OF).rows)
    assert industry is False


@pytest.mark.parametrize(
    ("formula", "place", "rule"),
    [
        ({"average": TAX}, "", "must have exactly one of the operations"),
        ({"field": "tax_basics.turnover"}, ".field", "must be a value of the clean row"),
        ({"field": "payments.amount"}, ".field", "must be a value of the clean row"),
        ({"item": "amount"}, "", "is allowed in «of» and «where» only"),
        ({"sum": {"of": {"item": "sum"}, "rows": "payments"}}, ".sum.of.item", "must be one of tax_type"),
        ({"sum": {"of": {"item": "tax_type"}, "rows": "payments"}}, "", "must be made of a number, not of a text"),
        ({"sum": {"of": TAX, "rows": "payments"}}, ".sum.of.sum", "is not allowed in «of» or «where»"),
        ({"sum": {"of": AMOUNT, "rows": "tax_basics"}}, ".sum.rows", "must be a list of the clean row"),
        ({"sum": {"of": AMOUNT, "rows": "payments", "until": 3}}, ".sum", "must not have 'until'"),
        ({"sum": {"rows": "payments"}}, ".sum", "must have of"),
        ({"sum": {"of": AMOUNT, "rows": "payments", "where": AMOUNT}}, ".sum.where", "must be made of a condition"),
        (where({"=": [{"item": "tax_type"}, "vat"]}), ".count.where.=[1]", "must be one of VAT"),
        ({"ratio_bps": [TAX]}, ".ratio_bps", "must be a list of 2"),
        ({"*": [TAX, TAX]}, "", "must stay within 64 bits"),
        (2**63, "", "must stay within 64 bits"),
        (1.5, "", "must be an operation, an integer"),
        ({"feature": "later_minor"}, ".feature", "must be a feature defined earlier"),
        ({"feature": {}}, ".feature", "must be a feature defined earlier"),
        (where({"in_months": [{"item": "period"}, 1, 12]}), ".count.where.in_months[2]", "must be an integer from 0"),
        ({"=": [TAX, "much"]}, ".=", "operands must have one type"),
        ({"field": "tax_basics.status"}, "", "must give a number, as the unit fen says, not a text"),
    ],
)  # fmt: skip
def test_a_fault_of_a_formula_is_told_by_its_place(formula: Any, place: str, rule: str) -> None:
    with pytest.raises(FeaturesInvalid, match="new_minor") as told:
        parse(with_feature(feature(formula)))
    assert told.value.path == f"features.new_minor.formula{place}"
    assert told.value.rule.startswith(rule)


def test_it_is_not_nested_without_end() -> None:
    formula: Any = {"item": "paid"}
    for _ in range(40):
        formula = {"not": formula}
    with pytest.raises(FeaturesInvalid, match="must be nested at most 12 deep"):
        parse(with_feature(feature({"count": {"rows": "payments", "where": formula}}, "new_count", "count")))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "New"}, "features[116].name"),
        ({"name": "tax_arrears_minor"}, "features.tax_arrears_minor.name"),
        ({"name": "new"}, "features.new.name"),
        ({"unit": "yuan"}, "features.new_minor.unit"),
        ({"meaning": "No full stop"}, "features.new_minor.meaning"),
        ({"window": ""}, "features.new_minor.window"),
        ({"note": "x"}, "features[116]"),
    ],
)
def test_a_fault_of_a_feature_is_told_by_its_place(change: dict[str, Any], path: str) -> None:
    with pytest.raises(FeaturesInvalid) as told:
        parse(with_feature(feature(TAX) | change))
    assert told.value.path == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{", "$"),
        ('{"version": 1, "version": 2}', "$"),
        ("[]", "$"),
        ('{"format_version": 1, "version": 1}', "$"),
        ('{"format_version": 2, "version": 1, "features": []}', "format_version"),
        ('{"format_version": 1, "version": true, "features": []}', "version"),
        ('{"format_version": 1, "version": 1, "features": {}}', "features"),
    ],
)
def test_a_fault_of_the_document_is_told_by_its_place(text: str, path: str) -> None:
    with pytest.raises(FeaturesInvalid) as told:
        parse(text)
    assert told.value.path == path
