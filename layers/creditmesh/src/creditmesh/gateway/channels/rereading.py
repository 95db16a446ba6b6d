"""Applies a corrected channel document to cached answers by parsing their raw bodies again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from creditmesh.gateway.channels.answers import Answers, Reading
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.reasons import CallReason, problem_of
from creditmesh.gateway.channels.source import Came
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.observability import logger
from creditmesh.platform.tables import ConditionFailed

if TYPE_CHECKING:
    from creditmesh.authorization.model import Authorization
    from creditmesh.authorization.ports import Grants

_READ = (Outcome.COMPLETE, Outcome.FILLED)


def is_outdated(record: CallRecord, version: int) -> bool:
    """Whether a call's answer was parsed by an earlier version of its document and can be parsed again.

    A later version does not count: if a change has not reached this process yet, its results are used as they are.
    """
    return (
        record.channel_version < version
        and record.state is CallState.ANSWERED
        and (record.late or record.status is not None)
    )


class Rereading:
    """Parses stored answers by the current rules; no source is called, nothing is charged."""

    def __init__(self, calls: CallStore, answers: Answers, authorizations: Grants) -> None:
        self._calls, self._answers, self._authorizations = calls, answers, authorizations

    def renewed(
        self, channel: Channel, version: int, record: CallRecord, authorization: Authorization | None
    ) -> CallRecord | None:
        """The outdated call, updated by reading its answer with the current document.

        Window, raw answers and their time stay. Third information of the earlier version stays too, since a running
        collection may use it; it is erased with the consent.

        Returns:
            The updated call; None if it must be claimed: the answer is useless now and can be requested again without a
                second charge, or it was erased or superseded.
        """
        try:
            bodies = self._answers.raw(record)
        except NotFound:
            return record  # unchanged; it names the version that read it
        reading = self._read(channel, record, bodies)
        again = _is_worse(record, reading) and _may_be_repeated(channel, record)
        change = _given_up(version, reading) if again else self._answers.keep_third(record, version, reading)
        logger.info(
            "answer reread",
            extra={
                "channel": channel.channel_id, "was_version": record.channel_version, "version": version,
                "was": record.outcome, "outcome": change["outcome"], "asked_again": again,
            },
        )  # fmt: skip
        renewed = self._settled(record, change)
        if renewed is not None and renewed.outcome is Outcome.REFUSED and authorization is not None:
            self._authorizations.refuse(authorization, problem_of(renewed.cause))
        return renewed

    def _read(self, channel: Channel, record: CallRecord, bodies: list[bytes]) -> Reading:
        if record.late:
            reading = self._answers.read_message(channel, bodies[-1])
        else:
            reading = self._answers.read(channel, Came(record.status or 0, bodies, 0))
        if reading.outcome is Outcome.PENDING:
            # The announced late answer was never awaited, and will not come now.
            reading = replace(reading, outcome=Outcome.UNAVAILABLE, cause=CallReason.of("answer_is_receipt"))
        return reading

    def _settled(self, record: CallRecord, change: dict[str, Any]) -> CallRecord | None:
        """Record the new reading; returns the current call if it has moved on meanwhile."""
        try:
            found: CallRecord | None = self._calls.settle(record, **change)
        except ConditionFailed:
            found = self._calls.find(record.call_key)
            if found is None:  # erased by a withdrawal of consent
                self._answers.drop(change, raw=False)
        return found if found is not None and found.state is CallState.ANSWERED else None


def _is_worse(record: CallRecord, reading: Reading) -> bool:
    """Whether the current rules get less out of an answer, as rules for another endpoint or format do."""
    if reading.outcome is Outcome.INCOMPLETE:
        return record.outcome in _READ
    return reading.outcome is Outcome.UNAVAILABLE


def _may_be_repeated(channel: Channel, record: CallRecord) -> bool:
    """Whether a repeated call cannot be charged twice; a promised late answer counts as charged."""
    return channel.idempotent or not channel.charged or not (record.paid or record.late)


def _given_up(version: int, reading: Reading) -> dict[str, Any]:
    return {
        "state": CallState.FAILED, "channel_version": version, "outcome": reading.outcome, "cause": reading.cause,
        "missing": list(reading.missing), "third_key": None,
    }  # fmt: skip
