"""Grows the model step by step from simple to complex; held-out rows decide how far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training import logistic, pairs, segments
from training.additive import Additive, Fit, Table, log_loss
from training.axes import Coded
from training.config import TrainingConfig
from training.logistic import Choice
from training.sample import Sample
from training.segments import Card

Floats = NDArray[np.float64]
_MANY = 50_000
"""From this many rows on, several tables are added at once, and one fold is enough."""
_PATIENCE = 3
_CYCLES_ADDITIVE, _CYCLES_STEP, _CYCLES_LAST = 8, 3, 10


@dataclass
class Step:
    """A model on the path, and what was added to the previous one."""

    model: Additive
    added: list[str]
    choices: list[Choice]
    cards: list[Card] = field(default_factory=list)
    """Scorecards by segment; empty if there is one for all."""

    def predict(self, rows: Coded) -> Floats:
        if not self.cards:
            return self.model.predict(rows)
        place = segments.places([card.segment for card in self.cards], rows)
        return np.asarray(np.choose(place, [card.model.predict(rows) for card in self.cards]))


@dataclass
class Judged:
    """How far to go, and the evidence."""

    steps: int
    losses: list[float]
    """Mean log-loss of the held-out rows, by step."""
    log_odds: Floats
    """Log-odds of the held-out rows at the chosen step, and their row numbers."""
    rows: NDArray[np.intp]
    added: list[list[str]] = field(default_factory=list)
    cards: int = 0
    """Number of scorecards by segment at the chosen step; 0 if there is one for all."""


def grow(sample: Sample, config: TrainingConfig, left_out: dict[str, str]) -> Iterator[Step]:
    """Yield the logistic regression, then increasingly complex models, with the configured segments."""
    named = segments.wanted(config)
    for step in _grown(sample, config, left_out):
        if named:
            step.cards = segments.fit_cards(sample, step.model, named, _CYCLES_STEP)
        yield step


def _grown(sample: Sample, config: TrainingConfig, left_out: dict[str, str]) -> Iterator[Step]:
    """Logistic regression, finer tables, more and more pairs, more and more segments."""
    found = logistic.choices(sample, config, left_out)
    model = logistic.fit(sample, config, found)
    yield Step(model.copy(), [], found)
    if config.complexity == "logistic":
        return
    fit = Fit(sample.rows, sample.bad.astype(np.float64), sample.weight, model)
    menus = {
        choice.feature: pairs.menu(choice.feature, sample, fit, choice.bins.axis, choice.bins.trend, config)
        for choice in found
        if choice.bins.axis.regular > 0
    }
    fit = Fit(sample.rows, fit.bad, fit.weight, _finer(model, menus))
    fit.cycle(_CYCLES_ADDITIVE)
    yield Step(fit.model.copy(), ["finer tables"], found)
    if config.complexity == "additive":
        return
    yield from _with_more(fit, sample, menus, found, config)
    if config.segments == "auto":
        screens = {name: menu.screen for name, menu in menus.items()}
        for named in segments.found(sample, fit.model, screens, config.max_segments):
            cards = segments.fit_cards(sample, fit.model, named, _CYCLES_ADDITIVE)
            yield Step(fit.model.copy(), [f"{len(named)} segments"], found, cards)


def _with_more(
    fit: Fit, sample: Sample, menus: dict[str, pairs.Menu], found: list[Choice], config: TrainingConfig
) -> Iterator[Step]:
    candidates = pairs.all_candidates(menus, {table.axes[0].feature for table in fit.model.tables})
    room, at_once = config.pairs.max_pairs, 3 if len(sample) >= _MANY else 1
    while room > 0:
        gains = pairs.screen(fit, sample, menus, candidates)
        chosen = _unlike([names for _, names in gains], min(at_once, room))
        if not chosen:
            return
        for names in chosen:
            fit.add(pairs.table(names, fit, sample, menus, config.pairs.max_cells))
            room -= len(names) - 1
        fit.cycle(_CYCLES_STEP)
        # What gains least now seldom gains more later.
        candidates = [names for _, names in gains if names not in chosen][: 4 * config.pairs.max_pairs]
        yield Step(fit.model.copy(), ["_x_".join(names) for names in chosen], found)


def choose(sample: Sample, config: TrainingConfig, left_out: dict[str, str]) -> Judged:
    """Grow models on folds of the rows and judge every step on the held-out rows."""
    parts = _parts(sample, config.split.folds)
    kept_back = [0] if len(sample) >= _MANY else list(range(config.split.folds))
    runs = [_judge(sample, parts, part, config, left_out) for part in kept_back]
    length = min(len(run[0]) for run in runs)
    order = np.concatenate([run[2] for run in runs])
    by_step = np.stack([np.concatenate([run[0][step] for run in runs]) for step in range(length)])
    bad, weight = sample.bad[order].astype(np.float64), sample.weight[order]
    losses = log_loss(by_step, bad[None, :])
    steps = _simplest(losses, weight)
    means = [float(np.average(line, weights=weight)) for line in losses]
    return Judged(steps, means, by_step[steps], order, runs[0][1][:length], runs[0][3][steps])


def final(sample: Sample, config: TrainingConfig, left_out: dict[str, str], judged: Judged) -> Step:
    """Grow a model on all rows up to the chosen step, and let its tables settle."""
    step = as_far(grow(sample, config, left_out), judged, by_number=config.segments != "auto")
    if step.cards:
        place = segments.places([card.segment for card in step.cards], sample.rows)
        for number, card in enumerate(step.cards):
            segments.refit(sample, card.model, place == number, _CYCLES_LAST)
    elif judged.steps > 0:
        Fit(sample.rows, sample.bad.astype(np.float64), sample.weight, step.model).cycle(_CYCLES_LAST)
    return step


def as_far(steps: Iterator[Step], judged: Judged, by_number: bool) -> Step:
    """The step that corresponds to the chosen one, or the last before it.

    On all rows the number of pairs before the first segments may differ: so steps with automatic segments are matched
    by number of segments, others by position.
    """
    for number, step in enumerate(steps):
        if number and len(step.cards) > judged.cards:
            break
        found = step
        if number == judged.steps if by_number or not judged.cards else len(step.cards) == judged.cards:
            break
    return found


def _finer(model: Additive, menus: dict[str, pairs.Menu]) -> Additive:
    """The same values on finer bins."""
    tables = []
    for table in model.tables:
        one = menus[table.axes[0].feature]
        values = table.values[_places(table, one)]
        tables.append(Table((one.single,), values, values.copy(), (one.trend,)))
    return Additive(model.intercept, tables)


def _places(table: Table, one: pairs.Menu) -> NDArray[np.intp]:
    """For each finer bin the coarse bin that contains it."""
    coarse, single = table.axes[0], one.single
    tail = np.arange(coarse.regular, coarse.size)
    if coarse.kind == "integer":
        lows = np.asarray([np.iinfo(np.int64).min, *single.bounds], dtype=np.int64)
        return np.concatenate([np.searchsorted(np.asarray(coarse.bounds, dtype=np.int64), lows, side="right"), tail])
    place = {value: number for number, group in enumerate(coarse.groups) for value in group}
    own = [place.get(group[0], coarse.size - 2) for group in single.groups]
    return np.concatenate([np.asarray(own, dtype=np.intp), tail])


def _unlike(ranked: list[tuple[str, ...]], count: int) -> list[tuple[str, ...]]:
    """The first ones without a common feature: those with one often carry the same information."""
    chosen: list[tuple[str, ...]] = []
    for names in ranked:
        if len(chosen) < count and not any(set(names) & set(other) for other in chosen):
            chosen.append(names)
    return chosen


def _parts(sample: Sample, folds: int) -> NDArray[np.intp]:
    """The fold of each row: rows of each class in turn, in a seeded order."""
    parts = np.empty(len(sample), dtype=np.intp)
    for kind in (0, 1):
        rows = np.flatnonzero(sample.bad == kind)
        parts[rows] = np.arange(len(rows)) % folds
    return parts


def _judge(
    sample: Sample, parts: NDArray[np.intp], part: int, config: TrainingConfig, left_out: dict[str, str]
) -> tuple[list[Floats], list[list[str]], NDArray[np.intp], list[int]]:
    """Log-odds of one fold at every step of a model grown on the others, until nothing is gained any more."""
    held = parts == part
    fitted, judged = sample.take(~held), sample.take(held)
    found, added, losses, cards = [], [], [], []
    for step in grow(fitted, config, left_out):
        found.append(step.predict(judged.rows))
        added.append(step.added)
        cards.append(len(step.cards))
        losses.append(float(np.average(log_loss(found[-1], judged.bad.astype(np.float64)), weights=judged.weight)))
        if len(losses) > _PATIENCE + 1 and min(losses[-_PATIENCE:]) > min(losses[:-_PATIENCE]):
            break
    return found, added, np.flatnonzero(held), cards


def _simplest(losses: Floats, weight: Floats) -> int:
    """The first step that is not worse than the best by more than a standard error of the difference."""
    means = np.average(losses, axis=1, weights=weight)
    best = int(np.argmin(means))
    for step in range(best):
        difference = losses[step] - losses[best]
        error = float(np.sqrt(np.average((difference - difference.mean()) ** 2, weights=weight) / losses.shape[1]))
        if means[step] - means[best] <= error:
            return step
    return best
