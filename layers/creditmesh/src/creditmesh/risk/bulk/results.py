"""The kernel's results as Arrow columns, compact enough to keep for millions of firms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from creditmesh.risk.bulk.columns import Mask, Numbers
from creditmesh.risk.model import Artefact
from creditmesh.risk.result import Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
DECISIONS = ("approve", "refer", "decline")
_WORD = pa.dictionary(pa.int8(), pa.string())

RESULT_FIELDS: dict[str, pa.DataType] = {
    "decision": _WORD,
    "stage": _WORD,
    "fired_rules": pa.list_(pa.dictionary(pa.int16(), pa.string())),
    "unread_rules": pa.list_(pa.dictionary(pa.int16(), pa.string())),
    "segment": _WORD,
    "adjustment": pa.int64(),
    "score": pa.int64(),
    "pd_ppm": pa.int64(),
    "grade": _WORD,
    "pd_bps": pa.int64(),
    "annual_rate_bps": pa.int64(),
    "limit_minor": pa.int64(),
    "risk_index": pa.int64(),
    "index_grade": _WORD,
}
"""Columns that ``Kernel.score`` appends; named like the fields of `RiskResult`."""


@dataclass(frozen=True)
class Scored:
    """Results of one chunk, as numbers, positions in word lists, and masks of known values."""

    stage: npt.NDArray[np.uint8]
    fired: Sequence[Mask]
    unread: Sequence[Mask]
    """Where each rule asks for a person because a source could not be read."""
    stopped: Mask
    lent: Mask
    ungraded: Mask
    values: Mapping[str, Numbers]


class Results:
    """Converts chunks' results to Arrow columns."""

    def __init__(self, artefact: Artefact) -> None:
        self._rules = pa.array([rule.id for rule in artefact.rules], pa.string())
        index = artefact.risk_index
        words: dict[str, Sequence[str]] = {
            "decision": DECISIONS,
            "stage": STAGES,
            "segment": [segment.id for segment in artefact.scorecard.segments],
            "grade": [grade.grade for grade in artefact.grades],
            "index_grade": [grade.grade for grade in index.grades] if index else [],
        }
        self._words = {name: pa.array(found, pa.string()) for name, found in words.items()}
        names = ("model_id", "version", "content_hash")
        self.metadata = {f"creditmesh.{name}": str(getattr(artefact, name)) for name in names}
        """Metadata of the result tables: identifies the model."""

    def columns(self, scored: Scored) -> list[pa.Array]:
        """The columns of ``RESULT_FIELDS``."""
        # The last stage approves, the one before refers, all others decline.
        decision = np.minimum(len(STAGES) - 1 - scored.stage, len(DECISIONS) - 1)
        given: dict[str, Numbers] = {"decision": decision, "stage": scored.stage, **scored.values}
        scores, graded = _bitmap(~scored.stopped), _bitmap(~(scored.stopped | scored.ungraded))
        lent = _bitmap(scored.lent)
        known = {"decision": None, "stage": None, "grade": graded, "pd_bps": graded}
        known |= {"annual_rate_bps": lent, "limit_minor": lent}
        lists = {"fired_rules": scored.fired, "unread_rules": scored.unread}
        return [
            self._ids(lists[name], len(decision))
            if name in lists
            else self._column(name, given.get(name), known.get(name, scores), len(decision))
            for name in RESULT_FIELDS
        ]

    def _column(self, name: str, values: Numbers | None, known: pa.Buffer | None, rows: int) -> pa.Array:
        if values is None:
            return pa.nulls(rows, RESULT_FIELDS[name])
        if name not in self._words:
            return _plain(values.astype(np.int64, copy=False), known)
        return pa.DictionaryArray.from_arrays(_plain(values.astype(np.int8, copy=False), known), self._words[name])

    def _ids(self, masks: Sequence[Mask], rows: int) -> pa.Array:
        """Lists of the rules whose mask is true; only firms with at least one are visited individually."""
        masks = masks if any(mask.any() for mask in masks) else ()
        hit = np.flatnonzero(reduce(np.logical_or, masks, np.zeros(rows, np.bool_)))
        table = np.empty((len(hit), len(masks)), np.bool_)
        counts = np.zeros(rows, np.uint16)
        for position, mask in enumerate(masks):
            table[:, position] = mask[hit]
            np.add(counts, mask.view(np.uint8), out=counts)
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
        which = (np.flatnonzero(table) % max(len(masks), 1)).astype(np.int16)
        ids = pa.DictionaryArray.from_arrays(pa.array(which), self._rules)
        return pa.ListArray.from_arrays(pa.array(offsets), ids)


def _bitmap(known: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def _plain(values: Numbers, known: pa.Buffer | None) -> pa.Array:
    """An Arrow array on the memory of ``values``, without copying."""
    kind: Any = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [known, pa.py_buffer(np.ascontiguousarray(values))])
