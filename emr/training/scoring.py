"""Scores of many rows by the sections alone: what ships is what is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.axes import Axis, Coded
from training.conditions import holds

Ints = NDArray[np.int64]


def segments_of(sections: dict[str, Any], frame: pd.DataFrame) -> NDArray[np.intp]:
    """The segment of each row: the first whose condition is true."""
    cards = sections["scorecard"]["segments"]
    place = np.full(len(frame), len(cards) - 1, dtype=np.intp)
    for number in reversed(range(len(cards) - 1)):
        place[holds(cards[number]["when"], frame)] = number
    return place


def scores(sections: dict[str, Any], frame: pd.DataFrame) -> Ints:
    """The score of each row."""
    kinds = {name: told["type"] for name, told in sections["feature_schema"]["features"].items()}
    total = np.zeros(len(frame), dtype=np.int64)
    place = segments_of(sections, frame)
    for number, card in enumerate(sections["scorecard"]["segments"]):
        inside = place == number
        rows = Coded(frame if inside.all() else frame[inside])
        part = np.full(len(rows), card["base_points"], dtype=np.int64)
        for characteristic in card["characteristics"]:
            axes = [Axis.of_section(axis, kinds[axis["feature"]]) for axis in characteristic["axes"]]
            part += np.asarray(characteristic["points"], dtype=np.int64)[rows.cells(axes)]
        total[inside] = part
    return total


def pd_ppm(sections: dict[str, Any], score: Ints) -> Ints:
    """The calibrated default rate of each score, in parts per million."""
    return _looked_up(sections["calibration"], "pd_ppm", score)


def grades(sections: dict[str, Any], score: Ints) -> Ints:
    """The number of each score's grade, from 0 for the best; scores below all grades are in the last."""
    least = np.asarray([grade["min_score"] for grade in sections["grades"]])
    return np.asarray(np.minimum((score[:, None] < least[None, :]).sum(axis=1), len(least) - 1), dtype=np.int64)


def _looked_up(table: list[dict[str, int]], name: str, score: Ints) -> Ints:
    least = np.asarray([entry["min_score"] for entry in reversed(table)])
    values = np.asarray([entry[name] for entry in reversed(table)], dtype=np.int64)
    return np.asarray(values[np.maximum(np.searchsorted(least, score, side="right") - 1, 0)])
