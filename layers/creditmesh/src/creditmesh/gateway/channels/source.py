"""A channel's source, independent of its transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.document import BatchFile, Channel, Http
from creditmesh.gateway.channels.exchange import Admit, Exchanger
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.origins import allowed_origin
from creditmesh.gateway.channels.reading import Unreadable, parse
from creditmesh.gateway.channels.reasons import NoSourceAnswer
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.http import Answer
from creditmesh.platform.institutions import Directory


@dataclass(frozen=True)
class Came:
    """The response of a source."""

    status: int
    bodies: list[bytes] = field(repr=False)
    """One per page, as received."""
    calls: int
    """Calls that were sent."""


class Source:
    """Calls sources.

    Args:
        allowed_origins: returns the origins that channels may use besides the address book's.
    """

    def __init__(
        self,
        directory: Directory,
        exchanger: Exchanger,
        files: BatchFiles,
        allowed_origins: Callable[[], Sequence[str]],
    ) -> None:
        self._directory, self._exchanger, self._files = directory, exchanger, files
        self._allowed_origins = allowed_origins

    def origin(self, channel: Channel) -> str:
        """The origin of the channel's calls.

        Raises:
            InvalidInput: not allowed.
        """
        try:
            book_url = self._directory.get(channel.institution).address.base_url
        except NotFound:
            book_url = None
        return allowed_origin(channel.base_url or "", book_url, self._allowed_origins())

    def ask(self, channel: Channel, values: Mapping[str, Any], admit: Admit = lambda _: True) -> Came:
        """Request one firm's data.

        Args:
            admit: see `Exchanger.exchange`.

        Raises:
            InstitutionUnavailable: no answer; an `ExchangeFailed` if calls were sent.
            SecretMissing: see `Authenticator`.
        """
        transport = channel.transport
        if isinstance(transport, BatchFile):
            return Came(200, [self._files.rows(channel, transport, str(values.get(transport.key, "")))], 0)
        try:
            # Checked at each call, since the allow-list may have become narrower.
            origin = self.origin(channel)
        except InvalidInput as error:
            raise NoSourceAnswer("base_url_refused", sent=False, rule=error.fault) from None
        keys = self._directory.keys_of(channel.institution)
        made = self._exchanger.exchange(
            channel, origin, keys, values, lambda page: _mark(channel, transport, page), admit
        )  # fmt: skip
        return Came(made.answers[-1].status, [answer.body for answer in made.answers], made.calls)


def _mark(channel: Channel, transport: Http, page: Answer) -> str | None:
    if transport.paging is None:
        return None
    try:
        found = search(transport.paging.next, parse(channel.response, page.body))
    except Unreadable:
        return None  # reading the whole answer will report the fault
    return None if found is None or found is False or found == "" else str(found)
