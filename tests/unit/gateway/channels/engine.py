"""The channel engine on an in-process AWS, with consents, institutions and time that a test holds in its hand."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.authentication import Authenticator
from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.cache import AnswerCache
from creditmesh.gateway.channels.calls import CallRecord, CallStore
from creditmesh.gateway.channels.catalogue import ChannelCatalogue
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.exchange import Exchanger
from creditmesh.gateway.channels.fetcher import ChannelFetcher
from creditmesh.gateway.channels.guards import Guards
from creditmesh.gateway.channels.health import ChannelHealth, HealthBook
from creditmesh.gateway.channels.late import ANSWERS, LateAnswers
from creditmesh.gateway.channels.results import CallResult
from creditmesh.gateway.channels.source import Source
from creditmesh.gateway.model import DataSubject
from creditmesh.kernel.clock import Clock, FixedClock, iso, parse_instant
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.documents import VersionedDocuments
from creditmesh.platform.institutions import Address, Institution, Keys
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Tables, decode
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Waits
from tests.support import aws
from tests.support.fakes import FakeHttp, FakeSteps
from tests.support.world import NOW

FIRM = "91990000600000001X"
INDEX = "index-of-the-firm"
TENANT = "firm-1"
ORIGIN = "https://source.example"


@dataclass(frozen=True)
class Consent:
    """What the engine sees of a consent."""

    authorization_id: str
    code: str
    expires_at: str
    purposes: tuple[str, ...] = ("loan_assessment",)
    fields: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass
class Consents:
    """The authorisations' use cases as far as the engine knows them."""

    clock: Clock
    granted: dict[tuple[str, str], Consent] = field(default_factory=dict)
    uses: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(consent's id, purpose, by, channel) of each use."""
    refused: dict[str, str] = field(default_factory=dict)
    """Consent's id -> reason."""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def grant(
        self, taxpayer_id: str, scope: str, *, days: float = 30, code: str = "code-of-the-firm-1", **fields: str
    ) -> Consent:
        until = iso(self.clock.now() + timedelta(days=days))
        consent = Consent(f"auth-{next(self.numbers)}", code, until, fields=fields)
        self.granted[taxpayer_id, scope] = consent
        return consent

    def withdraw(self, taxpayer_id: str, scope: str) -> str:
        return self.granted.pop((taxpayer_id, scope)).authorization_id

    def rights(self, taxpayer_id: str, *, tenant: str) -> Rights:
        held = {scope: one for (firm, scope), one in self.granted.items() if (firm, tenant) == (taxpayer_id, TENANT)}
        return Rights(self, held)

    def problem(self, consent: Consent) -> str | None:
        if consent.authorization_id in self.refused:
            return self.refused[consent.authorization_id]
        return "code_expired" if parse_instant(consent.expires_at) <= self.clock.now() else None

    def stands(self, authorization: Consent) -> bool:
        return authorization in self.granted.values() and not self.problem(authorization)

    def use(self, authorization: Consent, *, purpose: str, by: str, channel: str) -> None:
        if authorization not in self.granted.values():
            raise AuthorizationRequired("withdrawn")
        self.uses.append((authorization.authorization_id, purpose, by, channel))

    def refuse(self, authorization: Consent, reason: str) -> None:
        self.refused[authorization.authorization_id] = reason


@dataclass
class Rights:
    """What a firm had consented to at one look."""

    consents: Consents
    held: dict[str, Consent]

    def usable(self, scope: str, purpose: str) -> Consent:
        if scope not in self.held:
            raise AuthorizationRequired("none_stored")
        if problem := self.consents.problem(self.held[scope]):
            raise AuthorizationRequired(problem)
        if purpose not in self.held[scope].purposes:
            raise AuthorizationRequired("purpose_not_consented")
        return self.held[scope]


@dataclass
class Book:
    """The address book."""

    addresses: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Keys] = field(default_factory=dict)

    def get(self, institution_id: str) -> Institution:
        if institution_id not in self.addresses:
            raise NotFound("no such institution")
        address = Address(kind="source", name=institution_id, base_url=self.addresses[institution_id])
        return Institution(institution_id=institution_id, address=address, keys=self.keys_of(institution_id))

    def of_kind(self, kind: str) -> list[Institution]:
        return [self.get(name) for name in sorted(self.addresses)]

    def keys_of(self, institution_id: str) -> Keys:
        return self.keys.get(institution_id, Keys())


@dataclass
class Time:
    """Time that passes only while somebody sleeps."""

    clock: FixedClock
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.clock.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)


