"""Use cases of an application: apply, read, authorise, withdraw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from creditmesh.authorization.flow import Flow, Link
from creditmesh.authorization.model import NONE_STORED, RedirectUsed
from creditmesh.authorization.scopes import SCOPES, TAX, scope_of
from creditmesh.intake.model import (
    WAITS,
    Actor,
    Application,
    ApplicationClosed,
    AuthorizationExhausted,
    FlowTaken,
    LoanRequest,
    NotAwaited,
    Outcome,
    Status,
    TimelineEntry,
)
from creditmesh.intake.moves import ASK, AUTHORIZE, GIVE_UP, WITHDRAW, Move
from creditmesh.intake.notes import Note
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, KeyReused
from creditmesh.kernel.identifiers import compact
from creditmesh.kernel.ids import derived_id
from creditmesh.platform.tables import ConditionFailed, again
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.authorization.ports import Asking
    from creditmesh.platform.blind_index import BlindIndex


_AUTHORIZATION = WAITS[Status.AUTHORIZATION_REQUIRED]
OVERTAKEN = ("superseded", "withdrawn")
"""Reasons that mean: the authorisation in use has ended, but a new one may exist."""


@dataclass(frozen=True)
class Brought:
    """A code that was brought back from its source."""

    code: str = field(repr=False)
    expires_at: str
    by: str
    """Who brought it, as in the record of consents."""
    flow: Flow | None = field(default=None, repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the sources want besides."""


