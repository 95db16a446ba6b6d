"""Collection: a plan's channels side by side, then key data of what they gave (C07-C10, G01)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.caller import ChannelCaller
from creditmesh.gateway.channels.calls import CallStore
from creditmesh.gateway.channels.catalogue import ChannelCatalogue
from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.plans import PlannedChannel
from creditmesh.gateway.channels.results import CallResult, Subject, result_of
from creditmesh.gateway.key_data import SourceDataInvalid, extract
from creditmesh.gateway.model import CollectionOutcome, CollectionResult, KeyDataDocument, SourceRecord
from creditmesh.gateway.store import KeyDataStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.observability import logger, place

if TYPE_CHECKING:
    from creditmesh.authorization.service import Rights

Screen = Callable[[Mapping[str, Mapping[str, Any] | None]], tuple[Mapping[str, int], dict[str, Any]]]
_GOOD = (Outcome.COMPLETE, Outcome.FILLED)
_ASKS_THE_BORROWER = (Outcome.NO_CONSENT, Outcome.REFUSED)


class Collections:
    """Collects one firm's data by a plan, each channel by itself.

    Args:
        caller: gives what asks channels; judging needs none, and so none of its secrets.
    """

    def __init__(
        self,
        catalogue: ChannelCatalogue,
        caller: Callable[[], ChannelCaller],
        calls: CallStore,
        answers: Answers,
        key_data: KeyDataStore,
        clock: Clock,
    ) -> None:
        self._catalogue, self._caller, self._calls = catalogue, caller, calls
        self._answers, self._key_data, self._clock = answers, key_data, clock

    def planned(self, plan_id: str) -> list[PlannedChannel]:
        """The channels of a plan."""
        return self._catalogue.plan(plan_id).channels

    def call(self, plan_id: str, subject: Subject) -> dict[str, list[CallResult]]:
        """Ask a plan's channels side by side; whatever happens to one is its outcome.

        Where a consent is lacking that the plan cannot do without, nobody is asked: what others answer might cost
        something, and be of no use.

        Returns:
            By planned channel: its own result, then those of the fallbacks that were asked in its stead (G13).
        """
        plan = self.planned(plan_id)
        rights = self._caller().rights(subject)
        if lacking := self._without_consent([one.channel_id for one in plan if one.required], subject, rights):
            return {one.channel_id: [one] for one in lacking}
        planned = [one.channel_id for one in plan]
        with ThreadPoolExecutor(len(planned), thread_name_prefix="channel") as pool:
            asked = pool.map(lambda name: self._with_fallbacks(name, subject, rights), planned)
            return dict(zip(planned, asked, strict=True))

    def _without_consent(self, channel_ids: Sequence[str], subject: Subject, rights: Rights) -> list[CallResult]:
        found = []
        for name in channel_ids:
            with suppress(NotFound):
                one = self._catalogue.channel(name)
                found.append(self._caller().refusal(one.channel, one.version, subject, rights))
        return [one for one in found if one is not None]

    def _with_fallbacks(self, channel_id: str | None, subject: Subject, rights: Rights) -> list[CallResult]:
        results: list[CallResult] = []
        # Two operators at the same moment may still make a circle of fallbacks.
        while channel_id and channel_id not in {one.channel_id for one in results}:
            results.append(self._ask(channel_id, subject, rights))
            channel_id = results[-1].fallback_channel
        return results

    def _ask(self, channel_id: str, subject: Subject, rights: Rights) -> CallResult:
        try:
            found = self._catalogue.channel(channel_id)
            return self._caller().collect(found.channel, found.version, subject, rights)
        except NotFound:
            reason = "no such channel"
        except (ClientError, BotoCoreError) as error:
            # AWS itself in trouble: the other channels go on; what was claimed comes free by its lease.
            reason = type(error).__name__
            logger.warning("channel lost", extra={"channel": channel_id, "error": reason, "place": place(error)})
        return CallResult(
            channel_id=channel_id, channel_version=0, kind="unknown", outcome=Outcome.UNAVAILABLE, reason=reason
        )

    def finish(
        self,
        plan_id: str,
        subject: Subject,
        results: Mapping[str, Sequence[CallResult]],
        inputs: Mapping[str, int],
        screen: Screen,
    ) -> CollectionResult:
        """Judge by the plan, and write key data if its required channels are done.

        Args:
            results: by the planned channel's id; its own, then those of the fallbacks that stood in for it.
            inputs: `requested_amount_minor`, `requested_term_months`.
            screen: looks up in the lists who the sources tell of: figures for key data, and what they rest on.
        """
        made = {name: [self._settled(one) for one in several] for name, several in results.items() if several}
        settled = {name: several[-1] for name, several in made.items()}
        plan = self.planned(plan_id)
        judged = _judged(plan, settled)
        if judged.outcome is not CollectionOutcome.COLLECTED:
            return judged
        sources = self._sources([settled[one.channel_id] for one in plan if one.channel_id in settled])
        now = self._clock.now()
        figures, screening = screen(sources)
        try:
            key_data = extract(sources, **inputs, **figures, as_of=now.date())
        except SourceDataInvalid as error:
            reason = f"{error.source}: {error.path}: {error.rule}"
            return CollectionResult(outcome=CollectionOutcome.UNAVAILABLE, reason=reason)
        rows_key = self._key_data.put_row(subject.by, iso(now), key_data.rows)
        document = KeyDataDocument(
            application_id=subject.by,
            as_of=iso(now),
            sources=[_record(one) for several in made.values() for one in several],
            features=key_data.features,
            quality=[finding.model_dump(mode="json") for finding in key_data.quality],
            lineage=key_data.lineage,
            rows_key=rows_key,
            screening=screening,
        )
        return judged.model_copy(update={"key_data_key": self._key_data.put(document)})

    def _settled(self, result: CallResult) -> CallResult:
        """A pending result as it stands now: answered, erased with its consent, or still without an answer."""
        if result.outcome is not Outcome.PENDING or result.call_key is None:
            return result
        record = self._calls.find(result.call_key)
        if record is None:
            return result.model_copy(update={"outcome": Outcome.NO_CONSENT, "reason": "withdrawn"})
        if record.outcome is None:
            return result.model_copy(update={"outcome": Outcome.UNAVAILABLE, "reason": "no_answer_in_time"})
        return result_of(self._catalogue.channel(result.channel_id).channel, record)

    def _sources(self, results: Sequence[CallResult]) -> dict[str, Mapping[str, Any] | None]:
        """Third information by kind; None where a kind was asked for in vain. Of two channels the first good one."""
        found: dict[str, Mapping[str, Any] | None] = {}
        for result in results:
            if result.outcome in (Outcome.NO_CONSENT, Outcome.NO_DATA) or found.get(result.kind) is not None:
                continue
            usable = result.outcome in (*_GOOD, Outcome.INCOMPLETE) and result.third_key
            found[result.kind] = self._answers.third(result.third_key) if usable and result.third_key else None
        return found


def _judged(plan: Sequence[PlannedChannel], results: Mapping[str, CallResult]) -> CollectionResult:
    """The plan's verdict; a lacking consent comes first, for only the borrower can help there."""
    lacking = [
        (one, results.get(one.channel_id))
        for one in plan
        if one.required and (one.channel_id not in results or results[one.channel_id].outcome not in one.accepted)
    ]
    for _, result in lacking:
        if result and result.outcome in _ASKS_THE_BORROWER:
            return CollectionResult(
                outcome=CollectionOutcome.AUTHORIZATION_REQUIRED, reason=result.reason, scope=result.kind
            )
    if lacking:
        planned, result = lacking[0]
        reason = f"{planned.channel_id}: {result.outcome}: {result.reason}" if result else f"{planned.channel_id}: lost"
        return CollectionResult(outcome=CollectionOutcome.UNAVAILABLE, reason=reason)
    return CollectionResult(outcome=CollectionOutcome.COLLECTED)


def _record(result: CallResult) -> SourceRecord:
    return SourceRecord(
        source=result.kind,
        channel=result.channel_id,
        channel_version=result.channel_version,
        outcome=result.outcome,
        reason=result.reason,
        missing=result.missing,
        cached=result.cached,
        fetched_at=result.fetched_at,
        raw_keys=result.raw_keys,
        sha256=result.sha256,
    )
