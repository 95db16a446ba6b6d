"""Wires the context of closings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.closing.answers import Answered, LenderAnswers
from creditmesh.closing.model import LENDER_MESSAGE, moves_money
from creditmesh.closing.received import Receipts
from creditmesh.closing.service import Closings
from creditmesh.closing.signature import Signatures
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.bootstrap import applications, operators
from creditmesh.intake.model import NotAwaited
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.fields import validated
from creditmesh.platform.settings import settings
from creditmesh.platform.web import JSON, read_json

if TYPE_CHECKING:
    from creditmesh.closing.commitments import Commitments
    from creditmesh.closing.decisions import Reopening
    from creditmesh.closing.payments import Payments
    from creditmesh.closing.probe import Probe
    from creditmesh.closing.replies import BorrowerAsked, Replies
    from creditmesh.closing.webhooks import ReceivedWebhooks
    from creditmesh.intake.model import Application


@singleton
def closing_store() -> ClosingStore:
    return ClosingStore(platform().tables, settings().closings_table, platform().data)


@singleton
def payments() -> Payments:
    from creditmesh.closing.payments import Payments
    from creditmesh.ledger.bootstrap import ledger

    own = platform()
    return Payments(closing_store(), ledger(), own.outbox, own.clock)


@singleton
def commitments() -> Commitments:
    from creditmesh.closing.commitments import Commitments
    from creditmesh.offers.bootstrap import exposures

    return Commitments(closing_store(), exposures(), payments())


@singleton
def closings() -> Closings:
    from creditmesh.decisions.lenders_report import lenders_view, sha256_of
    from creditmesh.decisions.referral import with_referral

    own = platform()

    def report_sha256(application: Application) -> str:
        if application.report_key is None:
            raise NotAwaited("the application has not been assessed")
        return sha256_of(lenders_view(with_referral(application, own.data.get_json(application.report_key))))

    return Closings(closing_store(), applications(), own.outbox, own.waits, own.clock, payments(), report_sha256)


@singleton
def reopening() -> Reopening:
    from creditmesh.closing.decisions import Reopening
    from creditmesh.offers.bootstrap import exposures, offers

    return Reopening(
        lambda application_id, lenders: offers().standing(application_id, lenders),
        lambda application_id: exposures().releasing(application_id),
    )


@singleton
def lender_answered() -> Answered:
    return Answered(closing_store(), operators().answered)


@singleton
def lender_answers() -> LenderAnswers:
    from creditmesh.authorization.bootstrap import loan_monitoring
    from creditmesh.closing.decisions import Decisions
    from creditmesh.offers.bootstrap import offers, speeds

    own = platform()
    return LenderAnswers(
        closing_store(), applications(), lender_answered(), loan_monitoring(), speeds(), own.waits,
        Decisions(lambda *given, **stated: offers().stated(*given, **stated), reopening(), own.clock),
        payments(), operators().exception,
    )  # fmt: skip


@singleton
def borrower_asked() -> BorrowerAsked:
    from creditmesh.closing.replies import BorrowerAsked

    return BorrowerAsked(closing_store(), applications(), platform().waits)


@singleton
def replies() -> Replies:
    from creditmesh.closing.replies import Replies

    own = platform()
    return Replies(closing_store(), applications(), own.outbox, own.waits, own.clock, reopening())


@singleton
def receipts() -> Receipts:
    own = platform()
    return Receipts(own.tables, settings().received_webhooks_table, own.data, own.clock)


@singleton
def received_webhooks() -> ReceivedWebhooks:
    from creditmesh.closing.webhooks import ReceivedWebhooks

    def receive(institution_id: str, webhook_id: str, body: bytes) -> bool:
        message = validated(LENDER_MESSAGE, read_json(body, JSON, len(body)))
        return lender_answers().receive(institution_id, webhook_id, message)

    own = platform()
    return ReceivedWebhooks(
        own.tables, settings().received_webhooks_table, own.data, own.clock, own.addresses.all, moves_money, receive
    )


@singleton
def probe() -> Probe:
    from creditmesh.closing.probe import Probe

    own = platform()
    return Probe(own.tables, own.outbox, own.clock, lambda: own.addresses.of("lender"))


@singleton
def signatures() -> Signatures:
    return Signatures(closing_store(), applications(), platform().waits, platform().clock)
