"""A lender's own decision on a submission; it checks the platform's assessment."""

from __future__ import annotations

from dataclasses import dataclass

from institutions.catalogue import GRADES, Product

# Maximum debt of one firm at one lender.
MOST_FOR_ONE_FIRM_FEN = 500_000_000


@dataclass(frozen=True)
class Submission:
    """A submission by the platform; amounts in fen."""

    application_id: str
    product_id: str
    amount_fen: int
    currency: str
    term_months: int
    annual_rate_bps: int
    firm_name: str
    taxpayer_id: str
    score: int
    grade: str
    limit_fen: int
    answers: int = 0
    """How many questions the borrower has answered."""


@dataclass(frozen=True)
class Verdict:
    """A decision; approved without reasons against it."""

    reason_code: str | None = None
    reason: str | None = None

    @property
    def approved(self) -> bool:
        return self.reason_code is None


def decide(submission: Submission, product: Product | None, owed_fen: int, *, unwanted: bool) -> Verdict:
    """The lender's decision.

    Args:
        submission: the request.
        product: The lender's product with that id, if any.
        owed_fen: What this lender lent to the firm before.
        unwanted: The lender's own file on the firm is negative.
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
    if product.rate(submission.grade) != submission.annual_rate_bps:
        return Verdict("rate_not_ours", "This is not our rate for this grade.")
    if submission.amount_fen > submission.limit_fen:
        return Verdict("amount_above_limit", "The amount exceeds the assessed limit.")
    if owed_fen + submission.amount_fen > MOST_FOR_ONE_FIRM_FEN:
        return Verdict("exposure_too_high", "Together with earlier loans the amount is more than we lend to one firm.")
    return Verdict()
