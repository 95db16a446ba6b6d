"""The assessment report as the API gives it; its parts are those of `creditmesh.risk.report`."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Out
from creditmesh.decisions.referral import Referral
from creditmesh.gateway.channels.reasons import CallReasonCode
from creditmesh.kernel.errors import Parameter
from creditmesh.risk.result import Stage, Verdict

Words = dict[str, str]
"""A text by language."""
FeatureValue = int | str | bool | None


class Requested(Out):
    """What the firm asked for."""

    amount: str
    currency: str
    term_months: int


class PointsShare(Out):
    """One characteristic's share of the score."""

    characteristic: str
    bin: str
    points: int
    lost: int = Field(description="points below its best bin")


class PointsLine(PointsShare):
    """The same in words."""

    label: Words
    value: Words
    bin_text: Words
    best_points: int
    evidence: str
    reason: Words


class LimitSteps(Out):
    """The steps of the limit's formula, in minor units."""

    methods: dict[str, int | None]
    binding_method: str
    least_minor: int
    grade_factor_bps: int
    factored_minor: int
    step_minor: int
    rounded_minor: int
    floor_minor: int


class IndexResult(Out):
    """The risk index in hundredths, and each dimension's grade."""

    index: int
    grade: str
    dimensions: dict[str, int]


class ReportResult(Out):
    """The result of the evaluation; what later stages would have set is null or empty."""

    decision: Verdict
    stage: Stage = Field(description="where the evaluation ended")
    fired_rules: list[str]
    unread_rules: list[str] = Field(default=[], description="rules that refer since a source could not be read")
    segment: str | None
    adjustment: int | None
    score: int | None
    pd_ppm: int | None
    points: list[PointsShare]
    grade: str | None
    pd_bps: int | None
    annual_rate_bps: int | None
    limit_minor: int | None
    limit_steps: LimitSteps | None
    risk_index: IndexResult | None
    reasons: list[str]
    price_reasons: list[str]
    model_id: str
    model_version: str
    model_hash: str


class ReasonParameters(Out):
    """Features that were unknown."""

    features: list[str]
    sources: list[str] = Field(description="kinds of sources that were asked for them and could not be read")


class ReportReason(Out):
    """A reason of the decision or of the grade."""

    code: str
    text: Words
    adverse_action: str = Field(description="standard code of adverse-action notices")
    parameters: ReasonParameters | None = Field(
        default=None, description="what was unknown; null for reasons that rest on known values"
    )


class SeenValue(Out):
    """A feature with the value that a rule has seen."""

    feature: str
    label: Words
    value: Words


class FiredRule(Out):
    """A rule that fired or that a source left open, with the values that it saw."""

    id: str
    outcome: str
    points: int | None
    aspect: str
    sources: list[str]
    reason_code: str
    text: Words
    condition: Words
    unknown: bool = Field(description="a value is unknown, so the condition is neither true nor false")
    values: list[SeenValue]


class LimitMethod(Out):
    """A method of the limit; null without data."""

    id: str
    label: Words
    value_minor: int | None
    binding: bool
    unknown: list[str] = Field(default=[], description="unknown features for which it is zero or left out")


class PriceSteps(Out):
    """The steps to the rate, in basis points a year."""

    funding_bps: int
    expected_loss_bps: int
    cost_bps: int
    margin_bps: int
    uncapped_bps: int
    cap_bps: int
    annual_rate_bps: int
    refused: bool
    pd_bps: int
    pd_low_bps: int
    pd_high_bps: int
    lgd_bps: int


class IndexDimension(Out):
    """A dimension of the risk index."""

    id: str
    label: Words
    weight_bps: int
    grade: int


class RiskIndex(Out):
    """The risk index with its dimensions."""

    index: int
    grade: str
    dimensions: list[IndexDimension]


class Finding(Out):
    """What is wrong with a feature."""

    feature: str
    label: Words
    finding: str


class ReportSource(Out):
    """A source that was asked, and how it answered."""

    source: str
    channel: str
    channel_version: int
    outcome: str
    reason: str | None
    code: CallReasonCode | None = Field(
        default=None, description="of the reason; null without one, and in older reports"
    )
    parameters: dict[str, Parameter] = Field(default={}, description="what the reason names")
    missing: list[str]
    cached: bool
    fetched_at: str | None
    sha256: str | None


class Versions(Out):
    """Which model and engine decided, on which form of the key data."""

    model_id: str
    model_version: str
    model_hash: str
    feature_schema: str
    engine: str


class Report(Out):
    """The assessment report."""

    report_version: int
    application_id: str
    firm_name: str
    decided_at: str
    rules_of: str = Field(description="the day whose rules decided")
    requested: Requested
    currency: str
    decision: Verdict = Field(description="the model's, or `refer` where the platform refers what it approves")
    result: ReportResult
    cutoff: int
    base_points: int | None
    points: list[PointsLine]
    reasons: list[ReportReason]
    price_reasons: list[ReportReason]
    fired_rules: list[FiredRule]
    unread_rules: list[FiredRule] = Field(default=[], description="rules that refer since a source could not be read")
    limit_methods: list[LimitMethod]
    price: PriceSteps | None
    risk_index: RiskIndex | None
    features: dict[str, FeatureValue]
    quality: list[Finding]
    sources: list[ReportSource]
    versions: Versions
    referral: Referral | None = Field(
        description="what a person decided on a firm that the model referred; null if it referred nothing"
    )
