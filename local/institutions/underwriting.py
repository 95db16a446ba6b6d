"""A lender's own decision on what the platform submits; it trusts the platform's assessment but not blindly."""

from __future__ import annotations

from dataclasses import dataclass

from institutions.catalogue import GRADES, Product

# What one firm may owe one lender at a time.
MOST_FOR_ONE_FIRM_FEN = 500_000_000


@dataclass(frozen=True)
class Submission:
    """What the platform submits; amounts in fen."""

    application_id: str
    product_id: str
    amount_fen: int
    currency: str
    term_months: int
    firm_name: str
    taxpayer_id: str
    score: int
    grade: str
    limit_fen: int


@dataclass(frozen=True)
class Verdict:
    """A decision; approved where there is no reason against it."""

    reason_code: str | None = None
    reason: str | None = None

    @property
    def approved(self) -> bool:
        """Whether the lender will lend."""
        return self.reason_code is None


def decide(submission: Submission, product: Product | None, owed_fen: int, *, unwanted: bool) -> Verdict:
    """The lender's verdict.

    Args:
        submission: What is asked.
        product: The lender's product of that id, if it has one.
        owed_fen: What the firm was lent by this lender before.
        unwanted: The lender's own file on the firm says no, whatever the platform found.
    """
    if product is None:
        return Verdict("product_unknown", "We do not offer this product.")
    if unwanted:
        return Verdict("internal_policy", "Our own records on this company do not allow a loan at present.")
    if not product.min_amount * 100 <= submission.amount_fen <= product.max_amount * 100:
        return Verdict("amount_outside_product", "The amount is outside what this product lends.")
    if not product.min_term_months <= submission.term_months <= product.max_term_months:
        return Verdict("term_outside_product", "The term is outside what this product lends for.")
    if submission.grade not in GRADES or GRADES.index(submission.grade) > GRADES.index(product.min_grade):
        return Verdict("grade_too_low", f"This product asks for grade {product.min_grade} or better.")
    if submission.amount_fen > submission.limit_fen:
        return Verdict("amount_above_limit", "The amount exceeds the assessed limit.")
    if owed_fen + submission.amount_fen > MOST_FOR_ONE_FIRM_FEN:
        return Verdict("exposure_too_high", "Together with earlier loans the amount is more than we lend to one firm.")
    return Verdict()
