"""Calls to institutions: time-outs, a limit on the answer's size, no redirects, errors by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from creditmesh.kernel.errors import Unavailable

MAX_ANSWER_BYTES = 4 * 1024 * 1024


class InstitutionUnavailable(Unavailable):
    """No usable answer: refused connection, time-out, 429 or 5xx, an answer too long or not JSON. Worth another try."""

    code = "institution_unavailable"


@dataclass(frozen=True)
class Answer:
    """What came back: a status below 500 and the body as received."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            InstitutionUnavailable: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise InstitutionUnavailable("the answer is not JSON") from None


class HttpClient:
    """One connection pool for all institutions."""

    def __init__(self, connect_seconds: float = 2.0, read_seconds: float = 10.0) -> None:
        timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._pool = urllib3.PoolManager(num_pools=16, maxsize=16, timeout=timeout, retries=False)

    def call(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Make one call; retries are the caller's business.

        Raises:
            InstitutionUnavailable: see the class.
        """
        try:
            response = self._pool.request(
                method, url, headers=dict(headers), body=body, redirect=False, preload_content=False
            )
            content = response.read(MAX_ANSWER_BYTES + 1)
            if len(content) > MAX_ANSWER_BYTES:
                response.close()
                raise InstitutionUnavailable("the answer is too long")
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise InstitutionUnavailable(f"no answer: {type(error).__name__}") from None
        if response.status == 429 or response.status >= 500:
            raise InstitutionUnavailable(f"answered {response.status}")
        return Answer(response.status, content)
