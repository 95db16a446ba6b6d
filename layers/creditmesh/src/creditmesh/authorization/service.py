"""Use cases of authorisations: grant, reuse, watch, renew, withdraw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from creditmesh.authorization.changes import Changes, Granted
from creditmesh.authorization.flow import Flow
from creditmesh.authorization.model import (
    FIELDS_MISSING,
    NONE_STORED,
    OTHER_PURPOSE,
    SUPERSEDED,
    Authorization,
    AuthorizationRequired,
    How,
    Language,
    Standing,
    check_code,
    check_expiry,
    chosen_expiry,
    record_key,
)
from creditmesh.authorization.records import ConsentRecord, Use
from creditmesh.authorization.redirects import Redirects
from creditmesh.authorization.scopes import SCOPES, TAX, Purpose, Scope, Way, scope_of
from creditmesh.authorization.store import FIRM, AuthorizationStore
from creditmesh.authorization.texts import require_current
from creditmesh.authorization.watches import Watch, Watches
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.ids import new_id
from creditmesh.platform.paging import FIRST, Page, Window
from creditmesh.platform.tables import ConditionFailed, Item

if TYPE_CHECKING:
    from creditmesh.authorization.ports import SourceFields
    from creditmesh.platform.blind_index import BlindIndex


@dataclass(frozen=True)
class ScopeStanding:
    """State of one right."""

    scope: Scope
    authorization: Authorization | None
    """The stored authorisation without its code; None if never granted."""
    problem: str | None
    """Why it cannot be used now; None if it can."""


class Rights:
    """A tenant's authorisations of one firm at one point in time; a code is decrypted only on use."""

    def __init__(self, held: Mapping[str, Item], opened: Callable[[Item], Authorization], clock: Clock) -> None:
        self._held, self._opened, self._clock = held, opened, clock

    def usable(self, scope: str, purpose: str) -> Authorization:
        """The authorisation with its code, if usable now for this purpose.

        Raises:
            AuthorizationRequired: missing, expired, refused, withdrawn, or for other purposes.
        """
        item = self._held.get(scope)
        found = _required(self._opened(item) if item else None, scope, self._clock)
        if purpose not in found.consent.purposes:
            raise AuthorizationRequired(OTHER_PURPOSE, scope)
        return found


