"""The lender's reactions to messages. Runs inside the transaction of the store that accepted the message."""

from __future__ import annotations

import hashlib
from typing import Any

from institutions.catalogue import products_of
from institutions.config import Config
from institutions.contract import contract_text
from institutions.database import instant
from institutions.faults import Faults
from institutions.lender_messages import MessageRefused, parse_submission, text
from institutions.lender_store import LenderStore
from institutions.messages import encode
from institutions.population import persona_id
from institutions.tax_figures import money
from institutions.underwriting import Submission, decide

_REPORTED_LATE_SECONDS = 8
"""Of firms whose order to pay can be cancelled meanwhile; shorter than the platform waits."""


class Desk:
    """Handles messages: changes the store and schedules callbacks, never sends."""

    def __init__(self, name: str, config: Config, store: LenderStore, faults: Faults) -> None:
        self._name = name
        self._store = store
        self._faults = faults
        self._delay = config.institutions[name].decision_delay_ms / 1000
        self._products = {product.product_id: product for product in products_of(name)}
        self._unwanted = persona_id(config.seed, "lender_rejects")
        self._silent = persona_id(config.seed, "lender_silent")
        self._countered = persona_id(config.seed, "lender_counters")
        self._asked = persona_id(config.seed, "lender_asks")
        self._not_for_banks = persona_id(config.seed, "banks_reject")
        self._account_wrong_at_first = persona_id(config.seed, "payment_repeated")
        self._reported_late = persona_id(config.seed, "cancelled_too_late")

    def act(self, message_type: str, data: dict[str, Any], now: float) -> None:
        """Handle a new message.

        Raises:
            MessageRefused: it contradicts the stored state; nothing is changed.
        """
        if message_type == "loan.application.submitted":
            self._take_application(data, now)
        elif message_type == "loan.disbursement.cancel":
            self._cancel(data, now)
        elif message_type == "loan.application.closed":
            if self._store.application(data["application_id"]):
                self._store.set_application(data["application_id"], {"state": "closed"})
        elif message_type == "loan.contract.requested":
            self._draw_up_contract(data, now)
        else:
            self._take_signature(data, now)

    def answer_again(self, message_type: str, data: dict[str, Any], now: float) -> None:
        """Answer a repeated question again."""
        self._store.resend(self._application(data)["application_id"], message_type, now)

    def _take_application(self, data: dict[str, Any], now: float) -> None:
        asked = parse_submission(data)
        reference = self._id("REF", asked.application_id)
        answer: dict[str, Any] = {"application_id": asked.application_id, "lender_reference": reference}
        if asked.taxpayer_id == self._asked and not asked.answers:
            answer |= {"decision": "information_required", "question": "Who are your three largest customers?"}
            self._answer(asked, answer, now)
            return
        unwanted = asked.taxpayer_id == self._unwanted or (
            asked.taxpayer_id == self._not_for_banks and self._name.endswith("bank")
        )
        product, lent = self._products.get(asked.product_id), self._store.lent_fen(asked.taxpayer_id)
        verdict = decide(asked, product, lent, unwanted=unwanted)
        silent, countered = asked.taxpayer_id == self._silent, asked.taxpayer_id == self._countered
        # Four fifths of what was asked for, in whole thousands.
        amount_fen = asked.amount_fen * 4 // 5 // 100_000 * 100_000 if countered else asked.amount_fen
        self._store.add_application(
            {
                "application_id": asked.application_id,
                "state": "silent" if silent else "approved" if verdict.approved else "rejected",
                "lender_reference": reference,
                "product_id": asked.product_id,
                "taxpayer_id": asked.taxpayer_id,
                "firm_name": asked.firm_name,
                "amount_fen": amount_fen,
                "currency": asked.currency,
                "annual_rate_bps": asked.annual_rate_bps,
                "term_months": asked.term_months,
            }
        )
        if silent:
            return
        if verdict.approved:
            answer |= {
                "decision": "countered" if countered else "approved",
                "approved_amount": money(amount_fen),
                "currency": asked.currency,
                "annual_rate_bps": asked.annual_rate_bps,
                "term_months": asked.term_months,
            }
        else:
            answer |= {"decision": "rejected", "reason_code": verdict.reason_code, "reason": verdict.reason}
        self._answer(asked, answer, now)

    def _answer(self, asked: Submission, answer: dict[str, Any], now: float) -> None:
        number = f":{asked.answers}" if asked.answers else ""
        self._plan("loan.application.submitted", "loan.decision", answer, now + self._delay, number)

    def _draw_up_contract(self, data: dict[str, Any], now: float) -> None:
        application = self._application(data)
        if application["state"] != "approved":
            raise MessageRefused(409, "not_approved", "application_id")
        if text(data, "lender_reference") != application["lender_reference"]:
            raise MessageRefused(422, "unknown_reference", "lender_reference")
        contract_id = self._id("CON", application["application_id"])
        document = contract_text(
            contract_id=contract_id,
            lender_name=self._name.replace("-", " ").title(),
            firm_name=application["firm_name"],
            taxpayer_id=application["taxpayer_id"],
            amount_fen=application["amount_fen"],
            currency=application["currency"],
            annual_rate_bps=application["annual_rate_bps"],
            term_months=application["term_months"],
            drawn_up_at=instant(now),
        )
        digest = hashlib.sha256(document.encode()).hexdigest()
        change = {"state": "contract_ready", "contract_id": contract_id, "document_sha256": digest}
        self._store.set_application(application["application_id"], change)
        answer = {
            "application_id": application["application_id"],
            "contract_id": contract_id,
            "document": document,
            "document_sha256": digest,
        }
        self._plan("loan.contract.requested", "loan.contract.ready", answer, now)

    def _take_signature(self, data: dict[str, Any], now: float) -> None:
        application = self._application(data)
        if application["state"] not in ("contract_ready", "disbursement_failed"):
            raise MessageRefused(409, "no_contract", "application_id")
        for name, column in (("contract_id", "contract_id"), ("document_sha256", "document_sha256")):
            if text(data, name) != application[column]:
                raise MessageRefused(422, "not_the_contract", name)
        text(data, "signer_name")
        text(data, "signed_at")
        self._disburse(application, now, text(data, "order_id"))

    def _cancel(self, data: dict[str, Any], now: float) -> None:
        """Confirm what was not paid; of what was, the payment is reported once more."""
        application = self._application(data)
        if application["state"] == "disbursed":
            self._store.resend(data["application_id"], "loan.contract.signed", now)
            return
        answer = {"application_id": data["application_id"], "order_id": text(data, "order_id")}
        self._plan("loan.disbursement.cancel", "loan.disbursement.cancelled", answer, now)

    def _disburse(self, application: dict[str, Any], now: float, order_id: str) -> None:
        application_id = application["application_id"]
        answer = {
            "application_id": application_id, "contract_id": application["contract_id"], "order_id": order_id,
        }  # fmt: skip
        first = application["state"] != "disbursement_failed"
        fails = first and application["taxpayer_id"] == self._account_wrong_at_first
        if fails or self._faults.take(("fail_disbursement",), "loan.disbursement.failed"):
            self._store.set_application(application_id, {"state": "disbursement_failed"})
            answer |= {"reason_code": "account_rejected", "reason": "The payee's bank returned the payment."}
            self._plan("loan.contract.signed", "loan.disbursement.failed", answer, now, f":{order_id}")
            return
        paid = {
            "disbursement_id": self._id("DIS", application_id),
            "bank_reference": self._id("BNK", application_id),
            "currency": application["currency"],
            "disbursed_at": instant(now),
        }
        self._store.disburse({"application_id": application_id, "amount_fen": application["amount_fen"], **paid})
        self._store.set_application(application_id, {"state": "disbursed"})
        answer |= {"amount": money(application["amount_fen"]), **paid}
        late = _REPORTED_LATE_SECONDS if application["taxpayer_id"] == self._reported_late else 0
        self._plan("loan.contract.signed", "loan.disbursed", answer, now + late)

    def _application(self, data: dict[str, Any]) -> dict[str, Any]:
        application = self._store.application(data["application_id"])
        if application is None:
            raise MessageRefused(422, "unknown_application", "application_id")
        return application

    def _plan(self, answers: str, message_type: str, data: dict[str, Any], due_at: float, number: str = "") -> None:
        self._store.plan_callback(
            webhook_id=f"msg_{self._id(message_type + number, data['application_id'])}",
            subject_id=data["application_id"],
            answers=answers,
            type=message_type,
            body=encode(message_type, instant(due_at), data),
            due_at=due_at,
        )

    def _id(self, kind: str, application_id: str) -> str:
        """A deterministic id for the application."""
        digest = hashlib.sha256(f"{self._name}:{kind}:{application_id}".encode()).hexdigest()
        return f"{kind}-{digest[:20]}" if kind.isupper() else digest[:32]