@dataclass
class Engine:
    """All parts of the engine, joined as the bootstrap does."""

    stack: aws.Stack
    clock: Any = field(default_factory=lambda: FixedClock(NOW))
    http: Any = field(default_factory=FakeHttp)
    steps: FakeSteps = field(default_factory=FakeSteps)
    book: Book = field(default_factory=Book)
    origins: list[str] = field(default_factory=lambda: [ORIGIN])
    records: dict[tuple[str, str], Any] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.book.keys.setdefault("source", Keys(api_key="made-up-api-key-1"))
        self.consents = Consents(self.clock)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.stack.clients["dynamodb"])

    @cached_property
    def objects(self) -> Objects:
        return Objects(self.stack.clients["s3"], self.stack.refs["DataBucket"])

    @cached_property
    def calls(self) -> CallStore:
        return CallStore(self.tables, self.stack.refs["ChannelCalls"], self.clock)

    @cached_property
    def answers(self) -> Answers:
        return Answers(self.objects, self.clock)

    @cached_property
    def guards(self) -> Guards:
        return Guards(self.tables, self.stack.refs["ChannelStates"], self.clock, self.sleep)

    @cached_property
    def health(self) -> HealthBook:
        return HealthBook(self.tables, self.stack.refs["ChannelStates"], self.clock)

    @cached_property
    def source(self) -> Source:
        authenticator = Authenticator(self.http, self.clock)
        exchanger = Exchanger(self.http, authenticator, self.monotonic, self.sleep, lambda: 1.0)
        return Source(self.book, exchanger, BatchFiles(self.objects, self.clock), lambda: self.origins)

    @cached_property
    def caller(self) -> ChannelFetcher:
        return ChannelFetcher(
            self.consents, self.calls, self.guards, self.health, self.source, self.answers,  # type: ignore[arg-type]
            lambda record, key: self.records.get((record, key)), self.clock, self.monotonic, self.sleep,
        )  # fmt: skip

    @cached_property
    def waits(self) -> Waits:
        return Waits(self.tables, self.stack.refs["Waits"], Tasks(self.steps, "arn"), self.clock)  # type: ignore[arg-type]

    @cached_property
    def late(self) -> LateAnswers:
        return LateAnswers(self.calls, self.answers, self.health, self.waits, self.clock)

    @cached_property
    def cache(self) -> AnswerCache:
        return AnswerCache(self.calls, self.answers, self.waits)

    @cached_property
    def catalogue(self) -> ChannelCatalogue:
        table = self.stack.refs["Documents"]
        channels, plans = (VersionedDocuments(self.tables, table, kind, self.clock) for kind in ("channel", "plan"))
        return ChannelCatalogue(channels, plans, self.source, self.monotonic)

    def collect(
        self, channel: Channel, firm: str = FIRM, *, by: str = "app-1", version: int = 1, **fields: Any
    ) -> CallResult:  # fmt: skip
        """Collect a firm's data from a channel, by a version of its document."""
        of = subject(firm, by=by, **fields)
        return self.caller.collect(channel, version, of, self.caller.rights(of))

    def third(self, result: CallResult) -> dict[str, Any]:
        """Third information of a result."""
        assert result.third_key, result
        return self.answers.third(result.third_key)

    def withdraw(self, channel: Channel, firm: str = FIRM) -> int:
        """Withdraw a consent as the platform does: first the consent, then what lies under it."""
        scope = channel.consent_scope or ""
        return self.cache.erase(self.consents.withdraw(firm, scope))

    def wait(self, token: str, *results: CallResult, owner: str = "app-1") -> None:
        """Let a task of a collection wait for late answers."""
        self.waits.wait(owner, ANSWERS, token, [one.awaited or "" for one in results])

    def record(self, result: CallResult) -> CallRecord:
        """The call of a result as stored."""
        found = self.calls.find(result.call_key or "")
        assert found, result
        return found

    def health_of(self, channel: Channel, minutes: int = 60) -> ChannelHealth:
        """How a channel did."""
        return self.health.read([(channel, self.guards.breaker(channel).state)], minutes)[0]

    def stored_calls(self) -> list[dict[str, Any]]:
        """All calls as stored."""
        return [decode(item) for item in self.stack.raw_items("ChannelCalls")]


def subject(firm: str = FIRM, *, by: str = "app-1", **fields: Any) -> DataSubject:
    return DataSubject(firm, index_of(firm), {"taxpayer_id": firm, **fields}, TENANT, by, "loan_assessment")


def index_of(firm: str) -> str:
    return INDEX if firm == FIRM else f"index-{firm}"


def with_fixed_time(stack: aws.Stack, **changes: Any) -> Engine:
    """An engine whose time passes only while it sleeps; `sleep.__self__` tells how long."""
    clock = FixedClock(NOW)
    passing = Time(clock)
    return Engine(stack, clock, monotonic=passing.monotonic, sleep=passing.sleep, **changes)


def document(**changes: Any) -> dict[str, Any]:
    """A small channel of a kind nobody knows."""
    return {
        "channel_id": "some-source", "kind": "some_kind", "title": "Some source", "institution": "source",
        "base_url": ORIGIN, "transport": {"type": "rest", "method": "GET", "path": "/firms/{{taxpayer_id}}"},
        "authentication": {"type": "api_key"}, "structure": {"rule": "{name: name}", "complete": ["name"]},
        "retry": {"attempts": 1}, **changes,
    }  # fmt: skip


def channel(**changes: Any) -> Channel:
    return Channel.model_validate(document(**changes))


def body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def headers(call: Any) -> Mapping[str, str]:
    return {name.lower(): value for name, value in call.headers.items()}
