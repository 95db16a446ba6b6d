"""Order and hash of rows by content: equal data give the same results on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Words = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def canonical_order(columns: dict[str, pd.Series]) -> NDArray[np.intp]:
    """Row numbers ordered by content; equal rows are interchangeable."""
    return np.argsort(row_words(columns), kind="stable")


def row_words(columns: dict[str, pd.Series]) -> Words:
    """A 64-bit hash of each row's values, regardless of the order of columns."""
    total: Words | None = None
    for name in sorted(columns):
        words = mixed(column_words(columns[name]) ^ _text_word(name))
        total = words if total is None else mixed(total * np.uint64(3) + words)
    return np.empty(0, np.uint64) if total is None else total


def column_words(column: pd.Series) -> Words:
    """A 64-bit hash of each value of a column; unknown values are equal to each other only."""
    missing = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype):
        words = column.astype("Int64").fillna(0).to_numpy(dtype=np.int64).view(np.uint64) + np.uint64(1)
    elif pd.api.types.is_float_dtype(column.dtype):
        # -0.0 equals 0.0.
        words = (column.fillna(0.0).to_numpy(dtype=np.float64) + 0.0).view(np.uint64) + np.uint64(1)
    else:
        codes, values = pd.factorize(column)
        known = np.array([_text_word(repr(value)) for value in values] or [np.uint64(0)], dtype=np.uint64)
        words = known[np.maximum(codes, 0)]
    return np.where(missing, _text_word("missing"), mixed(words))


def column_bytes(name: str, column: pd.Series) -> Iterator[bytes]:
    """The content hashed for a column: name, type, mask of unknown values, and values."""
    missing = column.isna().to_numpy(dtype=bool)
    yield f"{name}|{len(column)}|".encode()
    yield missing.tobytes()
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype):
        yield b"integer|" + column.astype("Int64").fillna(0).to_numpy(dtype="<i8").tobytes()
    elif pd.api.types.is_float_dtype(column.dtype):
        yield b"float|" + (column.fillna(0.0).to_numpy(dtype="<f8") + 0.0).tobytes()
    else:
        codes, values = pd.factorize(column, sort=False)
        texts = [repr(value) for value in values]
        rank = np.argsort(np.argsort(np.array(texts, dtype=object))) if texts else np.empty(0, np.int64)
        yield ("text|" + "\x1f".join(sorted(texts)) + "|").encode("utf-8", "surrogatepass")
        yield np.where(missing, -1, rank[np.maximum(codes, 0)] if texts else -1).astype("<i8").tobytes()


def mixed(words: Words) -> Words:
    """Spread every bit of each word over all of it (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        words = (words + _GOLDEN).astype(np.uint64)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _text_word(text: str) -> np.uint64:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))
