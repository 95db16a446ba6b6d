"""The loan flow as a document: switches and lists on the one origination process.

A flow names a model, never weights of risk dimensions: these belong to the artefact, which two persons sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from creditmesh.features.table import FEATURES
from creditmesh.intake.model import Identifier, Ranking
from creditmesh.kernel.dates import Day
from creditmesh.kernel.text import LINE

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=80), LINE]
DocumentKind = Literal["identity_card", "bank_card", "business_licence", "face"]
Criterion = Literal["capacity", "term", "grade", "rate"]
_TYPES = {feature.name: feature.type for feature in FEATURES}
_FITS = {
    "integer": ("integer", "amount"),
    "string": ("text", "choice", "date"),
    "boolean": ("boolean",),
}
"""Type of a feature -> kinds of fields that it takes."""


def _once(values: Sequence[Any]) -> Sequence[Any]:
    if twice := next((value for number, value in enumerate(values) if value in values[:number]), None):
        raise PydanticCustomError("named_twice", "must not name {name} twice", {"name": twice})
    return values


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Words(_Part):
    """A text in the platform's languages."""

    chinese: Line = Field(alias="zh-CN")
    english: Line = Field(alias="en")


class AppliesIf(_Part):
    """The field is asked only where an earlier one has this answer."""

    field: Name
    equals: bool | Line


class AskedField(_Part):
    """A field of the information page."""

    field_id: Name
    kind: Literal[
        "text", "integer", "amount", "date", "boolean", "choice", "phone", "person_id", "taxpayer_id", "bank_account"
    ]
    label: Words
    weight: int = Field(default=1, ge=1, le=1000, strict=True, description="in the missing degree")
    min: int | None = Field(default=None, strict=True, description="of an integer; of an amount in minor units")
    max: int | None = Field(default=None, strict=True)
    max_length: int | None = Field(default=None, ge=1, le=2000, strict=True, description="of a text")
    choices: Annotated[list[Line], Field(min_length=2, max_length=100), AfterValidator(_once)] | None = None
    applies_if: AppliesIf | None = Field(default=None, description="a field that does not apply counts nowhere")
    document: DocumentKind | None = Field(default=None, description="from which it is read")
    feature: Name | None = Field(default=None, description="key data that it becomes, as the borrower's statement")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, kinds in (("min", ("integer", "amount")), ("max", ("integer", "amount")), ("max_length", ("text",))):
            if getattr(self, name) is not None and self.kind not in kinds:
                raise _fault("not_of_kind", "is not for fields of kind {kind}", name, kind=self.kind)
        if (self.choices is None) == (self.kind == "choice"):
            rule = "is required" if self.choices is None else "is not for fields of kind {kind}"
            raise _fault("required" if self.choices is None else "not_of_kind", rule, "choices", kind=self.kind)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise _fault("above", "lies above {other}", "min", other="max")
        if self.feature is not None:
            self._becomes(self.feature)
        return self

    def _becomes(self, feature: str) -> None:
        if feature not in _TYPES:
            raise _fault("no_such_feature", "must be key data", "feature")
        if self.kind not in _FITS[_TYPES[feature]]:
            raise _fault("not_of_kind", "is not for fields of kind {kind}", "feature", kind=self.kind)


class Information(_Part):
    """What the borrower is asked, and how much of it may be missing."""

    threshold_bps: int = Field(
        ge=0,
        le=10_000,
        strict=True,
        description="highest missing degree that passes: the missing fields' share of all weights",
    )  # fmt: skip
    fields: list[AskedField] = Field(max_length=100)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        earlier: dict[str, AskedField] = {}
        for number, field in enumerate(self.fields):
            if field.field_id in earlier:
                raise _fault(
                    "named_twice", "must not name {name} twice", f"fields.{number}.field_id", name=field.field_id
                )
            if field.applies_if and not _can_be(field.applies_if, earlier.get(field.applies_if.field)):
                raise _fault(
                    "no_such_field", "must be an earlier field, boolean or a choice, and one of its answers",
                    f"fields.{number}.applies_if",
                )  # fmt: skip
            earlier[field.field_id] = field
        return self


class PartnerSearch(_Part):
    """How partners for a joint loan are found."""

    basis: Literal["expectations", "lender", "both"] = Field(
        description="the borrower's expectations, the first lender's information, or both"
    )
    criteria: Annotated[list[Criterion], Field(min_length=1), AfterValidator(_once)]
    match: Literal["all", "any"] = Field(description="how many of the criteria a partner must meet")


class LoanFlow(_Part):
    """One version of a loan flow."""

    flow_id: Identifier
    name: Words
    model_id: Identifier
    collection_plan: Identifier
    ranking: Ranking
    information: Information
    documents: Annotated[list[DocumentKind], AfterValidator(_once)] = []
    joint_lending: PartnerSearch | None = Field(default=None, description="null: not in this flow")
    valid_until: Day | None = Field(default=None, description="last business date of the flow")

    @model_validator(mode="after")
    def _asks_for_documents(self) -> Self:
        for number, field in enumerate(self.information.fields):
            if field.document is not None and field.document not in self.documents:
                raise _fault(
                    "no_such_document", "must be one of the flow's documents", f"information.fields.{number}.document"
                )
        return self

    def is_in_force(self, today: date) -> bool:
        return self.valid_until is None or today <= self.valid_until

    def document(self) -> dict[str, Any]:
        """It as stored, with every default written out, so that changed defaults do not change earlier versions."""
        return self.model_dump(mode="json", by_alias=True)


def _can_be(condition: AppliesIf, field: AskedField | None) -> bool:
    if field is None:
        return False
    if field.kind == "boolean":
        return isinstance(condition.equals, bool)
    return field.kind == "choice" and condition.equals in (field.choices or ())


def _fault(code: str, rule: str, field: str, **parameters: str) -> PydanticCustomError:
    return PydanticCustomError(code, rule, {"field": field, **parameters})
