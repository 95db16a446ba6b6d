"""CORS headers for pages of the one allowed origin.

No origin is let in by default; the template's parameter `PagesOrigin` names one. Its pages may send the cookies that
this API sets, so the origin is always named and never `*`.
"""

from __future__ import annotations

REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "if-match", "x-csrf-token")
METHODS = ("GET", "POST", "PUT", "DELETE")
MAX_AGE_SECONDS = 7200


def answer_headers(origin: str) -> dict[str, str]:
    """The headers of every answer to the origin's pages, those of the gateway itself included."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "allow, content-language, retry-after",
    }


def preflight_headers(origin: str) -> dict[str, str]:
    """The headers of the answer to a browser that asks whether a page may send a request."""
    return {
        **answer_headers(origin),
        "access-control-allow-methods": ", ".join(METHODS),
        "access-control-allow-headers": ", ".join(REQUEST_HEADERS),
        "access-control-max-age": str(MAX_AGE_SECONDS),
    }
