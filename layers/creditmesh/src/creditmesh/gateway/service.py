"""Collection: calls a plan's channels concurrently and computes key data from their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.catalogue import ChannelCatalogue, ChannelVersion
from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.fetcher import ChannelFetcher
from creditmesh.gateway.channels.plans import PlannedChannel
from creditmesh.gateway.channels.reasons import CallReason, problem_of
from creditmesh.gateway.channels.results import CallResult, plain_result
from creditmesh.gateway.key_data import SourceDataInvalid, extract
from creditmesh.gateway.model import (
    AnswersPending,
    Collected,
    DataSubject,
    KeyDataDocument,
    SourceRecord,
    SourceUnavailable,
)
from creditmesh.gateway.store import KeyDataStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.observability import AWS_ERRORS, logger, place

if TYPE_CHECKING:
    from creditmesh.authorization.ports import Rights
    from creditmesh.gateway.ports import Screen

_GOOD = (Outcome.COMPLETE, Outcome.FILLED)
_ASKS_THE_BORROWER = (Outcome.NO_CONSENT, Outcome.REFUSED)


class Collections:
    """Collects one firm's data by a plan."""

    def __init__(
        self,
        catalogue: ChannelCatalogue,
        fetcher: ChannelFetcher,
        answers: Answers,
        key_data: KeyDataStore,
        clock: Clock,
    ) -> None:
        self._catalogue, self._fetcher = catalogue, fetcher
        self._answers, self._key_data, self._clock = answers, key_data, clock

    def planned(self, plan_id: str) -> list[PlannedChannel]:
        return self._catalogue.plan(plan_id).channels

    def collect(
        self, plan_id: str, subject: DataSubject, inputs: Mapping[str, int], screen: Screen, *, last_word: bool = False
    ) -> Collected:
        """Call a plan's channels, apply the plan's requirements, and write key data.

        Args:
            inputs: `requested_amount_minor`, `requested_term_months`.
            screen: looks up the persons and firms named by the sources: figures for key data, and the look-up's record.
            last_word: do not wait for pending answers; their channels count as unavailable.

        Raises:
            AuthorizationRequired: the consent of a required channel is missing, or the source refused it.
            SourceUnavailable: a required channel gave nothing usable.
            AnswersPending: everything else is there, but some channels answer later.
        """
        made = self.call(plan_id, subject, last_word=last_word)
        settled = {name: several[-1] for name, several in made.items()}
        plan = self.planned(plan_id)
        _judge(plan, settled, lambda scope: self._catalogue.requires(plan_id, scope))
        if pending := [one for one in settled.values() if one.outcome is Outcome.PENDING]:
            raise AnswersPending([one.awaited or "" for one in pending], max(one.wait_seconds or 0 for one in pending))
        return self._written(subject, made, inputs, screen)

    def call(self, plan_id: str, subject: DataSubject, *, last_word: bool = False) -> dict[str, list[CallResult]]:
        """Call a plan's channels concurrently; every failure is an outcome of its channel.

        If a required consent is missing, no channel is called: the answers might be charged and be useless.

        Returns:
            By planned channel: its own result, then those of its fallbacks.
        """
        plan = self.planned(plan_id)
        rights = self._fetcher.rights(subject)
        if lacking := self._without_consent([entry.channel_id for entry in plan if entry.required], subject, rights):
            return {one.channel_id: [one] for one in lacking}
        planned = [entry.channel_id for entry in plan]
        channels = [one.channel for one in self._known(planned)]
        with self._fetcher.collecting(channels), ThreadPoolExecutor(len(planned), thread_name_prefix="channel") as pool:
            asked = pool.map(lambda name: self._with_fallbacks(name, subject, rights, last_word), planned)
            return dict(zip(planned, asked, strict=True))

    def _without_consent(self, channel_ids: Sequence[str], subject: DataSubject, rights: Rights) -> list[CallResult]:
        known = self._known(channel_ids)
        found = [self._fetcher.refusal(one.channel, one.version, subject, rights) for one in known]
        return [one for one in found if one is not None]

    def _known(self, channel_ids: Sequence[str]) -> list[ChannelVersion]:
        found = []
        for name in channel_ids:
            with suppress(NotFound):
                found.append(self._catalogue.channel(name))
        return found

    def _with_fallbacks(
        self, channel_id: str | None, subject: DataSubject, rights: Rights, last_word: bool
    ) -> list[CallResult]:
        results: list[CallResult] = []
        # Concurrent changes by two operators can still create a cycle of fallbacks.
        while channel_id and channel_id not in {result.channel_id for result in results}:
            results.append(self._ask(channel_id, subject, rights, last_word))
            channel_id = results[-1].fallback_channel
        return results

    def _ask(self, channel_id: str, subject: DataSubject, rights: Rights, last_word: bool) -> CallResult:
        try:
            found = self._catalogue.channel(channel_id)
            result = self._fetcher.collect(found.channel, found.version, subject, rights)
            if last_word and result.outcome is Outcome.PENDING:
                return plain_result(
                    found.channel, result.channel_version, Outcome.UNAVAILABLE, CallReason.of("no_answer_in_time"),
                    call_key=result.call_key, request_id=result.request_id,
                )  # fmt: skip
            return result
        except NotFound:
            cause = CallReason.of("no_such_channel")
        except AWS_ERRORS as error:
            # An AWS failure: the other channels continue; the claim ends with its lease.
            kind = type(error).__name__
            cause = CallReason.of("platform_failed", error=kind)
            logger.warning("channel lost", extra={"channel": channel_id, "error": kind, "place": place(error)})
        return CallResult(
            channel_id=channel_id, channel_version=0, kind="unknown", outcome=Outcome.UNAVAILABLE, cause=cause
        )

    def _written(
        self, subject: DataSubject, made: Mapping[str, Sequence[CallResult]], inputs: Mapping[str, int], screen: Screen
    ) -> Collected:
        sources = self._sources([several[-1] for several in made.values()])
        now = self._clock.now()
        figures, screening, findings = screen(sources)
        try:
            key_data = extract(sources, **inputs, **figures, as_of=self._clock.today(), zone=self._clock.zone)
        except SourceDataInvalid as error:
            raise SourceUnavailable(f"{error.source}: {error.path}: {error.rule}") from None
        document = KeyDataDocument(
            application_id=subject.by,
            as_of=iso(now),
            sources=[_record(one, subject.by) for several in made.values() for one in several],
            features=key_data.features,
            unread=key_data.unread,
            features_version=key_data.features_version,
            quality=[*(finding.model_dump(mode="json") for finding in key_data.quality), *findings],
            lineage=key_data.lineage,
            row=key_data.rows,
            screening=screening,
        )
        return Collected(self._key_data.put(document), document.features)

    def _sources(self, results: Sequence[CallResult]) -> dict[str, Mapping[str, Any] | None]:
        """Third information by kind; None if no channel of the kind succeeded; else the first that did."""
        found: dict[str, Mapping[str, Any] | None] = {}
        for result in results:
            if result.outcome in (Outcome.NO_CONSENT, Outcome.NO_DATA) or found.get(result.kind) is not None:
                continue
            usable = result.outcome in (*_GOOD, Outcome.INCOMPLETE) and result.third_key
            found[result.kind] = self._third(result) if usable else None
        return found

    def _third(self, result: CallResult) -> Mapping[str, Any]:
        return self._answers.third(result.third_key or "") if result.third is None else result.third


