"""A lender's product: amounts and terms, price, fees, and whom it is for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from creditmesh.features.table import FEATURES
from creditmesh.kernel.dates import Day
from creditmesh.kernel.day_counts import DayCount
from creditmesh.kernel.errors import Conflict, DomainError, Forbidden
from creditmesh.kernel.money import Money
from creditmesh.kernel.text import LINE, NAME
from creditmesh.offers.schedule import Method
from creditmesh.risk.document import Node
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import Condition, parse_condition

GRADES = ("AAA", "AA", "A", "B", "C", "D", "E")
"""Risk grades from best to worst; an artefact's grade table uses a subset."""

Grade = Literal["AAA", "AA", "A", "B", "C", "D", "E"]
Rate = Annotated[int, Field(ge=0, le=3600, strict=True, description="basis points a year; at most 36 %")]
Share = Annotated[int, Field(ge=1, le=2000, strict=True, description="basis points of the amount")]
Amount = Annotated[str, Field(max_length=20, examples=["50000.00"])]
Months = Annotated[int, Field(ge=1, le=360, strict=True)]
Part = Annotated[int, Field(ge=1, le=100, strict=True, description="whole parts of a share")]
_TYPES = {feature.name: feature.type for feature in FEATURES}
_Code = Annotated[str, Field(min_length=1, max_length=40), LINE]


class NothingMatches(DomainError):
    """No product fits the application."""

    code = "no_match"


class NotALender(Forbidden):
    """The caller's tenant is not a lender in the directory of institutions."""

    code = "not_a_lender"


class NotProposed(Conflict):
    """What is to be decided does not wait for a decision: it was decided, replaced, or its time has run out."""

    code = "not_proposed"


def _about(field: str, other: str) -> dict[str, str]:
    return {"field": field, "other": other}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FixedPrice(_Part):
    """One rate for all."""

    type: Literal["fixed"]
    annual_rate_bps: Rate


class GradedPrice(_Part):
    """A rate for each risk grade; grades without one are not lent to."""

    type: Literal["by_grade"]
    annual_rates_bps: dict[Grade, Rate] = Field(min_length=1)


class RiskBasedPrice(_Part):
    """The model's price of the firm's risk and a margin, within bounds."""

    type: Literal["risk_based"]
    margin_bps: int = Field(ge=-2000, le=2000, strict=True)
    floor_bps: Rate
    cap_bps: Rate

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.floor_bps > self.cap_bps:
            raise PydanticCustomError("above", "lies above {other}", _about("floor_bps", "cap_bps"))
        return self


Price = Annotated[FixedPrice | GradedPrice | RiskBasedPrice, Field(discriminator="type")]


class Fee(_Part):
    """A fee, flat or as a share of the amount."""

    code: str = Field(pattern="^[a-z][a-z0-9_]{1,39}$")
    charged: Literal["deducted", "at_payout", "prepayment", "late"] = Field(
        description="deducted from the payout, paid with it, on early repayment, or when an instalment is late"
    )
    amount: Amount | None = None
    share_bps: Share | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.amount is None) == (self.share_bps is None):
            raise PydanticCustomError("not_one", "needs either amount or share_bps")
        return self

    def minor(self, principal: int, currency: str) -> int:
        """The fee for a loan, in minor units, half to even."""
        if self.amount is not None:
            return Money.parse(self.amount, currency).minor
        return round(Fraction(principal * (self.share_bps or 0), 10_000))


class Eligibility(_Part):
    """A condition over key data that a firm must meet; an unknown value is a reason of its own."""

    code: str = Field(pattern="^[a-z][a-z0-9_]{1,39}$")
    when: Annotated[dict[str, Any], AfterValidator(lambda written: _checked(written))]
    text: Annotated[str, Field(min_length=2, max_length=200), LINE]

    def condition(self) -> Condition:
        return parse_condition(Node(self.when), _TYPES)


class JointLending(_Part):
    """How the lender shares a joint loan with its bank, and when it may ask for partners although it could lend alone.

    Its part of a share is company / (company + bank): 3 and 7 lend 30 % and 70 %.
    """

    company: Part
    bank: Part
    loans_from: int | None = Field(
        default=None, ge=1, le=1000, strict=True, description="from so many loans of the borrower that run here"
    )
    total_from: Amount | None = Field(default=None, description="from such a total of the borrower's loans here")

    @property
    def ratio(self) -> Fraction:
        """Company to bank, n of the triggers."""
        return Fraction(self.company, self.bank)


def _checked(written: Any) -> Any:
    try:
        parse_condition(Node(written), _TYPES)
    except ArtefactInvalid as fault:
        raise PydanticCustomError("condition_invalid", "{rule}", {"rule": fault.rule}) from None
    return written


