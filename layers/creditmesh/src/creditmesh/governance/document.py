"""The artefact's document: what it must be, checked when it is saved, and its published JSON Schema.

Those who decide by it read it as plain data (`creditmesh.risk.artefact.load`) and rely on its hash and signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from math import prod
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from creditmesh.risk.artefact import Artefact, load, read_axis
from creditmesh.risk.document import INT64_MAX, INT64_MIN, Node, parse_json
from creditmesh.risk.errors import ArtefactInvalid, FeatureInvalid
from creditmesh.risk.expression import COMPARISONS, MAX_ITEMS, FeatureType, parse_condition, parse_literal
from creditmesh.risk.model import (
    AMOUNT_CEILING_MINOR,
    BPS,
    MAX_DIMENSION_GRADE,
    MAX_FACTOR_BPS,
    Aspect,
    Outcome,
    Source,
    Unit,
)
from creditmesh.risk.result import RiskResult
from creditmesh.risk.values import typed_value

MAX_POINTS = 10_000
MAX_CELLS = 2_500
_CLOSED: dict[str, JsonValue] = {"additionalProperties": False}


class Known(NamedTuple):
    """What other parts of a document refer to."""

    types: Mapping[str, FeatureType]
    reasons: frozenset[str]


def _types(info: ValidationInfo) -> Mapping[str, FeatureType]:
    return cast(Known, info.context).types


def _feature(name: str, info: ValidationInfo) -> str:
    return Node(name, "").choice(_types(info))


def _integer_feature(name: str, info: ValidationInfo) -> str:
    return Node(name, "").choice([one for one, kind in _types(info).items() if kind == "integer"])


def _reason(code: str, info: ValidationInfo) -> str:
    return Node(code, "").choice(sorted(cast(Known, info.context).reasons))


def _condition(value: Any, info: ValidationInfo) -> Any:
    parse_condition(Node(value, ""), _types(info))
    return value


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ArtefactInvalid("", "is a date, YYYY-MM-DD") from None
    return text


def _distinct(name: str) -> AfterValidator:
    """No two items of a list have the same attribute."""

    def check(items: list[Any]) -> list[Any]:
        if len({getattr(item, name) for item in items}) != len(items):
            raise ArtefactInvalid("", f"repeats no {name}")
        return items

    return AfterValidator(check)


def _falling(name: str) -> AfterValidator:
    """A list goes from the highest down."""

    def check(items: list[Any]) -> list[Any]:
        if any(getattr(upper, name) <= getattr(lower, name) for upper, lower in pairwise(items)):
            raise ArtefactInvalid("", f"goes from the highest {name} down")
        return items

    return AfterValidator(check)


def _once(sets: list[list[Any]]) -> list[list[Any]]:
    values = [value for part in sets for value in part]
    if len(set(values)) != len(values):
        raise ArtefactInvalid("", "names no value twice")
    return sets


def _rising(bounds: list[int]) -> list[int]:
    if any(lower >= upper for lower, upper in pairwise(bounds)):
        raise ArtefactInvalid("", "lists rising bounds")
    return bounds


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
GradeName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,3}$")]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
Int64 = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
Score = Annotated[int, Field(ge=-(10**6), le=10**6)]
Points = Annotated[int, Field(ge=-MAX_POINTS, le=MAX_POINTS)]
Share = Annotated[int, Field(ge=0, le=BPS, description="basis points")]
Rate = Annotated[int, Field(ge=0, le=10 * BPS, description="basis points a year")]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_CEILING_MINOR)]
FeatureName = Annotated[Identifier, AfterValidator(_feature)]
ReasonCode = Annotated[Code, AfterValidator(_reason)]
Condition = Annotated[Any, AfterValidator(_condition), WithJsonSchema({"$dynamicRef": "#/$defs/Condition"})]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Texts(_Part):
    """A text in every language."""

    zh_cn: Words = Field(alias="zh-CN")
    en: Words


class Reason(Texts):
    """Why, in plain language, and the standard adverse-action code that it is reported under."""

    adverse_action: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_.-]{0,39}$")]


class Feature(_Part):
    """One input."""

    type: FeatureType
    unit: Unit
    source: Source
    label: Texts


class FeatureSchema(_Part):
    """All inputs."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]
    version: int = Field(ge=1, le=10_000)
    features: dict[Identifier, Feature] = Field(json_schema_extra=_CLOSED)


