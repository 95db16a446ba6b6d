"""JMESPath over the numbers of sources: exact to the digit (F6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jmespath
import pytest
from pydantic import ValidationError

from creditmesh.gateway.channels.document import Outcome, Structure
from creditmesh.gateway.channels.exact_json import parsed
from creditmesh.gateway.channels.expressions import search
from creditmesh.platform.http import Answer
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, channel

LARGE = "123456789012345678901234567890.05"
DOCUMENT = parsed(
    '{"items": [{"amount": 100.99, "n": "b"}, {"amount": 250, "n": "a"}, {"amount": -0.10, "n": "c"}],'
    f'"large": {LARGE}, "cents": [0.1, 0.2, 0.3], "text": "100.99", "none": [], "mixed": [1.5, "x"], "flag": true}}'
)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("sum(items[].amount)", Decimal("350.89")),
        ("sum(cents)", Decimal("0.6")),
        ("sum([large, `0.05`])", Decimal("123456789012345678901234567890.10")),
        ("sum(none)", 0),
        ("avg(items[:2].amount)", Decimal("175.495")),
        ("avg([large, large])", Decimal(LARGE)),
        ("avg(`[1, 2]`)", Decimal("1.5")),
        ("avg(`[1, 1, 2]`)", Decimal("1.333333333333333333333333333333333333333")),
        ("avg(`[2, 0, 0]`)", Decimal("0.6666666666666666666666666666666666666667")),
        ("avg(none)", None),
        ("max(items[].amount)", 250),
        ("min(items[].amount)", Decimal("-0.10")),
        ("max_by(items, &amount).n", "a"),
        ("min_by(items, &amount).n", "c"),
        ("sort(items[].amount)", [Decimal("-0.10"), Decimal("100.99"), 250]),
        ("sort_by(items, &amount)[].n", ["c", "b", "a"]),
        ("sort_by(items, &n)[].n", ["a", "b", "c"]),
        ("abs(items[2].amount)", Decimal("0.10")),
        ("ceil(items[0].amount)", 101),
        ("floor(items[0].amount)", 100),
        ("floor(items[2].amount)", -1),
        ("ceil(large)", 123456789012345678901234567891),
        ("to_number(text)", Decimal("100.99")),
        ("to_number('250')", 250),
        ("to_number('1e2')", Decimal("100")),
        ("to_number('-0.5')", Decimal("-0.5")),
        ("to_number(large)", Decimal(LARGE)),
        ("to_number('12345678901234567890.123456789')", Decimal("12345678901234567890.123456789")),
        ("to_string(items[0].amount)", "100.99"),
        ("to_string(items[2])", '{"amount":-0.10,"n":"c"}'),
        ("to_string(cents)", "[0.1,0.2,0.3]"),
        ("to_string(large)", LARGE),
        ("to_string(flag)", "true"),
        ("type(items[0].amount)", "number"),
        ("type(flag)", "boolean"),
        ("contains(cents, `0.1`)", True),
        ("items[?amount > `100.98`].n", ["b", "a"]),
        ("items[?amount == `100.990`].n", ["b"]),
        ("items[?amount <= `-0.1`].n", ["c"]),
        ("items[?amount != `250`].n", ["b", "c"]),
        ("large > `123456789012345678901234567890.04`", True),
        ("sum(cents) == `0.6`", True),
        ("`0.1`", Decimal("0.1")),
        ('`{"a": [1.50]}`', {"a": [Decimal("1.50")]}),
        ("`[]`", []),
        ("`old text`", "old text"),
        ("`a\\`b`", "a`b"),
    ],
)
def test_exactly(expression: str, result: Any) -> None:
    found = search(expression, DOCUMENT)
    assert (found, _types(found)) == (result, _types(result))


def _types(value: Any) -> Any:
    return [type(one) for one in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(
    "expression",
    [
        "sum(mixed)", "max(mixed)", "sort(mixed)", "avg(mixed)", "abs(text)", "sum(text)", "max_by(items, &@)",
        "sort_by(items, &none)", "to_number('1_000')", "to_number('nan')", "to_number('Infinity')", "to_number('０')",
        "to_number('1,000.00')", "to_number('')", "to_number('1e400')", "to_number('0x1')", "to_number(flag)",
        "to_number(none)", "to_number('+1')", "to_number('.5')", "flag > `0`",
    ],
)  # fmt: skip
def test_what_is_no_number_has_no_result(expression: str) -> None:
    assert search(expression, DOCUMENT) is None


@pytest.mark.parametrize("literal", ["`1e400`", "`[NaN]`", "`-Infinity`", '`{"a": 1, "a": 2}`', '`"\\ud83d"`'])
def test_a_literal_that_is_not_exact_is_refused_with_its_rule(literal: str) -> None:
    with pytest.raises(ValidationError, match="is not a JMESPath expression"):
        Structure(rule=f"{{a: {literal}}}")


def test_rules_over_floats_elsewhere_stay_theirs() -> None:
    """The library has one cache for all who compile the same rule."""
    rule = "a == `0.30`"
    assert search(rule, {"a": Decimal("0.3")}) is True
    assert jmespath.search(rule, {"a": 0.3}) is True


def test_sums_reach_third_information_in_digits(engine: Engine) -> None:
    body = b'{"items": [{"amount": 100.99}, {"amount": 250}, {"amount": 1E+7}, {"amount": 1e-7}]}'
    engine.http.routes["GET", ORIGIN] = lambda _: Answer(200, body)
    rule = "{name: 'x', total: sum(items[].amount), largest: max(items[].amount), least: min(items[].amount)}"
    assert engine.third(engine.collect(channel(structure={"rule": rule, "complete": ["total"]}))) == {
        "name": "x", "total": "10000350.9900001", "largest": "10000000", "least": "0.0000001",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("to_number(account)", "12345678901234567890.05"),
        ("`1.50`", "1.50"),
        ("to_number('1e3')", "1000"),
        ("avg(shares)", "1.5"),
        ("name", '"名"'),
    ],
)
def test_a_field_filled_by_a_rule_is_sent_in_digits(engine: Engine, path: str, sent: str) -> None:
    engine.records["customers", FIRM] = {"account": "12345678901234567890.05", "shares": [1, 2], "name": "名"}
    engine.http.answer("POST", ORIGIN, 200, {"name": "made up"})
    one = channel(
        transport={"type": "rest", "path": "/firms", "body": {"no": "{{no}}", "text": "a{{no}}"}},
        fields={"taxpayer_id": {}, "no": {}},
        fill=[{"field": "no", "record": "customers", "key": "taxpayer_id", "path": path}],
    )
    assert engine.collect(one).outcome is Outcome.FILLED
    text = "a" + sent.strip('"')
    assert (engine.http.calls[0].body or b"").decode() == f'{{"no":{sent},"text":"{text}"}}'


@pytest.mark.parametrize("expression", ["sum(@)", "avg(@)", "abs(sum(@))", "sum([@[0], @[1]])"])
def test_what_cannot_be_added_exactly_has_no_result(expression: str) -> None:
    assert search(expression, [10**999, Decimal("0.1")]) is None
