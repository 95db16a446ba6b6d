"""Applications that wait for an authorisation which their firm gives in another application."""

from __future__ import annotations

from contextlib import suppress

from creditmesh.intake.model import WAITS, ApplicationClosed, Status
from creditmesh.intake.moves import AUTHORIZE
from creditmesh.intake.store import ApplicationStore
from creditmesh.platform.tables import again
from creditmesh.platform.waits import Answer, Wait, Waits

_AUTHORIZATION = WAITS[Status.AUTHORIZATION_REQUIRED]
_MOST = 100
"""Applications of one firm that are looked at, the newest."""


class WaitingApplications:
    """Lets a firm's waiting applications go on when an authorisation is granted; idempotent."""

    def __init__(self, store: ApplicationStore, waits: Waits) -> None:
        self._store, self._waits = store, waits

    def granted(self, taxpayer_index: str, tenant: str) -> None:
        """Answer the waits of a tenant's applications for a firm.

        One that is only about to be asked is marked, so that asking it finds the grant.
        """
        for application_id in list(self._store.of_firm(taxpayer_index, _MOST)):
            with suppress(ApplicationClosed):
                again(lambda one=application_id: self._go_on(one, tenant))  # type: ignore[misc]

    def _go_on(self, application_id: str, tenant: str) -> None:
        ref = self._waits.ref(application_id, _AUTHORIZATION)
        application, (asked,) = self._store.summary_with(application_id, ref)
        if application.tenant != tenant:
            return
        if application.status is Status.RECEIVED:
            self._store.apply(self._store.granted_meanwhile(application_id))
        elif application.status is Status.AUTHORIZATION_REQUIRED:
            wait, answer = Wait(application_id, _AUTHORIZATION, asked), Answer()
            moved = self._store.move(application_id, AUTHORIZE, standing=application.status)
            self._store.apply(moved, self._waits.answering(wait, answer))
            self._waits.give(wait.token, answer)
