"""What is sent to lenders."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.model import CANCEL, CLOSED, EXCHANGES, Closing, PaymentOrder, Question
from creditmesh.intake.model import Application, NotAwaited
from creditmesh.kernel.money import format_minor
from creditmesh.platform.outbox import Message


def question(closing: Closing, asked: Question, number: int, data: dict[str, Any]) -> Message:
    """The message that asks a question for the `number`th time."""
    exchange = EXCHANGES[asked]
    return Message(
        message_id=message_id(closing, asked, number),
        institution_id=closing.lender_id,
        type=exchange.type,
        path=exchange.path,
        about=closing.application_id,
        data=data,
    )


def message_id(closing: Closing, asked: Question, number: int) -> str:
    return f"{closing.application_id}.{asked.value}.{number}"


def closed(closing: Closing, reason: str) -> Message:
    """Tells the lender that nothing will come of the application.

    Args:
        reason: an outcome.
    """
    return Message(
        message_id=f"{closing.application_id}.closed.{len(closing.earlier) + 1}",
        institution_id=closing.lender_id,
        type=CLOSED.type,
        path=CLOSED.path,
        about=closing.application_id,
        data={"application_id": closing.application_id, "reason": reason},
    )


def cancel(closing: Closing, order: PaymentOrder) -> Message:
    """Asks the lender not to carry out an order."""
    return Message(
        message_id=f"{order.order_id}.cancel",
        institution_id=closing.lender_id,
        type=CANCEL.type,
        path=CANCEL.path,
        about=closing.application_id,
        data={"application_id": closing.application_id, "order_id": order.order_id},
    )


def submission(application: Application, closing: Closing | None, report_sha256: str) -> dict[str, Any]:
    """Data of `loan.application.submitted`; asked again after an inquiry, with the borrower's answers.

    Args:
        report_sha256: of the lender's view of the report.
    """
    terms, risk = application.chosen_terms, application.risk
    if terms is None or risk is None or risk.limit_minor is None:
        raise NotAwaited("the application has no chosen offer")
    inquiries = closing.inquiries if closing else []
    return {
        "application_id": application.application_id,
        "product_id": application.chosen_product_id,
        "product_version": terms.version,
        **agreed(application),
        "firm": {"name": application.legal_name, "taxpayer_id": application.taxpayer_id},
        "assessment": {
            "score": risk.score,
            "grade": risk.grade,
            "limit": format_minor(risk.limit_minor),
            "model_version": risk.model_version,
        },
        "report": {"path": f"/v1/applications/{application.application_id}/report", "sha256": report_sha256},
        "information": [{"question": one.question, "answer": one.answer} for one in inquiries if one.answer],
    }


def agreed(application: Application) -> dict[str, Any]:
    """The terms as the borrower has accepted them."""
    terms = application.chosen_terms
    if terms is None:
        raise NotAwaited("the application has no chosen offer")
    return {
        "amount": terms.amount,
        "currency": terms.currency,
        "term_months": terms.term_months,
        "repayment_method": terms.repayment_method,
        "annual_rate_bps": terms.annual_rate_bps,
        "terms_sha256": terms.sha256,
    }
