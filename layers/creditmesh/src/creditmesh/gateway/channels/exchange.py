"""One exchange with a source: render, sign, send, page, retry; returns raw answers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from creditmesh.gateway.channels import rendering
from creditmesh.gateway.channels.authentication import Authenticator, Prepared
from creditmesh.gateway.channels.document import Channel, Http
from creditmesh.gateway.channels.exact_json import dumped
from creditmesh.gateway.channels.reasons import NoSourceAnswer
from creditmesh.gateway.channels.refusals import refusal
from creditmesh.kernel.charsets import encoder
from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Keys

_CONTENT_TYPES = {
    "rest": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset={charset}",
}
_LONGEST_PAUSE = 5.0
_TURNED_AWAY = (429, 503)
"""Statuses that mean that the call was not executed, and so not charged."""

Admit = Callable[[float], bool]
"""Takes a slot of the channel's rate limit, waiting at most that many seconds; False if there was none."""


@dataclass(frozen=True)
class Exchange:
    """The raw answers of an exchange, one per page."""

    answers: list[Answer] = field(repr=False)
    calls: int


class ExchangeFailed(InstitutionUnavailable):
    """An exchange ended without its answer."""

    def __init__(self, failure: InstitutionUnavailable, calls: int, *, pages: int) -> None:
        Unavailable.__init__(self, failure.message)
        self.fault, self.parameters = failure.fault, failure.parameters
        self.sent, self.status, self.retry_after = failure.sent, failure.status, failure.retry_after
        self.calls = calls
        """Number of calls that were sent."""
        self.maybe_charged = pages > 0 or (failure.sent and failure.status not in _TURNED_AWAY)
        """Whether the source may have executed something."""


@dataclass
class _Run:
    """An exchange in progress."""

    channel: Channel
    origin: str
    keys: Keys
    admit: Admit
    deadline: float
    answers: list[Answer] = field(default_factory=list)
    calls: int = 0


def prepare(transport: Http, origin: str, values: Mapping[str, Any], mark: str | None = None) -> Prepared:
    """Render the request; `mark` is the page's."""
    query = {name: rendering.text(template, values) for name, template in transport.query.items()}
    if mark is not None and transport.paging:
        query[transport.paging.parameter] = mark
    written = urlencode(query, encoding=encoder(transport.charset), errors="replace")
    url = origin + rendering.path(transport.path, values, transport.charset) + (f"?{written}" if written else "")
    headers = {name: _header(rendering.text(template, values)) for name, template in transport.headers.items()}
    body = _body(transport, values)
    if body is not None:
        headers.setdefault("content-type", _CONTENT_TYPES[transport.type].format(charset=transport.charset))
    headers.setdefault("accept", "*/*")
    return Prepared(transport.method, url, headers, body)


def _header(text: str) -> str:
    """Drop everything but printable ASCII, so that no value can start a new header."""
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable())


def _body(transport: Http, values: Mapping[str, Any]) -> bytes | None:
    if transport.body is None:
        return None
    if isinstance(transport.body, str):
        return rendering.xml(transport.body, values).encode(encoder(transport.charset), "xmlcharrefreplace")
    if transport.type == "form":
        fields = {name: rendering.text(str(template), values) for name, template in transport.body.items()}
        return urlencode(fields, encoding=encoder(transport.charset), errors="replace").encode()
    document = rendering.json_value(transport.body, values)
    return dumped(document).encode(encoder(transport.charset), "replace")


