"""Loan flows as documents: what ships, and what contradicts itself (E01, E08)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from client import channels, flows
from creditmesh.intake.flow_document import LoanFlow
from creditmesh.platform.fields import InvalidFields, validated

ADAPTER = TypeAdapter(LoanFlow)
SHIPPED = {one["flow_id"]: one for one in flows.documents()}


def test_three_flows_ship_with_plans_of_their_own() -> None:
    read = [validated(ADAPTER, one) for one in SHIPPED.values()]
    assert [one.flow_id for one in read] == ["invoice", "tax", "trade-platform"]
    plans = {one["plan_id"] for one in channels.plans()}
    assert {one.collection_plan for one in read} == plans
    assert len({str(one.ranking) for one in read}) == 3
    for path in flows.FOLDER.glob("*.yaml"):
        assert yaml.safe_load(path.read_text("utf-8"))["flow_id"] == path.stem


def test_what_is_stored_reads_back_equal() -> None:
    for document in SHIPPED.values():
        flow = validated(ADAPTER, document)
        assert validated(ADAPTER, flow.document()) == flow


def changed(path: str, value: Any) -> dict[str, Any]:
    """The shipped flow of taxes with one value replaced, or removed if it is `...`."""
    document = deepcopy(SHIPPED["tax"])
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner: Any = document
    for part in way:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


FIELDS = "information.fields"


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        ("information.threshold_bps", 10_001, "information.threshold_bps", "too_large"),
        ("information.threshold_bps", -1, "information.threshold_bps", "too_small"),
        ("information.threshold_bps", 0.5, "information.threshold_bps", "not_an_integer"),
        ("information.threshold_bps", ..., "information.threshold_bps", "required"),
        (f"{FIELDS}.0.weight", 0, f"{FIELDS}.0.weight", "too_small"),
        (f"{FIELDS}.0.weight", -3, f"{FIELDS}.0.weight", "too_small"),
        (f"{FIELDS}.1.field_id", "legal_representative", f"{FIELDS}.1.field_id", "named_twice"),
        (f"{FIELDS}.0.kind", "colour", f"{FIELDS}.0.kind", "not_allowed"),
        (f"{FIELDS}.0.min", 3, f"{FIELDS}.0.min", "not_of_kind"),
        (f"{FIELDS}.0.choices", ["a", "b"], f"{FIELDS}.0.choices", "not_of_kind"),
        (f"{FIELDS}.5.choices", ["a", "a"], f"{FIELDS}.5.choices", "named_twice"),
        (f"{FIELDS}.5.choices", ..., f"{FIELDS}.5.choices", "required"),
        (f"{FIELDS}.6.max", -1, f"{FIELDS}.6.min", "above"),
        (f"{FIELDS}.6.applies_if", {"field": "premise", "equals": "rented"}, f"{FIELDS}.6.applies_if", "no_such_field"),
        (f"{FIELDS}.6.applies_if", {"field": "premises", "equals": "let"}, f"{FIELDS}.6.applies_if", "no_such_field"),
        (f"{FIELDS}.6.applies_if.field", "monthly_rent", f"{FIELDS}.6.applies_if", "no_such_field"),
        (f"{FIELDS}.6.feature", "happiness", f"{FIELDS}.6.feature", "no_such_feature"),
        (f"{FIELDS}.0.feature", "revenue_12m_minor", f"{FIELDS}.0.feature", "not_of_kind"),
        (f"{FIELDS}.0.label.en", ..., f"{FIELDS}.0.label.en", "required"),
        ("documents", ["identity_card", "face", "bank_card"], f"{FIELDS}.0.document", "no_such_document"),
        ("documents", ["face", "face"], "documents", "named_twice"),
        ("documents", ["passport"], "documents.0", "not_allowed"),
        ("ranking.cost", 41, "ranking", "not_100_percent"),
        ("ranking.cost", -1, "ranking.cost", "too_small"),
        ("ranking.luck", 0, "ranking.luck", "unknown_field"),
        ("joint_lending.criteria", [], "joint_lending.criteria", "too_few"),
        ("joint_lending.criteria", ["rate", "rate"], "joint_lending.criteria", "named_twice"),
        ("joint_lending.basis", "nothing", "joint_lending.basis", "not_allowed"),
        ("joint_lending.match", ..., "joint_lending.match", "required"),
        ("valid_until", "2026-02-30", "valid_until", "not_a_date"),
        ("flow_id", "Tax", "flow_id", "wrong_form"),
        ("model_id", ..., "model_id", "required"),
        ("weights", {"age": 3}, "weights", "unknown_field"),
    ],
)  # fmt: skip
def test_a_contradiction_is_named(path: str, value: Any, field: str, code: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        validated(ADAPTER, changed(path, value))
    assert (field, code) in [(one.field, one.code) for one in refused.value.errors]