class Rule(_Part):
    """A rule over features; it has points if and only if its outcome is `adjust`."""

    id: Identifier
    stage: Literal["lists", "admission"]
    when: Condition
    if_unknown: Literal["fire", "pass"]
    outcome: Outcome
    points: Points = 0
    priority: int = Field(ge=0, le=1_000_000)
    aspect: Aspect
    effective_from: Day | None
    effective_until: Day | None = Field(description="exclusive")
    reason_code: ReasonCode
    label: Texts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.outcome == "adjust") != ("points" in self.model_fields_set):
            raise ArtefactInvalid("", "has points if and only if its outcome is adjust")
        if self.effective_from and self.effective_until and self.effective_from >= self.effective_until:
            raise ArtefactInvalid(".effective_until", "is later than effective_from")
        return self


class IntegerAxis(_Part):
    """An integer feature cut into intervals; specials lie in none of them."""

    feature: FeatureName
    bounds: Annotated[list[Int64], Field(max_length=200), AfterValidator(_rising)]
    specials: Annotated[
        list[Annotated[list[Int64], Field(min_length=1, max_length=500)]], Field(max_length=200), AfterValidator(_once)
    ]

    @model_validator(mode="after")
    def _is_integer(self, info: ValidationInfo) -> Self:
        if _types(info)[self.feature] != "integer":
            raise ArtefactInvalid("", "has groups: the feature is no integer")
        return self


class CategoryAxis(_Part):
    """A feature that is a string or true or false, in groups of its values."""

    feature: FeatureName
    groups: Annotated[
        list[Annotated[list[str | bool], Field(min_length=1, max_length=500)]],
        Field(min_length=1, max_length=200),
        AfterValidator(_once),
    ]

    @model_validator(mode="after")
    def _are_of_the_feature(self, info: ValidationInfo) -> Self:
        kind = _types(info)[self.feature]
        if kind == "integer":
            raise ArtefactInvalid("", "has bounds and specials: the feature is an integer")
        for place, group in enumerate(self.groups):
            for number, value in enumerate(group):
                parse_literal(Node(value, f".groups[{place}][{number}]"), kind)
        return self


def _has(key: str) -> Discriminator:
    """Which of two kinds of object it is: «with» the key or «without»."""
    return Discriminator(lambda given: "with" if isinstance(given, dict) and key in given else "without")


Axis = Annotated[Annotated[CategoryAxis, Tag("with")] | Annotated[IntegerAxis, Tag("without")], _has("groups")]


class Characteristic(_Part):
    """Points for the bins of one axis, or for the cells of two, row by row."""

    id: Identifier
    axes: list[Axis] = Field(min_length=1, max_length=2)
    points: list[Points]
    reason_code: ReasonCode
    evidence: Literal["observed", "simulated", "expert"]

    @model_validator(mode="after")
    def _has_points_for_each_cell(self, info: ValidationInfo) -> Self:
        if len({axis.feature for axis in self.axes}) != len(self.axes):
            raise ArtefactInvalid(".axes", "pairs two different features")
        cells = prod(read_axis(axis.model_dump(), _types(info)).size for axis in self.axes)
        if cells > MAX_CELLS:
            raise ArtefactInvalid(".axes", f"makes at most {MAX_CELLS} cells")
        if len(self.points) != cells:
            raise ArtefactInvalid(".points", f"has {cells} items, one for each cell")
        return self


