"""The artefact's document, validated when it is saved.

Engines read it as plain data (`creditmesh.risk.artefact.load`) and rely on its hash and signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from creditmesh.governance.document.parts import (
    CLOSED,
    Code,
    Identifier,
    Known,
    Part,
    ReasonCode,
    Texts,
    Words,
    distinct,
    falling,
    must,
    never_less_below,
)
from creditmesh.governance.document.policy import Grade, Limit, Price, RiskIndex, Rule, TestCase
from creditmesh.governance.document.scorecard import CalibrationStep, Scorecard
from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.document import parse_json
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType
from creditmesh.risk.model import Source, Unit


class Reason(Texts):
    """Why, in plain language, and the standard adverse-action code that it is reported under."""

    adverse_action: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_.-]{0,39}$")]


class Feature(Part):
    """One input."""

    type: FeatureType
    unit: Unit
    source: Source
    label: Texts


class FeatureSchema(Part):
    """All inputs."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]
    version: int = Field(ge=1, le=10_000)
    features: Annotated[
        dict[Identifier, Feature], must(lambda features: UNREAD not in features, "must not name a feature 'unread'")
    ] = Field(json_schema_extra=CLOSED)


class Signature(Part):
    """Of the content hash."""

    key_id: Words
    algorithm: Words
    value: Words = Field(description="base64")


class _Named(Part):
    """What the other parts refer to."""

    feature_schema: FeatureSchema
    reasons: dict[Code, Reason] = Field(json_schema_extra=CLOSED)


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
    rules: Annotated[list[Rule], Field(max_length=500), distinct("id")]
    tests: Annotated[list[TestCase], Field(max_length=1_000), distinct("name")]
    scorecard: Scorecard
    calibration: Annotated[
        list[CalibrationStep], Field(min_length=1, max_length=2_000), falling("min_score"),
        never_less_below("pd_ppm"),
    ]  # fmt: skip
    grades: Annotated[
        list[Grade], Field(min_length=1, max_length=26), distinct("grade"), falling("min_score"),
        never_less_below("pd_bps"),
    ]  # fmt: skip
    price: Price
    limit: Limit
    risk_index: RiskIndex | None
    max_reasons: int = Field(ge=1, le=10)
    missing_reason_code: ReasonCode

    @model_validator(mode="after")
    def _grades_what_it_lends(self) -> Self:
        if self.grades[-1].min_score > self.scorecard.cutoff:
            raise ArtefactInvalid(".grades", "must have a grade for every score from the cutoff up")
        return self


def checked(document: Mapping[str, Any]) -> Artefact:
    """Validate a sealed document; returns its model.

    Raises:
        ArtefactInvalid: names path and rule.
    """
    text = json.dumps(document, ensure_ascii=False)
    content = parse_json(text)
    if content.get("format_version", 2) != 2:  # other formats have other parts
        raise ArtefactInvalid("$.format_version", "must be 2")
    try:
        named = _Named.model_validate({name: content[name] for name in _Named.model_fields if name in content})
        types = {name: feature.type for name, feature in named.feature_schema.features.items()}
        ArtefactDocument.model_validate(content, context=Known(types, frozenset(named.reasons)))
    except ValidationError as error:
        raise _refusal(error.errors()[0], content) from None
    return load(text)


def _refusal(error: ErrorDetails, content: Any) -> ArtefactInvalid:
    """The first error, as a rule of the format."""
    path, place, last = "$", content, error["loc"][-1] if error["loc"] else ""
    for key in error["loc"]:
        # Some path elements are not in the document: tags of unions, `[key]`.
        if isinstance(key, int) and isinstance(place, list):
            path, place = f"{path}[{key}]", place[key]
        elif isinstance(place, dict) and key in place:
            path, place = f"{path}.{key}", place[key]
    match error["type"]:
        case "missing":
            return ArtefactInvalid(path, f"must have the key {last!r}")
        case "extra_forbidden":
            return ArtefactInvalid(path.removesuffix(f".{last}"), f"must not have the key {last!r}")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ArtefactInvalid):
        return ArtefactInvalid(path + cause.path, cause.rule)
    return ArtefactInvalid(path, error["msg"])
