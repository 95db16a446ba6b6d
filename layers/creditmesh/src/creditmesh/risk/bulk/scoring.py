"""The artefact compiled for columns of many firms: numpy over chunks that fit the processor's cache.

Results equal `creditmesh.risk.evaluator` exactly: both use the same 64-bit integer arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.bulk.bands import Bands
from creditmesh.risk.bulk.columns import Column, Mask, Numbers, column, unknown
from creditmesh.risk.bulk.limits import rounded
from creditmesh.risk.bulk.masks import unread, where
from creditmesh.risk.bulk.points import Card, Cards
from creditmesh.risk.bulk.results import RESULT_FIELDS, STAGES, Results, Scored
from creditmesh.risk.expression import Condition, variables
from creditmesh.risk.model import BPS, MAX_DIMENSION_GRADE, Artefact, RiskIndex, Rule
from creditmesh.risk.result import Stage

_CHUNK = 32_768
"""Rows per chunk: a column takes 256 KB and stays in the processor's cache."""

_BELOW, _TOO_DEAR, _REFERRED, _UNGRADED = 1, 2, 4, 8
"""Flags of what follows from the score alone."""

Columns = Mapping[str, Column]


def compile_kernel(artefact: Artefact, on: date) -> Kernel:
    """Return the kernel of the model with the rules in force on ``on``."""
    return Kernel(artefact.in_force(on))


