"""Late answers: signed webhooks of the institution."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore
from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.fetcher import settled
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.waits import Waits

ANSWERS = "answers"
"""Kind of a collection's wait for late answers, numbered by the calls' `holder`."""
_REQUEST_ID = re.compile("[!-~]{1,100}")


class LateAnswers:
    """Accepts each late answer once and resumes the waiting collections."""

    def __init__(self, calls: CallStore, answers: Answers, health: HealthBook, waits: Waits, clock: Clock) -> None:
        self._calls, self._answers, self._health = calls, answers, health
        self._waits, self._clock = waits, clock

    def receive(self, channels: Iterable[ChannelVersion], message: str, body: bytes) -> bool:
        """Accept an authentic message of an institution; False for a repeat.

        Args:
            channels: the institution's current channels, whose rules read the answer.
            body: the message as received, stored as the raw answer.

        Raises:
            InvalidInput: no channel awaits such a message, or it has no request id.
            NotFound: unknown request id; the call may have been erased with its consent, as now if that has ended.
        """
        awaiting = [
            channel for channel in channels if channel.channel.callback and channel.channel.callback.message == message
        ]
        if not awaiting:
            raise InvalidInput("must be a message that a channel awaits", field="type", fault="not_awaited")
        by, record = self._call_of(awaiting, body)
        if record.consent_until is not None and record.consent_until <= self._clock.now().timestamp():
            answered(self._waits, record)
            self._calls.forget(record)
            raise _unknown()
        # A fast institution may answer before its receipt was read, so the call may still be in progress; and a call
        # that was given up may have reached it.
        taken = None if record.state is CallState.ANSWERED else self._take(by, record, body)
        # Also after a repeat: the first attempt may have died in between.
        answered(self._waits, taken or record)
        return taken is not None

    def _call_of(self, awaiting: list[ChannelVersion], body: bytes) -> tuple[ChannelVersion, CallRecord]:
        try:
            # More is read than an answer may contain: of an unreadable one, the call is told.
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidInput("is not JSON", field="body", fault="unreadable") from None
        known = False
        for by in awaiting:
            place = by.channel.callback.request_id if by.channel.callback else ""
            request_id = search(place, document)
            if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
                known = True
                record = self._calls.of_request(request_id)
                if record is not None and record.channel_id == by.channel.channel_id:
                    return by, record
        if known:
            raise _unknown()
        raise InvalidInput("must contain a request id", field="request_id", fault="required")

    def _take(self, by: ChannelVersion, record: CallRecord, body: bytes) -> CallRecord | None:
        """The answered call; None if the answer was not accepted."""
        channel = by.channel
        reading = self._answers.read_message(channel, body)
        kept = self._answers.keep(channel, record, reading, by.version)
        try:
            taken = self._calls.settle(record, **settled(channel, record, reading, self._clock), **kept)
        except ConditionFailed:
            return self._met(by, record, body, kept)
        self._health.note(channel, reading.outcome, late=True)
        return taken

    def _met(self, by: ChannelVersion, record: CallRecord, body: bytes, kept: dict[str, object]) -> CallRecord | None:
        """Handle a call that changed while its answer was read."""
        now = self._calls.find(record.call_key)
        if now is None:  # erased by a withdrawal
            self._answers.drop(kept, raw=True)
            return None
        if now.request_id != record.request_id or now.state is CallState.ANSWERED or now == record:
            return None  # accepted by a concurrent delivery
        return self._take(by, now, body)  # its receipt was processed meanwhile


def _unknown() -> NotFound:
    return NotFound("no such request", field="request_id")


def answered(waits: Waits, call: CallRecord) -> None:
    """Resume every collection that waits for a call, answered or given up."""
    for owner in call.owners:
        waits.answer(owner, ANSWERS, call.holder)
