"""Channels and plans: versioned by operators, read by every collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.gateway.channels.source import Source
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.documents import Stored, VersionedDocuments
from creditmesh.platform.observability import logger

CACHE_SECONDS = 30


@dataclass(frozen=True)
class ChannelVersion:
    """A channel and the version of its document."""

    channel: Channel
    version: int


class ChannelCatalogue:
    """The current channels and plans.

    Changes take effect everywhere within `CACHE_SECONDS`.

    Args:
        monotonic: clock in seconds, for the cache's age.
    """

    def __init__(
        self,
        channels: VersionedDocuments,
        plans: VersionedDocuments,
        source: Source,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels, self._plans, self._source, self._monotonic = channels, plans, source, monotonic
        self._known: dict[str, ChannelVersion] = {}
        self._read_at: float | None = None
        self._known_plans: dict[str, tuple[float, CollectionPlan]] = {}

    def channel(self, channel_id: str) -> ChannelVersion:
        """A channel.

        Raises:
            NotFound: unknown id.
        """
        found = self._all().get(channel_id)
        if found is None:
            self._read_at = None  # it may be new
            found = self._all().get(channel_id)
        if found is None:
            raise NotFound("no such channel", field="channel_id")
        return found

    def all(self) -> list[ChannelVersion]:
        return list(self._all().values())

    def of_institution(self, institution: str) -> list[ChannelVersion]:
        return [one for one in self._all().values() if one.channel.institution == institution]

    def listed(self) -> list[Stored]:
        """The current documents by id, uncached."""
        return list(self._channels.all())

    def stored(self, channel_id: str, version: int | None = None) -> Stored:
        """A version of a channel's document, the current one by default, uncached.

        Raises:
            NotFound: unknown id or version.
        """
        return self._channels.get(channel_id, version)

    def put(self, channel: Channel, by: str, based_on: int | None) -> Stored:
        """Write a channel's next version.

        Raises:
            InvalidInput: a forbidden origin, or a missing fallback channel.
            VersionConflict: changed concurrently.
        """
        self._source.origin(channel)
        if channel.fallback_channel:
            self._check_fallback(channel)
        # With all defaults, so that changed defaults in the code do not change earlier versions.
        document = channel.model_dump(mode="json", by_alias=True)
        stored = self._channels.put(channel.channel_id, document, by, based_on)
        self._read_at = None
        return stored

    def plan(self, plan_id: str) -> CollectionPlan:
        """A collection plan.

        Raises:
            NotFound: unknown id.
        """
        read_at, plan = self._known_plans.get(plan_id, (None, None))
        if plan is None or read_at is None or self._monotonic() - read_at > CACHE_SECONDS:
            plan = CollectionPlan.model_validate(self._plans.get(plan_id).document)
            self._known_plans[plan_id] = (self._monotonic(), plan)
        return plan

    def requires(self, plan_id: str, scope: str) -> bool:
        """Whether a plan requires a channel that needs this consent; False if the plan does not exist."""
        try:
            needed = [
                self.channel(channel.channel_id).channel for channel in self.plan(plan_id).channels if channel.required
            ]
        except NotFound:
            return False
        return any(channel.consent_scope == scope for channel in needed)

    def has_plan(self, plan_id: str) -> bool:
        """Whether there is a collection plan with that id."""
        try:
            self._plans.get(plan_id)
        except NotFound:
            return False
        return True

    def listed_plans(self) -> list[Stored]:
        """The current plans by id."""
        return list(self._plans.all())

    def stored_plan(self, plan_id: str) -> Stored:
        """A plan's document.

        Raises:
            NotFound: unknown id.
        """
        return self._plans.get(plan_id)

    def put_plan(self, plan: CollectionPlan, by: str, based_on: int | None) -> Stored:
        """Write a plan's next version.

        Raises:
            InvalidInput: it names a missing channel.
            VersionConflict: changed concurrently.
        """
        for number, one in enumerate(plan.channels):
            try:
                self._channels.get(one.channel_id)
            except NotFound:
                raise InvalidInput(
                    "must be a channel", field=f"channels.{number}.channel_id", fault="no_such_channel"
                ) from None
        stored = self._plans.put(plan.plan_id, plan.model_dump(mode="json"), by, based_on)
        self._known_plans.pop(plan.plan_id, None)
        return stored

    def _check_fallback(self, channel: Channel) -> None:
        """A fallback channel must exist, have the same kind, and not lead back to this one."""
        seen, name = {channel.channel_id}, channel.fallback_channel
        while name:
            if name in seen:
                raise InvalidInput("must not lead back to this channel", field="fallback_channel", fault="circular")
            try:
                other = Channel.model_validate(self._channels.get(name).document)
            except (NotFound, ValidationError):
                raise InvalidInput("must be a channel", field="fallback_channel", fault="no_such_channel") from None
            if other.kind != channel.kind:
                raise InvalidInput(
                    "must be of kind {kind}", field="fallback_channel", fault="other_kind", kind=channel.kind
                )
            seen.add(name)
            name = other.fallback_channel

    def _all(self) -> dict[str, ChannelVersion]:
        if self._read_at is None or self._monotonic() - self._read_at > CACHE_SECONDS:
            found = ((one.document_id, _read(one)) for one in self._channels.all())
            self._known = {name: channel for name, channel in found if channel}
            self._read_at = self._monotonic()
        return self._known


def _read(stored: Stored) -> ChannelVersion | None:
    """A stored channel; None if it breaks a newer rule, so that only this channel is unavailable."""
    try:
        return ChannelVersion(Channel.model_validate(stored.document), stored.version)
    except ValidationError:
        logger.error("invalid channel document", extra={"channel": stored.document_id, "version": stored.version})
        return None
