"""The published JSON Schema: it takes what may be saved, and refuses all that a schema can say (S10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from creditmesh.risk.artefact import seal
from models.build_schema import schema
from tests.unit.governance.test_document_refusals import (
    CASES,
    CONDITIONS,
    HEAD,
    INDICES,
    MONEY,
    RULES,
    SCORECARD,
    SOUND,
    Spoil,
)
from tests.unit.risk.small_model import small

MODELS = Path(__file__).parents[3] / "models"
SCHEMA = json.loads((MODELS / "artefact.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BEYOND = (
    "must not repeat", "must not name a feature",
    "must compare two operands", "must order integers only", "must have a condition in every",
    "must have 4 items", "must pair two different", "must make at most", "must list ", "must have a pd_",
    "must have a grade for every", "must be between", "must have a fixed amount", "must have weights", "must be later",
    "must be of type", "must be a date", "must go ", "must have points", "must not be below", "must be absent unless",
)  # fmt: skip
"""Rules that look at two places at once, or at what stands elsewhere in the document: no schema's."""
ELSEWHERE = ("reason_code", ".var", "missing", ".feature", "greatest_of[0]", "no_such", "[1]", "[1][1]", "[0][0]",
             "[1][0]", "refer_below")  # fmt: skip
"""Names of features and reasons that must be known, literals of their feature's type, a line from the cutoff up."""
PARTS = {"head": HEAD, "rules": RULES, "conditions": CONDITIONS, "scorecard": SCORECARD, "money": MONEY,
         "index": INDICES, "tests": CASES}  # fmt: skip
SAYABLE = [
    pytest.param(spoil, id=f"{part}-{path}-{number}")
    for part, cases in PARTS.items()
    for number, (spoil, path, rule) in enumerate(cases)
    if not rule.startswith(BEYOND) and not path.endswith(ELSEWHERE)
]


@pytest.fixture
def document() -> dict[str, Any]:
    return dict(json.loads((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8")))


def test_it_is_a_schema_and_takes_the_shipped_model(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(document)


def test_it_takes_a_signature_and_a_document_of_every_part() -> None:
    signature = {"key_id": "k", "algorithm": "ECDSA_SHA_256", "value": "c2ln"}
    VALIDATOR.validate({**seal(small(**SOUND)), "signature": signature})
    assert not VALIDATOR.is_valid({**seal(small(**SOUND)), "signature": {**signature, "more": 1}})
    assert not VALIDATOR.is_valid({**seal(small(**SOUND)), "signature": None})


def test_it_is_what_its_builder_writes() -> None:
    assert schema() == SCHEMA


@pytest.mark.parametrize("spoil", SAYABLE)
def test_it_refuses_what_a_schema_can_say(spoil: Spoil) -> None:
    document = small(**SOUND)
    spoil(document)
    assert not VALIDATOR.is_valid(seal(document))


def test_most_rules_can_be_said() -> None:
    assert len(SAYABLE) >= 75


@pytest.mark.parametrize("value", [600.5, "600", None, True])
def test_it_refuses_what_is_no_integer(document: dict[str, Any], value: Any) -> None:
    document["scorecard"]["cutoff"] = value
    assert not VALIDATOR.is_valid(document)


def test_every_object_is_closed() -> None:
    """Wherever properties are named, others are refused."""

    def objects(value: Any) -> list[dict[str, Any]]:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        found = [one for part in inside for one in objects(part)]
        return [*found, value] if isinstance(value, dict) and value.get("type") == "object" else found

    assert all("additionalProperties" in one or "propertyNames" in one for one in objects(SCHEMA))
