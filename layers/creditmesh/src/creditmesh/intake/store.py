"""Applications in DynamoDB: every change is conditional on the previous status and adds a timeline entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from creditmesh.intake.model import (
    Actor,
    Application,
    ApplicationClosed,
    ApplicationSummary,
    Outcome,
    Status,
)
from creditmesh.intake.moves import EXPIRE, PLATFORM, Move
from creditmesh.intake.notes import Note, noted
from creditmesh.kernel.caller import Caller
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.tables import ConditionFailed, Item, Put, Ref, Step, Tables, Update

if TYPE_CHECKING:
    from creditmesh.platform.crypto import FieldCipher

NO_SUCH = "no such application"
_REPRESENTATIVE = "representative"


class ApplicationStore:
    """The store of applications; other contexts use it to read and move them."""

    def __init__(self, tables: Tables, table: str, cipher: FieldCipher, clock: Clock) -> None:
        self._tables, self._table, self._cipher, self._clock = tables, table, cipher, clock

    def create(self, application: Application) -> None:
        """Store a new application.

        Raises:
            ConditionFailed: the id exists.
        """
        item = application.model_dump(mode="json", exclude_none=True)
        item["taxpayer_id"] = self._cipher.seal(
            application.taxpayer_id, self._table, application.application_id, "taxpayer_id"
        )
        self._tables.write(Put(self._table, item, "application_id"))

    def get(self, application_id: str) -> Application:
        """An application by id.

        Raises:
            NotFound: unknown id.
        """
        return self._opened(self._item(application_id))

    def get_with(self, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]:
        """The application, and items of other tables, by one call.

        Raises:
            NotFound: unknown id.
        """
        item, *found = self._tables.get_each(self._ref(application_id), *others)
        return self._opened(_found(item)), found

    def get_for(self, caller: Caller, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]:
        """Like `get_with`, for a caller who may see the application.

        Raises:
            NotFound: missing, or not visible to the caller; the answer does not tell which.
        """
        application, found = self.get_with(application_id, *others)
        if not application.visible_to(caller):
            raise NotFound(NO_SUCH, field="application_id")
        return application, found

    def seal_representative(self, application_id: str, key: str) -> str:
        """A legal representative's key as an application stores it."""
        return self._cipher.seal(key, self._table, application_id, _REPRESENTATIVE)

    def representative_of(self, application: Application) -> str | None:
        """The key of the firm's legal representative, by the registry; None if it names none.

        Opened on demand, as most readers of an application need none and opening may cost a call to KMS.
        """
        sealed = application.representative
        return sealed and self._cipher.open(sealed, self._table, application.application_id, _REPRESENTATIVE)

    def summary(self, application_id: str) -> ApplicationSummary:
        """The application without sealed attributes, which saves the call to KMS.

        Raises:
            NotFound: unknown id.
        """
        return ApplicationSummary.model_validate(self._item(application_id))

    def move(
        self,
        application_id: str,
        move: Move,
        by: Actor = PLATFORM,
        *,
        note: Note | str | None = None,
        outcome: Outcome | None = None,
        standing: Status | None = None,
        to: Status | None = None,
        **values: Any,
    ) -> Update:
        """The write of a move, for `apply` or for a transaction.

        Args:
            note: what a person wrote, as text; stands beside the outcome if there is one.
            standing: the required status, if fewer than the move allows.
            to: the new status, if the table leaves it open.
            values: the attributes that the move sets.
        """
        move.check(by, set(values), outcome)
        now, status = iso(self._clock.now()), move.to or to
        if status is None:
            raise ValueError(f"{move.name} has no target status")
        change = {**values, "status": status.value, "status_at": now, "updated_at": now}
        if outcome is not None:
            change |= {"outcome": outcome.value, **noted(note, "outcome_")}
            note = Note.of("ended", outcome=outcome.value)
        entry = {"at": now, "status": status.value, "by": by.role, **noted(note)}
        if by.subject is not None:
            entry["subject"] = by.subject
        return Update(
            self._table,
            {"application_id": application_id},
            change,
            append={"timeline": [entry]},
            remove=move.clears,
            where={"status": (standing.value,) if standing else tuple(one.value for one in move.of)},
        )

    def granted_meanwhile(self, application_id: str) -> Update:
        """The write that marks an application which has not been asked for an authorisation yet."""
        key, status = {"application_id": application_id}, {"status": Status.RECEIVED.value}
        return Update(self._table, key, {"granted_meanwhile": True}, where=status)

    def asked_all_the_same(self, application_id: str) -> None:
        """Remove that mark, since the grant has been used."""
        self._tables.write(Update(self._table, {"application_id": application_id}, remove=("granted_meanwhile",)))

    def of_firm(self, taxpayer_index: str, limit: int) -> Iterator[str]:
        """Ids of a firm's applications, newest first."""
        found = self._tables.query(
            self._table, "taxpayer_index", taxpayer_index, index="by-taxpayer", limit=limit, newest_first=True,
            fields=("application_id",),
        )  # fmt: skip
        return (item["application_id"] for item in found)

    def restarted(self, application: ApplicationSummary, execution: str) -> Update:
        """The write that names a new execution for the application, unless there is another already."""
        key, change = {"application_id": application.application_id}, {"execution": execution}
        open_ = tuple(one.value for one in Status if one is not Status.CLOSED)
        return Update(self._table, key, change, where={"status": open_, "execution": application.execution})

    def apply(self, write: Update, *also: Step) -> None:
        """Execute a write; with `also`, all of them or none.

        Raises:
            ApplicationClosed: it has ended meanwhile.
            ConditionFailed: another open status than expected, or a condition of `also` failed.
        """
        try:
            if also:
                self._tables.transact([write, *also], write.key["application_id"])
            else:
                self._tables.write(write)
        except ConditionFailed:
            self.get(write.key["application_id"]).require_open()
            raise

    def expire(self, application_id: str, outcome: Outcome, note: Note | str | None = None) -> bool:
        """End an application whose wait timed out; False if it has ended, or was answered just now."""
        try:
            self.apply(self.move(application_id, EXPIRE, outcome=outcome, note=note))
        except (ApplicationClosed, ConditionFailed):
            return False
        return True

    @staticmethod
    def after(application: Application, write: Update) -> Application:
        """The application after a write that was executed on this state."""
        state = application.model_dump()
        grown = {name: [*state.get(name, []), *entries] for name, entries in write.append.items()}
        kept = {name: value for name, value in state.items() if name not in write.remove}
        return Application.model_validate({**kept, **write.set, **grown})

    def summary_with(
        self, application_id: str, *others: Ref
    ) -> tuple[ApplicationSummary, list[Item | None]]:  # fmt: skip
        """The summary, and items of other tables, by one call.

        Raises:
            NotFound: unknown id.
        """
        item, *found = self._tables.get_each(self._ref(application_id), *others)
        return ApplicationSummary.model_validate(_found(item)), found

    def ids(
        self, status: Status, until: datetime, since: datetime | None = None, limit: int | None = None
    ) -> Iterator[str]:
        """Ids of applications that entered a status by `until` and not before `since`, earliest first."""
        between = ("status_at", iso(since) if since else "0", iso(until))
        found = self._tables.query(
            self._table, "status", status.value, index="by-status", between=between, limit=limit,
            fields=("application_id",),
        )  # fmt: skip
        return (item["application_id"] for item in found)

    def ended(self, until: datetime, since: datetime | None) -> Iterator[tuple[str, str]]:
        """Id and end of closed applications that ended before `until` and not before `since`, earliest first.

        A loan comes when it was paid out, and once more when it has ended.
        """
        between = ("status_at", iso(since) if since else "0", iso(until))
        found = self._tables.query(
            self._table, "status", Status.CLOSED.value, index="by-status", between=between,
            fields=("application_id", "status_at"),
        )  # fmt: skip
        return ((item["application_id"], item["status_at"]) for item in found)

    def loan_ended(self, application_id: str, at: str) -> Update:
        """The write for the end of a loan, repaid or written off; it takes place among what has ended at that time."""
        change, paid = {"loan_ended_at": at, "status_at": at}, {"outcome": Outcome.DISBURSED.value}
        return Update(self._table, {"application_id": application_id}, change, where=paid, absent=("loan_ended_at",))

    def erase(self, application_id: str) -> None:
        """Delete an application; idempotent."""
        self._tables.delete(self._table, {"application_id": application_id})

    def indexed_otherwise(self, taxpayer_index_of: Callable[[str], str], *, every: bool) -> Iterator[Application]:
        """Applications whose firm's index has changed.

        Args:
            every: include those that are up to date.
        """
        for item in self._tables.scan(self._table):
            application = self._opened(item)
            if every or application.taxpayer_index != taxpayer_index_of(application.taxpayer_id):
                yield application

    def reindex(self, application: Application, taxpayer_index: str) -> None:
        """Replace the firm's index of an application."""
        key = {"application_id": application.application_id}
        self._tables.write(Update(self._table, key, {"taxpayer_index": taxpayer_index}))

    def _item(self, application_id: str) -> Item:
        return _found(self._tables.get(self._table, {"application_id": application_id}))

    def _ref(self, application_id: str) -> Ref:
        return Ref(self._table, {"application_id": application_id})

    def _opened(self, item: Item) -> Application:
        sealed = item["taxpayer_id"]
        plain = self._cipher.open(sealed, self._table, item["application_id"], "taxpayer_id")
        return Application.model_validate({**item, "taxpayer_id": plain})


def _found(item: Item | None) -> Item:
    if item is None:
        raise NotFound(NO_SUCH, field="application_id")
    return item
