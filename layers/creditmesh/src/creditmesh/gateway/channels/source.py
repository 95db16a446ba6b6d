"""A channel's source, independent of its transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.document import BatchFile, Channel, Http
from creditmesh.gateway.channels.exchange import Admit, Exchanger
from creditmesh.gateway.channels.origins import allowed_origin
from creditmesh.gateway.channels.reading import Unreadable, parse
from creditmesh.gateway.channels.structure import search
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.http import Answer, InstitutionUnavailable
from creditmesh.platform.institutions import Directory


@dataclass(frozen=True)
class Came:
    """What came back."""

    status: int
    """Of the last page."""
    bodies: list[bytes] = field(repr=False)
    """One a page, as received."""
    calls: int
    """Tries that went out."""


class Source:
    """Asks sources.

    Args:
        allowed_origins: gives the origins that channels may name besides the address book's.
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
        """Where the channel's calls go.

        Raises:
            InvalidInput: nowhere it may call.
        """
        try:
            book_url = self._directory.get(channel.institution).address.base_url
        except NotFound:
            book_url = None
        return allowed_origin(channel.base_url or "", book_url, self._allowed_origins())

    def ask(self, channel: Channel, values: Mapping[str, Any], admit: Admit = lambda _: True) -> Came:
        """Ask for one firm's data.

        Args:
            admit: see `Exchanger.exchange`.

        Raises:
            InstitutionUnavailable: no answer came; an `ExchangeFailed` where calls went out.
            SecretMissing: see `Authenticator`.
        """
        transport = channel.transport
        if isinstance(transport, BatchFile):
            return Came(200, [self._files.rows(channel, transport, str(values.get(transport.key, "")))], 0)
        try:
            # Checked at each call too: the allow-list may have become narrower since the document was stored.
            origin = self.origin(channel)
        except InvalidInput as error:
            raise InstitutionUnavailable(f"base_url {error.message}", sent=False) from None
        keys = self._directory.keys_of(channel.institution)
        made = self._exchanger.exchange(
            channel, origin, keys, values, lambda page: _mark(channel, transport, page), admit
        )  # fmt: skip
        return Came(made.answers[-1].status, [one.body for one in made.answers], made.calls)


def _mark(channel: Channel, transport: Http, page: Answer) -> str | None:
    if transport.paging is None:
        return None
    try:
        found = search(transport.paging.next, parse(channel.response, page.body))
    except Unreadable:
        return None  # the reading of the whole answer says what is wrong
    return None if found is None or found is False or found == "" else str(found)