class Intake:
    """Accepts applications and the borrowers' actions on them.

    Args:
        requires: whether a collection plan requires a scope's consent.
        flow_of: returns the loan flow with that id, as it is in force; raises FlowUnknown.
    """

    def __init__(
        self,
        store: ApplicationStore,
        authorizations: Asking,
        tasks: Tasks,
        waits: Waits,
        index: BlindIndex,
        clock: Clock,
        requires: Callable[[str, str], bool],
        flow_of: Callable[[str], FlowTaken],
    ) -> None:
        self._store, self._authorizations, self._tasks, self._waits = store, authorizations, tasks, waits
        self._index, self._clock, self._requires, self._flow_of = index, clock, requires, flow_of

    def apply(self, caller: Caller, request: LoanRequest, key: str) -> Application:
        """Accept a loan request and start its process.

        Args:
            key: the client's idempotency key; a repeat by the same tenant returns the first application.

        Raises:
            InvalidInput: names field and rule.
            FlowUnknown: the request names a flow that is not in force.
            KeyReused: the key was used for another request.
        """
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only borrowers, and banks for their customers, may apply")
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
            status_at=now,
            firm_name=request.firm_name,
            taxpayer_id=taxpayer,
            taxpayer_index=self._index.of("taxpayer_id", taxpayer),
            amount_minor=money.minor,
            currency=money.currency,
            term_months=request.term_months,
            purpose=request.purpose,
            flow=self._flow_of(request.flow_id) if request.flow_id else None,
            status=Status.RECEIVED,
            timeline=[TimelineEntry(at=now, status=Status.RECEIVED, by=caller.role, subject=caller.subject)],
            execution=application_id,
        )
        try:
            self._store.create(application)
        except ConditionFailed:
            application = self._same_request(application, self._store.get(application_id))
        # A repeat may find another problem than the first request did; a running execution is then left alone.
        self._tasks.start(application.execution, application_id, self._problem(application))
        return application

    def read(self, caller: Caller, application_id: str) -> Application:
        """An application that the caller may see.

        Raises:
            NotFound: missing, or not visible to the caller; the answer does not tell which.
        """
        return self._store.get_for(caller, application_id)[0]

    def await_authorization(self, application_id: str, token: str, reason: str, allowed: int) -> None:
        """Ask the borrower for an authorisation and wait.

        Raises:
            AuthorizationExhausted: asked `allowed` times; recorded as outcome.
        """
        # The usual case, without reading first: an application that was received and never asked.
        if allowed > 0 and reason not in OVERTAKEN and self._asked(application_id, Status.RECEIVED, 1, token, reason):
            return
        again(lambda: self._await_authorization(application_id, token, reason, allowed))

    def _await_authorization(self, application_id: str, token: str, reason: str, allowed: int) -> None:
        application = self._store.get(application_id)
        application.require_open()
        if (application.status is Status.AUTHORIZED or reason in OVERTAKEN) and self._holds(application):
            self._tasks.succeed(token, {})  # answered before, so this step was retried, or another answer came
            return
        if application.granted_meanwhile and self._holds(application):
            self._tasks.succeed(token, {})
            self._store.asked_all_the_same(application_id)
            return
        # A retry of this step, before the borrower has answered, does not count as asking again.
        repeated = application.status is Status.AUTHORIZATION_REQUIRED
        if application.authorization_requests >= allowed and not repeated:
            given_up = self._store.move(
                application_id,
                GIVE_UP,
                outcome=Outcome.AUTHORIZATION_FAILED,
                standing=application.status,
                note=Note.of("authorization_not_given", problem=reason),
            )
            self._store.apply(given_up)
            raise AuthorizationExhausted(reason)
        number = application.authorization_requests + (0 if repeated else 1)
        known = application.granted_meanwhile is not None
        if not self._asked(application_id, application.status, number, token, reason, knows_grant=known):
            # The borrower answered during this step; the answer must not be overwritten.
            raise ConditionFailed("the application changed meanwhile")

    def _asked(
        self, application_id: str, standing: Status, number: int, token: str, reason: str, *, knows_grant: bool = False
    ) -> bool:
        """Record the request number `number` to the borrower.

        Args:
            knows_grant: a grant in another application of the firm is known and of no use.

        Returns:
            False if the application is in another state, or there is such a grant.
        """
        asking = self._store.move(
            application_id, ASK, standing=standing, note=Note.of("authorization_needed", problem=reason),
            authorization_requests=number, authorization_problem=reason,
        )  # fmt: skip
        if standing is Status.RECEIVED and not knows_grant:
            asking = replace(asking, absent=("granted_meanwhile",))
        wait = self._waits.asking(application_id, _AUTHORIZATION, token, str(number))
        try:
            self._store.apply(asking, wait)
        except ConditionFailed:
            return False
        return True

    def login_link(self, caller: Caller, application_id: str) -> Link:
        """The login link for granting access to tax data, also to renew it while the loan is monitored."""
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
        self,
        caller: Caller,
        application_id: str,
        code: str,
        expires_at: str,
        state: str | None = None,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> Application:
        """Accept the code that the borrower brought back and continue; idempotent.

        Args:
            state: as returned by the source with the code; the code is then valid for this application only.
        """
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower may bring an authorisation")
        application, (asked,) = self._store.get_for(
            caller, application_id, self._waits.ref(application_id, _AUTHORIZATION)
        )
        wait = Wait(application_id, _AUTHORIZATION, asked)
        try:
            flow = self._authorizations.redirects.named_by(state) if state is not None else None
            if flow and flow.application_id != application_id:
                raise InvalidInput("belongs to another application", field="state", fault="others_state")
            brought = Brought(code, expires_at, f"{caller.role}:{caller.subject}", flow, fields)
            return self._authorized(application, wait, Actor.of(caller), brought)
        except (RedirectUsed, NotAwaited, ConditionFailed):
            if not self._authorizations.was_brought(application.taxpayer_id, code, tenant=application.tenant):
                raise
        return again(lambda: self._authorized_before(application_id, Actor.of(caller)))

    def authorize_on_return(
        self, flow: Flow, taxpayer_id: str, code: str, expires_at: str, fields: Mapping[str, str] = MappingProxyType({})
    ) -> Application:
        """Like `authorize`, for a borrower who returns by our redirect."""
        ref = self._waits.ref(flow.application_id, _AUTHORIZATION)
        application, (asked,) = self._store.get_with(flow.application_id, ref)
        if compact(taxpayer_id) != application.taxpayer_id:
            raise InvalidInput("must be the taxpayer of this application", field="taxpayer_id", fault="other_taxpayer")
        wait = Wait(flow.application_id, _AUTHORIZATION, asked)
        brought = Brought(code, expires_at, "redirect", flow, fields)
        return self._authorized(application, wait, Actor(Role.BORROWER), brought)

    def consented(self, caller: Caller, application_id: str) -> Application:
        """Continue an application that waited for a consent which the borrower has just given on the platform."""
        return again(lambda: self._authorized_before(application_id, Actor.of(caller)))

    def withdraw(self, caller: Caller, application_id: str) -> Application:
        """End an application at the borrower's request, unless the contract is signed or a lender is deciding."""
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower may withdraw")
        return again(lambda: self._withdrawn(caller, application_id))

    def _withdrawn(self, caller: Caller, application_id: str) -> Application:
        application = self.read(caller, application_id)
        application.require_open()
        if application.status not in WAITS:
            raise NotAwaited("the application can be withdrawn only while it waits for the borrower")
        if application.status is Status.WITH_OPERATOR and application.stood is Status.SIGNED:
            raise NotAwaited("the contract is signed, and its payment may have been ordered")
        wait = self._waits.read(application_id, WAITS[application.status])
        closed = Answer(error=ApplicationClosed.__name__, cause="withdrawn")
        note = Note.of("withdrawn_by_borrower")
        return self._answered(
            application, wait, closed, WITHDRAW, Actor.of(caller), outcome=Outcome.WITHDRAWN, note=note
        )  # fmt: skip

    def _answered(
        self, application: Application, wait: Wait, answer: Answer, move: Move, by: Actor, **details: Any
    ) -> Application:  # fmt: skip
        """Make a move that answers the current wait, and resume the process; returns the application.

        Raises:
            ConditionFailed: the application changed, or the waiting step was retried meanwhile.
        """
        moved = self._store.move(application.application_id, move, by, standing=application.status, **details)
        self._store.apply(moved, self._waits.answering(wait, answer))
        self._waits.give(wait.token, answer)
        return self._store.after(application, moved)

    def _problem(self, application: Application) -> str | None:
        """Why the firm must be asked for a right that the plan requires; None if it has granted them all."""
        return self._lacking(application, self._required(application))

    def _holds(self, application: Application) -> bool:
        """Whether whoever was asked has granted all; asked without a plan's need, it was for tax data."""
        return self._lacking(application, self._required(application) or [TAX]) is None

    def _required(self, application: Application) -> list[str]:
        flow = application.flow
        return [scope for scope in SCOPES if self._requires(flow.collection_plan, scope)] if flow else []

    def _lacking(self, application: Application, scopes: Sequence[str]) -> str | None:
        problem = partial(self._authorizations.problem, application.taxpayer_id, tenant=application.tenant)
        return next((found for scope in scopes if (found := problem(scope))), None)

    def _renews(self, application: Application) -> bool:
        """Whether a code renews a monitored authorisation instead of answering this application's wait."""
        if application.status is Status.AUTHORIZATION_REQUIRED:
            return False
        return self._authorizations.is_watched(application.taxpayer_id, tenant=application.tenant)

    def _authorized(self, application: Application, wait: Wait, actor: Actor, brought: Brought) -> Application:
        renews = self._renews(application)
        if not renews:
            application.require_open()
            if application.status is not Status.AUTHORIZATION_REQUIRED:
                raise NotAwaited("the application does not wait for an authorisation")
        self._authorizations.take(
            application.taxpayer_id, brought.code, brought.expires_at, brought.by, tenant=application.tenant,
            flow=brought.flow, fields=brought.fields,
            first=not renews and application.authorization_problem == NONE_STORED,
        )  # fmt: skip
        return application if renews else self._answered(application, wait, Answer(), AUTHORIZE, actor)

    def _authorized_before(self, application_id: str, actor: Actor) -> Application:
        """Continue with what is stored: after a consent, or an earlier call that died before moving the application."""
        application, (asked,) = self._store.get_with(application_id, self._waits.ref(application_id, _AUTHORIZATION))
        if application.status is Status.AUTHORIZATION_REQUIRED and self._holds(application):
            wait = Wait(application_id, _AUTHORIZATION, asked)
            return self._answered(application, wait, Answer(), AUTHORIZE, actor)
        return application

    @staticmethod
    def _same_request(new: Application, stored: Application) -> Application:
        fields = ("taxpayer_id", "firm_name", "amount_minor", "currency", "term_months", "purpose")
        if any(getattr(new, name) != getattr(stored, name) for name in fields) or _named(new) != _named(stored):
            raise KeyReused("this key was used for another request", field="Idempotency-Key")
        return stored


def _named(application: Application) -> str | None:
    """The flow that the request named."""
    flow = application.flow
    return flow.flow_id if flow and flow.assigned_by is None else None
