"""Collection for an application, or for a later scan of its firm; every step is idempotent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import Purpose
from creditmesh.gateway.model import Collected, DataSubject, Screened
from creditmesh.gateway.ports import Collections
from creditmesh.intake.model import Application
from creditmesh.intake.moves import COLLECT
from creditmesh.intake.names import RegisteredName, registered_name, representative_key
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.model import MAX_VALUE, Kind, Screening
from creditmesh.screening.model import Subject as Listed

_SCAN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class _Registered:
    """What the registry says of the firm, besides key data."""

    name: RegisteredName | None = None
    representative: str | None = field(default=None, repr=False)


class Collecting:
    """Collects credit data.

    A scan collects again for an application's firm, whatever the application's outcome: for monitoring, under the
    consents for that, into its own key data. The application does not change.
    """

    def __init__(
        self,
        applications: ApplicationStore,
        look_up: Callable[[Sequence[Listed]], Screening],
        collections: Collections,
        likeness: Callable[[str, str], int],
    ) -> None:
        self._applications, self._look_up, self._collections = applications, look_up, collections
        self._likeness = likeness

    def collect(
        self, application_id: str, scan_id: str | None = None, *, problem: str | None = None, last_word: bool = False
    ) -> str:
        """Collect by the application's plan and write key data once; returns its key.

        Args:
            problem: why the firm must be asked for an authorisation anyway, if the process was started with that; then
                it is asked first, unless it was asked before.
            last_word: do not wait for late answers any more.

        Raises:
            ApplicationClosed: it has ended, and this is not a scan.
            FlowRequired: only a manager can help.
            AuthorizationRequired: only the borrower can help.
            SourceUnavailable: a required source gave nothing usable.
            AnswersPending: some sources answer later.
            InvalidInput: malformed scan id.
        """
        application = self._applications.get(application_id)
        if scan_id is not None:
            return self._collected(application, scan_id, last_word)[0].key
        if application.key_data_key:
            return application.key_data_key
        application.require_open()
        application.required_flow()
        if problem and not application.authorization_requests:
            raise AuthorizationRequired(problem)
        (key, features), registered = self._collected(application, None, last_word)
        named: dict[str, Any] = {}
        if registered.name:
            named |= {"registered_name": registered.name.name, "name_match": registered.name.match.value}
        if registered.representative:
            named["representative"] = self._applications.seal_representative(application_id, registered.representative)
        collected = self._applications.move(
            application_id, COLLECT, key_data_key=key, industry=features.get("industry"), **named
        )
        self._applications.apply(collected)
        return key

    def _collected(
        self, application: Application, scan_id: str | None, last_word: bool
    ) -> tuple[Collected, _Registered]:
        inputs = {
            "requested_amount_minor": application.amount_minor,
            "requested_term_months": application.term_months,
        }

        registered = _Registered()

        def screen(sources: Mapping[str, Mapping[str, Any] | None]) -> Screened:
            nonlocal registered
            found = self._look_up(_listed(application, sources))
            name = registered_name(application.firm_name, sources, self._likeness)
            registered = _Registered(name, representative_key(sources))
            return Screened(found.features, found.model_dump(mode="json"), name.findings() if name else ())

        subject = _subject(application, scan_id)
        plan = application.required_flow().collection_plan
        collected = self._collections.collect(plan, subject, inputs, screen, last_word=last_word)
        return collected, registered


def _listed(application: Application, sources: Mapping[str, Mapping[str, Any] | None]) -> list[Listed]:
    """Subjects for the lists: the firm by number and name, as applied for and as registered.

    Not persons by name: too many persons share one.
    """
    found = [Listed(kind=Kind.TAXPAYER_ID, value=application.taxpayer_id)]
    registered: Any = sources.get("registry")
    registered = registered.get("registration") if isinstance(registered, Mapping) else None
    registered = registered if isinstance(registered, Mapping) else {}
    for kind, value in (
        (Kind.NAME, application.firm_name),
        (Kind.NAME, registered.get("name")),
        (Kind.ADDRESS, registered.get("address")),
    ):
        one = Listed(kind=kind, value=value) if isinstance(value, str) and len(value) <= MAX_VALUE else None
        if one is not None and one not in found:
            found.append(one)
    return found


def _subject(application: Application, scan_id: str | None) -> DataSubject:
    if scan_id is not None and not _SCAN_ID.fullmatch(scan_id):
        raise InvalidInput("must be 1 to 64 letters, digits or hyphens", field="scan_id", fault="wrong_form")
    fields = {
        "taxpayer_id": application.taxpayer_id,
        "firm_name": application.firm_name,
        "amount": str(application.requested()),
        "term_months": application.term_months,
    }
    return DataSubject(
        taxpayer_id=application.taxpayer_id,
        taxpayer_index=application.taxpayer_index,
        fields=fields,
        tenant=application.tenant,
        by=application.application_id if scan_id is None else f"{application.application_id}.{scan_id}",
        purpose=Purpose.ASSESSMENT if scan_id is None else Purpose.MONITORING,
    )
