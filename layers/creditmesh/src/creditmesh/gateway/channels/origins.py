"""Where a channel may call: the address book's origin or an allow-listed one; a document cannot extend it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from creditmesh.kernel.errors import InvalidInput

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class _Origin:
    """Scheme, host and port (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def allowed_origin(base_url: str, book_url: str | None, allowed: Sequence[str]) -> str:
    """The origin for a channel's calls, rebuilt from its parts so that no parser can read another address.

    Args:
        base_url: from the document; empty means the address book's.
        book_url: the institution's URL in the address book, or None.
        allowed: allow-listed origins, e.g. ``https://api.bureau.example`` or ``https://*.bureau.example``; invalid
            entries allow nothing.

    Raises:
        InvalidInput: none given, malformed, or not allowed.
    """
    if book_url is not None:
        if base_url and _origin(base_url) != _of(_split(book_url)):
            raise InvalidInput(
                "differs from the institution's origin in the address book", field="base_url", fault="other_origin"
            )
        return book_url.rstrip("/")
    if not base_url:
        raise InvalidInput(
            "is required: the institution is not in the address book", field="base_url", fault="required"
        )
    origin = _origin(base_url)
    if not any(_matches(origin, one) for one in allowed):
        raise InvalidInput("must be an allow-listed origin", field="base_url", fault="origin_not_allowed")
    return str(origin)


def _origin(url: str) -> _Origin:
    """Parse a URL that must be an origin.

    Raises:
        InvalidInput: not exactly an origin.
    """
    parts = _split(url)
    if parts.path not in ("", "/") or not re.fullmatch(r"[a-z]+://[^/?#]+/?", url, re.IGNORECASE):
        raise _malformed()
    return _of(parts)


def _of(parts: SplitResult) -> _Origin:
    host, scheme = (parts.hostname or "").lower(), parts.scheme
    if scheme not in _PORTS or not _is_host(host):
        raise _malformed()
    return _Origin(scheme, host, parts.port if parts.port is not None else _PORTS[scheme])


def _split(url: str) -> SplitResult:
    if not url.isascii() or not url.isprintable() or re.search(r"[\s\\%@]", url):
        raise _malformed()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _malformed() from None
    return parts


def _malformed() -> InvalidInput:
    return InvalidInput("must be an origin such as https://host.example", field="base_url", fault="not_an_origin")


def _is_host(host: str) -> bool:
    """Whether a host is a name or a canonical address; anything similar to an address is rejected."""
    if _is_address(host):
        return True
    return _HOST.fullmatch(host) is not None and not _NUMBER.fullmatch(host.rpartition(".")[2])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _matches(origin: _Origin, entry: str) -> bool:
    """Whether an allow-list entry covers an origin; a wildcard stands for whole labels on the left."""
    wild = entry.partition("://")[2].startswith("*.")
    try:
        expected = _origin(entry.replace("*.", "", 1) if wild else entry)
    except InvalidInput:
        return False
    if (origin.scheme, origin.port) != (expected.scheme, expected.port):
        return False
    if wild:
        return origin.host.endswith(f".{expected.host}") and not _is_address(expected.host)
    return origin.host == expected.host
