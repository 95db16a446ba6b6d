"""Collection as a step of an application's process: done once, however often the step runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.intake.model import Status
from creditmesh.intake.store import ApplicationStore

if TYPE_CHECKING:
    from creditmesh.gateway.service import Collection
    from creditmesh.screening.service import Lists


class Collecting:
    """Looks the firm up in the lists and has its data collected."""

    def __init__(self, applications: ApplicationStore, lists: Lists, collection: Collection) -> None:
        self._applications, self._lists, self._collection = applications, lists, collection

    def collect(self, application_id: str) -> None:
        """Collect the application's credit data (C07-C10).

        Raises:
            AuthorizationRequired, SourceUnavailable: see `Collection.collect`.
            ApplicationClosed: it has ended.
        """
        application = self._applications.get(application_id)
        if application.key_data_key:
            return
        application.require_open()
        key = self._collection.collect(
            application_id,
            application.taxpayer_id,
            blacklist_hits=self._lists.hits(application.taxpayer_id),
            requested_amount_minor=application.amount_minor,
            requested_term_months=application.term_months,
        )
        self._applications.apply(
            self._applications.change(application_id, to=Status.COLLECTED, values={"key_data_key": key})
        )