class Authorizations:
    """Firms' authorisations, one per taxpayer, scope and tenant.

    Args:
        fields: what sources want with a right.
        correlation_id: id of the request or run that a use belongs to.
    """

    def __init__(
        self,
        store: AuthorizationStore,
        changes: Changes,
        redirects: Redirects,
        watches: Watches,
        fields: SourceFields,
        index: BlindIndex,
        clock: Clock,
        correlation_id: Callable[[], str | None],
    ) -> None:
        self.redirects = redirects
        self._store, self._changes, self._watches, self._fields = store, changes, watches, fields
        self._index, self._clock, self._correlation_id = index, clock, correlation_id

    def usable(self, taxpayer_id: str, scope: str = TAX, *, tenant: str | None = None) -> Authorization:
        """The stored authorisation with its code, if usable now.

        Args:
            tenant: the asking tenant; None finds any tenant's.

        Raises:
            AuthorizationRequired: missing, expired, refused or withdrawn.
        """
        index = self._of(taxpayer_id)
        if tenant is None:
            best = self._best(self._held(index, scope, None))
            tenant = best.tenant if best else ""
        return _required(self._store.get(index, scope, tenant), scope, self._clock)

    def rights(self, taxpayer_id: str, *, tenant: str) -> Rights:
        """Read all of a tenant's authorisations of a firm at once; `use` checks each again."""
        return Rights(self._store.sealed(self._of(taxpayer_id), tenant), self._store.open, self._clock)

    def stands(self, authorization: Authorization) -> bool:
        """Whether this very authorisation can still be used."""
        return self._ended_as(authorization) is None

    def problem(self, taxpayer_id: str, scope: str = TAX, *, tenant: str) -> str | None:
        """Why a tenant's authorisation cannot be used now; None if it can."""
        return self._problem(self._store.peek(self._of(taxpayer_id), record_key(scope, tenant)), scope)

    def use(self, authorization: Authorization, *, purpose: str, by: str, channel: str) -> None:
        """Record a use before it happens; fails once the authorisation has ended.

        Args:
            purpose: one of `Purpose`.
            by: the application or monitoring run.
            channel: the source's channel that is about to be called.

        Raises:
            AuthorizationRequired: it has ended meanwhile, or does not cover the purpose.
            ValueError: no such purpose.
        """
        wanted = Purpose(purpose).value
        problem = authorization.problem(self._clock.now())
        if not problem and wanted not in authorization.consent.purposes:
            problem = OTHER_PURPOSE
        if not problem:
            entry = self._entry(authorization, wanted, by, channel)
            active = {"standing": Standing.ACTIVE.value}
            still = self._store.change(authorization, {"last_used_at": entry.at}, where=active)
            try:
                return self._store.apply([still, self._store.record(entry)], entry.record)
            except ConditionFailed:
                problem = self._ended_as(authorization) or SUPERSEDED
        denied = self._entry(authorization, wanted, by, channel, problem)
        self._store.apply([self._store.record(denied)], denied.record)
        raise AuthorizationRequired(problem, authorization.scope)

    def refuse(self, authorization: Authorization, reason: str) -> None:
        """Mark this authorisation as refused by its source; a newer one is not affected."""
        self._changes.reject(authorization, reason)

    def take(
        self,
        taxpayer_id: str,
        code: str,
        expires_at: str,
        granted_by: str,
        *,
        tenant: str,
        flow: Flow | None = None,
        fields: Mapping[str, str] = MappingProxyType({}),
        first: bool = False,
    ) -> Authorization:
        """Store a code that the borrower brought back, replacing an earlier one.

        A code that has expired is stored too: the collection will ask again, and the record says why.

        Args:
            flow: the redirect that he returned by, valid once; without one, the caller's token identifies him.
            fields: what the sources want besides.

        Raises:
            InvalidInput: malformed code, expiry or field, or a code bound to another tenant or taxpayer.
            RedirectUsed: the redirect was used before.
        """
        scope = scope_of(flow.scope if flow else TAX)
        code, expires_at = check_code(code), check_expiry(expires_at, scope, self._clock.now())
        fields = self._fields.check(scope.name, fields)
        indexes = self._index.every(FIRM, taxpayer_id)
        if flow and (flow.taxpayer_index not in indexes or flow.tenant != tenant):
            raise InvalidInput("belongs to another firm or account", field="state", fault="others_state")
        self.redirects.claim(code, indexes, tenant, expires_at)
        if flow:
            self.redirects.use(flow)
        how, verifier = (How.REDIRECT, flow.verifier) if flow else (How.API, "")
        granted = Granted(expires_at, granted_by, how, "zh-CN", code, verifier, fields)
        return self._grant(taxpayer_id, scope, tenant, granted, first=first)

    def was_brought(self, taxpayer_id: str, code: str, *, tenant: str) -> bool:
        """Whether this tenant has presented that code for this firm before."""
        return self.redirects.is_claimed(code, self._index.every(FIRM, taxpayer_id), tenant)

    def consent(
        self,
        taxpayer_id: str,
        scope: str,
        granted_by: str,
        *,
        tenant: str,
        text_version: str,
        language: Language,
        valid_days: int | None = None,
        until: str | None = None,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> Authorization:
        """Store a consent given on the platform for the displayed text and the chosen validity.

        Raises:
            InvalidInput: names field and rule.
        """
        right = scope_of(scope)
        if right.way is not Way.PLATFORM:
            raise InvalidInput(
                "must be granted at its source, by the authorization link", field="scope", fault="granted_at_source"
            )
        require_current(right, text_version)
        expires_at = chosen_expiry(right, self._clock.now(), valid_days=valid_days, until=until)
        brought = self._fields.check(right.name, fields)
        granted = Granted(expires_at, granted_by, How.PLATFORM, language, fields=brought)
        return self._grant(taxpayer_id, right, tenant, granted)

    def withdraw(self, taxpayer_id: str, scope: str, by: str, *, tenant: str) -> None:
        """Withdraw a consent at once: erase its code and revoke it at the source. Idempotent.

        Raises:
            InvalidInput: no such right.
            NotFound: never granted.
        """
        self._changes.withdraw(self._of(taxpayer_id), scope_of(scope), tenant, taxpayer_id, by)

    def erase(self, taxpayer_id: str, by: str, *, tenant: str) -> list[str]:
        """Withdraw every right and erase what was read under them; returns the scopes.

        Records of consents and uses are kept as the legally required proof.
        """
        held = [one for one in self._store.all_of(self._of(taxpayer_id)) if one.tenant == tenant]
        for one in held:
            self.withdraw(taxpayer_id, one.scope, by, tenant=tenant)
            self._changes.note_erasure(one, by)
        return sorted(one.scope for one in held)

    def standing_of(self, taxpayer_id: str, *, tenant: str | None = None) -> list[ScopeStanding]:
        """State of every right, in the table's order; without a tenant, the best of all tenants."""
        held = self._store.all_of(self._of(taxpayer_id))
        found = []
        for scope in SCOPES.values():
            best = self._best([one for one in held if one.scope == scope.name and tenant in (None, one.tenant)])
            found.append(ScopeStanding(scope, best, self._problem(best, scope.name)))
        return found

    def history(self, taxpayer_id: str, *, tenant: str, window: Window = FIRST) -> Page[ConsentRecord]:
        """Consent records, newest first."""
        return self._store.consents(self._index.each(FIRM, taxpayer_id), tenant, window)

    def uses(self, taxpayer_id: str, *, tenant: str, window: Window = FIRST) -> Page[Use]:
        """Every use and every refused attempt, newest first."""
        return self._store.uses(self._index.each(FIRM, taxpayer_id), tenant, window)

    def watch(
        self, taxpayer_id: str, scope: str, subject_id: str, *, tenant: str, lender_id: str | None = None
    ) -> None:
        """Start monitoring a loan or application under this right."""
        index, right = self._of(taxpayer_id), scope_of(scope)
        self._watches.begin(index, right.name, subject_id, tenant=tenant, lender_id=lender_id)

    def unwatch(self, taxpayer_id: str, scope: str, subject_id: str, *, tenant: str) -> None:
        """Stop monitoring under this right."""
        self._watches.end(self._of(taxpayer_id), scope, subject_id, tenant=tenant)

    def is_watched(self, taxpayer_id: str, scope: str = TAX, *, tenant: str) -> bool:
        """Whether monitoring needs it, so that it can be renewed outside an application's process."""
        return bool(self._watches.of(self._of(taxpayer_id), scope, tenant))

    def blind_of(self, taxpayer_id: str, *, tenant: str) -> list[Watch]:
        """A firm's own blind spots."""
        return list(self._watches.blind_of(self._of(taxpayer_id), tenant))

    def _problem(self, found: Authorization | None, scope: str) -> str | None:
        """Why the borrower must be asked for a right; None if he need not."""
        if found is None:
            return NONE_STORED
        lacks = self._fields.required(scope) - found.fields.keys()
        return found.problem(self._clock.now()) or (FIELDS_MISSING if lacks else None)

    def _held(self, index: str, scope: str, tenant: str | None) -> list[Authorization]:
        if tenant is not None:
            found = self._store.peek(index, record_key(scope, tenant))
            return [found] if found else []
        return [one for one in self._store.all_of(index) if one.scope == scope]

    def _best(self, held: Sequence[Authorization]) -> Authorization | None:
        """The newest usable one, else the newest."""
        now = self._clock.now()
        return max(held, key=lambda one: (not one.problem(now), one.granted_at), default=None)

    def _ended_as(self, authorization: Authorization) -> str | None:
        """Why this authorisation can no longer be used; None if it can."""
        stands = self._store.peek(authorization.taxpayer_index, authorization.record)
        if stands is None or stands.authorization_id != authorization.authorization_id:
            return SUPERSEDED
        return stands.problem(self._clock.now())

    def _entry(
        self, authorization: Authorization, purpose: str, by: str, channel: str, problem: str | None = None
    ) -> Use:
        now = self._clock.now()
        return Use(
            taxpayer_index=authorization.taxpayer_index,
            record=f"use#{iso(now)}#{new_id('use', now)}",
            at=iso(now),
            authorization_id=authorization.authorization_id,
            scope=authorization.scope,
            tenant=authorization.tenant,
            purpose=purpose,
            by=by,
            channel=channel,
            outcome="denied" if problem else "allowed",
            problem=problem,
            correlation_id=self._correlation_id(),
        )

    def _grant(
        self, taxpayer_id: str, right: Scope, tenant: str, granted: Granted, *, first: bool = False
    ) -> Authorization:
        index = self._of(taxpayer_id)
        elsewhere = [one for one in self._index.each(FIRM, taxpayer_id) if one != index]
        return self._changes.grant(index, right, tenant, granted, elsewhere, first=first)

    def _of(self, taxpayer_id: str) -> str:
        return self._store.index_of(self._index, taxpayer_id)


def _required(found: Authorization | None, scope: str, clock: Clock) -> Authorization:
    problem = found.problem(clock.now()) if found else NONE_STORED
    if found is None or problem:
        raise AuthorizationRequired(problem or NONE_STORED, scope)
    return found
