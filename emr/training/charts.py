"""Charts of the model card as inline SVG, so that the page is self-contained."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
_COLOURS = ("#22577a", "#c05621", "#2f7d5b")

Point = tuple[float, float]


def lines(
    series: Sequence[tuple[str, Sequence[Point]]], x_title: str, y_title: str, *, diagonal: bool = False,
    most: tuple[float, float] = (1.0, 1.0), marks: bool = False,
) -> str:  # fmt: skip
    """Lines over common axes from 0 to ``most``."""
    parts = [_frame(x_title, y_title, most)]
    if diagonal:
        (x0, y0), (x1, y1) = _place((0, 0), most), _place((min(most), min(most)), most)
        parts.append(f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#9aa7b2" stroke-dasharray="4 4"/>')
    for number, (name, points) in enumerate(series):
        colour, placed = _COLOURS[number % len(_COLOURS)], [_place(point, most) for point in points]
        path = " ".join(f"{x},{y}" for x, y in placed)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        if marks:
            parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in placed]
        parts.append(_legend(number, name, colour))
    return _svg(parts, f"{y_title} / {x_title}")


def intervals(points: Sequence[tuple[float, float, float, float]], x_title: str, y_title: str) -> str:
    """Predicted against actual rates, with the interval of the actual: (predicted, actual, low, high)."""
    top = max((max(point) for point in points), default=1.0) * 1.05 or 1.0
    most = (top, top)
    parts = [_frame(x_title, y_title, most)]
    (x0, y0), (x1, y1) = _place((0, 0), most), _place(most, most)
    parts.append(f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#9aa7b2" stroke-dasharray="4 4"/>')
    for foretold, seen, low, high in points:
        x, y = _place((foretold, seen), most)
        bottom, peak = _place((foretold, low), most)[1], _place((foretold, high), most)[1]
        parts.append(f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{peak}" stroke="{_COLOURS[0]}"/>')
        parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{_COLOURS[0]}"/>')
    return _svg(parts, f"{y_title} / {x_title}")


def bars(
    starts: Sequence[int], series: Sequence[tuple[str, Sequence[int]]], x_title: str, y_title: str
) -> str:  # fmt: skip
    """Shares of rows by score band, series side by side."""
    shares = [(name, [value / max(sum(values), 1) for value in values]) for name, values in series]
    top = max((value for _, values in shares for value in values), default=1.0) * 1.05 or 1.0
    parts = [_frame(x_title, y_title, (1.0, top), ticks_x=False)]
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(starts), 1)
    width = slot * 0.85 / max(len(shares), 1)
    for number, (name, values) in enumerate(shares):
        colour = _COLOURS[number % len(_COLOURS)]
        for place, value in enumerate(values):
            x, y = _LEFT + place * slot + number * width, _place((0, value), (1.0, top))[1]
            height = HEIGHT - _BOTTOM - y
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')
        parts.append(_legend(number, name, colour))
    for place in range(0, len(starts), max(1, len(starts) // 6)):
        parts.append(_text(_LEFT + place * slot, HEIGHT - _BOTTOM + 14, str(starts[place]), "middle"))
    return _svg(parts, f"{y_title} / {x_title}")


def _place(point: Point, most: tuple[float, float]) -> Point:
    x = _LEFT + point[0] / most[0] * (WIDTH - _LEFT - _RIGHT)
    y = HEIGHT - _BOTTOM - point[1] / most[1] * (HEIGHT - _TOP - _BOTTOM)
    return round(x, 1), round(y, 1)


def _frame(x_title: str, y_title: str, most: tuple[float, float], *, ticks_x: bool = True) -> str:
    left, bottom, right = _LEFT, HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = [f'<path d="M{left},{_TOP} V{bottom} H{right}" fill="none" stroke="#5b6b7a"/>']
    for step in range(5):
        share = step / 4
        y = _place((0, share * most[1]), most)[1]
        parts.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#eef1f4"/>')
        parts.append(
            _text(left - 6, y + 4, f"{share * most[1]:.0%}" if most[1] > 0.1 else f"{share * most[1]:.1%}", "end")
        )
        if ticks_x:
            x = _place((share * most[0], 0), most)[0]
            parts.append(_text(x, bottom + 14, f"{share * most[0]:.0%}", "middle"))
    parts.append(_text((left + right) / 2, HEIGHT - 6, x_title, "middle"))
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(y_title)}</text>'
    )
    return "".join(parts)


def _legend(number: int, name: str, colour: str) -> str:
    y = HEIGHT - _BOTTOM - 12 - 16 * number
    square = f'<rect x="{WIDTH - 130}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
    return square + _text(WIDTH - 115, y, name, "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
