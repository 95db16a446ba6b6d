"""Watched authorisations: if one that monitoring needs has ended, its subject is a blind spot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from pydantic import BaseModel, ConfigDict

from creditmesh.authorization.model import NONE_STORED, OTHER_PURPOSE, Authorization, record_key
from creditmesh.authorization.records import ConsentRecord, RecordKind
from creditmesh.authorization.scopes import Purpose
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden
from creditmesh.platform.paging import FIRST, Page, Partition, Window, read
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update

BLIND = "open"


class Watch(BaseModel):
    """A monitored subject that depends on an authorisation."""

    model_config = ConfigDict(frozen=True)

    taxpayer_index: str
    watch: str
    scope: str
    tenant: str
    subject_id: str
    """The loan or application."""
    lender_id: str | None = None
    """The lender that may see the blind spot."""
    watched_since: str
    blind_since: str | None = None
    """Start of the blind spot; None if there is none."""
    blind_cause: str | None = None
    """The reason, as in `Authorization.problem`."""


class Watches:
    """Records which subjects need which authorisation, and marks and clears blind spots."""

    def __init__(self, tables: Tables, table: str, authorizations: AuthorizationStore, clock: Clock) -> None:
        self._tables, self._table, self._store, self._clock = tables, table, authorizations, clock

    def begin(
        self, taxpayer_index: str, scope: str, subject_id: str, *, tenant: str, lender_id: str | None = None
    ) -> None:
        """Start watching; idempotent. A subject without a valid authorisation is marked at once."""
        self._tables.write(self.beginning(taxpayer_index, scope, subject_id, tenant=tenant, lender_id=lender_id))
        self.reconcile(taxpayer_index, scope, tenant)

    def beginning(
        self, taxpayer_index: str, scope: str, subject_id: str, *, tenant: str, lender_id: str | None
    ) -> Update:
        """The write that starts watching, for a transaction; `reconcile` follows. It leaves an existing mark alone."""
        watch = {
            "scope": scope, "tenant": tenant, "subject_id": subject_id, "lender_id": lender_id,
            "watched_since": iso(self._clock.now()),
        }  # fmt: skip
        return Update(self._table, self._key(taxpayer_index, scope, tenant, subject_id), watch, creates=True)

    def end(self, taxpayer_index: str, scope: str, subject_id: str, *, tenant: str) -> None:
        """Stop watching; this also clears the mark."""
        self._tables.delete(self._table, self._key(taxpayer_index, scope, tenant, subject_id))

    def of(self, taxpayer_index: str, scope: str, tenant: str) -> list[Watch]:
        """The watches of one authorisation."""
        return [watch for watch in self._all(taxpayer_index, tenant) if watch.scope == scope]

    def reconcile(self, taxpayer_index: str, scope: str, tenant: str) -> int:
        """Mark or clear by the authorisation's current state; idempotent. Returns the number of changed marks."""
        watches = self.of(taxpayer_index, scope, tenant)
        if not watches:
            return 0
        return self._reconciled(watches, self._store.peek(taxpayer_index, record_key(scope, tenant)))

    def reconcile_all(self, taxpayer_index: str, tenant: str) -> None:
        """Like `reconcile`, for all of a tenant's authorisations of a taxpayer."""
        watches = self._all(taxpayer_index, tenant)
        standing = {one.scope: one for one in self._store.all_of(taxpayer_index) if one.tenant == tenant}
        for scope in {watch.scope for watch in watches}:
            self._reconciled([watch for watch in watches if watch.scope == scope], standing.get(scope))

    def blind_spots(self, caller: Caller, window: Window = FIRST) -> Page[Watch]:
        """Blind spots, longest first; lenders see their own loans only.

        Raises:
            Forbidden: neither staff nor lender.
        """
        if caller.role not in STAFF | {Role.LENDER}:
            raise Forbidden("blind spots are for staff and lenders")
        partition = Partition(
            self._table, ("taxpayer_index", "watch"), "blind_spot", BLIND, sort="blind_since", index="by-blind-spot"
        )

        def own(item: Item) -> bool:
            return bool(item.get("lender_id") == caller.tenant)

        found = read(self._tables, [partition], window, own if caller.role is Role.LENDER else None)
        return found.map(Watch.model_validate)

    def blind_of(self, taxpayer_index: str, tenant: str) -> Iterator[Watch]:
        return (one for one in self._all(taxpayer_index, tenant) if one.blind_since)

    def _all(self, taxpayer_index: str, tenant: str) -> list[Watch]:
        # Consistent: a right that ends meets the watches that began before, or they meet it.
        found = self._tables.query(self._table, "taxpayer_index", taxpayer_index, consistent=True)
        return [watch for watch in map(Watch.model_validate, found) if watch.tenant == tenant]

    def _reconciled(self, watches: Sequence[Watch], stands: Authorization | None) -> int:
        problem = self._problem(stands)
        if stands and problem and not stands.renewal_requested_at:
            self._ask(stands, problem)
        return sum(self._set(watch, stands, problem) for watch in watches)

    def _problem(self, stands: Authorization | None) -> str | None:
        """Why monitoring cannot use an authorisation; None if it can."""
        if stands is None:
            return NONE_STORED
        covered = Purpose.MONITORING.value in stands.consent.purposes
        return stands.problem(self._clock.now()) or (None if covered else OTHER_PURPOSE)

    def _ask(self, stands: Authorization, problem: str) -> None:
        """Request the renewal of an authorisation once, before its subjects become blind spots."""
        now = iso(self._clock.now())
        asked = ConsentRecord.of(stands, RecordKind.RENEWAL_REQUESTED, now, "platform", note=problem)
        change = self._store.change(stands, {"renewal_requested_at": now}, absent=("renewal_requested_at",))
        with suppress(ConditionFailed):  # asked, or replaced, concurrently
            self._store.apply([change, self._store.record(asked)], asked.record)

    @staticmethod
    def _key(taxpayer_index: str, scope: str, tenant: str, subject_id: str) -> dict[str, str]:
        return {"taxpayer_index": taxpayer_index, "watch": f"{record_key(scope, tenant)}#{subject_id}"}

    def _set(self, watch: Watch, stands: Authorization | None, problem: str | None) -> bool:
        if (problem is None) is (watch.blind_since is None):
            return False
        now = iso(self._clock.now())
        kind = RecordKind.BLIND_SPOT if problem else RecordKind.SIGHT_RESTORED
        authorization_id = stands.authorization_id if stands else "none"
        entry = ConsentRecord(
            taxpayer_index=watch.taxpayer_index,
            record=f"consent#{now}#{authorization_id}#{kind}#{watch.watch}",
            kind=kind,
            at=now,
            authorization_id=authorization_id,
            scope=watch.scope,
            tenant=watch.tenant,
            by="platform",
            note=problem,
            subject_id=watch.subject_id,
        )
        try:
            self._store.apply([self._mark(watch, problem, now), self._store.record(entry)], entry.record)
        except ConditionFailed:
            return False  # changed concurrently, or no longer watched
        return True

    def _mark(self, watch: Watch, problem: str | None, now: str) -> Update:
        key = {"taxpayer_index": watch.taxpayer_index, "watch": watch.watch}
        if problem:
            marked = {"blind_since": now, "blind_cause": problem, "blind_spot": BLIND}
            return Update(self._table, key, marked, absent=("blind_since",))
        cleared = ("blind_since", "blind_cause", "blind_spot")
        return Update(self._table, key, remove=cleared, where={"blind_since": watch.blind_since})
