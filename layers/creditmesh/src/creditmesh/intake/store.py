"""Applications in DynamoDB: every change is conditional on the status it starts from and adds its timeline entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from creditmesh.intake.model import (
    OPEN,
    Application,
    ApplicationClosed,
    ApplicationSummary,
    Outcome,
    Status,
    TimelineEntry,
    Waiting,
)
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.crypto import FieldCipher
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update, Write

_LISTED = tuple(ApplicationSummary.model_fields)


class ApplicationStore:
    """The aggregate's store; other contexts get it to read an application and to move it on."""

    def __init__(self, tables: Tables, table: str, cipher: FieldCipher, clock: Clock) -> None:
        self._tables, self._table, self._cipher, self._clock = tables, table, cipher, clock

    def create(self, application: Application) -> None:
        """Store a new application.

        Raises:
            ConditionFailed: one with that id exists.
        """
        item = application.model_dump(mode="json", exclude_none=True)
        item["status_at"] = application.updated_at
        item["taxpayer_id"] = self._cipher.seal(
            application.taxpayer_id, self._table, application.application_id, "taxpayer_id"
        )
        self._tables.write(Put(self._table, item, "application_id"))

    def get(self, application_id: str) -> Application:
        """The application of that id.

        Raises:
            NotFound: there is none.
        """
        return self._opened(self._item(application_id))

    def get_beside(self, application_id: str, table: str) -> tuple[Application, Item | None]:
        """The application, and what another table has under its id, by one call.

        Raises:
            NotFound: there is no such application.
        """
        item, other = self._tables.get_each({"application_id": application_id}, self._table, table)
        return self._opened(_found(item)), other

    def summary(self, application_id: str) -> ApplicationSummary:
        """The same without what is sealed, which spares the call to KMS.

        Raises:
            NotFound: there is none.
        """
        return ApplicationSummary.model_validate(self._item(application_id))

    def change(
        self,
        application_id: str,
        *,
        to: Status | None = None,
        by: str = "platform",
        note: str | None = None,
        outcome: Outcome | None = None,
        values: Mapping[str, Any] | None = None,
        remove: Sequence[str] = (),
        come_from: Sequence[Status] | None = None,
        waiting: Waiting | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Update:
        """The write that moves an application on; for `apply` or for a transaction.

        Args:
            to: new status, written to the timeline; None leaves the status alone.
            come_from: the statuses it may have now; any open one by default.
            waiting: what it waits for from now on.
            where: further attributes it must have.
        """
        now = iso(self._clock.now())
        change: dict[str, Any] = {"updated_at": now, **(values or {})}
        append: dict[str, list[Any]] = {}
        if to is not None:
            change |= {"status": to.value, "status_at": now}
            entry = TimelineEntry(at=now, status=to, by=by, note=outcome or note)
            append["timeline"] = [entry.model_dump(mode="json", exclude_none=True)]
        if outcome is not None:
            change["outcome"], change["outcome_note"] = outcome.value, note
        if waiting is not None:
            change["waiting"] = waiting.model_dump(mode="json", exclude_none=True)
        allowed = tuple(status.value for status in come_from) if come_from else OPEN
        key = {"application_id": application_id}
        return Update(self._table, key, change, tuple(remove), append, {"status": allowed, **(where or {})})

    def apply(self, write: Update, *also: Write) -> None:
        """Carry out one change; with `also`, all of them or none.

        Raises:
            ApplicationClosed: it has ended in the meantime.
            ConditionFailed: it is in another open status than the change expects.
        """
        with self._told_if_closed(write):
            if also:
                self._tables.transact([write, *also], write.key["application_id"])
            else:
                self._tables.write(write)

    def moved(self, write: Update) -> Application:
        """The same; the application as it is then."""
        with self._told_if_closed(write):
            item = self._tables.update(write)
        return self._opened(item)

    @staticmethod
    def after(application: Application, write: Update) -> Application:
        """An application as a write leaves it that was carried out on this very state of it."""
        state = {name: value for name, value in application.model_dump().items() if name not in write.remove}
        grown = {name: [*state.get(name, []), *entries] for name, entries in write.append.items()}
        return Application.model_validate({**state, **write.set, **grown})

    @contextmanager
    def _told_if_closed(self, write: Update) -> Iterator[None]:
        try:
            yield
        except ConditionFailed:
            self.get(write.key["application_id"]).require_open()
            raise

    def close(self, application_id: str, outcome: Outcome, *, by: str = "platform", note: str | None = None) -> None:
        """Record the outcome; a second one changes nothing."""
        try:
            write = self.change(
                application_id, to=Status.CLOSED, outcome=outcome, by=by, note=note, remove=("waiting",)
            )
            self.apply(write)
        except ApplicationClosed:
            return

    def of_tenant(self, tenant: str, limit: int) -> Iterator[ApplicationSummary]:
        """A tenant's applications, newest first."""
        return self._list("by-tenant", "tenant", tenant, limit)

    def of_channel(self, channel: str, limit: int) -> Iterator[ApplicationSummary]:
        """What came through a channel, newest first."""
        return self._list("by-channel", "channel", channel, limit)

    def of_lender(self, lender_id: str, limit: int) -> Iterator[ApplicationSummary]:
        """What was given to a lender, newest first."""
        return self._list("by-lender", "chosen_lender_id", lender_id, limit)

    def of_status(self, status: Status, limit: int) -> Iterator[ApplicationSummary]:
        """Applications in one status, those first that got it last."""
        return self._list("by-status", "status", status.value, limit)

    def ids(
        self, status: Status, until: datetime, since: datetime | None = None, limit: int | None = None
    ) -> Iterator[str]:
        """Ids of applications that got a status by `until` and not before `since`; those first that got it first."""
        between = ("status_at", iso(since) if since else "0", iso(until))
        found = self._tables.query(
            self._table, "status", status.value, index="by-status", between=between, limit=limit,
            fields=("application_id",),
        )  # fmt: skip
        return (item["application_id"] for item in found)

    def _list(self, index: str, attribute: str, value: str, limit: int | None) -> Iterator[ApplicationSummary]:
        found = self._tables.listed(
            self._table, ("application_id",), attribute, value, index=index, limit=limit, newest_first=True,
            fields=_LISTED,
        )  # fmt: skip
        return map(ApplicationSummary.model_validate, found)

    def _item(self, application_id: str) -> Item:
        return _found(self._tables.get(self._table, {"application_id": application_id}))

    def _opened(self, item: Item) -> Application:
        sealed = item["taxpayer_id"]
        plain = self._cipher.open(sealed, self._table, item["application_id"], "taxpayer_id")
        return Application.model_validate({**item, "taxpayer_id": plain})


def _found(item: Item | None) -> Item:
    if item is None:
        raise NotFound("no such application", field="application_id")
    return item
