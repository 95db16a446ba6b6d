"""Collection for an application: its subject, its plan, and what becomes of it; each step harmless to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from creditmesh.gateway.channels.results import CallResult, Subject
from creditmesh.gateway.model import CollectionOutcome, CollectionResult
from creditmesh.intake.model import Application, ApplicationClosed, Status
from creditmesh.intake.store import ApplicationStore

if TYPE_CHECKING:
    from creditmesh.gateway.service import Collections
    from creditmesh.screening.service import Lists

PURPOSE = "loan_assessment"


class Collecting:
    """Has an application's credit data collected (C07-C10)."""

    def __init__(self, applications: ApplicationStore, lists: Lists, collections: Collections) -> None:
        self._applications, self._lists, self._collections = applications, lists, collections

    def call(self, application_id: str) -> dict[str, list[CallResult]]:
        """Ask the channels of the application's plan; nobody if the data is there already.

        Raises:
            ApplicationClosed: it has ended.
        """
        application = self._applications.get(application_id)
        if application.key_data_key:
            return {}
        application.require_open()
        return self._collections.call(application.collection_plan, _subject(application))

    def finish(self, application_id: str, results: Mapping[str, Sequence[CallResult]]) -> CollectionResult:
        """Write key data of what came, or say what is lacking."""
        application = self._applications.get(application_id)
        if application.key_data_key:
            return CollectionResult(outcome=CollectionOutcome.COLLECTED)
        inputs = {
            "blacklist_hits": self._lists.hits(application.taxpayer_id),
            "requested_amount_minor": application.amount_minor,
            "requested_term_months": application.term_months,
        }
        try:
            application.require_open()
            result, key = self._collections.finish(application.collection_plan, _subject(application), results, inputs)
            if key is not None:
                change = self._applications.change(application_id, to=Status.COLLECTED, values={"key_data_key": key})
                self._applications.apply(change)
        except ApplicationClosed:
            return CollectionResult(outcome=CollectionOutcome.CLOSED)
        return result


def _subject(application: Application) -> Subject:
    fields = {
        "taxpayer_id": application.taxpayer_id,
        "firm_name": application.firm_name,
        "amount": str(application.requested()),
        "term_months": application.term_months,
    }
    return Subject(
        taxpayer_id=application.taxpayer_id,
        taxpayer_index=application.taxpayer_index,
        fields=fields,
        tenant=application.tenant,
        by=application.application_id,
        purpose=PURPOSE,
    )
