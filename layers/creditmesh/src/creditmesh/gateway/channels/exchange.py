"""One exchange with a source: render, sign, send, page, try again; what came back, raw (G06, G07, G13)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from creditmesh.gateway.channels import rendering
from creditmesh.gateway.channels.authentication import Authenticator, Prepared
from creditmesh.gateway.channels.document import Channel, Http
from creditmesh.gateway.channels.refusals import refusal
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Keys

_CONTENT_TYPES = {
    "rest": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset={charset}",
}
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Exchange:
    """What an exchange gave: one answer a page, as received."""

    answers: list[Answer] = field(repr=False)
    calls: int


def prepare(transport: Http, origin: str, values: Mapping[str, Any], mark: str | None = None) -> Prepared:
    """Render the request; `mark` is the page's."""
    query = {name: rendering.text(template, values) for name, template in transport.query.items()}
    if mark is not None and transport.paging:
        query[transport.paging.parameter] = mark
    url = origin + rendering.path(transport.path, values) + (f"?{urlencode(query)}" if query else "")
    headers = {name: _header(rendering.text(template, values)) for name, template in transport.headers.items()}
    body = _body(transport, values)
    if body is not None:
        headers.setdefault("content-type", _CONTENT_TYPES[transport.type].format(charset=transport.charset))
    headers.setdefault("accept", "*/*")
    return Prepared(transport.method, url, headers, body)


def _header(text: str) -> str:
    """A header's value: what is not printable ASCII has no place there, line ends least of all."""
    return "".join(one for one in text if one.isascii() and one.isprintable())


def _body(transport: Http, values: Mapping[str, Any]) -> bytes | None:
    if transport.body is None:
        return None
    if isinstance(transport.body, str):
        render = rendering.xml if transport.type == "xml" else rendering.text
        return render(transport.body, values).encode(transport.charset, "xmlcharrefreplace")
    if transport.type == "form":
        fields = {name: rendering.text(str(template), values) for name, template in transport.body.items()}
        return urlencode(fields, encoding=transport.charset, errors="replace").encode()
    document = rendering.json_value(transport.body, values)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(transport.charset, "replace")


class Exchanger:
    """Carries exchanges out.

    Args:
        monotonic, sleep: for the deadline and the pauses between tries.
        jitter: gives a number from 0 to 1, so that many that failed together do not come back together.
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
    ) -> Exchange:
        """Ask for all pages.

        Args:
            next_mark: reads from a page the mark of the one after it; None ends.

        Raises:
            InstitutionUnavailable: no answer, or none in time; `sent` tells whether it may have been charged.
            SecretMissing: see `Authenticator`.
        """
        transport = channel.transport
        assert isinstance(transport, Http)
        deadline = self._monotonic() + channel.limits.total_seconds
        answers: list[Answer] = []
        calls, mark = 0, None
        longest = transport.paging.pages if transport.paging else 1
        while len(answers) < longest:
            request = prepare(transport, origin, values, mark)
            answer, tries = self._send(channel, origin, keys, request, deadline)
            answers.append(answer)
            calls += tries
            mark = next_mark(answer) if transport.paging and answer.status == 200 else None
            if mark is None:
                return Exchange(answers, calls)
        raise InstitutionUnavailable(f"has more than {longest} pages")

    def _send(
        self, channel: Channel, origin: str, keys: Keys, request: Prepared, deadline: float
    ) -> tuple[Answer, int]:
        renewed = False
        for attempt in range(1, channel.retry.attempts + 1):
            try:
                answer = self._once(channel, origin, keys, request, deadline)
            except InstitutionUnavailable as failure:
                pause = self._pause(channel, failure, attempt, deadline)
                if pause is None:
                    raise
                self._sleep(pause)
                continue
            # A token may end early; a fresh one is worth one more try.
            if answer.status == 401 and not renewed and self._authenticator.forget_token(channel, origin):
                renewed = True
                answer = self._once(channel, origin, keys, request, deadline)
            return answer, attempt
        raise AssertionError("unreachable: the last attempt answers or raises")

    def _once(self, channel: Channel, origin: str, keys: Keys, request: Prepared, deadline: float) -> Answer:
        credentials = self._authenticator.credentials(channel, keys, origin, request)
        left = deadline - self._monotonic()
        if left <= 0:
            raise InstitutionUnavailable("no answer in time", sent=False)
        return self._http.call(
            request.method, request.url, headers={**request.headers, **credentials.headers}, body=request.body,
            connect_seconds=channel.limits.connect_seconds, total_seconds=left,
            answer_bytes=channel.limits.answer_bytes, tls=credentials.tls,
            is_answer=lambda answer: _is_answer(channel, answer),
        )  # fmt: skip

    def _pause(self, channel: Channel, failure: InstitutionUnavailable, attempt: int, deadline: float) -> float | None:
        """Seconds until the next try, or None if there is to be none."""
        if attempt >= channel.retry.attempts or not _repeatable(channel, failure):
            return None
        pause = channel.retry.pause_seconds * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2)
        pause = min(pause, _LONGEST_PAUSE) if failure.retry_after is None else float(failure.retry_after)
        return pause if self._monotonic() + pause < deadline else None


def _is_answer(channel: Channel, answer: Answer) -> bool:
    """Some sources say no with a status that means trouble elsewhere, SOAP's faults for one."""
    in_trouble = answer.status == 429 or answer.status >= 500
    return not in_trouble or refusal(channel, answer.status, answer.body) is not None


def _repeatable(channel: Channel, failure: InstitutionUnavailable) -> bool:
    """Whether another try cannot be charged a second time: it was not sent, was turned away, or is known again."""
    turned_away = failure.status in (429, 503)
    return not failure.sent or turned_away or channel.idempotent or not channel.charged
