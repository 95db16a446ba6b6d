"""One firm's data from one channel: consent, fields, claim, guards, exchange, reading, cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.authorization.model import FIELDS_MISSING, AuthorizationRequired
from creditmesh.gateway.channels import fields as request_fields
from creditmesh.gateway.channels.answers import Answers, Reading
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore, call_key, new_holder
from creditmesh.gateway.channels.document import Channel, ConsentField, Outcome
from creditmesh.gateway.channels.exchange import ExchangeFailed
from creditmesh.gateway.channels.guards import Guards
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.gateway.channels.reasons import CallReason, lacking, problem_of, reason_of
from creditmesh.gateway.channels.rereading import Rereading, is_outdated
from creditmesh.gateway.channels.results import CallResult, plain_result, result_of
from creditmesh.gateway.channels.source import Came, Source
from creditmesh.gateway.model import DataSubject
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.institutions import SecretMissing
from creditmesh.platform.tables import ConditionFailed

if TYPE_CHECKING:
    from creditmesh.authorization.model import Authorization
    from creditmesh.authorization.ports import Grants, Rights

LEASE_MARGIN_SECONDS = 5
LEAST_WINDOW_SECONDS = 60
_POLL_SECONDS = 0.1
_NOT_CHARGED = (Outcome.REFUSED, Outcome.NO_DATA)


@dataclass(frozen=True)
class _Attempt:
    """The data of one call."""

    channel: Channel
    version: int
    subject: DataSubject
    asked: request_fields.Fields
    authorization: Authorization | None
    claim: CallRecord
    started: float

    def ends(self, outcome: Outcome, cause: CallReason) -> CallResult:
        """A result without an answer."""
        return plain_result(
            self.channel, self.version, outcome, cause,
            call_key=self.claim.call_key, request_id=self.claim.request_id,
        )  # fmt: skip


class ChannelFetcher:
    """Collects from channels.

    Args:
        lookup: stored records for fields to fill.
        monotonic, sleep: for waiting on another's call of the same kind.
    """

    def __init__(
        self,
        authorizations: Grants,
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
        self._rereading = Rereading(calls, answers, authorizations)

    def collect(self, channel: Channel, version: int, subject: DataSubject, rights: Rights) -> CallResult:
        """Collect one firm's data; every result, failures included, is an outcome.

        Args:
            rights: of the method `rights`; read once for all channels of a collection.
        """
        if not channel.enabled:
            return plain_result(channel, version, Outcome.UNAVAILABLE, CallReason.of("disabled"))
        authorization = self._consent(channel, version, subject, rights)
        if isinstance(authorization, CallResult):
            return authorization
        asked = request_fields.complete(channel, subject.fields, self._lookup)
        if asked.missing:
            self._note(channel, Outcome.INCOMPLETE)
            return plain_result(
                channel, version, Outcome.INCOMPLETE, CallReason.of("request"), missing=list(asked.missing)
            )
        wanted = self._wanted(channel, version, subject, asked, authorization)
        record = self._claimed(channel, wanted)
        if is_outdated(record, version):
            record = self._rereading.renewed(channel, version, record, authorization) or self._claimed(channel, wanted)
        if record.holder != wanted.holder:
            return self._met(channel, record, subject.by, authorization)
        return self._carried_out(
            _Attempt(channel, version, subject, asked, authorization, record, self._monotonic())
        )  # fmt: skip

    @contextmanager
    def collecting(self, channels: Sequence[Channel]) -> Iterator[None]:
        """Context for collecting from several channels: reads all breakers in one call, writes all counts in one."""
        self._guards.look(channels)
        with self._health.together():
            yield

    def rights(self, subject: DataSubject) -> Rights:
        return self._authorizations.rights(subject.taxpayer_id, tenant=subject.tenant)

    def refusal(self, channel: Channel, version: int, subject: DataSubject, rights: Rights) -> CallResult | None:
        """The result if the channel's consent is missing; None if the channel may be called."""
        found = self._consent(channel, version, subject, rights)
        return found if isinstance(found, CallResult) else None

    @staticmethod
    def _consent(
        channel: Channel, version: int, subject: DataSubject, rights: Rights
    ) -> Authorization | CallResult | None:
        """The consent that a channel needs, or the result if it is missing; None if it needs none."""
        if not channel.consent_scope:
            return None
        try:
            found = rights.usable(channel.consent_scope, subject.purpose)
        except AuthorizationRequired as refusal:
            return plain_result(channel, version, Outcome.NO_CONSENT, lacking(refusal.message))
        absent = [
            field.name
            for field in channel.authorization.fields
            if not _brought(channel, field, found.fields.get(field.name, ""))
        ]
        if absent:  # brought before the document declared them
            return plain_result(channel, version, Outcome.NO_CONSENT, lacking(FIELDS_MISSING), missing=absent)
        return found

    def _wanted(
        self,
        channel: Channel,
        version: int,
        subject: DataSubject,
        asked: request_fields.Fields,
        authorization: Authorization | None,
    ) -> CallRecord:
        consent_id = authorization.authorization_id if authorization else None
        return CallRecord(
            call_key=call_key(channel.channel_id, subject.taxpayer_index, consent_id, asked.values),
            channel_id=channel.channel_id,
            channel_version=version,
            state=CallState.CALLING,
            number=1,
            until=0,
            consent=consent_id,
            consent_until=int(parse_instant(authorization.expires_at).timestamp()) if authorization else None,
            by=subject.by,
            holder=new_holder(),
            filled=bool(asked.filled),
        )

    def _claimed(self, channel: Channel, wanted: CallRecord) -> CallRecord:
        """A claim, or the result of another's claim."""
        deadline = self._monotonic() + channel.limits.total_seconds
        while True:
            # The lease starts now: after a wait for another, the call still needs all its time. It covers the wait for
            # a slot of the rate limit and the exchange.
            now = int(self._clock.now().timestamp())
            lease = now + int(2 * channel.limits.total_seconds) + LEASE_MARGIN_SECONDS
            doubt = window_end(channel, wanted, self._clock) if channel.charged and not channel.idempotent else None
            record = self._calls.claim(wanted.model_copy(update={"until": lease}), doubt)
            if record.holder == wanted.holder or record.state is not CallState.CALLING:
                return record
            if self._monotonic() > deadline:
                return record
            self._sleep(_POLL_SECONDS)

    def _met(
        self, channel: Channel, record: CallRecord, by: str, authorization: Authorization | None
    ) -> CallResult:  # fmt: skip
        """The result of an earlier or running call."""
        if record.state is CallState.PENDING:
            joined = self._calls.join(record, by)
            if joined is None:
                return plain_result(channel, record.channel_version, Outcome.NO_CONSENT, CallReason.of("withdrawn"))
            record = joined
        if record.state is CallState.PENDING:
            return result_of(channel, record)
        if record.state is CallState.ANSWERED:
            # It may have ended since the collection read its rights, and its answers may not be erased yet.
            if record.third_key and authorization and not self._authorizations.stands(authorization):
                return plain_result(channel, record.channel_version, Outcome.NO_CONSENT, CallReason.of("withdrawn"))
            if record.by != by:  # this collection's own call is counted already
                self._note(channel, record.outcome or Outcome.UNAVAILABLE, cached=True)
            return result_of(channel, record, cached=True)
        code = "may_have_been_charged" if record.state is CallState.UNCERTAIN else "in_progress"
        return plain_result(
            channel, record.channel_version, Outcome.UNAVAILABLE, CallReason.of(code), call_key=record.call_key
        )  # fmt: skip

    def _carried_out(self, attempt: _Attempt) -> CallResult:
        channel = attempt.channel
        refusal = self._not_now(attempt)
        if refusal is not None:
            self._settle(attempt, state=CallState.FAILED)
            self._note(channel, refusal.outcome)
            return refusal
        try:
            came = self._source.ask(channel, self._values(attempt), lambda wait: self._guards.admit(channel, wait))
        except (InstitutionUnavailable, SecretMissing) as failure:
            return self._failed(attempt, failure)
        reading = self._answers.read(channel, came)
        return self._kept(attempt, reading, came) if self._still_allowed(attempt) else self._withdrawn(attempt, came)

    def _not_now(self, attempt: _Attempt) -> CallResult | None:
        """Why the call must not be made now; None if it may."""
        channel = attempt.channel
        if not self._guards.may_call(channel):
            return attempt.ends(Outcome.UNAVAILABLE, CallReason.of("circuit_open"))
        if not self._guards.admit(channel, channel.limits.total_seconds):
            return attempt.ends(Outcome.UNAVAILABLE, CallReason.of("rate_limited"))
        if attempt.authorization is not None:
            try:
                self._authorizations.use(
                    attempt.authorization, purpose=attempt.subject.purpose, by=attempt.subject.by,
                    channel=channel.channel_id,
                )  # fmt: skip
            except AuthorizationRequired as refusal:
                return attempt.ends(Outcome.NO_CONSENT, lacking(refusal.message))
        return None

    def _values(self, attempt: _Attempt) -> dict[str, Any]:
        now = self._clock.now()
        values = {**attempt.asked.values, "request_id": attempt.claim.request_id, "now": iso(now)}
        values["today"] = self._clock.day_of(now).isoformat()
        if attempt.authorization is not None:
            values["authorization_id"] = attempt.authorization.authorization_id
            values["authorization_code"] = attempt.authorization.code
            brought = attempt.authorization.fields
            values |= {field.name: brought.get(field.name) for field in attempt.channel.authorization.fields}
        return values

    def _failed(self, attempt: _Attempt, failure: InstitutionUnavailable | SecretMissing) -> CallResult:
        channel = attempt.channel
        calls, maybe_charged = 0, False
        if isinstance(failure, ExchangeFailed):
            calls, maybe_charged = failure.calls, failure.maybe_charged
        uncertain = maybe_charged and channel.charged and not channel.idempotent
        change: dict[str, Any] = {"state": CallState.FAILED}
        if uncertain:
            change = {"state": CallState.UNCERTAIN, "until": window_end(channel, attempt.claim, self._clock)}
        late = self._settle(attempt, **change)
        self._guards.failed(channel)
        self._note(channel, Outcome.UNAVAILABLE, calls=calls, charged=int(uncertain), attempt=attempt)
        return late or attempt.ends(Outcome.UNAVAILABLE, reason_of(failure))

    def _still_allowed(self, attempt: _Attempt) -> bool:
        """Whether the consent is still valid now that the answer is there; a withdrawal takes effect at once."""
        return attempt.authorization is None or self._authorizations.stands(attempt.authorization)

    def _withdrawn(self, attempt: _Attempt, came: Came) -> CallResult:
        """Discard an answer whose consent has ended; its cost is still counted."""
        self._calls.forget(attempt.claim)
        charged = int(attempt.channel.charged and came.calls > 0)
        self._note(attempt.channel, Outcome.NO_CONSENT, calls=came.calls, charged=charged, attempt=attempt)
        return attempt.ends(Outcome.NO_CONSENT, CallReason.of("withdrawn"))

    def _kept(self, attempt: _Attempt, reading: Reading, came: Came) -> CallResult:
        channel, claim = attempt.channel, attempt.claim
        outcome = reading.outcome
        if outcome is Outcome.PENDING:
            until = int(self._clock.now().timestamp()) + (channel.callback.seconds if channel.callback else 0)
            change: dict[str, Any] = {"state": CallState.PENDING, "until": claim.within_consent(until)}
        else:
            change = settled(channel, claim, reading, self._clock) | self._answers.keep(channel, claim, reading)
        paid = channel.charged and came.calls > 0 and outcome not in _NOT_CHARGED
        elsewhere = self._settle(attempt, **change, paid=paid)
        if outcome is Outcome.UNAVAILABLE:
            self._guards.failed(channel)
        else:
            self._guards.succeeded(channel)
        if outcome is Outcome.REFUSED and attempt.authorization is not None:
            self._authorizations.refuse(attempt.authorization, problem_of(reading.cause))
        charged = (int(not claim.paid) if channel.idempotent else len(came.bodies)) if paid else 0
        self._note(channel, outcome, calls=came.calls, charged=charged, attempt=attempt)
        made = result_of(channel, claim.model_copy(update=change))
        return elsewhere or made.model_copy(update={"third": self._answers.stored_form(reading)})

    def _settle(self, attempt: _Attempt, **change: Any) -> CallResult | None:
        """Record the result of a claim; returns a result if the call has changed meanwhile.

        That is, its late answer arrived before its receipt, a withdrawal erased it, or its lease ended.
        """
        try:
            self._calls.settle(attempt.claim, **change)
        except ConditionFailed:
            found = self._calls.find(attempt.claim.call_key)
            if found is None:
                self._answers.drop(change, raw=True)
                return attempt.ends(Outcome.NO_CONSENT, CallReason.of("withdrawn"))
            if found.state is CallState.ANSWERED and found.request_id == attempt.claim.request_id:
                self._answers.drop(change, raw=False)
                return result_of(attempt.channel, found)
        return None

    def _note(
        self, channel: Channel, outcome: Outcome, *, cached: bool = False, calls: int = 0, charged: int = 0,
        attempt: _Attempt | None = None,
    ) -> None:  # fmt: skip
        millis = round((self._monotonic() - attempt.started) * 1000) if attempt else 0
        self._health.note(channel, outcome, cached=cached, calls=calls, charged=charged, millis=millis)


def _brought(channel: Channel, field: ConsentField, value: str) -> bool:
    """Whether a consent has what the channel's current document wants with it, in a form that can be sent."""
    return request_fields.sendable(channel, field.name, value) if value else not field.required


def window_end(channel: Channel, record: CallRecord, clock: Clock) -> int:
    """The time until which a call is not repeated; an answer is never kept longer than the consent."""
    now = int(clock.now().timestamp())
    return record.within_consent(now + max(channel.cache_seconds, LEAST_WINDOW_SECONDS if channel.charged else 0))


def settled(channel: Channel, record: CallRecord, reading: Reading, clock: Clock) -> dict[str, Any]:
    """State and window of an answered call.

    An unreadable answer may be requested again, unless that would be charged again.
    """
    again = reading.outcome is Outcome.UNAVAILABLE and (channel.idempotent or not channel.charged)
    return {"state": CallState.FAILED if again else CallState.ANSWERED, "until": window_end(channel, record, clock)}
