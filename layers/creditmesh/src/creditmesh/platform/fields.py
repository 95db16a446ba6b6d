"""Validation of documents from outside: each fault by the path of its field, a code and a sentence.

Clients see neither pydantic's sentences and types nor its way of writing paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from creditmesh.kernel.errors import InvalidInput, said
from creditmesh.kernel.text import faults, shown

T = TypeVar("T")

_Rule = tuple[str, str, dict[str, str]]
_ITEMS = {"min_length": "min", "max_length": "max"}
_BOUNDS = {"ge": "min", "gt": "above", "le": "max", "lt": "below"}
_DATE: _Rule = ("not_a_date", "must be a date like 2026-11-30", {})
_INSTANT: _Rule = ("not_an_instant", "must be an instant like 2026-11-30T09:00:00Z", {})
_INTEGER: _Rule = ("not_an_integer", "must be an integer", {})
_BOOLEAN: _Rule = ("not_a_boolean", "must be true or false", {})
_OBJECT: _Rule = ("not_an_object", "must be an object", {})
_NUMBER: _Rule = ("not_a_number", "must be a number", {})
_RULES: dict[str, _Rule] = {
    "missing": ("required", "is required", {}),
    "extra_forbidden": ("unknown_field", "is not a known field", {}),
    "string_type": ("not_a_text", "must be a text", {}),
    "string_too_short": ("too_short", "must have at least {min} characters", _ITEMS),
    "string_too_long": ("too_long", "must have at most {max} characters", _ITEMS),
    "string_pattern_mismatch": ("wrong_form", "must match {pattern}", {"pattern": "pattern"}),
    "too_short": ("too_few", "must have at least {min} items", _ITEMS),
    "too_long": ("too_many", "must have at most {max} items", _ITEMS),
    "greater_than_equal": ("too_small", "must be at least {min}", _BOUNDS),
    "greater_than": ("too_small", "must be greater than {above}", _BOUNDS),
    "less_than_equal": ("too_large", "must be at most {max}", _BOUNDS),
    "less_than": ("too_large", "must be less than {below}", _BOUNDS),
    "int_type": _INTEGER, "int_parsing": _INTEGER, "int_from_float": _INTEGER, "int_parsing_size": _INTEGER,
    "bool_type": _BOOLEAN, "bool_parsing": _BOOLEAN,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": _NUMBER,
    "decimal_type": _NUMBER, "decimal_parsing": _NUMBER,
    "list_type": ("not_a_list", "must be a list", {}), "tuple_type": ("not_a_list", "must be a list", {}),
    "dict_type": _OBJECT, "model_type": _OBJECT, "model_attributes_type": _OBJECT, "mapping_type": _OBJECT,
    "date_type": _DATE, "date_parsing": _DATE, "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _INSTANT, "datetime_parsing": _INSTANT, "datetime_from_date_parsing": _INSTANT,
    "timezone_aware": _INSTANT,
    "union_tag_not_found": ("required", "is required", {}),
}  # fmt: skip
_ONE_OF = ("literal_error", "enum", "union_tag_invalid")
_OWN_KINDS = frozenset(get_args(ErrorType))
_QUOTED = re.compile("'([^']*)'")
_SUBJECT = "field"
"""Key in the context of a model's own error that names the field at fault."""


class FieldError(BaseModel):
    """A fault of one field."""

    field: str = Field(description="path of the field, like `data.approved_amount`")
    rule: str = Field(description="the rule it breaks, in English")
    code: str = Field(description="stable name of the rule")
    parameters: dict[str, JsonValue] = Field(default={}, description="what the rule's sentence names")


class InvalidFields(InvalidInput):
    """One or more fields break their rules."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.rule}" for error in errors), field=errors[0].field)
        self.errors = errors


def validated(adapter: TypeAdapter[T], document: Any, *, typed: bool = True) -> T:
    """Validate a document from outside.

    Args:
        document: the parsed JSON, or the query's parameters.
        typed: values have JSON's types: no text, float or boolean passes for an integer. A query has texts only.

    Raises:
        InvalidFields: names each field and rule.
    """
    if unfit := list(faults(document)):
        raise InvalidFields([_field(place.path, *place.fault) for place in unfit])
    try:
        # Strictness in pydantic's Python mode would refuse dates and enumerations as texts.
        return adapter.validate_json(json.dumps(document), strict=True) if typed else adapter.validate_python(document)
    except ValidationError as error:
        told = [_told(one, document) for one in error.errors(include_url=False, include_input=False)]
        raise InvalidFields(_without_repeats(told)) from None


def _told(error: ErrorDetails, document: Any) -> FieldError:
    kind, context = error["type"], dict(error.get("ctx", {}))
    path = _path(error["loc"], document, named=kind in ("missing", "extra_forbidden"))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path += (str(context["discriminator"]).strip("'"),)
    if kind in _ONE_OF:
        allowed = _QUOTED.findall(str(context.get("expected") or context.get("expected_tags")))
        return _field(path, "not_allowed", "must be one of {allowed}", {"allowed": allowed})
    if kind in _RULES:
        code, rule, names = _RULES[kind]
        return _field(path, code, rule, {names[name]: value for name, value in context.items() if name in names})
    if kind not in _OWN_KINDS:
        if subject := context.pop(_SUBJECT, None):
            path += (subject,)
        return _field(path, kind, error["msg"], context, formatted=True)
    return _field(path, InvalidInput.code, error["msg"].removeprefix("Value error, "), {}, formatted=True)


def _field(
    path: Sequence[str | int], code: str, rule: str, parameters: dict[str, Any], *, formatted: bool = False
) -> FieldError:
    sentence = rule if formatted else said(rule, parameters)
    field = ".".join(shown(str(part)) for part in path) or "body"
    return FieldError(field=field, rule=sentence, code=code, parameters=parameters)


def _path(loc: Sequence[str | int], document: Any, *, named: bool) -> tuple[str | int, ...]:
    """The path of a fault in the document, without the parts that pydantic adds for unions, validators and keys.

    Args:
        named: the last part names a field also where the document lacks it.
    """
    path: list[str | int] = []
    for place, part in enumerate(loc, 1):
        last = place == len(loc)
        if _has(document, part) and (last or isinstance(document[part], (dict, list))):
            path.append(part)
            document = document[part]
        elif named and last:
            path.append(part)
    return tuple(path)


def _has(document: Any, part: str | int) -> bool:
    if isinstance(document, list):
        return isinstance(part, int) and part < len(document)
    return isinstance(document, dict) and part in document


def _without_repeats(errors: Sequence[FieldError]) -> list[FieldError]:
    """One error for each field and rule: the members of a union may all break the same one."""
    return list({(one.field, one.rule): one for one in errors}.values())
