"""Tables of the model card: selection with reasons, bins, points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import scoring
from training.axes import Axis, Coded, cell_count, sums
from training.finished import Finished
from training.scale import characteristic_id

Ints = NDArray[np.int64]


def selection(run: Finished) -> list[dict[str, Any]]:
    """Each feature: kept or dropped, and why."""
    used = _tables_by_feature(run)
    told: list[dict[str, Any]] = []
    for choice in run.step.choices:
        tables = used.get(choice.feature, [])
        told.append({
            "feature": choice.feature, "iv": round(choice.iv, 5), "kept": bool(tables), "trend": choice.bins.trend,
            "coefficient": None if choice.coefficient is None else round(choice.coefficient, 4),
            "reason": choice.reason if not tables or choice.reason is None
            else f"{choice.reason}; tells more in {', '.join(tables)}",
            "characteristics": tables,
        })  # fmt: skip
    for name, reason in run.left_out.items():
        told.append({
            "feature": name, "iv": None, "kept": False, "trend": None, "coefficient": None, "reason": reason,
            "characteristics": [],
        })  # fmt: skip
    return told


def _tables_by_feature(run: Finished) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for card in run.sections["scorecard"]["segments"]:
        for item in card["characteristics"]:
            for axis in item["axes"]:
                names = found.setdefault(axis["feature"], [])
                if item["id"] not in names:
                    names.append(item["id"])
    return found


def characteristics(run: Finished) -> list[dict[str, Any]]:
    """Each characteristic with its bins and their training rows."""
    trends = {characteristic_id(table.name): [str(trend) for trend in table.trends] for table in run.step.model.tables}
    features = run.rows.features.iloc[run.parts.train]
    place = scoring.segments_of(run.sections, features)
    bad = run.rows.bad[run.parts.train]
    told = []
    for number, card in enumerate(run.sections["scorecard"]["segments"]):
        inside = place == number
        rows, outcome = Coded(features[inside]), bad[inside]
        for item in card["characteristics"]:
            axes = axes_of(item, run.sections)
            told.append({
                "segment": card["id"], "id": item["id"], "features": [axis.feature for axis in axes],
                "trends": trends[item["id"]], **_bins(axes, item["points"], rows, outcome),
            })  # fmt: skip
    return told


def _bins(axes: list[Axis], points: Sequence[int], rows: Coded, bad: NDArray[np.int8]) -> dict[str, Any]:
    cells, size = rows.cells(axes), cell_count(axes)
    count, bads = sums(cells, np.ones(len(cells)), size), sums(cells, (bad == 1).astype(float), size)
    share_bad, share_good = (
        (bads + 0.5) / (bads.sum() + 0.5 * size),
        (count - bads + 0.5) / ((count - bads).sum() + 0.5 * size),
    )
    woe = np.where(count > 0, np.log(share_bad / share_good), 0.0)
    iv = float(((share_bad - share_good) * np.log(share_bad / share_good))[count > 0].sum())
    told = {
        "iv": round(iv, 5), "axes": [axis.labels() for axis in axes], "points": list(points),
        "rows": [int(value) for value in count], "bad": [int(value) for value in bads],
        "woe": [round(float(value), 4) for value in woe],
    }  # fmt: skip
    if len(axes) == 1:
        told["turns"] = _turns(np.asarray(points[: axes[0].regular])) if axes[0].kind == "integer" else None
    return told


def _turns(points: Ints) -> int:
    """Number of changes of direction of the points over the intervals; 0 is monotone."""
    steps = np.sign(np.diff(points))
    steps = steps[steps != 0]
    return int((steps[1:] != steps[:-1]).sum())


def axes_of(item: dict[str, Any], sections: dict[str, Any]) -> list[Axis]:
    """The axes of a characteristic of the sections."""
    types = sections["feature_schema"]["features"]
    return [Axis.of_section(axis, types[axis["feature"]]["type"]) for axis in item["axes"]]
