"""The model card: results of a training run as a page for risk officers."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from training import charts
from training.card_words import WORDS

_PARTS = ("train", "test", "out_of_time")


def render_card(diagnostics: dict[str, Any], language: str = "en") -> str:
    """Render the card from ``TrainedModel.diagnostics``.

    Args:
        diagnostics: from the training, or parsed from their JSON.
        language: ``en`` or ``zh-CN``.
    """
    environment = Environment(autoescape=select_autoescape(default=True), undefined=StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda value: "–" if value is None else f"{value:.2%}"
    environment.filters["shade"] = _shade
    # Through the package's loader, so that it is found inside a zip.
    template = environment.from_string(files("training").joinpath("templates/card.html").read_text(encoding="utf-8"))
    words = WORDS[language]
    return template.render(
        found=diagnostics, words=words, language=language,
        parts=[part for part in _PARTS if part in diagnostics["splits"]],
        charts={name: Markup(chart) for name, chart in _charts(diagnostics, words).items()},
        grids=[item for item in diagnostics["characteristics"] if len(item["axes"]) == 2],
        tables=[item for item in diagnostics["characteristics"] if len(item["axes"]) == 1],
    )  # fmt: skip


def _charts(found: dict[str, Any], words: dict[str, str]) -> dict[str, str]:
    parts = [part for part in _PARTS if part in found["splits"]]
    judged = found["performance"][parts[-1]]["reliability"]
    curves = [
        (words[part], [(point["good_share"], point["bad_share"]) for point in found["roc"][part]]) for part in parts
    ]
    gains = [(0.0, 0.0), *((item["part"] / len(found["gains"]), item["bad_share"]) for item in found["gains"])]
    scores = found["scores"]
    return {
        "roc": charts.lines(curves, words["good_share"], words["bad_share"], diagonal=True),
        "reliability": charts.intervals(
            [(row["foretold"], row["seen"], row["low"], row["high"]) for row in judged],
            words["foretold"], words["seen"],
        ),
        "gains": charts.lines(
            [(words["gains"], gains)], words["share"], words["bad_share"], diagonal=True, marks=True
        ),
        "scores": charts.bars(
            scores["from"], [(words[part], scores[part]["rows"]) for part in parts], words["score"], words["share"]
        ),
    }  # fmt: skip


def _shade(points: int, most: int) -> str:
    """A cell's background: green for gained points, red for lost ones."""
    strength = min(abs(points) / max(most, 1), 1.0) * 0.55
    return f"rgba({'13,122,79' if points > 0 else '179,38,30'},{strength:.2f})"
