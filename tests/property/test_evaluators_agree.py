"""The kernel gives every firm the result that the evaluator gives it, on the shipped model and on any valid one.

This is what holds the two engines together: 100,000 rows, half of them on the shipped model.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.bulk import RESULT_FIELDS, compile_kernel
from creditmesh.risk.bulk.scoring import _CHUNK
from creditmesh.risk.evaluator import evaluate
from tests.support.artefact_strategies import artefacts, feature_rows, rows_near_bounds
from tests.support.candidates import FIRM
from tests.unit.risk import small_model
from tests.unit.risk.small_model import loaded, refer_below, rule

ROOT = Path(__file__).parents[2]
DAY = date(2026, 1, 15)
DOUBTFUL = {
    "industry": "F51", "employee_count": 3, "tax_credit_rating": "C", "debt_ratio_bps": 6_200, "tax_late_count_24m": 4,
    "revenue_growth_bps": -600,
}  # fmt: skip
"""Makes of the good firm one a little above the cutoff; hardly any step leads the good firm itself below it."""
ARROW = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}
kernel_settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    """The model that is shipped."""
    return load((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))


def table(artefact: Artefact, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows as columns of the features' own types."""
    schema = pa.schema([*((n, ARROW[f.type]) for n, f in artefact.features.items()), (UNREAD, pa.string())])
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
    seeds = data.draw(st.lists(rows_near_bounds(artefact), min_size=5, max_size=5))
    rows = [row for seed in seeds for row in feature_rows(artefact, seed, 100)]
    assert not differences(artefact, rows)


@settings(kernel_settings, max_examples=20)
@given(data=st.data())
def test_the_shipped_model(shipped: Artefact, data: st.DataObject) -> None:
    """Unknowns, extremes to the bounds of 64 bits and categories never seen; steps from a good and a doubtful firm."""
    seeds = data.draw(st.lists(rows_near_bounds(shipped), min_size=5, max_size=5))
    seeds += [({**FIRM, **(DOUBTFUL if number % 2 else {})}, number) for _, number in seeds]
    rows = [row for seed in seeds for row in feature_rows(shipped, seed, 250)]
    assert not differences(shipped, rows)


def test_those_rows_reach_every_stage(shipped: Artefact) -> None:
    rows = [row for base in (FIRM, FIRM | DOUBTFUL) for row in feature_rows(shipped, (base, 7), 200)]
    stages = {evaluate(shipped, row, DAY).stage for row in rows}
    assert stages == {"blacklist", "admission", "score", "limit", "referred", "approved"}


def test_rules_that_take_points_and_nothing_lost() -> None:
    """A referral for its score without a lost point, and reasons that come from rules among those of bins."""
    adjusts = [rule("down", "adjust", points=-12, reason_code="PAIR", when={"==": [{"var": "flag"}, True]})]
    adjusts.append(rule("up", "adjust", points=9))
    firms = [{**small_model.FIRM, "debt": debt, "kind": kind, "flag": flag}
             for debt in (30, 60, None) for kind in ("A", "C") for flag in (True, False)]  # fmt: skip
    reasons = set()
    for below in (None, 120):
        artefact = loaded(scorecard=refer_below(below), rules=adjusts)
        assert not differences(artefact, firms)
        found = [evaluate(artefact, firm, DAY) for firm in firms]
        reasons |= {(result.stage, result.reasons or result.price_reasons) for result in found}
    assert {("referred", ()), ("approved", ("KIND", "PAIR", "DEBT"))} <= reasons


@pytest.mark.parametrize(
    ("amount", "below", "stage"),
    [(9_999, None, "limit"), (10_000, None, "approved"), (10_000, 90, "approved"), (10_000, 91, "referred")],
)
def test_a_limit_and_a_score_that_are_just_enough(amount: int, below: int | None, stage: str) -> None:
    """The floor is 10,000 and the firm has 90 points."""
    artefact, firm = loaded(scorecard=refer_below(below)), {**small_model.FIRM, "amount": amount}
    assert not differences(artefact, [firm])
    assert evaluate(artefact, firm, DAY).stage == stage


def test_bounds_too_many_to_compare_with_each() -> None:
    """Above 48 bounds the kernel searches for the bin; a value on a bound belongs to the bin above it."""
    bounds, points = list(range(10, 610, 10)), [number * 7 % 11 for number in range(62)]
    many = small_model.characteristic("debt", points, small_model.over("debt", *bounds))
    firms = [{**small_model.FIRM, "debt": debt} for bound in bounds for debt in (bound - 1, bound, bound + 1)]
    assert not differences(loaded(scorecard=small_model.card(many)), [*firms, {**small_model.FIRM, "debt": None}])


def test_what_passes_through_keeps_to_its_row_beyond_a_chunk() -> None:
    rows = 2 * _CHUNK + 5
    debts = [number % 150 for number in range(rows)]
    data = pa.table({"id": range(rows), "amount": [1_000_000] * rows, "debt": debts, "kind": ["A"] * rows})
    found = compile_kernel(loaded(), DAY).score(data)
    assert found["id"].to_pylist() == list(range(rows))
    scores = [90 if debt < 50 else 80 if debt < 100 else 70 for debt in debts]
    assert found["score"].to_pylist() == scores


def test_a_rule_counts_on_its_days_only() -> None:
    document = json.loads((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))
    young = next(one for one in document["rules"] if one["id"] == "company_too_young")
    tomorrow, after = DAY + timedelta(days=1), DAY + timedelta(days=2)
    dated = {"effective_from": tomorrow.isoformat(), "effective_until": after.isoformat()}
    always = {">=": [{"var": "company_age_months"}, 0]}
    document["rules"].append({**young, **dated, "id": "dated", "when": always})
    artefact = load(json.dumps(seal(document)))
    for day, decision in ((DAY, "approve"), (tomorrow, "decline"), (after, "approve")):
        (found,) = compile_kernel(artefact, day).score(table(artefact, [FIRM])).to_pylist()
        assert found["decision"] == evaluate(artefact, FIRM, day).decision == decision


def differences(artefact: Artefact, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The rows on which the two say different things, with both results."""
    pairs = zip(rows, (narrow(artefact, row) for row in rows), scored(artefact, table(artefact, rows)), strict=True)
    return [item for item in pairs if item[1] != item[2]]


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
    columns[UNREAD] = pa.array([row.get(UNREAD) for row in rows], pa.string())
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
