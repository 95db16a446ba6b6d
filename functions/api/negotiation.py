"""Content negotiation (RFC 9110, section 12)."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh-CN", "en"]


def wants_html(accept: str | None) -> bool:
    """Whether the client prefers HTML to JSON and names it."""
    wishes = _weights(accept)
    html = wishes.get("text/html", 0.0)
    return html > 0 and html > wishes.get("application/json", 0.0)


def language(accept_language: str | None) -> Language:
    """The supported language that the client prefers; English by default."""
    best: tuple[float, Language] = (0.0, "en")
    for tag, weight in _weights(accept_language).items():
        primary = tag.partition("-")[0]
        if primary in ("zh", "en") and weight > best[0]:
            best = (weight, "zh-CN" if primary == "zh" else "en")
    return best[1]


def _weights(header: str | None) -> dict[str, float]:
    wishes = {}
    for part in (header or "").lower().split(","):
        name, _, parameters = part.partition(";")
        if name.strip():
            wishes[name.strip()] = _quality(parameters)
    return wishes


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return weight if 0 <= (weight := float(value)) <= 1 else 0.0
            except ValueError:
                return 0.0
    return 1.0