def _judge(
    plan: Sequence[PlannedChannel], results: Mapping[str, CallResult], asked_for: Callable[[str], bool]
) -> None:  # fmt: skip
    """Check the results against the plan; a missing consent comes first, since only the borrower can help.

    He is not asked for one that only a fallback needs.
    """
    lacking = [
        (planned.channel_id, results.get(planned.channel_id))
        for planned in plan
        if planned.required and not _is_done(planned, results.get(planned.channel_id))
    ]
    for _, result in lacking:
        if result and result.outcome in _ASKS_THE_BORROWER and result.scope and asked_for(result.scope):
            raise AuthorizationRequired(problem_of(result.cause), result.scope)
    if lacking:
        name, result = lacking[0]
        raise SourceUnavailable(f"{name}: {result.outcome}: {result.reason}" if result else f"{name}: lost")


def _is_done(planned: PlannedChannel, result: CallResult | None) -> bool:
    return result is not None and result.outcome in (*planned.accepted, Outcome.PENDING)


def _record(result: CallResult, by: str) -> SourceRecord:
    return SourceRecord(
        source=result.kind,
        channel=result.channel_id,
        channel_version=result.channel_version,
        outcome=result.outcome,
        reason=result.reason,
        **(result.cause.told if result.cause else {}),
        missing=result.missing,
        cached=result.cached and result.asked_by != by,
        fetched_at=result.fetched_at,
        raw_keys=result.raw_keys,
        sha256=result.sha256,
    )