class ProductTerms(_Part):
    """The terms of one product, as its lender pushes them."""

    name: Annotated[str, Field(min_length=2, max_length=80), NAME]
    currency: str = Field(pattern="^[A-Z]{3}$")
    min_amount: Amount
    max_amount: Amount
    amount_step: Amount = Field(default="0.01", description="amounts are the smallest one and whole steps more")
    min_term_months: Months
    max_term_months: Months
    term_step_months: Months = 1
    repayment_methods: list[Method] = Field(default=[Method.ANNUITY], min_length=1, max_length=4)
    day_count: DayCount = DayCount.ACT_365F
    due_day: int | None = Field(default=None, ge=1, le=31, strict=True, description="of the month; null: the payout's")
    grace_months: int = Field(default=0, ge=0, le=24, strict=True, description="first months without principal")
    price: Price
    fees: list[Fee] = Field(default=[], max_length=10)
    disbursement_hours: int = Field(ge=0, le=720, strict=True)
    min_grade: Grade
    industries_excluded: list[_Code] = Field(default=[], max_length=100)
    eligibility: list[Eligibility] = Field(default=[], max_length=20)
    capacity: Amount | None = Field(default=None, description="most that all its loans may owe and be promised")
    monthly_capacity: Amount | None = Field(default=None, description="most that may be promised in a month")
    joint_lending: JointLending | None = Field(default=None, description="null: the lender takes no part in it")
    valid_from: Day
    valid_until: Day

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        low = Money.parse(self.min_amount, self.currency, field="min_amount")
        high = Money.parse(self.max_amount, self.currency, field="max_amount")
        step = Money.parse(self.amount_step, self.currency, field="amount_step")
        if not low.minor or not step.minor:
            field = "amount_step" if low.minor else "min_amount"
            raise PydanticCustomError("too_small", "must be more than 0.00", {"field": field})
        if low > high:
            raise PydanticCustomError("above", "lies above {other}", _about("min_amount", "max_amount"))
        if self.min_term_months > self.max_term_months:
            raise PydanticCustomError("above", "lies above {other}", _about("min_term_months", "max_term_months"))
        if self.grace_months >= self.min_term_months:
            raise PydanticCustomError("not_below", "must be below {other}", _about("grace_months", "min_term_months"))
        if self.valid_from > self.valid_until:
            raise PydanticCustomError("before", "lies before {other}", _about("valid_until", "valid_from"))
        for field in ("capacity", "monthly_capacity"):
            if (size := getattr(self, field)) is not None:
                Money.parse(size, self.currency, field=field)
        joint = self.joint_lending
        if joint and joint.total_from is not None:
            total = Money.parse(joint.total_from, self.currency, field="joint_lending.total_from")
            if not total.minor:
                where = {"field": "joint_lending.total_from"}
                raise PydanticCustomError("too_small", "must be more than 0.00", where)
        named: dict[str, Sequence[str]] = {
            "fees": [fee.code for fee in self.fees],
            "eligibility": [one.code for one in self.eligibility],
            "repayment_methods": self.repayment_methods,
        }
        for field, names in named.items():
            if len(set(names)) < len(names):
                raise PydanticCustomError("repeated", "must not name one twice", {"field": field})
        for fee in self.fees:
            if fee.amount is not None:
                Money.parse(fee.amount, self.currency, field="fees")
        return self

    def fees_of(self, principal: int, *charged: str) -> int:
        """The fees of a loan, in minor units."""
        return sum(fee.minor(principal, self.currency) for fee in self.fees if fee.charged in charged)


class VersionState(StrEnum):
    """State of a version; only a proposed one changes."""

    PROPOSED = "proposed"
    """Waits for another of the lender's users."""
    RELEASED = "released"
    """Put in force: at once, or by the second person."""
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """Another version was pushed before anybody decided."""
    EXPIRED = "expired"


class VersionDecision(BaseModel):
    """What a second person decided on a version."""

    model_config = ConfigDict(frozen=True)

    by: str = Field(description="id of the lender's user")
    at: str
    note: str = ""


class Product(ProductTerms):
    """A version of a product; its terms never change."""

    lender_id: str
    product_id: str
    version: int = Field(ge=1)
    pushed_at: str
    pushed_by: str = Field(description="id of the lender's user")
    state: VersionState = VersionState.RELEASED
    decision: VersionDecision | None = Field(default=None, description="by a second person, where the lender wants one")
    expires_at: str | None = Field(default=None, description="until when a proposed version can be decided")

    @property
    def min_minor(self) -> int:
        return Money.parse(self.min_amount, self.currency).minor

    @property
    def max_minor(self) -> int:
        return Money.parse(self.max_amount, self.currency).minor
