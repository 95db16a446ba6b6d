"""Calls and their answers: claimed first, so that none is made twice per consent and window."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.reasons import CallReason
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.ids import derived_id
from creditmesh.platform.tables import ConditionFailed, Put, Tables, Update

KEPT_DAYS = 100
"""How long a call is stored; longer than any window."""
_EARLIER = "reason"
"""Attribute of the outcome's reason, as a sentence, before `cause`."""
_MARKS = ("state", "number", "until", "holder", "channel_version")
"""A writer compares these to detect that a call has changed."""


class CallState(StrEnum):
    """State of a call."""

    CALLING = "calling"
    PENDING = "pending"
    ANSWERED = "answered"
    FAILED = "failed"
    """Not charged: may be repeated at once."""
    UNCERTAIN = "uncertain"
    """Possibly charged, without an answer: not repeated before the window ends."""


class CallRecord(BaseModel):
    """A call to a source as stored; instants are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    call_key: str
    channel_id: str
    channel_version: int
    """Version of the document that made the call; once answered, of the one whose rules read the answer."""
    state: CallState
    number: int
    """Number of the window; part of the request's id."""
    until: int
    """End of the state: a claim's lease, an answer's freshness, the window of a pending or uncertain call."""
    consent: str | None = None
    """The authorisation of the call; the record is deleted with it."""
    consent_until: int | None = None
    by: str = ""
    holder: str = ""
    """Id of the claim, fresh for each, since a step retried at once has the same `by` and `until`."""
    waiters: list[str] = []
    """Other collections that wait for this call's late answer, besides `by`."""
    outcome: Outcome | None = None
    cause: Annotated[CallReason | None, BeforeValidator(CallReason.parsed)] = Field(
        default=None, validation_alias=AliasChoices("cause", _EARLIER)
    )
    """Of the outcome."""
    missing: list[str] = []
    fetched_at: str | None = None
    raw_keys: list[str] = []
    sha256: str | None = None
    status: int | None = None
    """HTTP status of the raw answer."""
    late: bool = False
    """The raw answer is a webhook's message."""
    third_key: str | None = None
    paid: bool = False
    """Counted as charged; a repeat with the same id is not counted again."""
    filled: bool = False
    """Fields of the request were filled from stored records."""

    @property
    def owners(self) -> list[str]:
        return [self.by, *self.waiters]

    def within_consent(self, end: int) -> int:
        """An instant, or the end of the consent if that comes first."""
        return end if self.consent_until is None else min(end, self.consent_until)

    @property
    def request_id(self) -> str:
        """The id by which the institution recognises a repeat of this call."""
        return derived_id("req", self.call_key, str(self.number))


def call_key(channel_id: str, subject: str, consent_id: str | None, fields: Mapping[str, Any]) -> str:
    """Identity of a call: channel, consent (or the firm if none is needed), and fields."""
    parts = [channel_id, consent_id or f"public {subject}", *(f"{name}={fields[name]}" for name in sorted(fields))]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def new_holder() -> str:
    return secrets.token_hex(8)


class CallStore:
    """Calls in DynamoDB."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def find(self, key: str) -> CallRecord | None:
        item = self._tables.get(self._table, {"call_key": key})
        return CallRecord.model_validate(item) if item else None

    def of_request(self, request_id: str) -> CallRecord | None:
        """The call that a late answer belongs to; None if its window has ended."""
        found = self._tables.query(self._table, "request_id", request_id, index="by-request", limit=1)
        key = next((str(item["call_key"]) for item in found), None)
        record = self.find(key) if key else None
        return record if record and record.request_id == request_id else None

    def of_consent(self, consent: str) -> Iterator[CallRecord]:
        for item in self._tables.query(self._table, "consent", consent, index="by-consent"):
            if record := self.find(item["call_key"]):
                yield record

    def claim(self, wanted: CallRecord, doubt_until: int | None = None) -> CallRecord:
        """Claim the call, or return the existing one.

        Args:
            wanted: a claim with the end of its lease.
            doubt_until: for a call with unknown end that may have been charged: not repeated before; None if it may be.

        Returns:
            The stored record; the caller's claim if and only if its `holder` is that of `wanted`.
        """
        item = self._tables.put_or_find(Put(self._table, self._item(wanted), "call_key"))
        if item is None:
            return wanted
        found = CallRecord.model_validate(item)
        if found.state is not CallState.FAILED and found.until > self._now():
            return found
        next_ = self._next(found, wanted, doubt_until)
        with suppress(ConditionFailed):
            return self._replace(found, next_)
        return self.find(wanted.call_key) or self.claim(wanted, doubt_until)

    @staticmethod
    def _next(found: CallRecord, wanted: CallRecord, doubt_until: int | None) -> CallRecord:
        """The successor of a call whose state has ended."""
        if found.state in (CallState.CALLING, CallState.PENDING) and doubt_until is not None:
            return found.model_copy(update={"state": CallState.UNCERTAIN, "until": doubt_until})
        # After the end of a window comes the next one; a failed call is repeated as the same call.
        ended = found.state in (CallState.ANSWERED, CallState.UNCERTAIN)
        number, paid = (found.number + 1, False) if ended else (found.number, found.paid)
        return wanted.model_copy(update={"number": number, "paid": paid})

    def settle(self, claim: CallRecord, **change: Any) -> CallRecord:
        """Record the result of a claimed or pending call; returns the updated call.

        Raises:
            ConditionFailed: claimed by another, or erased.
        """
        return self._replace(claim, claim.model_copy(update=change))

    def join(self, record: CallRecord, owner: str) -> CallRecord | None:
        """Let another collection wait for a pending call; returns the updated call, None if it was erased."""
        if owner in record.owners:
            return record
        key = {"call_key": record.call_key}
        where = {"state": CallState.PENDING.value, "number": record.number}
        try:
            joined = self._tables.update(Update(self._table, key, append={"waiters": [owner]}, where=where))
        except ConditionFailed:  # answered or erased meanwhile
            return self.find(record.call_key)
        return CallRecord.model_validate(joined)

    def forget(self, record: CallRecord) -> CallRecord | None:
        """Erase a call's record; returns it, or None if it was erased before."""
        item = self._tables.delete(self._table, {"call_key": record.call_key})
        return CallRecord.model_validate(item) if item else None

    def _replace(self, old: CallRecord, new: CallRecord) -> CallRecord:
        item, before = self._item(new), self._item(old)
        gone = [_EARLIER, *(name for name in before if name not in item or item[name] is None)]
        if new.number != old.number:
            gone.append("waiters")
        values = {name: value for name, value in item.items() if name != "call_key"}
        where = {name: before[name] for name in _MARKS}
        change = Update(self._table, {"call_key": old.call_key}, set=values, remove=gone, where=where)
        return CallRecord.model_validate(self._tables.update(change))

    def _item(self, record: CallRecord) -> dict[str, Any]:
        forget_at = int((self._clock.now() + timedelta(days=KEPT_DAYS)).timestamp())
        item = record.model_dump(mode="json", exclude_none=True, exclude={"waiters"})  # only `join` writes those
        return {**item, "request_id": record.request_id, "expires_at": forget_at}

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