class Exchanger:
    """Executes exchanges.

    Args:
        monotonic, sleep: for the deadline and the pauses between attempts.
        jitter: returns a number from 0 to 1 that spreads retries.
    """

    def __init__(
        self,
        http: HttpClient,
        authenticator: Authenticator,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http, self._authenticator = http, authenticator
        self._monotonic, self._sleep, self._jitter = monotonic, sleep, jitter

    def exchange(
        self,
        channel: Channel,
        origin: str,
        keys: Keys,
        values: Mapping[str, Any],
        next_mark: Callable[[Answer], str | None],
        admit: Admit = lambda _: True,
    ) -> Exchange:
        """Request all pages.

        Args:
            next_mark: returns the mark of the next page, or None at the end.
            admit: called before each call except the first, which the caller has admitted.

        Raises:
            ExchangeFailed: no answer, or none in time.
            SecretMissing: see `Authenticator`.
        """
        run = _Run(channel, origin, keys, admit, self._monotonic() + channel.limits.total_seconds)
        try:
            self._ask_all(run, values, next_mark)
        except InstitutionUnavailable as failure:
            raise ExchangeFailed(failure, run.calls, pages=len(run.answers)) from None
        return Exchange(run.answers, run.calls)

    def _ask_all(self, run: _Run, values: Mapping[str, Any], next_mark: Callable[[Answer], str | None]) -> None:
        transport = run.channel.transport
        assert isinstance(transport, Http)
        longest = transport.paging.pages if transport.paging else 1
        mark, seen = None, set[str]()
        while len(run.answers) < longest:
            answer = self._send(run, prepare(transport, run.origin, values, mark))
            run.answers.append(answer)
            mark = next_mark(answer) if transport.paging and answer.status == 200 else None
            if mark is None:
                return
            if mark in seen:
                raise NoSourceAnswer("pages_form_loop")
            seen.add(mark)
        raise NoSourceAnswer("too_many_pages", max=longest)

    def _send(self, run: _Run, request: Prepared) -> Answer:
        attempt, renewed = 1, False
        while True:
            try:
                answer = self._once(run, request)
            except InstitutionUnavailable as failure:
                pause = self._pause(run, failure, attempt)
                if pause is None:
                    raise
                self._sleep(pause)
                attempt += 1
                continue
            # A token may end early; retry once with a fresh one.
            if answer.status == 401 and not renewed and self._authenticator.forget_token(run.channel, run.origin):
                renewed = True
                continue
            return answer

    def _once(self, run: _Run, request: Prepared) -> Answer:
        if run.calls and not run.admit(self._left(run)):
            raise NoSourceAnswer("rate_limit_reached", sent=False)
        credentials = self._authenticator.credentials(run.channel, run.keys, run.origin, request, self._left(run))
        left = self._left(run)
        run.calls += 1
        return self._http.call(
            request.method, request.url, headers={**request.headers, **credentials.headers}, body=request.body,
            connect_seconds=run.channel.limits.connect_seconds, total_seconds=left,
            answer_bytes=run.channel.limits.answer_bytes, tls=credentials.tls,
            is_answer=lambda answer: _is_answer(run.channel, answer),
        )  # fmt: skip

    def _left(self, run: _Run) -> float:
        left = run.deadline - self._monotonic()
        if left <= 0:
            raise NoSourceAnswer("out_of_time", sent=False)
        return left

    def _pause(self, run: _Run, failure: InstitutionUnavailable, attempt: int) -> float | None:
        """Seconds until the next attempt, or None if there is none."""
        retry = run.channel.retry
        if attempt >= retry.attempts or not _repeatable(run.channel, failure):
            return None
        pause = retry.pause_seconds * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2)
        pause = min(pause, _LONGEST_PAUSE) if failure.retry_after is None else float(failure.retry_after)
        return pause if self._monotonic() + pause < run.deadline else None


def _is_answer(channel: Channel, answer: Answer) -> bool:
    """Whether it is an answer: some sources refuse with a status that elsewhere means failure (SOAP faults)."""
    in_trouble = answer.status == 429 or answer.status >= 500
    return not in_trouble or refusal(channel, answer.status, answer.body) is not None


def _repeatable(channel: Channel, failure: InstitutionUnavailable) -> bool:
    """Whether a retry cannot be charged twice: it was not sent, was rejected, or the source recognises the repeat."""
    if failure.status is not None and 400 <= failure.status < 500 and failure.status != 429:
        return False  # no token for these credentials; a retry could lock the account
    return not failure.sent or failure.status in _TURNED_AWAY or channel.idempotent or not channel.charged
