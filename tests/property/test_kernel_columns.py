"""Numbers enter the kernel as they enter the evaluator: unknown if not a number, else rounded down, cut to 64 bits."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.risk.bulk.columns import Column, column
from creditmesh.risk.bulk.masks import where
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import Comparison, Variable

_WIDE = Context(prec=100)
LEAST, MOST = -(2**63), 2**63 - 1
ODD_FLOATS = [0.0, -0.0, 0.5, -0.5, 2.0**63, -(2.0**63), 2.0**62, 1e300, -1e300, math.nan, math.inf, -math.inf, 5e-324]


def entered(value: Any) -> int | None:
    """The rule, said once more in the plainest way."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    numerator, denominator = value.as_integer_ratio()
    return min(max(numerator // denominator, LEAST), MOST)


def plain(found: Column) -> list[Any]:
    """The column's values with None where unknown."""
    values = [found.words[code] if found.words else code for code in found.values.tolist()]
    known = [True] * len(values) if found.known is None else found.known.tolist()
    return [value if is_known else None for value, is_known in zip(values, known, strict=True)]


@st.composite
def arrow_numbers(draw: st.DrawFn) -> tuple[list[Any], pa.DataType]:
    """Values and an Arrow type that holds them."""
    scale = draw(st.integers(0, 38))
    most = 10**38 - 1
    kinds: list[tuple[st.SearchStrategy[Any], pa.DataType]] = [
        (st.integers(LEAST, MOST), pa.int64()),
        (st.integers(0, 2**64 - 1), pa.uint64()),
        (st.integers(-128, 127), pa.int8()),
        (st.integers(0, 2**32 - 1), pa.uint32()),
        (st.one_of(st.floats(), st.sampled_from(ODD_FLOATS)), pa.float64()),
        (st.floats(width=32), pa.float32()),
        (st.integers(-most, most).map(lambda v: Decimal(v).scaleb(-scale, _WIDE)), pa.decimal128(38, scale)),
        (st.integers(-most, most).map(lambda v: Decimal(v).scaleb(-scale, _WIDE)), pa.decimal256(70, scale)),
        (st.integers(-(10**9) + 1, 10**9 - 1).map(lambda v: Decimal(v).scaleb(-2)), pa.decimal128(9, 2)),
    ]
    values, kind = draw(st.sampled_from(kinds))
    return draw(st.lists(st.one_of(st.none(), values), max_size=40)), kind


@given(numbers=arrow_numbers(), first=st.integers(0, 12))
def test_numbers_of_every_type(numbers: tuple[list[Any], pa.DataType], first: int) -> None:
    values, kind = numbers
    array = pa.array(values, kind)[first:]
    found = column("x", "integer", array)
    assert found.values.dtype == "int64"
    assert plain(found) == [entered(value) for value in values[first:]]
    odd = [v for v in values[first:] if isinstance(v, float) and not math.isfinite(v)]
    assert found.not_a_number == len(odd)


@given(values=st.lists(st.one_of(st.none(), st.text(max_size=3))), first=st.integers(0, 9), coded=st.booleans())
def test_text_plain_and_coded(values: list[str | None], first: int, coded: bool) -> None:
    array = pa.array(values, pa.string())
    if coded:
        array = array.dictionary_encode()
    assert plain(column("x", "string", array[first:])) == values[first:]


@pytest.mark.parametrize("words", [["A", "A", None], ["A", "A", "B"], ["A", "B", None]])
def test_words_given_twice_or_unknown_are_told_apart_by_what_they_say(words: list[str | None]) -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int8()), pa.array(words))
    found = column("x", "string", coded)
    assert plain(found) == [*words, None]
    assert found.words == tuple(dict.fromkeys(word for word in words if word))


@pytest.mark.parametrize(("name", "expected"), [("==", [True, False, False]), ("!=", [False, True, False])])
def test_texts_are_compared_by_what_they_say(name: str, expected: list[bool]) -> None:
    """A word that only the second column has is equal to none of the first's."""
    columns = {
        "a": column("a", "string", pa.array(["A", "A", None])),
        "b": column("b", "string", pa.array(["A", "C", "A"])),
    }
    found = where(Comparison(name, Variable("a"), Variable("b")), columns, 3, holds=True)
    assert found.tolist() == expected


def test_what_lies_under_an_unknown_is_no_finding() -> None:
    """Arrow keeps some value under a null; some writers leave NaN there."""
    array = pa.array(np.array([math.nan, 1.5, math.nan]), mask=np.array([True, False, False]))
    found = column("x", "integer", array)
    assert (plain(found), found.not_a_number) == ([None, 1, None], 1)


@given(values=st.lists(st.one_of(st.none(), st.booleans())), first=st.integers(0, 20))
def test_truths(values: list[bool | None], first: int) -> None:
    found = column("x", "boolean", pa.array(values, pa.bool_())[first:])
    assert plain(found) == values[first:]


@pytest.mark.parametrize("kind", ["integer", "string", "boolean"])
def test_a_column_of_nothing_is_unknown(kind: Any) -> None:
    assert plain(column("x", kind, pa.nulls(3))) == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("integer", pa.array(["1"])),
        ("integer", pa.array([True])),
        ("string", pa.array([1])),
        ("boolean", pa.array([1])),
        ("string", pa.array([1]).dictionary_encode()),
    ],
)
def test_another_type_is_refused(kind: Any, array: pa.Array) -> None:
    with pytest.raises(FeatureInvalid, match="x"):
        column("x", kind, array)
