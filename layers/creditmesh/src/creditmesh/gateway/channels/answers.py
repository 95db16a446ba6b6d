"""Turns an answer into an outcome; stores the raw answer and the third information."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from creditmesh.gateway.channels import reading as reader
from creditmesh.gateway.channels.calls import CallRecord
from creditmesh.gateway.channels.document import Channel, Http, Outcome, Response
from creditmesh.gateway.channels.exact_json import digits
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.reasons import CallReason
from creditmesh.gateway.channels.refusals import refusal
from creditmesh.gateway.channels.source import Came
from creditmesh.gateway.channels.structure import structured
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.objects import Objects

MESSAGE = Response()
"""A webhook's message is always JSON in UTF-8."""


@dataclass(frozen=True)
class Reading:
    """A parsed answer."""

    outcome: Outcome
    bodies: list[bytes] = field(repr=False)
    cause: CallReason | None = None
    third: dict[str, Any] | None = field(default=None, repr=False)
    """None if there is none."""
    missing: tuple[str, ...] = ()
    """Completeness expressions without a result."""
    status: int | None = None
    late: bool = False
    """The answer was a webhook's message."""

    @property
    def reason(self) -> str | None:
        return self.cause.text if self.cause else None


class Answers:
    """Reads and stores answers: raw ones permanently, third information while it is fresh."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def read(self, channel: Channel, came: Came) -> Reading:
        """Read an answer and determine its outcome."""
        return replace(self._read(channel, came), status=came.status)

    def read_message(self, channel: Channel, body: bytes) -> Reading:
        """Read the message of a late answer and determine its outcome."""
        if channel.callback is None:
            return Reading(Outcome.UNAVAILABLE, [body], CallReason.of("answer_not_awaited"), late=True)
        try:
            content = search(channel.callback.content, reader.parse(MESSAGE, body))
            reader.check(channel.response, content)
        except reader.Unreadable as fault:
            return replace(_unreadable(fault, [body]), late=True)
        return replace(self._structured(channel, content, [body]), late=True)

    def _read(self, channel: Channel, came: Came) -> Reading:
        if refused := refusal(channel, came.status, came.bodies[-1]):
            outcome, cause = refused
            return Reading(outcome, came.bodies, cause)
        if channel.callback and came.status in channel.callback.acknowledged:
            return Reading(Outcome.PENDING, came.bodies)
        if came.status not in channel.response.accepted:
            return Reading(Outcome.UNAVAILABLE, came.bodies, CallReason.of("answered", status=came.status))
        try:
            document = _joined(channel, [reader.parse(channel.response, body) for body in came.bodies])
            reader.check(channel.response, document)
        except reader.Unreadable as fault:
            return _unreadable(fault, came.bodies)
        return self._structured(channel, document, came.bodies)

    @staticmethod
    def _structured(channel: Channel, document: Any, bodies: list[bytes]) -> Reading:
        """Apply the structure rules to a parsed document."""
        made = structured(channel.structure, document)
        if made.missing:
            return Reading(Outcome.INCOMPLETE, bodies, CallReason.of("answer"), made.document, made.missing)
        cause = CallReason.of("by_fallback_rule") if made.by_fallback else None
        return Reading(Outcome.COMPLETE, bodies, cause, made.document)

    def keep(
        self, channel: Channel, claim: CallRecord, reading: Reading, version: int | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Store an answer; returns the fields to write to the call's record.

        Args:
            version: of the document whose rules read it; by default the one that made the call, which always names the
                raw answer's key.
        """
        keys, suffix = [], channel.response.format
        for body in reading.bodies:
            digest = hashlib.sha256(body).hexdigest()
            key = f"raw/{claim.by}/{channel.channel_id}-v{claim.channel_version}-{digest[:16]}.{suffix}"
            self._objects.put(key, body, "application/octet-stream")
            keys.append(key)
        return {
            **self.keep_third(claim, claim.channel_version if version is None else version, reading),
            "fetched_at": iso(self._clock.now()),
            "raw_keys": keys,
            "sha256": hashlib.sha256(b"".join(reading.bodies)).hexdigest(),
            "status": reading.status,
            "late": reading.late,
        }

    def keep_third(self, record: CallRecord, version: int, reading: Reading) -> dict[str, Any]:
        """Store the third information made by a document version; returns the fields for the call's record."""
        outcome = reading.outcome
        if outcome is Outcome.COMPLETE and record.filled:
            outcome = Outcome.FILLED
        third_key = None
        if reading.third is not None:
            # The key contains the holder, so that a late worker never overwrites another's result of the same call, and
            # the version, so that two who reread the same answer write the same object.
            third_key = f"{_third_of(record)}{record.number}-{record.holder[:8]}-v{version}.json"
            self._objects.put(third_key, _dumped(reading.third), "application/json")
        return {
            "channel_version": version,
            "outcome": outcome,
            "cause": reading.cause,
            "missing": list(reading.missing),
            "third_key": third_key,
        }

    def raw(self, record: CallRecord) -> list[bytes]:
        """A call's raw answers, one per page.

        Raises:
            NotFound: no longer stored.
        """
        return [self._objects.get(key) for key in record.raw_keys]

    def drop(self, kept: Mapping[str, Any], *, raw: bool) -> None:
        """Delete an answer that nothing uses yet and its call no longer awaits.

        Args:
            kept: the result of `keep`.
            raw: delete the raw answer too, as without consent.
        """
        for key in [*(kept.get("raw_keys", ()) if raw else ()), kept.get("third_key")]:
            if key:
                self._objects.delete(key)

    @staticmethod
    def stored_form(reading: Reading) -> dict[str, Any] | None:
        return None if reading.third is None else json.loads(_dumped(reading.third))

    def third(self, key: str) -> dict[str, Any]:
        document = self._objects.get_json(key)
        return document if isinstance(document, dict) else {}

    def erase(self, record: CallRecord) -> None:
        """Delete a call's third information, including that of earlier windows and versions.

        Raw answers are kept for replays, until the rules of retention end them.
        """
        self._objects.delete_below(_third_of(record))


def _third_of(record: CallRecord) -> str:
    """Prefix of the keys of all third information of a call."""
    return f"third/{record.call_key[:32]}-"


def _unreadable(fault: reader.Unreadable, bodies: list[bytes]) -> Reading:
    return Reading(Outcome.UNAVAILABLE, bodies, CallReason(code=f"answer_{fault.fault}", parameters=fault.parameters))


def _joined(channel: Channel, pages: list[Any]) -> Any:
    """The first page with the items of all pages."""
    transport = channel.transport
    if not isinstance(transport, Http) or transport.paging is None or len(pages) == 1:
        return pages[0]
    name = transport.paging.items
    if not all(isinstance(page, dict) and isinstance(page.get(name), list) for page in pages):
        raise reader.Unreadable("no_list", path=name)
    return {**pages[0], name: [item for page in pages for item in page[name]]}


def _dumped(document: Any) -> bytes:
    """Canonical JSON; decimals become text with all digits."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=digits).encode()
