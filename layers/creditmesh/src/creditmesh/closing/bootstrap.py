"""Wires the context of closings."""

from __future__ import annotations

from creditmesh.closing.answers import LenderAnswers
from creditmesh.closing.service import Closings
from creditmesh.closing.signature import Signatures
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.bootstrap import applications, operators
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings


@singleton
def closing_store() -> ClosingStore:
    return ClosingStore(platform().tables, settings().closings_table, platform().data)


@singleton
def closings() -> Closings:
    own = platform()
    return Closings(closing_store(), applications(), own.outbox, own.waits, own.clock)


@singleton
def lender_answers() -> LenderAnswers:
    from creditmesh.authorization.bootstrap import loan_monitoring

    return LenderAnswers(closing_store(), applications(), operators().answered, loan_monitoring(), platform().waits)


@singleton
def signatures() -> Signatures:
    return Signatures(closing_store(), applications(), platform().waits, platform().clock)
