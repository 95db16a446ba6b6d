"""One firm's data from one channel: consent, fields, claim, guards, exchange, reading, cache (G01-G13)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.gateway.channels import fields as request_fields
from creditmesh.gateway.channels.answers import Answers, Reading
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore, call_key
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.guards import Guards
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.gateway.channels.source import Source
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.institutions import SecretMissing
from creditmesh.platform.tables import ConditionFailed

if TYPE_CHECKING:
    from creditmesh.authorization.model import Authorization
    from creditmesh.authorization.service import Authorizations

LEASE_MARGIN_SECONDS = 5
LEAST_WINDOW_SECONDS = 60
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Subject:
    """Whose data is collected, and for what.

    Attributes:
        taxpayer_index: the blind index of `taxpayer_id`.
        fields: what is known of the firm, by field name.
        by: id of the application or monitoring run; raw answers lie under it.
        purpose: as the consents name it.
    """

    taxpayer_id: str = field(repr=False)
    taxpayer_index: str
    fields: Mapping[str, Any] = field(repr=False)
    by: str
    purpose: str


class CallResult(BaseModel):
    """How the collection from one channel ended."""

    model_config = ConfigDict(frozen=True)

    channel_id: str
    channel_version: int
    kind: str
    outcome: Outcome
    reason: str | None = None
    missing: list[str] = []
    call_key: str | None = None
    request_id: str | None = None
    fetched_at: str | None = None
    raw_keys: list[str] = []
    sha256: str | None = None
    third_key: str | None = None
    cached: bool = False
    wait_seconds: int | None = None
    """Of a pending answer: how long it may take."""
    fallback_channel: str | None = None
    """What to ask instead of a channel that is unavailable."""


class ChannelCaller:
    """Collects from channels.

    Args:
        lookup: stored records, for fields that have to be filled.
        monotonic, sleep: for the wait for another's call of the same kind.
    """

    def __init__(
        self,
        authorizations: Authorizations,
        calls: CallStore,
        guards: Guards,
        health: HealthBook,
        source: Source,
        answers: Answers,
        lookup: request_fields.Lookup,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._authorizations, self._calls, self._guards, self._health = authorizations, calls, guards, health
        self._source, self._answers, self._lookup, self._clock = source, answers, lookup, clock
        self._monotonic, self._sleep = monotonic, sleep

    def collect(self, channel: Channel, version: int, subject: Subject) -> CallResult:
        """Collect one firm's data; every way it may go is an outcome."""
        if not channel.enabled:
            return self._result(channel, version, Outcome.UNAVAILABLE, "disabled")
        authorization = None
        if channel.consent_scope:
            try:
                authorization = self._authorizations.usable(subject.taxpayer_id, channel.consent_scope)
            except AuthorizationRequired as refusal:
                return self._result(channel, version, Outcome.NO_CONSENT, refusal.message)
        asked = request_fields.complete(channel, subject.fields, self._lookup)
        if asked.missing:
            self._health.note(channel, Outcome.INCOMPLETE, cached=False, calls=0, charged=0, millis=0)
            return self._result(channel, version, Outcome.INCOMPLETE, "request", missing=list(asked.missing))
        wanted = self._wanted(channel, version, subject, asked, authorization)
        record = self._claimed(channel, wanted)
        if (record.by, record.until, record.state) != (wanted.by, wanted.until, CallState.CALLING):
            return self._met(channel, record)
        return self._carried_out(_Attempt(channel, version, subject, asked, authorization, record))

    def refusal(self, channel: Channel, version: int, subject: Subject) -> CallResult | None:
        """The result of a channel whose consent is lacking; None where nothing stands against asking it."""
        if not channel.consent_scope:
            return None
        try:
            self._authorizations.usable(subject.taxpayer_id, channel.consent_scope)
        except AuthorizationRequired as refusal:
            return self._result(channel, version, Outcome.NO_CONSENT, refusal.message)
        return None

    def _wanted(
        self,
        channel: Channel,
        version: int,
        subject: Subject,
        asked: request_fields.Fields,
        authorization: Authorization | None,
    ) -> CallRecord:
        lease = int(self._clock.now().timestamp() + channel.limits.total_seconds) + LEASE_MARGIN_SECONDS
        consent_id = authorization.authorization_id if authorization else None
        return CallRecord(
            call_key=call_key(channel.channel_id, subject.taxpayer_index, consent_id, asked.values),
            channel_id=channel.channel_id,
            channel_version=version,
            state=CallState.CALLING,
            number=1,
            until=lease,
            consent=f"{subject.taxpayer_index}#{channel.consent_scope}" if channel.consent_scope else None,
            consent_until=int(parse_instant(authorization.expires_at).timestamp()) if authorization else None,
            by=subject.by,
            filled=bool(asked.filled),
        )

    def _claimed(self, channel: Channel, wanted: CallRecord) -> CallRecord:
        """A claim, or what another's claim came to."""
        deadline = self._monotonic() + channel.limits.total_seconds
        while True:
            record = self._calls.claim(wanted)
            mine = (record.by, record.until) == (wanted.by, wanted.until)
            if mine or record.state is not CallState.CALLING or self._monotonic() > deadline:
                return record
            self._sleep(_POLL_SECONDS)

    def _met(self, channel: Channel, record: CallRecord) -> CallResult:
        """The result of a call that was made before, or is being made."""
        if record.state is CallState.ANSWERED:
            self._health.note(channel, _outcome(record), cached=True, calls=0, charged=0, millis=0)
            return self.result_of(channel, record, cached=True)
        if record.state is CallState.PENDING:
            return self.result_of(channel, record)
        reason = "may_have_been_charged" if record.state is CallState.UNCERTAIN else "in_progress"
        return self._result(channel, record.channel_version, Outcome.UNAVAILABLE, reason, call_key=record.call_key)

    def _carried_out(self, attempt: _Attempt) -> CallResult:
        channel = attempt.channel
        refusal = self._not_now(attempt)
        if refusal is not None:
            self._calls.settle(attempt.claim, state=CallState.FAILED)
            self._health.note(channel, refusal.outcome, cached=False, calls=0, charged=0, millis=0)
            return refusal
        started = self._monotonic()
        try:
            came = self._source.ask(channel, self._values(attempt))
            reading = self._answers.read(channel, came)
        except (InstitutionUnavailable, SecretMissing) as failure:
            return self._failed(attempt, failure, started)
        if not self._still_allowed(attempt):
            self._calls.forget(attempt.claim)
            return self._result(channel, attempt.version, Outcome.NO_CONSENT, "withdrawn")
        return self._kept(attempt, reading, came.calls, started)

    def _not_now(self, attempt: _Attempt) -> CallResult | None:
        """Why the call is not to be made now, or None."""
        channel = attempt.channel
        if not self._guards.may_call(channel):
            return self._result(channel, attempt.version, Outcome.UNAVAILABLE, "circuit_open", fallback=True)
        if not self._guards.admit(channel, channel.limits.total_seconds):
            return self._result(channel, attempt.version, Outcome.UNAVAILABLE, "rate_limited", fallback=True)
        if attempt.authorization is not None:
            try:
                self._authorizations.use(
                    attempt.authorization, purpose=attempt.subject.purpose, by=attempt.subject.by,
                    channel=channel.channel_id,
                )  # fmt: skip
            except AuthorizationRequired as refusal:
                return self._result(channel, attempt.version, Outcome.NO_CONSENT, refusal.message)
        return None

    def _values(self, attempt: _Attempt) -> dict[str, Any]:
        now = self._clock.now()
        values = {**attempt.asked.values, "request_id": attempt.claim.request_id, "now": iso(now)}
        values["today"] = now.date().isoformat()
        if attempt.authorization is not None:
            values["authorization_id"] = attempt.authorization.authorization_id
            values["authorization_code"] = attempt.authorization.code
        return values

    def _failed(self, attempt: _Attempt, failure: InstitutionUnavailable | SecretMissing, started: float) -> CallResult:
        channel = attempt.channel
        sent = isinstance(failure, InstitutionUnavailable) and failure.sent and failure.status not in (429, 503)
        uncertain = sent and channel.charged and not channel.idempotent
        change: dict[str, Any] = {"state": CallState.FAILED}
        if uncertain:
            change = {"state": CallState.UNCERTAIN, "until": window_end(channel, attempt.claim, self._clock)}
        with suppress(ConditionFailed):  # erased by a withdrawal, or taken over after the lease
            self._calls.settle(attempt.claim, **change)
        self._guards.failed(channel)
        millis = self._millis(started)
        self._health.note(channel, Outcome.UNAVAILABLE, cached=False, calls=1, charged=int(uncertain), millis=millis)
        return self._result(
            channel, attempt.version, Outcome.UNAVAILABLE, failure.message, fallback=True,
            call_key=attempt.claim.call_key, request_id=attempt.claim.request_id,
        )  # fmt: skip

    def _still_allowed(self, attempt: _Attempt) -> bool:
        """Whether the consent still stands now that the answer is there; withdrawal stops a collection at once."""
        if attempt.authorization is None:
            return True
        try:
            scope = attempt.channel.consent_scope or ""
            standing = self._authorizations.usable(attempt.subject.taxpayer_id, scope)
        except AuthorizationRequired:
            return False
        return standing.authorization_id == attempt.authorization.authorization_id

    def _kept(self, attempt: _Attempt, reading: Reading, calls: int, started: float) -> CallResult:
        channel, claim = attempt.channel, attempt.claim
        millis = self._millis(started)
        kept = self._answers.keep(channel, claim, reading)
        if reading.outcome is Outcome.PENDING:
            until = int(self._clock.now().timestamp()) + (channel.callback.seconds if channel.callback else 0)
            change: dict[str, Any] = {"state": CallState.PENDING, "until": until}
        else:
            until = window_end(channel, claim, self._clock)
            # What could not be read may come out better next time, unless that would be charged once more.
            again = reading.outcome is Outcome.UNAVAILABLE and (channel.idempotent or not channel.charged)
            change = {"state": CallState.FAILED if again else CallState.ANSWERED, "until": until, **kept}
        with suppress(ConditionFailed):  # erased by a withdrawal, or taken over after the lease
            self._calls.settle(claim, **change)
        record = claim.model_copy(update=change)
        if reading.outcome is Outcome.UNAVAILABLE:
            self._guards.failed(channel)
        else:
            self._guards.succeeded(channel)
        if reading.outcome is Outcome.REFUSED and attempt.authorization is not None:
            self._authorizations.refuse(attempt.authorization, reading.reason or "refused")
        charged = calls if channel.charged and reading.outcome is not Outcome.REFUSED else 0
        self._health.note(channel, reading.outcome, cached=False, calls=calls, charged=charged, millis=millis)
        return self.result_of(channel, record)

    @staticmethod
    def result_of(channel: Channel, record: CallRecord, *, cached: bool = False) -> CallResult:
        """The result a stored call gives."""
        pending = record.state is CallState.PENDING
        outcome = Outcome.PENDING if pending else _outcome(record)
        return CallResult(
            channel_id=channel.channel_id,
            channel_version=record.channel_version,
            kind=channel.kind,
            outcome=outcome,
            reason=record.reason,
            missing=record.missing,
            call_key=record.call_key,
            request_id=record.request_id,
            fetched_at=record.fetched_at,
            raw_keys=record.raw_keys,
            sha256=record.sha256,
            third_key=record.third_key,
            cached=cached,
            wait_seconds=channel.callback.seconds if pending and channel.callback else None,
            fallback_channel=channel.fallback_channel if outcome is Outcome.UNAVAILABLE else None,
        )

    def _millis(self, started: float) -> int:
        return int((self._monotonic() - started) * 1000)

    @staticmethod
    def _result(
        channel: Channel, version: int, outcome: Outcome, reason: str | None, *, fallback: bool = False, **more: Any
    ) -> CallResult:
        return CallResult(
            channel_id=channel.channel_id, channel_version=version, kind=channel.kind, outcome=outcome, reason=reason,
            fallback_channel=channel.fallback_channel if fallback else None, **more,
        )  # fmt: skip


@dataclass(frozen=True)
class _Attempt:
    """All that belongs to one call."""

    channel: Channel
    version: int
    subject: Subject
    asked: request_fields.Fields
    authorization: Authorization | None
    claim: CallRecord


def window_end(channel: Channel, record: CallRecord, clock: Clock) -> int:
    """Until when a call is not repeated; an answer is never kept longer than the consent lasts (G11)."""
    now = int(clock.now().timestamp())
    end = now + max(channel.cache_seconds, LEAST_WINDOW_SECONDS if channel.charged else 0)
    return end if record.consent_until is None else min(end, record.consent_until)


def _outcome(record: CallRecord) -> Outcome:
    return record.outcome or Outcome.UNAVAILABLE
