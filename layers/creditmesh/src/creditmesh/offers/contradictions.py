"""Terms of a product that exclude each other, so that it could never be lent as it says.

Checked when a product is pushed, not when one is read: a stored version stays readable whatever rules come later.
"""

from __future__ import annotations

from collections.abc import Iterator

from creditmesh.kernel.money import Money
from creditmesh.offers.model import GRADES, GradedPrice, ProductTerms
from creditmesh.offers.schedule import Method
from creditmesh.platform.fields import FieldError, InvalidFields

_INSTALMENTS = frozenset({Method.ANNUITY, Method.EQUAL_PRINCIPAL})


def require_consistent(terms: ProductTerms) -> None:
    """Check that a product can be lent as it says.

    Raises:
        InvalidFields: every contradiction, by field.
    """
    if found := list(_contradictions(terms)):
        raise InvalidFields(found)


def _contradictions(terms: ProductTerms) -> Iterator[FieldError]:
    low, high, step = (
        Money.parse(amount, terms.currency).minor for amount in (terms.min_amount, terms.max_amount, terms.amount_step)
    )
    for field, size in (("capacity", terms.capacity), ("monthly_capacity", terms.monthly_capacity)):
        if size is not None and Money.parse(size, terms.currency).minor < low:
            yield _fault(field, "below", "lies below {other}", other="min_amount")
    months = terms.max_term_months - terms.min_term_months
    for field, stride, width, ends in (
        ("amount_step", step, high - low, ("min_amount", "max_amount")),
        ("term_step_months", terms.term_step_months, months, ("min_term_months", "max_term_months")),
    ):
        if 0 < width < stride:
            rule = "exceeds what lies between {low} and {high}"
            yield _fault(field, "step_exceeds_range", rule, low=ends[0], high=ends[1])
    price = terms.price
    if isinstance(price, GradedPrice) and not set(price.annual_rates_bps) & set(_accepted(terms)):
        yield _fault("price.annual_rates_bps", "no_rate", "has no rate for {grade} or better", grade=terms.min_grade)
    if terms.grace_months and not _INSTALMENTS & set(terms.repayment_methods):
        yield _fault("grace_months", "no_instalments", "needs a method that repays principal in instalments")
    if terms.fees_of(high, "deducted", "at_payout") >= high:
        yield _fault("fees", "taken_up_by_fees", "take up the whole loan, even of {other}", other="max_amount")


def _accepted(terms: ProductTerms) -> tuple[str, ...]:
    return GRADES[: GRADES.index(terms.min_grade) + 1]


def _fault(field: str, code: str, rule: str, **parameters: str) -> FieldError:
    return FieldError(field=field, code=code, rule=rule.format(**parameters), parameters={**parameters})
