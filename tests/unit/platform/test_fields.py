"""Faults of fields: the path in the document, a code, a sentence without pydantic's words."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.dates import Day
from creditmesh.kernel.text import LINE
from creditmesh.platform.fields import FieldError, InvalidFields, validated


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["dog"]
    name: str = Field(min_length=2, max_length=4, pattern="^[A-Z]")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Home(BaseModel):
    animals: list[Annotated[Dog | Cat, Field(discriminator="kind")]] = Field(min_length=1, max_length=2)
    since: Day
    note: Annotated[str, LINE] | None = None
    either: Dog | Annotated[list[int], Field(max_length=1)] | None = None
    shares: dict[str, Decimal] = {}
    at: Annotated[str, AfterValidator(lambda text: str(parse_instant(text)))] | None = None
    seen: datetime | None = None
    open: bool = True


HOME = TypeAdapter(Home)
DOG, CAT = {"kind": "dog", "name": "Rex"}, {"kind": "cat", "lives": 7}


def errors_of(**changed: Any) -> list[FieldError]:
    with pytest.raises(InvalidFields) as refused:
        validated(HOME, {"animals": [DOG, CAT], "since": "2026-11-30"} | changed)
    return refused.value.errors


@pytest.mark.parametrize(
    ("changed", "field", "code", "parameters"),
    [
        ({"animals": [CAT, {"kind": "cat", "lives": "many"}]}, "animals.1.lives", "not_an_integer", {}),
        ({"animals": [{"kind": "cat", "lives": 10}]}, "animals.0.lives", "too_large", {"max": 9}),
        ({"animals": [{"kind": "cat", "lives": 0}]}, "animals.0.lives", "too_small", {"min": 1}),
        ({"animals": [{"kind": "cow"}]}, "animals.0.kind", "not_allowed", {"allowed": ["dog", "cat"]}),
        ({"animals": [{}]}, "animals.0.kind", "required", {}),
        ({"animals": [{"kind": "dog"}]}, "animals.0.name", "required", {}),
        ({"animals": [DOG | {"dog": 1}]}, "animals.0.dog", "unknown_field", {}),
        ({"animals": [DOG | {"name": "R"}]}, "animals.0.name", "too_short", {"min": 2}),
        ({"animals": [DOG | {"name": "Rexxx"}]}, "animals.0.name", "too_long", {"max": 4}),
        ({"animals": [DOG | {"name": "rex"}]}, "animals.0.name", "wrong_form", {"pattern": "^[A-Z]"}),
        ({"animals": [DOG | {"name": 1}]}, "animals.0.name", "not_a_text", {}),
        ({"animals": []}, "animals", "too_few", {"min": 1}),
        ({"animals": [DOG, DOG, DOG]}, "animals", "too_many", {"max": 2}),
        ({"animals": {}}, "animals", "not_a_list", {}),
        ({"animals": [7]}, "animals.0", "not_an_object", {}),
        ({"since": "30.11.2026"}, "since", "not_a_date", {}),
        ({"since": "2026-11-31"}, "since", "not_a_date", {}),
        ({"since": 1764460800}, "since", "not_a_date", {}),
        ({"since": "2026-11-30T00:00:00Z"}, "since", "not_a_date", {}),
        ({"since": "0001-01-01"}, "since", "too_small", {"min": "1900-01-01"}),
        ({"note": "two\nlines"}, "note", "character_not_allowed", {"character": "U+000A"}),
        ({"either": {"kind": "dog"}}, "either.name", "required", {}),
        ({"shares": {"a": "x"}}, "shares.a", "not_a_number", {}),
        ({"at": "someday"}, "at", "invalid_input", {}),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at", "invalid_input", {}),
        ({"at": "2026-11-30T09:00:00"}, "at", "invalid_input", {}),
        ({"seen": "someday"}, "seen", "not_an_instant", {}),
        ({"open": "perhaps"}, "open", "not_a_boolean", {}),
        ({"x\ud800": 1}, "x\\ud800", "character_not_allowed", {"character": "U+D800"}),
        ({"shares": {"a": {"b\x00": 1}}}, "shares.a.b\\u0000", "character_not_allowed", {"character": "U+0000"}),
    ],
)
def test_a_fault_is_told_by_its_path_in_the_document(
    changed: dict[str, Any], field: str, code: str, parameters: dict[str, Any]
) -> None:
    told = errors_of(**changed)
    assert (field, code, parameters) in [(one.field, one.code, one.parameters) for one in told]
    for one in told:
        assert not re.search(
            "Input should|Value error|function|Dog|Cat|tag|pydantic|isoformat", f"{one.field} {one.rule}"
        )
        assert all(str(value) in one.rule for value in one.parameters.values() if not isinstance(value, list))


def test_what_two_members_of_a_union_refuse_alike_is_told_once() -> None:
    told = [(one.field, one.code) for one in errors_of(either={"kind": "cow", "name": "Rex"})]
    assert len(told) == len(set(told))


def test_a_document_that_is_no_object_is_the_body() -> None:
    for document in ([], "text", 7, None, True):
        with pytest.raises(InvalidFields) as refused:
            validated(HOME, document)
        assert [(one.field, one.code) for one in refused.value.errors] == [("body", "not_an_object")]