Characteristics = Annotated[list[Characteristic], Field(min_length=1, max_length=200), _distinct("id")]


class Segment(_Part):
    """The scorecard of the firms that meet the condition; the last segment, without one, takes all others."""

    id: Identifier
    when: Condition | None
    base_points: Points
    characteristics: Characteristics


def _last_takes_the_rest(segments: list[Segment]) -> list[Segment]:
    if [segment.when is None for segment in segments] != [False] * (len(segments) - 1) + [True]:
        raise ArtefactInvalid("", "has a condition in every segment but the last")
    return segments


class Scale(_Part):
    """Of what the points were made: `base_score` at odds of `base_odds` to 1, `pdo` points doubling the odds."""

    base_score: int = Field(ge=1, le=100_000)
    base_odds: int = Field(ge=1, le=100_000)
    pdo: int = Field(ge=1, le=100_000)


class Scorecard(_Part):
    """Below the cutoff a firm is declined; from there up to `refer_below` a person looks at it."""

    cutoff: Points
    refer_below: Annotated[int, Field(le=10 * MAX_POINTS)] | None
    scale: Scale
    segments: Annotated[
        list[Segment], Field(min_length=1, max_length=20), _distinct("id"), AfterValidator(_last_takes_the_rest)
    ]

    @model_validator(mode="after")
    def _refers_above_the_cutoff(self) -> Self:
        if self.refer_below is not None and self.refer_below < self.cutoff:
            raise ArtefactInvalid(".refer_below", f"is not below the cutoff, {self.cutoff}")
        return self


class CalibrationStep(_Part):
    """The default rate of scores from `min_score` up, in parts per million."""

    min_score: Score
    pd_ppm: int = Field(ge=0, le=1_000_000)


class Grade(_Part):
    """Scores from `min_score` up: average default rate with its confidence band, margin, share of the limit."""

    grade: GradeName
    min_score: Score
    pd_bps: Share
    pd_low_bps: Share
    pd_high_bps: Share
    margin_bps: Rate
    limit_factor_bps: Share

    @model_validator(mode="after")
    def _lies_in_its_band(self) -> Self:
        if not self.pd_low_bps <= self.pd_bps <= self.pd_high_bps:
            raise ArtefactInvalid(".pd_bps", "lies within pd_low_bps and pd_high_bps")
        return self


def _never_better_below(name: str) -> AfterValidator:
    def check(items: list[Any]) -> list[Any]:
        if any(getattr(upper, name) > getattr(lower, name) for upper, lower in pairwise(items)):
            raise ArtefactInvalid("", f"has a {name} that does not fall with the score")
        return items

    return AfterValidator(check)


class Price(_Part):
    """Rate = funding + expected loss + cost + the grade's margin, within a legal cap."""

    funding_bps: Rate
    lgd_bps: Share
    cost_bps: Rate
    cap_bps: Rate
    above_cap: Literal["decline", "cap"]
    reason_code: ReasonCode


class LimitTerm(_Part):
    """A share of the greatest known of some features, which are integers."""

    greatest_of: list[Annotated[Identifier, AfterValidator(_integer_feature)]] = Field(min_length=1, max_length=5)
    factor_bps: int = Field(ge=-MAX_FACTOR_BPS, le=MAX_FACTOR_BPS)
    if_missing: Literal["skip", "zero", "ignore"]


class _LimitMethod(_Part):
    id: Identifier
    reason_code: ReasonCode
    label: Texts


class TermsMethod(_LimitMethod):
    """An upper bound of the limit: a sum of terms."""

    terms: list[LimitTerm] = Field(min_length=1, max_length=5)


class AmountMethod(_LimitMethod):
    """An upper bound of the limit: a fixed amount."""

    amount_minor: int = Field(ge=0, le=AMOUNT_CEILING_MINOR)


LimitMethod = Annotated[
    Annotated[AmountMethod, Tag("with")] | Annotated[TermsMethod, Tag("without")], _has("amount_minor")
]


