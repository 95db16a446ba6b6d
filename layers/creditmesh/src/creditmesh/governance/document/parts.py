"""Building blocks of the artefact's document: texts, numbers, references, rules of lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    ValidationInfo,
    WithJsonSchema,
)

from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.document import INT64_MAX, INT64_MIN, Node
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType, parse_condition
from creditmesh.risk.model import AMOUNT_CEILING_MINOR, BPS

MAX_POINTS = 10_000
CLOSED: dict[str, JsonValue] = {"additionalProperties": False}
"""For the schema of an object whose keys have a pattern."""


class Known(NamedTuple):
    """Names that other parts of a document refer to; the context of a validation."""

    types: Mapping[str, FeatureType]
    reasons: frozenset[str]


class Part(BaseModel):
    """A part of the document: closed, and strict about types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def types(info: ValidationInfo) -> Mapping[str, FeatureType]:
    return cast(Known, info.context).types


def must(holds: Callable[[Any], bool], rule: str) -> AfterValidator:
    """A validator for a rule."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ArtefactInvalid("", rule)
        return value

    return AfterValidator(check)


def distinct(name: str) -> AfterValidator:
    """Items of a list have different values of the attribute."""
    return must(lambda items: len({getattr(item, name) for item in items}) == len(items), f"must not repeat {name}")


def falling(name: str) -> AfterValidator:
    """A list is in descending order."""
    return must(
        lambda items: all(getattr(upper, name) > getattr(lower, name) for upper, lower in pairwise(items)),
        f"must go from the highest {name} down",
    )


def never_less_below(name: str) -> AfterValidator:
    """A default rate does not fall from the best scores to the worst."""
    return must(
        lambda items: all(getattr(upper, name) <= getattr(lower, name) for upper, lower in pairwise(items)),
        f"must have a {name} that does not fall with the score",
    )


def has(key: str) -> Discriminator:
    """Discriminates two kinds of object: «with» the key or «without»."""
    return Discriminator(lambda given: "with" if isinstance(given, dict) and key in given else "without")


def _known_feature(name: str, info: ValidationInfo) -> str:
    return Node(name, "").choice(types(info))


def _known_input(name: str, info: ValidationInfo) -> str:
    return Node(name, "").choice({*types(info), UNREAD})


def _known_reason(code: str, info: ValidationInfo) -> str:
    return Node(code, "").choice(sorted(cast(Known, info.context).reasons))


def _well_formed(value: Any, info: ValidationInfo) -> Any:
    parse_condition(Node(value, ""), types(info))
    return value


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
GradeName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,3}$")]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), must(_is_day, "must be a date, YYYY-MM-DD")]
Int64 = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
Score = Annotated[int, Field(ge=-(10**6), le=10**6)]
Points = Annotated[int, Field(ge=-MAX_POINTS, le=MAX_POINTS)]
Share = Annotated[int, Field(ge=0, le=BPS, description="basis points")]
Rate = Annotated[int, Field(ge=0, le=10 * BPS, description="basis points a year")]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_CEILING_MINOR)]
FeatureName = Annotated[Identifier, AfterValidator(_known_feature)]
InputName = Annotated[Identifier, AfterValidator(_known_input)]
"""A feature, or `unread`: the features that could not be read."""
ReasonCode = Annotated[Code, AfterValidator(_known_reason)]
Condition = Annotated[Any, AfterValidator(_well_formed), WithJsonSchema({"$dynamicRef": "#/$defs/Condition"})]


class Texts(Part):
    """A text in every language."""

    zh_cn: Words = Field(alias="zh-CN")
    en: Words
