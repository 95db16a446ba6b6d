"""Collection for an application, or for a later scan of its firm; each step harmless to repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from creditmesh.authorization.scopes import Purpose
from creditmesh.gateway.channels.results import CallResult, Subject
from creditmesh.gateway.model import CollectionOutcome, CollectionResult
from creditmesh.intake.model import Application, ApplicationClosed, Status
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from creditmesh.gateway.service import Collections
    from creditmesh.screening.service import Lists

_SCAN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)


class Collecting:
    """Has credit data collected (C07-C10).

    A scan looks at an application's firm anew, whatever has become of the application: for monitoring, under the
    consents for that, into key data of its own. The application stays as it is.
    """

    def __init__(self, applications: ApplicationStore, lists: Lists, collections: Collections) -> None:
        self._applications, self._lists, self._collections = applications, lists, collections

    def call(self, application_id: str, scan_id: str | None = None) -> dict[str, list[CallResult]]:
        """Ask the channels of the application's plan; nobody if the application's data is there already.

        Raises:
            ApplicationClosed: it has ended, and this is no scan.
            InvalidInput: the scan's id is malformed.
        """
        application = self._applications.get(application_id)
        if scan_id is None:
            if application.key_data_key:
                return {}
            application.require_open()
        return self._collections.call(application.collection_plan, _subject(application, scan_id))

    def finish(
        self, application_id: str, results: Mapping[str, Sequence[CallResult]], scan_id: str | None = None
    ) -> CollectionResult:
        """Write key data of what came, or say what is lacking."""
        application = self._applications.get(application_id)
        if scan_id is None and application.key_data_key:
            return CollectionResult(outcome=CollectionOutcome.COLLECTED, key_data_key=application.key_data_key)
        inputs = {
            "blacklist_hits": self._lists.hits(application.taxpayer_id),
            "requested_amount_minor": application.amount_minor,
            "requested_term_months": application.term_months,
        }
        plan, subject = application.collection_plan, _subject(application, scan_id)
        if scan_id is not None:
            return self._collections.finish(plan, subject, results, inputs)
        try:
            application.require_open()
            result = self._collections.finish(plan, subject, results, inputs)
            if key := result.key_data_key:
                change = self._applications.change(application_id, to=Status.COLLECTED, values={"key_data_key": key})
                self._applications.apply(change)
        except ApplicationClosed:
            return CollectionResult(outcome=CollectionOutcome.CLOSED)
        return result


def _subject(application: Application, scan_id: str | None) -> Subject:
    if scan_id is not None and not _SCAN_ID.fullmatch(scan_id):
        raise InvalidInput("must be 1 to 64 letters, digits or hyphens", field="scan_id")
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
        by=application.application_id if scan_id is None else f"{application.application_id}.{scan_id}",
        purpose=Purpose.ASSESSMENT if scan_id is None else Purpose.MONITORING,
    )
