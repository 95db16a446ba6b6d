"""The kernel gives every firm the result that the evaluator gives it, on the shipped model and on any valid one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.kernel import RESULT_FIELDS, compile_kernel
from tests.spark.artefact_strategies import artefacts, feature_rows, rows_near_bounds

ROOT = Path(__file__).parents[2]
DAY = date(2026, 1, 15)
ARROW = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}
kernel_settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    """The model that is shipped."""
    return load((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))


def table(artefact: Artefact, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows as columns of the features' own types."""
    schema = pa.schema([(name, ARROW[feature.type]) for name, feature in artefact.features.items()])
    return pa.Table.from_pylist([dict(row) for row in rows], schema)


def narrow(artefact: Artefact, row: Mapping[str, Any]) -> dict[str, Any]:
    """The evaluator's result, as narrow as the kernel's."""
    result = evaluate(artefact, row, DAY).to_dict()
    index = result["risk_index"] or {"index": None, "grade": None}
    return {name: result[name] for name in RESULT_FIELDS if name in result} | {
        "risk_index": index["index"],
        "index_grade": index["grade"],
    }


def scored(artefact: Artefact, data: pa.Table) -> list[dict[str, Any]]:
    """The kernel's results."""
    found: list[dict[str, Any]] = compile_kernel(artefact, DAY).score(data).to_pylist()
    return found


@settings(kernel_settings, max_examples=100)
@given(artefact=artefacts(), data=st.data())
def test_any_valid_model(artefact: Artefact, data: st.DataObject) -> None:
    """Rules, segments, pairs, grades, prices and limits that nobody chose, with values where decisions turn."""
    rows = feature_rows(artefact, data.draw(rows_near_bounds(artefact)), 60)
    assert scored(artefact, table(artefact, rows)) == [narrow(artefact, row) for row in rows]


@settings(kernel_settings, max_examples=20)
@given(data=st.data())
def test_the_shipped_model(shipped: Artefact, data: st.DataObject) -> None:
    rows = feature_rows(shipped, data.draw(rows_near_bounds(shipped)), 60)
    assert scored(shipped, table(shipped, rows)) == [narrow(shipped, row) for row in rows]


odd_numbers = {
    "floats": (st.floats(), pa.float64()),
    "decimals": (
        st.integers(1 - 10**38, 10**38 - 1).map(lambda v: Decimal(v).scaleb(-9, Context(prec=60))),
        pa.decimal128(38, 9),
    ),
    "unsigned": (st.integers(0, 2**64 - 1), pa.uint64()),
}


@pytest.mark.parametrize("kind", odd_numbers)
@settings(kernel_settings, max_examples=60)
@given(artefact=artefacts(), data=st.data())
def test_numbers_of_other_types(kind: str, artefact: Artefact, data: st.DataObject) -> None:
    """NaN, infinities, fractions and what is beyond 64 bits enter the kernel as they enter the evaluator."""
    values, arrow = odd_numbers[kind]
    rows = feature_rows(artefact, data.draw(rows_near_bounds(artefact)), 20)
    names = [name for name, feature in artefact.features.items() if feature.type == "integer"]
    numbers = {name: data.draw(st.lists(st.none() | values, min_size=20, max_size=20)) for name in names}
    rows = [{**row, **{name: numbers[name][i] for name in names}} for i, row in enumerate(rows)]
    columns = {name: pa.array([row[name] for row in rows], ARROW[f.type]) for name, f in artefact.features.items()
               if name not in names}  # fmt: skip
    columns |= {name: pa.array(found, arrow) for name, found in numbers.items()}
    counts: Counter[tuple[str, str]] = Counter()
    kernel = compile_kernel(artefact, DAY)
    assert kernel.score(pa.table(columns), counts=counts).to_pylist() == [narrow(artefact, row) for row in rows]
    for name in kernel.features:
        odd = [value for value in numbers.get(name, ()) if isinstance(value, float) and not math.isfinite(value)]
        assert counts["not_a_number", name] == len(odd)


@settings(kernel_settings, max_examples=30)
@given(artefact=artefacts(), data=st.data(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_pieces_coded_text_and_columns_that_pass_through(
    artefact: Artefact, data: st.DataObject, sizes: list[int]
) -> None:
    """In pieces whose words have other codes, sliced, with a column more, the results are the same."""
    rows = feature_rows(artefact, data.draw(rows_near_bounds(artefact)), sum(sizes))
    whole = table(artefact, rows).append_column("id", pa.array(range(len(rows))))
    pieces, start = [], 0
    for size in sizes:
        piece = whole.slice(start, size)
        at = piece.schema.get_field_index("kind")
        pieces.append(piece.set_column(at, "kind", piece.column(at).combine_chunks().dictionary_encode()))
        start += size
    found = compile_kernel(artefact, DAY).score(pa.concat_tables(pieces)).to_pylist()
    assert found == [{"id": i, **narrow(artefact, row)} for i, row in enumerate(rows)]


def test_a_feature_that_is_not_there_is_unknown_and_told(shipped: Artefact) -> None:
    kernel, counts = compile_kernel(shipped, DAY), Counter[tuple[str, str]]()
    data = pa.table({"id": ["a", "b"]})
    found = kernel.score(data, ids=["id"], counts=counts).to_pylist()
    assert found == [{"id": name, **narrow(shipped, {})} for name in ("a", "b")]
    assert {name: counts["absent", name] for name in kernel.features} == dict.fromkeys(kernel.features, 2)


@settings(kernel_settings, max_examples=30)
@given(artefact=artefacts(), data=st.data())
def test_points_are_the_score_without_adjustment(artefact: Artefact, data: st.DataObject) -> None:
    rows = feature_rows(artefact, data.draw(rows_near_bounds(artefact)), 40)
    found = compile_kernel(artefact, DAY).points(table(artefact, rows)).tolist()
    results = [evaluate(artefact, row, DAY) for row in rows]
    scores = [None if r.score is None else r.score - (r.adjustment or 0) for r in results]
    assert [None if r.score is None else value for r, value in zip(results, found, strict=True)] == scores


def test_the_result_names_its_model(shipped: Artefact) -> None:
    found = compile_kernel(shipped, DAY).score(table(shipped, []))
    assert found.num_rows == 0
    assert found.schema.metadata[b"creditmesh.content_hash"].decode() == shipped.content_hash


def test_a_column_called_as_a_result_is_refused(shipped: Artefact) -> None:
    with pytest.raises(ValueError, match="clash"):
        compile_kernel(shipped, DAY).score(table(shipped, []).append_column("score", pa.array([], pa.int64())))
