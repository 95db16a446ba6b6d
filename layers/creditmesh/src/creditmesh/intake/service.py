"""Use cases of an application: apply, read, authorise, withdraw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from creditmesh.authorization.redirect import Flow, Link
from creditmesh.authorization.scopes import TAX, scope_of
from creditmesh.intake.model import (
    Application,
    ApplicationSummary,
    AuthorizationExhausted,
    LoanRequest,
    NotAwaited,
    Outcome,
    Status,
    TimelineEntry,
    waiting_for,
)
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, KeyReused, NotFound
from creditmesh.kernel.ids import derived_id
from creditmesh.platform.crypto import BlindIndex
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.tasks import Tasks

if TYPE_CHECKING:
    from creditmesh.authorization.service import Authorizations


OVERTAKEN = ("superseded", "withdrawn")
"""The authorisation that was being used has ended; another one may stand already."""
WITHDRAWABLE = (Status.AUTHORIZATION_REQUIRED, Status.OFFERED, Status.CONTRACT_READY, Status.WITH_OPERATOR)


class Intake:
    """Takes applications in and lets their borrowers act on them.

    Args:
        requires: whether a collection plan cannot do without a scope's consent.
    """

    def __init__(
        self,
        store: ApplicationStore,
        authorizations: Authorizations,
        tasks: Tasks,
        index: BlindIndex,
        clock: Clock,
        requires: Callable[[str, str], bool],
    ) -> None:
        self._store, self._authorizations, self._tasks = store, authorizations, tasks
        self._index, self._clock, self._requires = index, clock, requires

    def apply(self, caller: Caller, request: LoanRequest, key: str) -> Application:
        """Take a loan request and start its process.

        Args:
            key: the client's idempotency key; the same key of the same tenant meets the first application again.

        Raises:
            InvalidInput: naming field and rule.
            KeyReused: the key was used for another request.
        """
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only borrowers, and banks for their customers, apply")
        money, taxpayer = request.money(), request.checked_taxpayer_id()
        now = iso(self._clock.now())
        application_id = derived_id("app", caller.tenant, key)
        channel = f"bank:{caller.tenant}" if caller.role is Role.BANK else "direct"
        application = Application(
            application_id=application_id,
            tenant=caller.tenant,
            channel=channel,
            created_by=caller.subject,
            created_at=now,
            updated_at=now,
            firm_name=request.firm_name,
            taxpayer_id=taxpayer,
            taxpayer_index=self._index.of("taxpayer_id", taxpayer),
            amount_minor=money.minor,
            currency=money.currency,
            term_months=request.term_months,
            purpose=request.purpose,
            status=Status.RECEIVED,
            timeline=[TimelineEntry(at=now, status=Status.RECEIVED, by=caller.role)],
            execution=application_id,
        )
        try:
            self._store.create(application)
        except ConditionFailed:
            application = self._same_request(application, self._store.get(application_id))
        # A repeat may have another problem to tell than the first request; the execution that runs is left alone then.
        self._tasks.start(application.execution, application_id, self._problem(application))
        return application

    def read(self, caller: Caller, application_id: str) -> Application:
        """An application the caller may see.

        Raises:
            NotFound: there is none, or it is another's; the answer does not tell which.
        """
        application = self._store.get(application_id)
        if not application.visible_to(caller):
            raise NotFound("no such application", field="application_id")
        return application

    def list(self, caller: Caller, status: Status | None, limit: int) -> list[ApplicationSummary]:
        """The caller's applications, newest first; staff name a status, and see those first that entered it last.

        Raises:
            InvalidInput: staff named no status.
        """
        if caller.role in STAFF:
            if status is None:
                raise InvalidInput("staff list applications by status", field="status")
            return list(self._store.of_status(status, limit))
        found = self._own(caller, limit if status is None else 1000)
        return list(islice((one for one in found if one.visible_to(caller) and status in (None, one.status)), limit))

    def await_authorization(self, application_id: str, token: str, reason: str, allowed: int) -> None:
        """Ask the borrower for an authorisation and wait.

        Raises:
            AuthorizationExhausted: he has been asked `allowed` times; recorded as outcome.
        """
        # The usual way, without a look: an application that was received and never asked.
        if allowed > 0 and reason not in OVERTAKEN and self._asked(application_id, Status.RECEIVED, 1, token, reason):
            return
        application = self._store.get(application_id)
        application.require_open()
        if (application.status is Status.AUTHORIZED or reason in OVERTAKEN) and self._holds(application):
            self._tasks.succeed(token, {})  # he has answered: this step runs once more, or another answer came between
            return
        # A step that runs once more, while he has not answered yet, has not asked him again.
        again = application.status is Status.AUTHORIZATION_REQUIRED
        if application.authorization_requests >= allowed and not again:
            self._store.close(application_id, Outcome.AUTHORIZATION_FAILED, note=reason)
            raise AuthorizationExhausted(reason)
        number = application.authorization_requests + (0 if again else 1)
        if not self._asked(application_id, application.status, number, token, reason):
            # He answered while this step began; his answer must not be written over.
            self.await_authorization(application_id, token, reason, allowed)

    def _asked(self, application_id: str, standing: Status, number: int, token: str, reason: str) -> bool:
        """Record that the borrower is asked, for the `number`th time; False if the application stands otherwise."""
        asking = self._store.change(
            application_id,
            to=Status.AUTHORIZATION_REQUIRED,
            note=reason,
            waiting=waiting_for("authorization", token, self._clock, reason),
            values={"authorization_requests": number},
            come_from=(standing,),
        )
        try:
            self._store.apply(asking)
        except ConditionFailed:
            return False
        return True

    def login_link(self, caller: Caller, application_id: str) -> Link:
        """Where the borrower grants access to his tax data, also to renew it while his loan is monitored."""
        application = self.read(caller, application_id)
        if not self._renews(application):
            application.require_open()
        return self._authorizations.redirects.begin(
            application_id,
            application.taxpayer_id,
            application.tenant,
            scope_of(TAX),
            in_browser=caller.role is Role.BORROWER,
        )

    def authorize(
        self, caller: Caller, application_id: str, code: str, expires_at: str, state: str | None = None
    ) -> Application:
        """Take the code the borrower brought back and go on.

        Args:
            state: as the source sent it back with the code; the code then serves this application only.
        """
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower brings an authorisation")
        application = self.read(caller, application_id)
        flow = self._authorizations.redirects.named_by(state) if state is not None else None
        if flow and flow.application_id != application_id:
            raise InvalidInput("was made for another application", field="state")
        return self._authorized(application, code, expires_at, f"{caller.role}:{caller.subject}", flow)

    def authorize_on_return(self, flow: Flow, taxpayer_id: str, code: str, expires_at: str) -> Application:
        """The same for a borrower whom the source sent back to us by a redirect of ours."""
        application = self._store.get(flow.application_id)
        if taxpayer_id != application.taxpayer_id:
            raise InvalidInput("is not the taxpayer of this application", field="taxpayer_id")
        return self._authorized(application, code, expires_at, "redirect", flow)

    def withdraw(self, caller: Caller, application_id: str) -> Application:
        """End an application at the borrower's wish, as long as he has signed nothing and no lender decides on it."""
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower withdraws")
        application = self.read(caller, application_id)
        application.require_open()
        try:
            application = self._store.moved(
                self._store.change(
                    application_id,
                    to=Status.CLOSED,
                    outcome=Outcome.WITHDRAWN,
                    by=caller.role,
                    come_from=WITHDRAWABLE,
                    note="withdrawn by the borrower",
                )
            )
        except ConditionFailed:
            raise NotAwaited("the application can be withdrawn only while it waits for the borrower") from None
        # With the token of the very wait that the write ended.
        if application.waiting:
            self._tasks.fail(application.waiting.token, "ApplicationClosed", "withdrawn")
        return application

    def _problem(self, application: Application) -> str | None:
        """Why the firm has to be asked for its tax data anyway; its process need not find that out by a collection."""
        if not self._requires(application.collection_plan, TAX):
            return None
        return self._authorizations.problem(application.taxpayer_id, tenant=application.tenant)

    def _holds(self, application: Application) -> bool:
        return self._authorizations.has_usable(application.taxpayer_id, tenant=application.tenant)

    def _renews(self, application: Application) -> bool:
        """Whether a code renews what monitoring rests on, rather than answer this application's question."""
        if application.status is Status.AUTHORIZATION_REQUIRED:
            return False
        return self._authorizations.is_watched(application.taxpayer_id, tenant=application.tenant)

    def _authorized(
        self, application: Application, code: str, expires_at: str, by: str, flow: Flow | None = None
    ) -> Application:
        taxpayer_id, tenant = application.taxpayer_id, application.tenant
        if self._renews(application):
            self._authorizations.take(taxpayer_id, code, expires_at, by, tenant=tenant, flow=flow)
            return application
        application.require_open()
        if application.status is not Status.AUTHORIZATION_REQUIRED:
            raise NotAwaited("the application does not wait for an authorisation")
        self._authorizations.take(taxpayer_id, code, expires_at, by, tenant=tenant, flow=flow)
        application = self._store.moved(
            self._store.change(
                application.application_id,
                to=Status.AUTHORIZED,
                by="borrower",
                come_from=(Status.AUTHORIZATION_REQUIRED,),
            )
        )
        if application.waiting:
            self._tasks.succeed(application.waiting.token, {})
        return application

    def _own(self, caller: Caller, limit: int) -> Iterator[ApplicationSummary]:
        if caller.role is Role.LENDER:
            return self._store.of_lender(caller.tenant, limit)
        if caller.role is Role.BANK:
            return self._store.of_channel(f"bank:{caller.tenant}", limit)
        return self._store.of_tenant(caller.tenant, limit)

    @staticmethod
    def _same_request(new: Application, stored: Application) -> Application:
        fields = ("taxpayer_id", "firm_name", "amount_minor", "currency", "term_months", "purpose")
        if any(getattr(new, name) != getattr(stored, name) for name in fields):
            raise KeyReused("this key was used for another request", field="Idempotency-Key")
        return stored
