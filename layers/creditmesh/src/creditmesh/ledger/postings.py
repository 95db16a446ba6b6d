"""The lines of what happens to a loan; each lender's debits equal its credits."""

from __future__ import annotations

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.money import Money
from creditmesh.ledger.model import AccountId, Kind, Line, credit, debit


def disbursement(lender_id: str, loan_id: str, principal: Money, deducted: Money) -> list[Line]:
    """A loan is paid out: the borrower owes the principal and gets it less the deducted fees.

    Raises:
        InvalidInput: the fees take up the principal, or are in another currency.
    """
    if deducted.currency != principal.currency or deducted.minor >= principal.minor:
        raise InvalidInput("must be less than the principal, in its currency", field="deducted", fault="too_large")
    currency = principal.currency
    lines = [
        debit(AccountId(lender_id, currency, Kind.PRINCIPAL, loan_id), principal.minor),
        credit(AccountId(lender_id, currency, Kind.CASH), principal.minor - deducted.minor),
    ]
    if deducted.minor:
        lines.append(credit(AccountId(lender_id, currency, Kind.FEE_INCOME, loan_id), deducted.minor))
    return lines


def unexpected_payment(lender_id: str, loan_id: str | None, paid: Money) -> list[Line]:
    """The lender reports a payment that no order explains; no limit refuses these lines.

    Args:
        loan_id: None if the report names no loan of the lender.
    """
    return [
        debit(AccountId(lender_id, paid.currency, Kind.SUSPENSE, loan_id), paid.minor),
        credit(AccountId(lender_id, paid.currency, Kind.CASH), paid.minor),
    ]
