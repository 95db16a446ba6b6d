"""Answers that come later, as signed webhooks of the institution (G07, DESIGN 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from creditmesh.gateway.channels import reading as reader
from creditmesh.gateway.channels.answers import Answers, Reading
from creditmesh.gateway.channels.caller import window_end
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.gateway.channels.structure import search
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.tasks import Tasks


class LateAnswers:
    """Takes late answers, once each, and lets their collections go on."""

    def __init__(self, calls: CallStore, answers: Answers, health: HealthBook, tasks: Tasks, clock: Clock) -> None:
        self._calls, self._answers, self._health = calls, answers, health
        self._tasks, self._clock = tasks, clock

    def receive(self, channels: Iterable[Channel], message: str, document: Any, body: bytes) -> bool:
        """Take an authentic message of an institution; False if it was a repeat.

        Args:
            channels: the institution's.
            body: the message as received; it is kept as the raw answer.

        Raises:
            InvalidInput: no channel awaits such a message, or it carries no request id.
            NotFound: no call of that request id is known; it may have been erased with its consent.
        """
        channel = next((one for one in channels if one.callback and one.callback.message == message), None)
        if channel is None or channel.callback is None:
            raise InvalidInput("is no message that is awaited", field="type")
        request_id = search(channel.callback.request_id, document)
        if not isinstance(request_id, str) or not request_id:
            raise InvalidInput("carries no request id", field=channel.callback.request_id)
        record = self._calls.of_request(request_id)
        if record is None or record.channel_id != channel.channel_id:
            raise NotFound("no such request", field=channel.callback.request_id)
        taken = record.state is CallState.PENDING and self._take(channel, record, document, body)
        self._tell(record.call_key)
        return taken

    def wait(self, call_key: str, token: str) -> None:
        """Let `token` wait for a call's answer; if it is there, or will never be, it is answered at once."""
        record = self._calls.find(call_key)
        if record is not None and record.state is CallState.PENDING:
            record = self._calls.await_answer(record, token)
        if record is None or record.state is not CallState.PENDING:
            self._tasks.succeed(token, {})

    def _take(self, channel: Channel, record: CallRecord, document: Any, body: bytes) -> bool:
        reading = self._read(channel, document, body)
        kept = self._answers.keep(channel, record, reading)
        try:
            self._calls.settle(record, state=CallState.ANSWERED, until=window_end(channel, record, self._clock), **kept)
        except ConditionFailed:
            return False  # another delivery of the same answer was quicker
        self._health.note(channel, reading.outcome, cached=False, calls=0, charged=0, millis=0)
        return True

    def _read(self, channel: Channel, document: Any, body: bytes) -> Reading:
        content = search(channel.callback.content, document) if channel.callback else None
        try:
            reader.check(channel.response, content)
        except reader.Unreadable as fault:
            return Reading(Outcome.UNAVAILABLE, [body], f"answer {fault.message}")
        return self._answers.structure(channel, content, [body])

    def _tell(self, call_key: str) -> None:
        """Also after a repeat: the first time may have died between write and call."""
        record = self._calls.find(call_key)
        if record is not None and record.state is not CallState.PENDING:
            self._tasks.succeed(record.token, {})
