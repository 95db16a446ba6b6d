"""What an artefact's document says besides the scorecard: rules, grades, price, limit, risk index, test cases."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, Tag, ValidationInfo, model_validator

from creditmesh.governance.document.parts import (
    CLOSED,
    Amount,
    Condition,
    Day,
    GradeName,
    Identifier,
    InputName,
    Part,
    Points,
    Rate,
    ReasonCode,
    Score,
    Share,
    Texts,
    distinct,
    falling,
    has,
    must,
    types,
)
from creditmesh.governance.document.scorecard import Characteristics
from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.document import Node
from creditmesh.risk.errors import ArtefactInvalid, FeatureInvalid
from creditmesh.risk.model import (
    AMOUNT_CEILING_MINOR,
    BPS,
    MAX_DIMENSION_GRADE,
    MAX_FACTOR_BPS,
    Aspect,
    IfUnread,
    Outcome,
)
from creditmesh.risk.result import RiskResult
from creditmesh.risk.values import typed_value

_BOUNDED = must(
    lambda methods: any(isinstance(method, AmountMethod) for method in methods),
    "must have a fixed amount, so that no limit is unbounded",
)
_WHOLE = must(lambda parts: sum(part.weight_bps for part in parts) == BPS, f"must have weights that add up to {BPS}")
_DOWN_TO_NOUGHT = must(lambda grades: grades[-1].min_index == 0, "must go down to a min_index of 0")


class Rule(Part):
    """A rule over features; it has points if and only if its outcome is `adjust`."""

    id: Identifier
    stage: Literal["lists", "admission"]
    when: Condition
    if_unknown: Literal["fire", "pass"]
    if_unread: IfUnread = Field(default="refer", description="if undecided because a source could not be read")
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
            raise ArtefactInvalid("", "must have points if and only if its outcome is adjust")
        if "if_unread" in self.model_fields_set and self.outcome not in ("stop", "refer"):
            raise ArtefactInvalid(".if_unread", "must be absent unless the outcome is stop or refer")
        if self.effective_from and self.effective_until and self.effective_from >= self.effective_until:
            raise ArtefactInvalid(".effective_until", "must be later than effective_from")
        return self


class Grade(Part):
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
            raise ArtefactInvalid(".pd_bps", "must be between pd_low_bps and pd_high_bps")
        return self


class Price(Part):
    """Rate = funding + expected loss + cost + the grade's margin, within a legal cap."""

    funding_bps: Rate
    lgd_bps: Share
    cost_bps: Rate
    cap_bps: Rate
    above_cap: Literal["decline", "cap"]
    reason_code: ReasonCode


def _integer(name: str, info: ValidationInfo) -> str:
    return Node(name, "").choice([one for one, kind in types(info).items() if kind == "integer"])


class LimitTerm(Part):
    """A share of the greatest known of some features, which are integers."""

    greatest_of: list[Annotated[Identifier, AfterValidator(_integer)]] = Field(min_length=1, max_length=5)
    factor_bps: int = Field(ge=-MAX_FACTOR_BPS, le=MAX_FACTOR_BPS)
    if_missing: Literal["skip", "zero", "ignore"]


class _LimitMethod(Part):
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
    Annotated[AmountMethod, Tag("with")] | Annotated[TermsMethod, Tag("without")], has("amount_minor")
]


class Limit(Part):
    """Limit = least method × grade factor, down to a whole step; below the floor it is a decline."""

    methods: Annotated[list[LimitMethod], Field(min_length=2, max_length=20), distinct("id"), _BOUNDED]
    step_minor: Amount
    floor_minor: Amount
    reason_code: ReasonCode


class Dimension(Part):
    """One dimension of the risk index."""

    id: Identifier
    label: Texts
    weight_bps: Share
    base: int = Field(ge=0, le=MAX_DIMENSION_GRADE)
    characteristics: Characteristics


class IndexGrade(Part):
    """Indices from `min_index` up, and what follows from them."""

    grade: GradeName
    min_index: Share
    outcome: Literal["pass", "refer", "stop"]


class RiskIndex(Part):
    """The sum of the dimensions' grades, each by its weight."""

    dimensions: Annotated[
        list[Dimension],
        Field(min_length=1, max_length=20),
        distinct("id"),
        _WHOLE,
    ]
    grades: Annotated[
        list[IndexGrade], Field(min_length=1, max_length=26), distinct("grade"), falling("min_index"),
        _DOWN_TO_NOUGHT,
    ]  # fmt: skip
    reason_code: ReasonCode


class TestCase(Part):
    """A firm whose result is known beforehand; tried before the model is released."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    on: Day
    features: dict[InputName, int | str | bool | None] = Field(json_schema_extra=CLOSED)
    expect: dict[Literal[*RiskResult.__dataclass_fields__], JsonValue] = Field(  # type: ignore[valid-type]
        min_length=1, description="fields of the result, each as it must be"
    )

    @model_validator(mode="after")
    def _has_features_of_their_types(self, info: ValidationInfo) -> Self:
        for name, value in self.features.items():
            try:
                typed_value(name, "string" if name == UNREAD else types(info)[name], value)
            except FeatureInvalid as error:
                raise ArtefactInvalid(f".features.{name}", error.rule) from None
        return self