def _bounded(methods: list[_LimitMethod]) -> list[_LimitMethod]:
    if not any(isinstance(method, AmountMethod) for method in methods):
        raise ArtefactInvalid("", "has a fixed amount, so that no limit is unbounded")
    return methods


class Limit(_Part):
    """Limit = least method × grade factor, down to a whole step; below the floor it is a decline."""

    methods: Annotated[list[LimitMethod], Field(min_length=2, max_length=20), _distinct("id"), AfterValidator(_bounded)]
    step_minor: Amount
    floor_minor: Amount
    reason_code: ReasonCode


class Dimension(_Part):
    """One dimension of the risk index."""

    id: Identifier
    label: Texts
    weight_bps: Share
    base: int = Field(ge=0, le=MAX_DIMENSION_GRADE)
    characteristics: Characteristics


class IndexGrade(_Part):
    """Indices from `min_index` up, and what follows from them."""

    grade: GradeName
    min_index: Share
    outcome: Literal["pass", "refer", "stop"]


def _whole(dimensions: list[Dimension]) -> list[Dimension]:
    if sum(dimension.weight_bps for dimension in dimensions) != BPS:
        raise ArtefactInvalid("", f"has weights that add up to {BPS}")
    return dimensions


def _down_to_nought(grades: list[IndexGrade]) -> list[IndexGrade]:
    if grades[-1].min_index > 0:
        raise ArtefactInvalid("", "goes down to a min_index of 0")
    return grades


class RiskIndex(_Part):
    """The sum of the dimensions' grades, each by its weight."""

    dimensions: Annotated[list[Dimension], Field(min_length=1, max_length=20), _distinct("id"), AfterValidator(_whole)]
    grades: Annotated[
        list[IndexGrade], Field(min_length=1, max_length=26), _distinct("grade"), _falling("min_index"),
        AfterValidator(_down_to_nought),
    ]  # fmt: skip
    reason_code: ReasonCode


