"""Where a channel may call: the address book's origin or an allow-listed one; nothing a document says widens it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from creditmesh.kernel.errors import InvalidInput

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)


def allowed_origin(base_url: str, book_url: str | None, allowed: Sequence[str]) -> str:
    """The origin a channel's calls go to.

    Args:
        base_url: what the document says; empty for the address book's.
        book_url: the institution's URL in the address book, or None.
        allowed: allow-listed origins, e.g. ``https://api.bureau.example`` or ``https://*.bureau.example``.

    Raises:
        InvalidInput: none is known, it is malformed, or nothing allows it.
    """
    if book_url is not None:
        if base_url and _origin(base_url) != _origin(book_url):
            raise InvalidInput("differs from the institution's origin in the address book", field="base_url")
        return book_url.rstrip("/")
    if not base_url:
        raise InvalidInput("is required: the institution is not in the address book", field="base_url")
    origin = _origin(base_url)
    if not any(_matches(origin, one) for one in allowed):
        raise InvalidInput("is not an allow-listed origin", field="base_url")
    return base_url.rstrip("/")


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL that is nothing but an origin.

    Raises:
        InvalidInput: it is more than that, or less.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("https", "http") or not (_HOST.fullmatch(host) or _is_address(host)):
        raise InvalidInput("must be an origin such as https://host.example", field="base_url")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InvalidInput("must be an origin such as https://host.example", field="base_url")
    return parts.scheme, host, _port(parts)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidInput("must be an origin such as https://host.example", field="base_url") from None
    if re.search(r"[\s\\%@]", url):
        raise InvalidInput("must be an origin such as https://host.example", field="base_url")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port if parts.port is not None else 443 if parts.scheme == "https" else 80


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _matches(origin: tuple[str, str, int], pattern: str) -> bool:
    """A wildcard stands for whole labels at the left and never for an address."""
    scheme, host, port = origin
    wild = pattern.partition("://")[2].startswith("*.")
    expected_scheme, expected_host, expected_port = _origin(pattern.replace("*.", "", 1) if wild else pattern)
    if (scheme, port) != (expected_scheme, expected_port):
        return False
    if wild:
        return host.endswith(f".{expected_host}") and not _is_address(host)
    return host == expected_host