class Kernel:
    """Scores tables of firms."""

    def __init__(self, artefact: Artefact) -> None:
        self._artefact = artefact
        self._results = Results(artefact)
        index = artefact.risk_index
        self._cards = Cards(artefact.scorecard.segments)
        self._dimensions = [Card(d.base, d.characteristics) for d in (index.dimensions if index else ())]
        self._levels = _levels(index) if index else None
        self._bands = self._score_bands()
        self._by_band = self._score_tables(self._bands)
        names = {name for card in (*self._cards.all, *self._dimensions) for name in card.features}
        names |= {name for condition in self._conditions() for name in variables(condition)}
        names |= {name for method in artefact.limit.methods for term in method.terms for name in term.features}
        self.features = tuple(name for name in artefact.features if name in names)
        """Features that affect the result; the artefact's others are not read."""

    def score(
        self,
        data: pa.Table | pa.RecordBatch,
        ids: Sequence[str] | None = None,
        counts: Counter[tuple[str, str]] | None = None,
    ) -> pa.Table:
        """Return the columns ``ids`` (None: all that are not features) followed by ``RESULT_FIELDS``.

        Args:
            data: one column per feature; a missing column means unknown for all firms.
            ids: columns to pass through.
            counts: incremented by firms per ("stage", …), and findings ("not_a_number", feature) and ("absent",
                feature).

        Raises:
            FeatureInvalid: a feature's column has the wrong type.
            KeyError: a column of ``ids`` is missing.
        """
        names = data.schema.names
        read = {*self._artefact.features, UNREAD}
        kept = [name for name in names if name not in read] if ids is None else list(ids)
        if clash := [name for name in kept if name in RESULT_FIELDS]:
            raise ValueError(f"columns {clash} would clash with the result's")
        fields = [data.schema.field(name) for name in kept] + [pa.field(n, kind) for n, kind in RESULT_FIELDS.items()]
        schema = pa.schema(fields, metadata=self._results.metadata)
        batches = data.to_batches() if isinstance(data, pa.Table) else [data]
        scored = [piece for batch in batches for piece in self._batch(batch, kept, schema, counts)]
        return pa.Table.from_batches(scored, schema)

    def points(self, data: pa.Table | pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return each firm's score before adjustment by rules, also of firms that rules stop.

        Raises:
            FeatureInvalid: a feature's column has the wrong type.
        """
        batches = data.to_batches() if isinstance(data, pa.Table) else [data]
        found = [
            self._cards.score(part, rows)[1]
            for batch in batches
            for part, rows in self._parts(self._columns(batch), batch)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _parts(self, columns: Columns, batch: pa.RecordBatch) -> Iterator[tuple[Columns, int]]:
        for start in range(0, batch.num_rows, _CHUNK):
            stop = min(start + _CHUNK, batch.num_rows)
            yield {name: item.cut(start, stop) for name, item in columns.items()}, stop - start

    def _batch(
        self, batch: pa.RecordBatch, kept: Sequence[str], schema: pa.Schema, counts: Counter[tuple[str, str]] | None
    ) -> Iterator[pa.RecordBatch]:
        columns, start = self._columns(batch), 0
        for part, rows in self._parts(columns, batch):
            scored = self._chunk(part, rows)
            passed = [batch.column(name).slice(start, rows) for name in kept]
            start += rows
            yield pa.RecordBatch.from_arrays([*passed, *self._results.columns(scored)], schema=schema)
            if counts is not None:
                _count(counts, scored)
        if counts is not None:
            for name in self.features:
                if name not in batch.schema.names:
                    counts["absent", name] += batch.num_rows
                if odd := columns[name].not_a_number:
                    counts["not_a_number", name] += odd

    def _columns(self, batch: pa.RecordBatch) -> dict[str, Column]:
        found, names = {}, set(batch.schema.names)
        for name in self.features:
            kind = self._artefact.features[name].type
            found[name] = column(name, kind, batch.column(name)) if name in names else unknown(kind, batch.num_rows)
        if UNREAD in names and batch.column(UNREAD).null_count < batch.num_rows:
            found[UNREAD] = column(UNREAD, "string", batch.column(UNREAD))
        return found

    # One chunk

    def _chunk(self, columns: Columns, rows: int) -> Scored:
        fired, undecided, by_list, by_rule = self._rules(columns, rows)
        adjustment = self._adjustment(fired, rows)
        segment, score = self._cards.score(columns, rows)
        score += adjustment
        band = self._bands.of(score)
        looked_up = {name: np.take(table, band, mode="clip") for name, table in self._by_band.items()}
        flags = looked_up.pop("flags")
        index_values, index_refers, index_stops = self._index(columns, rows)
        limit, lacking = rounded(self._artefact.limit, looked_up.pop("limit_factor_bps"), columns)
        referred = self._referred(fired, undecided, _flag(flags, _REFERRED) | index_refers, rows)
        stage = _first_stage(
            {
                "blacklist": by_list,
                "admission": by_rule,
                "score": _flag(flags, _BELOW),
                "price": _flag(flags, _TOO_DEAR),
                "index": index_stops,
                "limit": limit < self._artefact.limit.floor_minor,
                "referred": referred if lacking is None else referred | lacking,
            },
            rows,
        )
        return Scored(
            stage=stage,
            fired=fired,
            unread=undecided,
            stopped=by_list | by_rule,
            lent=stage >= STAGES.index("referred"),
            ungraded=_flag(flags, _UNGRADED),
            values={
                "segment": segment,
                "adjustment": adjustment,
                "score": score,
                "limit_minor": limit,
                **index_values,
                **looked_up,
            },
        )

    def _rules(self, columns: Columns, rows: int) -> tuple[list[Mask], list[Mask], Mask, Mask]:
        """Where each rule fires, where it asks for a person, and where a rule of each stage stops the firm."""
        rules = self._artefact.rules
        nowhere = np.zeros(rows, np.bool_)
        effects = [self._effect(rule, columns, rows, nowhere) for rule in rules]
        fired, undecided = [fires for fires, _ in effects], [refers for _, refers in effects]
        by_list = _any(
            (m for r, m in zip(rules, fired, strict=True) if (r.stage, r.outcome) == ("lists", "stop")), rows
        )
        fired = [m & ~by_list if r.stage == "admission" else m for r, m in zip(rules, fired, strict=True)]
        if UNREAD in columns:
            undecided = [m & ~by_list if r.stage == "admission" else m for r, m in zip(rules, undecided, strict=True)]
        stops = (m for r, m in zip(rules, fired, strict=True) if (r.stage, r.outcome) == ("admission", "stop"))
        return fired, undecided, by_list, _any(stops, rows)

    @staticmethod
    def _effect(rule: Rule, columns: Columns, rows: int, nowhere: Mask) -> tuple[Mask, Mask]:
        """Where the rule fires, and where it asks for a person because a source could not be read."""
        lost = unread(variables(rule.when), columns) if rule.outcome in ("stop", "refer") else None
        if lost is None:
            if rule.fires_if_unknown:
                return ~where(rule.when, columns, rows, holds=False), nowhere
            return where(rule.when, columns, rows, holds=True), nowhere
        true, false = (where(rule.when, columns, rows, holds=holds) for holds in (True, False))
        fires = ~false if rule.fires_if_unknown else true
        undecided = lost & ~(true | false)
        if rule.if_unread == "fire":
            return fires | undecided, nowhere
        return fires & ~undecided, undecided if rule.if_unread == "refer" else nowhere

    def _adjustment(self, fired: Sequence[Mask], rows: int) -> npt.NDArray[np.int64]:
        total = np.zeros(rows, np.int64)
        for rule, mask in zip(self._artefact.rules, fired, strict=True):
            if rule.points:
                total += mask * np.int64(rule.points)
        return total

    def _index(self, columns: Columns, rows: int) -> tuple[dict[str, Numbers], Mask, Mask]:
        """The risk index with its grade, and where the grade refers or stops the firm."""
        formula = self._artefact.risk_index
        if formula is None or self._levels is None:
            nowhere = np.zeros(rows, np.bool_)
            return {}, nowhere, nowhere
        total = np.zeros(rows, np.int64)
        for dimension, card in zip(formula.dimensions, self._dimensions, strict=True):
            total += np.clip(card.total(columns, rows), 0, MAX_DIMENSION_GRADE) * dimension.weight_bps
        index = np.floor_divide(total, 100)
        level = np.take(self._levels, index, mode="clip")
        outcomes = [grade.outcome for grade in formula.grades]
        refers = np.take(np.array([outcome == "refer" for outcome in outcomes]), level, mode="clip")
        stops = np.take(np.array([outcome == "stop" for outcome in outcomes]), level, mode="clip")
        return {"risk_index": index, "index_grade": level}, refers, stops

    def _referred(self, fired: Sequence[Mask], undecided: Sequence[Mask], otherwise: Mask, rows: int) -> Mask:
        """Where a firm is referred: by a rule that no pass outranks, or by ``otherwise``.

        A fast pass silences both, but not a rule that might have stopped the firm and could not be read.
        """
        rules = self._artefact.rules
        pairs = list(zip(rules, fired, strict=True))
        referred = otherwise
        for (rule, mask), lacking in zip(pairs, undecided, strict=True):
            if rule.outcome == "refer":
                louder = (m for r, m in pairs if r.outcome == "pass" and r.priority >= rule.priority)
                referred = referred | ((mask | lacking) & ~_any(louder, rows))
        audible = referred & ~_any((m for r, m in pairs if r.outcome == "fast_pass"), rows)
        return audible | _any((m for r, m in zip(rules, undecided, strict=True) if r.outcome == "stop"), rows)

    # What depends on the score alone

    def _score_bands(self) -> Bands:
        artefact = self._artefact
        points = [rule.points for rule in artefact.rules]
        lowest = min(card.range[0] for card in self._cards.all) + sum(p for p in points if p < 0)
        highest = max(card.range[1] for card in self._cards.all) + sum(p for p in points if p > 0)
        refer_below = artefact.scorecard.refer_below
        starts = [artefact.scorecard.cutoff, *([] if refer_below is None else [refer_below])]
        starts += [grade.min_score for grade in artefact.grades] + [least for least, _ in artefact.calibration]
        return Bands(starts, lowest, highest)

    def _score_tables(self, bands: Bands) -> dict[str, Numbers]:
        artefact, card = self._artefact, self._artefact.scorecard
        grades, prices = artefact.grades, artefact.prices

        def grade(score: int) -> int | None:
            return next((i for i, item in enumerate(grades) if score >= item.min_score), None)

        def of_grade(value_of: Callable[[int], Any], otherwise: Any = 0) -> Callable[[int], Any]:
            return lambda score: otherwise if (index := grade(score)) is None else value_of(index)

        def rate(score: int) -> int:
            return next((ppm for least, ppm in artefact.calibration if score >= least), artefact.calibration[-1][1])

        def flags(score: int) -> int:
            index, below = grade(score), card.refer_below
            return (
                (_UNGRADED | _BELOW if index is None else _TOO_DEAR * prices[index].refused)
                | _BELOW * (score < card.cutoff)
                | _REFERRED * (below is not None and score < below)
            )

        return {
            "pd_ppm": bands.table(rate, np.int64),
            "grade": bands.table(of_grade(lambda i: i), np.int8),
            "pd_bps": bands.table(of_grade(lambda i: grades[i].pd_bps), np.int64),
            "annual_rate_bps": bands.table(of_grade(lambda i: prices[i].annual_rate_bps), np.int64),
            "limit_factor_bps": bands.table(of_grade(lambda i: grades[i].limit_factor_bps), np.int64),
            "flags": bands.table(flags, np.uint8),
        }

    def _conditions(self) -> list[Condition]:
        segments = self._artefact.scorecard.segments
        found = [segment.when for segment in segments if segment.when is not None]
        return [*found, *(rule.when for rule in self._artefact.rules)]


def _levels(formula: RiskIndex) -> Numbers:
    """The grade's position for each possible index."""
    return np.array(
        [next(i for i, g in enumerate(formula.grades) if v >= g.min_index) for v in range(BPS + 1)], np.int8
    )


def _first_stage(ends: Mapping[Stage, Mask], rows: int) -> npt.NDArray[np.uint8]:
    """The first stage at which each firm ends, as its position in ``STAGES``.

    The last one if none of ``ends`` applies.
    """
    last = len(STAGES) - 1
    short = np.zeros(rows, np.uint8)
    for stage, mask in ends.items():
        np.maximum(short, mask.view(np.uint8) * np.uint8(last - STAGES.index(stage)), out=short)
    return np.subtract(np.uint8(last), short, out=short)


def _flag(flags: Numbers, flag: int) -> Mask:
    found: Mask = np.not_equal(flags & np.uint8(flag), 0)
    return found


def _any(masks: Iterable[Mask], rows: int) -> Mask:
    return reduce(np.logical_or, masks, np.zeros(rows, np.bool_))


def _count(counts: Counter[tuple[str, str]], scored: Scored) -> None:
    for name, count in zip(STAGES, np.bincount(scored.stage, minlength=len(STAGES)).tolist(), strict=True):
        if count:
            counts["stage", name] += count