class TestCase(_Part):
    """A firm whose result is known beforehand; tried before the model is released."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    on: Day
    features: dict[FeatureName, int | str | bool | None] = Field(json_schema_extra=_CLOSED)
    expect: dict[Literal[*RiskResult.__dataclass_fields__], JsonValue] = Field(  # type: ignore[valid-type]
        min_length=1, description="fields of the result, each as it must be"
    )

    @model_validator(mode="after")
    def _has_features_of_their_types(self, info: ValidationInfo) -> Self:
        for name, value in self.features.items():
            try:
                typed_value(name, _types(info)[name], value)
            except FeatureInvalid as error:
                raise ArtefactInvalid(f".features.{name}", error.rule) from None
        return self


class Signature(_Part):
    """Of the content hash."""

    key_id: Words
    algorithm: Words
    value: Words = Field(description="base64")


class _Named(_Part):
    """What the other parts refer to."""

    feature_schema: FeatureSchema
    reasons: dict[Code, Reason] = Field(json_schema_extra=_CLOSED)


class ArtefactDocument(_Named):
    """A decision model, format 2. All numbers are integers; what a schema cannot say is checked when it is saved."""

    format_version: Literal[2]
    model_id: Identifier
    version: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$")]
    content_hash: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")] = Field(
        description="over the canonical JSON of all but hash and signature: UTF-8, sorted keys, no white space"
    )
    signature: Signature = Field(default=None)  # type: ignore[assignment]  # absent, never null
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(description="ISO 4217")
    rules: Annotated[list[Rule], Field(max_length=500), _distinct("id")]
    tests: Annotated[list[TestCase], Field(max_length=1_000), _distinct("name")]
    scorecard: Scorecard
    calibration: Annotated[
        list[CalibrationStep], Field(min_length=1, max_length=2_000), _falling("min_score"),
        _never_better_below("pd_ppm"),
    ]  # fmt: skip
    grades: Annotated[
        list[Grade], Field(min_length=1, max_length=26), _distinct("grade"), _falling("min_score"),
        _never_better_below("pd_bps"),
    ]  # fmt: skip
    price: Price
    limit: Limit
    risk_index: RiskIndex | None
    max_reasons: int = Field(ge=1, le=10)
    missing_reason_code: ReasonCode

    @model_validator(mode="after")
    def _grades_what_it_lends(self) -> Self:
        if self.grades[-1].min_score > self.scorecard.cutoff:
            raise ArtefactInvalid(".grades", "has a grade for every score from the cutoff up")
        return self


def checked(document: Mapping[str, Any]) -> Artefact:
    """The model of a sealed document in which every rule of the format holds.

    Raises:
        ArtefactInvalid: with the place and the rule that is broken.
    """
    text = json.dumps(document, ensure_ascii=False)
    content = parse_json(text)
    if isinstance(content, dict) and content.get("format_version", 2) != 2:  # one of another format has other parts
        raise ArtefactInvalid("$.format_version", "is 2")
    try:
        named = _Named.model_validate({name: content[name] for name in _Named.model_fields if name in content})
        types = {name: feature.type for name, feature in named.feature_schema.features.items()}
        ArtefactDocument.model_validate(content, context=Known(types, frozenset(named.reasons)))
    except ValidationError as error:
        raise _refusal(error.errors()[0], content) from None
    return load(text)


def _refusal(error: ErrorDetails, content: Any) -> ArtefactInvalid:
    """The first error, in the words of the format."""
    path, place, last = "$", content, error["loc"][-1] if error["loc"] else ""
    for key in error["loc"]:
        # Some steps are not in the document: tags of unions, `[key]`.
        if isinstance(key, int) and isinstance(place, list):
            path, place = f"{path}[{key}]", place[key]
        elif isinstance(place, dict) and key in place:
            path, place = f"{path}.{key}", place[key]
    match error["type"]:
        case "missing":
            return ArtefactInvalid(path, f"has the key {last!r}")
        case "extra_forbidden":
            return ArtefactInvalid(path.removesuffix(f".{last}"), f"has no key {last!r}")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ArtefactInvalid):
        return ArtefactInvalid(path + cause.path, cause.rule)
    return ArtefactInvalid(path, error["msg"])


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which would say the names again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The published JSON Schema of an artefact."""
    # pydantic takes no reference that it did not make itself
    document = json.loads(
        json.dumps(ArtefactDocument.model_json_schema(schema_generator=_Untitled)).replace("$dynamicRef", "$ref")
    )
    document["$defs"]["Condition"] = _condition_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _condition_schema() -> dict[str, Any]:
    """The grammar of `creditmesh.risk.expression`, but for its types and known features."""
    feature = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}
    literal = {"type": ["integer", "string", "boolean"], "maxLength": 200, "minimum": INT64_MIN, "maximum": INT64_MAX}
    variable = {
        "type": "object", "properties": {"var": feature}, "required": ["var"], "additionalProperties": False,
    }  # fmt: skip
    operand = {"anyOf": [literal, variable]}
    condition = {"$ref": "#/$defs/Condition"}

    def some(items: Mapping[str, Any], most: int = MAX_ITEMS) -> dict[str, Any]:
        return {"type": "array", "items": items, "minItems": 1, "maxItems": most}

    def two(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "array", "prefixItems": [first, second], "items": False, "minItems": 2}

    negation = {"anyOf": [condition, some(condition, 1)]}
    operators = {
        **dict.fromkeys(COMPARISONS, two(operand, operand)),
        "in": two(operand, some(literal)),
        "missing": {"anyOf": [feature, some(feature)]},
        "and": some(condition), "or": some(condition), "!": negation, "not": negation,
    }  # fmt: skip
    return {
        "description": "one operator; true, false or unknown", "type": "object", "properties": operators,
        "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
    }  # fmt: skip
