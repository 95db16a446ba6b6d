"""CORS headers for pages of the one allowed origin.

By default no origin is allowed; the template's parameter `PagesOrigin` names one. Its pages may send this API's
cookies, so the header names the origin and never `*`.
"""

from __future__ import annotations

REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "if-match", "x-csrf-token")
METHODS = ("GET", "POST", "PUT", "DELETE")
MAX_AGE_SECONDS = 7200


def answer_headers(origin: str) -> dict[str, str]:
    """Headers of every answer to the origin's pages, including the gateway's own."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "allow, content-language, etag, retry-after",
    }


def preflight_headers(origin: str) -> dict[str, str]:
    """Headers of the answer to a preflight request."""
    return {
        **answer_headers(origin),
        "access-control-allow-methods": ", ".join(METHODS),
        "access-control-allow-headers": ", ".join(REQUEST_HEADERS),
        "access-control-max-age": str(MAX_AGE_SECONDS),
    }
