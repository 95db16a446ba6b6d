"""Arrow columns converted for the kernel: 64-bit integers, word codes or booleans, with a mask of known values.

Values are converted as for one firm (docs/reference/risk-model.md, «How values enter»): NaN and infinities are unknown,
other numbers are rounded down and clipped to 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from creditmesh.risk.document import INT64_MAX, INT64_MIN
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import FeatureType

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]

_TWO_63 = 2.0**63
_DIGITS_64 = 18


@dataclass(frozen=True)
class Column:
    """One feature of many firms."""

    values: Numbers
    """Int64; uint8 (0, 1) for booleans; for text, positions in ``words``. Unknown values may be anything valid."""
    known: Mask | None
    """None if all values are known."""
    words: tuple[str, ...] = ()
    """The words that the codes of a text column stand for."""
    not_a_number: int = 0
    """Number of values that were NaN or infinite."""
    _tables: dict[Any, Numbers] = field(default_factory=dict, compare=False, repr=False)

    def cut(self, start: int, stop: int) -> Column:
        known = None if self.known is None else self.known[start:stop]
        return Column(self.values[start:stop], known, self.words, 0, self._tables)

    def pick(self, rows: npt.NDArray[np.intp]) -> Column:
        known = None if self.known is None else self.known[rows]
        return Column(self.values[rows], known, self.words, 0, self._tables)

    def by_word(self, key: Any, value_of: Callable[[str], Any], dtype: npt.DTypeLike) -> Numbers:
        """For text: ``value_of`` of each firm's word, computed once per word of a batch and ``key``."""
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = np.array([value_of(word) for word in self.words] or [0]).astype(dtype)
        return np.take(table, self.values, mode="clip")


def column(name: str, kind: FeatureType, array: pa.Array) -> Column:
    """Return the column of feature ``name``.

    Raises:
        FeatureInvalid: the column's type cannot be converted to ``kind``.
    """
    if pa.types.is_null(array.type):
        return unknown(kind, len(array))
    reader = {"integer": _integer, "string": _text, "boolean": _truth}[kind]
    found = reader(array)
    if found is None:
        raise FeatureInvalid(name, f"must be of type {kind}")
    return found


def unknown(kind: FeatureType, rows: int) -> Column:
    """A column with only unknown values."""
    dtype = {"integer": np.int64, "string": np.int32, "boolean": np.uint8}[kind]
    return Column(np.zeros(rows, dtype), np.zeros(rows, np.bool_))


def _known(array: pa.Array) -> Mask | None:
    return None if array.null_count == 0 else _bits(array.buffers()[0], array.offset, len(array)).view(np.bool_)


def _bits(buffer: pa.Buffer, offset: int, length: int) -> npt.NDArray[np.uint8]:
    """Arrow's bitmap, one byte per bit."""
    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8)[first : -(-(offset + length) // 8)]
    return np.unpackbits(packed, count=offset % 8 + length, bitorder="little")[offset % 8 :]


def _plain(array: pa.Array, dtype: npt.DTypeLike) -> Numbers:
    """The array's value buffer, without copying."""
    if len(array) == 0:
        return np.zeros(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype)[array.offset : array.offset + len(array)]


def _truth(array: pa.Array) -> Column | None:
    if not pa.types.is_boolean(array.type):
        return None
    if len(array) == 0:
        return Column(np.zeros(0, np.uint8), None)
    return Column(_bits(array.buffers()[1], array.offset, len(array)), _known(array))


def _text(array: pa.Array) -> Column | None:
    if not pa.types.is_dictionary(array.type):
        return _text(array.cast(pa.large_string()).dictionary_encode()) if _is_text(array.type) else None
    if not _is_text(array.type.value_type):
        return None
    codes, words = array.indices, tuple(array.dictionary.to_pylist())
    if None in words or len(set(words)) < len(words):
        return _text(array.cast(array.type.value_type))
    known = _known(codes)
    values = _plain(codes, codes.type.to_pandas_dtype())
    if known is not None:
        values = np.where(known, values, values.dtype.type(0))
    return Column(values, known, words)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


# Numbers


def _integer(array: pa.Array) -> Column | None:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _integer(array.cast(kind.value_type))
    if pa.types.is_uint64(kind):
        values = np.minimum(_plain(array, np.uint64), np.uint64(INT64_MAX)).astype(np.int64)
        return Column(values, _known(array))
    if pa.types.is_integer(kind):
        return Column(_plain(array, kind.to_pandas_dtype()).astype(np.int64, copy=False), _known(array))
    if pa.types.is_floating(kind):
        return _from_floats(array)
    if pa.types.is_decimal(kind):
        return _from_decimals(array)
    return None


def _from_floats(array: pa.Array) -> Column:
    floats = np.floor(_plain(array, array.type.to_pandas_dtype()).astype(np.float64))
    finite, known = np.isfinite(floats), _known(array)
    odd = int(np.count_nonzero(~finite if known is None else known & ~finite))
    above, below = floats >= _TWO_63, floats < -_TWO_63
    values = np.where(finite & ~above & ~below, floats, 0.0).astype(np.int64)
    values[above], values[below] = INT64_MAX, INT64_MIN
    if finite.all():
        return Column(values, known)
    return Column(values, finite if known is None else known & finite, not_a_number=odd)


def _from_decimals(array: pa.Array) -> Column:
    """Values within 64 bits are converted at once; the rare others one by one as Python integers."""
    scale = array.type.scale
    if not pa.types.is_decimal128(array.type):
        if pa.types.is_decimal256(array.type):
            return _from_objects(array)
        array = array.cast(pa.decimal128(38 if scale < 0 else array.type.precision, scale))
    if scale < 0:
        return _from_objects(array)
    known, halves = _known(array), _plain_128(array)
    low, high = np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1])
    values = np.where(low < 0, -1, 0) if scale > _DIGITS_64 else np.floor_divide(low, 10**scale)
    wide = high != (low >> 63)
    if known is not None:
        wide &= known
    for row in np.flatnonzero(wide):
        whole = (int(high[row]) << 64 | int(low[row]) & (2**64 - 1)) // 10**scale
        values[row] = min(max(whole, INT64_MIN), INT64_MAX)
    return Column(values, known)


def _plain_128(array: pa.Array) -> npt.NDArray[np.int64]:
    if len(array) == 0:
        return np.zeros((0, 2), np.int64)
    both = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
    return both[array.offset : array.offset + len(array)]


def _from_objects(array: pa.Array) -> Column:
    known = _known(array)
    scaled = (0 if value is None else _floor(value) for value in array.to_pylist())
    values = np.fromiter((min(max(value, INT64_MIN), INT64_MAX) for value in scaled), np.int64, len(array))
    return Column(values, known)


def _floor(value: Any) -> int:
    """Exact floor: ``//`` on Decimal rounds to the context, ``as_integer_ratio`` does not."""
    numerator, denominator = value.as_integer_ratio()
    return int(numerator // denominator)
