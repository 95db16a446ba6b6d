"""A document tried on a sample, step by step: nobody is called, nothing secret is shown (G02)."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest
import yaml

from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.dry_run import DryRun, Sample, dry_run
from creditmesh.kernel.errors import InvalidInput
from institutions.population import Population
from institutions.registry_figures import registry_data
from institutions.tax_figures import tax_data
from tests.support.template import ROOT
from tests.unit.gateway.channels.engine import ORIGIN, Engine, channel

AS_OF = date(2026, 11, 21)
NAMELESS = '{"registration": {"taxpayer_id": "", "status": "x"}, "currency": "CNY"}'
GOOD = Population(7).persona("good_firm", AS_OF)


def shipped(name: str) -> Channel:
    return Channel.model_validate(yaml.safe_load((ROOT / "channels" / f"{name}.yaml").read_text("utf-8")))


def run(engine: Engine, one: Channel, **sample: Any) -> DryRun:
    sample.setdefault("fields", {"taxpayer_id": GOOD.taxpayer_id})
    return dry_run(one, Sample.model_validate(sample), ORIGIN, engine.answers)


SAMPLES: dict[str, dict[str, Any]] = {
    "tax-bureau": {"pages": [json.dumps(tax_data(GOOD, AS_OF))]},
    "company-registry": {"pages": [json.dumps(registry_data(GOOD, AS_OF))]},
}
"""The others are tried in tests/contract/gateway, on what their institutions really answered."""


@pytest.mark.parametrize("name", SAMPLES)
def test_each_step_is_shown(engine: Engine, name: str) -> None:
    made = run(engine, shipped(name), **SAMPLES[name])
    assert (made.outcome, [step.name for step in made.steps]) == (
        "complete",
        ["fields", "request", "parse", "structure"],
    )
    assert all(step.ok for step in made.steps)
    assert made.steps[-1].result["currency"] == "CNY"


def test_a_filled_field_is_a_step(engine: Engine) -> None:
    records = {"firm-profiles": {"legal_representative": "Somebody"}}
    made = run(engine, shipped("education-register"), records=records)
    assert [step.name for step in made.steps] == ["fields", "fill", "request"]
    assert made.steps[1].result == {"person_name": "Somebody"}
    answer = base64.b64encode('{"nsrsbh": "x", "xm": "名", "xlxx": []}'.encode("gb18030")).decode()
    assert run(engine, shipped("education-register"), records=records, pages_base64=[answer]).outcome == "filled"


def test_the_request_is_shown_as_it_would_go_without_secrets(engine: Engine) -> None:
    request = next(step for step in run(engine, shipped("tax-bureau")).steps if step.name == "request")
    assert request.detail == "authentication: api_key"
    assert request.result == {
        "method": "POST", "url": f"{ORIGIN}/api/v1/taxpayer-data",
        "headers": {"content-type": "application/json", "accept": "*/*"},
        "body": f'{{"taxpayer_id":"{GOOD.taxpayer_id}","authorization_code":"***"}}',
    }  # fmt: skip
    text = run(engine, shipped("credit-bureau")).model_dump_json()
    assert '\\"consent_reference\\":\\"***\\"' in text
    assert '\\"request_id\\":\\"***\\"' in text


def test_nobody_is_called_and_nothing_stored(engine: Engine) -> None:
    for name, sample in SAMPLES.items():
        run(engine, shipped(name), **sample)
    assert (engine.http.calls, engine.stored_calls(), engine.stack.documents()) == ([], [], {})


def test_without_a_sample_answer_it_ends_with_the_request(engine: Engine) -> None:
    made = run(engine, shipped("company-registry"))
    assert (made.outcome, [step.name for step in made.steps]) == (None, ["fields", "request"])


def test_missing_fields_end_it_at_once(engine: Engine) -> None:
    made = run(engine, shipped("education-register"))
    assert (made.outcome, len(made.steps), made.steps[0].ok) == ("incomplete", 1, False)
    assert made.steps[0].detail == "missing or malformed: person_name"


@pytest.mark.parametrize(
    ("sample", "outcome", "detail"),
    [
        ({"pages": ["<html>"]}, "unavailable", "answer is not JSON"),
        ({"pages": ["[" * 40_000]}, "unavailable", "answer is nested too deeply"),
        ({"pages": ["{}"]}, "unavailable", "answer the answer: breaks required"),
        ({"pages": ["{}"], "status": 500}, "unavailable", "answered 500"),
        ({"pages": ['{"error": "no_such_company"}'], "status": 404}, "no_data", "no_such_company"),
        ({"pages": [NAMELESS]}, "incomplete", "missing: registration.taxpayer_id"),
    ],
)  # fmt: skip
def test_what_would_go_wrong_is_told(engine: Engine, sample: dict[str, Any], outcome: str, detail: str) -> None:
    made = run(engine, shipped("company-registry"), **sample)
    assert (made.outcome, made.steps[-1].detail, made.steps[-1].ok) == (outcome, detail, False)
    made.model_dump_json()


def test_a_receipt_of_a_late_answer_is_pending(engine: Engine) -> None:
    made = run(engine, shipped("credit-bureau"), pages=['{"enquiry_id": "e"}'], status=202)
    assert made.outcome == "pending"
    assert run(engine, shipped("credit-bureau"), message='{"data": {}}').outcome == "unavailable"
    assert run(engine, shipped("credit-bureau"), message="<html>").steps[-2].detail == "answer is not JSON"


@pytest.mark.parametrize(
    ("sample", "field"),
    [
        ({"pages_base64": ["%%%"]}, "sample.pages_base64"),
        ({"pages_base64": ["名"]}, "sample.pages_base64"),
        ({"pages": ["x" * 48_001]}, "sample.pages"),
        ({"pages": ["\ud800"]}, "sample.pages"),
        ({"message": "{}"}, "sample.message"),
    ],
)
def test_a_malformed_sample_is_refused(engine: Engine, sample: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        run(engine, shipped("company-registry"), **sample)
    assert refusal.value.field == field


def test_a_batch_file_shows_where_it_would_look(engine: Engine) -> None:
    transport = {"type": "batch_file", "prefix": "daily/", "format": "csv", "key_column": "id"}
    one = channel(transport=transport, authentication={"type": "none"}, base_url=None)
    made = run(engine, one, pages=['{"rows": [{"id": 1}], "name": "made up"}'])
    assert made.steps[1].result == {"file": "incoming/source/daily/", "key": GOOD.taxpayer_id}
    assert made.outcome == "complete"


@pytest.mark.parametrize("charset", ["utf-16", "gb18030"])
def test_bodies_in_other_charsets_are_readable(engine: Engine, charset: str) -> None:
    for transport in (
        {"type": "form", "path": "/x", "body": {"id": "{{taxpayer_id}}"}, "charset": charset},
        {"type": "rest", "path": "/x", "body": {"id": "{{taxpayer_id}}"}, "charset": charset},
    ):
        request = run(engine, channel(transport=transport), fields={"taxpayer_id": "T名"}).steps[1]
        assert "T" in request.result["body"]


@pytest.mark.parametrize(
    ("charset", "text"),
    [("gbk", "䶮"), ("gb2312", "镕"), ("gbk", "€"), ("iso-8859-1", "€"), ("gb18030", "\u9fb4"), ("utf-16", "名")],
)
def test_a_sample_may_have_whatever_an_answer_may_have(engine: Engine, charset: str, text: str) -> None:
    made = run(engine, channel(response={"charset": charset}), pages=[json.dumps({"name": text}, ensure_ascii=False)])
    assert (made.outcome, made.steps[-1].result) == ("complete", {"name": text})


DOUBLED = "[@, @][]"


@pytest.mark.parametrize("text", ["x" * 40, '"' * 40, "名" * 40, "\u0001" * 40, "\U00020087" * 20])
def test_a_rule_that_makes_more_than_lambda_answers_is_refused_by_name(engine: Engine, text: str) -> None:
    """Whatever the characters, which take up to six bytes in the answer."""
    rule = "{name: name, all: " + " | ".join(["name", "[@, @]", *[DOUBLED] * 17]) + "}"
    one = channel(structure={"rule": rule, "complete": ["name"]})
    with pytest.raises(InvalidInput) as refused:
        run(engine, one, pages=[json.dumps({"name": text})])
    assert (refused.value.field, refused.value.fault) == ("channel.structure", "result_too_long")
    smaller = channel(structure={"rule": rule.replace(f" | {DOUBLED}", "", 6), "complete": ["name"]})
    assert run(engine, smaller, pages=[json.dumps({"name": text})]).outcome == "complete"
