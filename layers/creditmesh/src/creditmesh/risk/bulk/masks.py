"""Conditions over many firms at once, as two masks: where it is true and where it is false; elsewhere it is unknown.

Kleene's logic then needs no third value: «and» is true where all parts are, and false where any is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from creditmesh.kernel.unread import UNREAD, read_unread
from creditmesh.risk.bulk.columns import Column, Mask, Numbers
from creditmesh.risk.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Membership,
    Missing,
    Negation,
    Operand,
    Variable,
)

_COMPARE: dict[str, Any] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", "<=": ">", ">": "<="}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

Columns = Mapping[str, Column]


def where(condition: Condition, columns: Columns, rows: int, *, holds: bool) -> Mask:
    """Return where ``condition`` is known to be true (``holds``) or known to be false."""
    match condition:
        case Negation(item):
            return where(item, columns, rows, holds=not holds)
        case AllOf(items) | AnyOf(items):
            parts = (where(item, columns, rows, holds=holds) for item in items)
            every = isinstance(condition, AllOf) == holds
            return reduce(np.logical_and if every else np.logical_or, parts)
        case Missing(feature):
            known = columns[feature].known
            if known is None:
                return np.full(rows, not holds)
            lost = unread((feature,), columns) if holds else None
            return known if not holds else ~known if lost is None else ~(known | lost)
        case Membership(item, options):
            return _among(item, options, columns, rows, holds)
        case Comparison(name, left, right):
            return _compared(name if holds else _OPPOSITE[name], left, right, columns, rows)


def unread(features: Iterable[str], columns: Columns) -> Mask | None:
    """Return where any of ``features`` is unknown because it could not be read; None if nowhere."""
    told = columns.get(UNREAD)
    if told is None:
        return None
    masks = [
        told.by_word(("unread", name), partial(_names, name), np.bool_) & ~known
        for name in features
        if (known := columns[name].known) is not None
    ]
    return _if_known(reduce(np.logical_or, masks), told) if masks else None


def _names(feature: str, text: str) -> bool:
    return feature in read_unread(text)


def _among(item: Operand, options: tuple[Any, ...], columns: Columns, rows: int, holds: bool) -> Mask:
    if isinstance(item, Constant):
        return np.full(rows, (item.value in options) == holds)
    column = columns[item.feature]
    if isinstance(options[0], str):
        inside: Mask = column.by_word(options, lambda word: word in options, np.bool_)
    else:
        inside = reduce(np.logical_or, (np.equal(column.values, int(option)) for option in options))
    return _if_known(inside if holds else ~inside, column)


def _compared(name: str, left: Operand, right: Operand, columns: Columns, rows: int) -> Mask:
    if isinstance(left, Constant):
        if isinstance(right, Constant):
            return np.full(rows, bool(_COMPARE[name](left.value, right.value)))
        return _against(_MIRRORED[name], columns[right.feature], left.value)
    if isinstance(right, Constant):
        return _against(name, columns[left.feature], right.value)
    return _against_each_other(name, left, right, columns)


def _against(name: str, column: Column, value: int | str | bool) -> Mask:
    if isinstance(value, str):
        equal = column.by_word((value,), lambda word: word == value, np.bool_)
        return _if_known(equal if name == "==" else ~equal, column)
    return _if_known(_COMPARE[name](column.values, int(value)), column)


def _against_each_other(name: str, left: Variable, right: Variable, columns: Columns) -> Mask:
    first, second = columns[left.feature], columns[right.feature]
    values: Numbers = second.values
    if first.words or second.words:
        position = {word: index for index, word in enumerate(first.words)}
        values = second.by_word(("as", left.feature), lambda word: position.get(word, -1), np.int64)
        return _if_known(_if_known(_COMPARE[name](first.values.astype(np.int64), values), first), second)
    return _if_known(_if_known(_COMPARE[name](first.values, values), first), second)


def _if_known(mask: Mask, column: Column) -> Mask:
    return mask if column.known is None else mask & column.known
