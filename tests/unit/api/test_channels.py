"""Channels, plans, dry runs and health as operators meet them (G02, G13)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from creditmesh.gateway.channels.document import Channel, schema
from tests.support import wired
from tests.support.aws import ORIGIN
from tests.support.template import ROOT
from tests.support.world import ADDRESSES, FIRM, World
from tests.unit.api.client import Answer, Api

OPERATOR = Api("operator", "platform")
DOCUMENT: dict[str, Any] = {
    "channel_id": "my-source", "kind": "weather", "title": "Weather office", "institution": "weather-office",
    "base_url": ORIGIN, "transport": {"type": "rest", "method": "GET", "path": "/of/{{taxpayer_id}}"},
    "authentication": {"type": "none"}, "structure": {"rule": "{rain: rain}"},
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(autouse=True)
def own_documents(world: World) -> Any:
    """What a test writes goes with it; the shipped channels stay."""
    table, dynamodb = world.stack.refs["Documents"], world.stack.clients["dynamodb"]
    before = world.stack.raw_items("Documents")
    yield
    for item in world.stack.raw_items("Documents"):
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("document_id", "version")})
    for item in before:
        dynamodb.put_item(TableName=table, Item=item)


def put(document: dict[str, Any], based_on: Any = None, caller: Api = OPERATOR, path: str = "") -> Answer:
    headers = {} if based_on is None else {"If-Match": str(based_on)}
    return caller.call("PUT", path or f"/v1/channels/{document['channel_id']}", document, headers=headers)


def fields(answer: Answer) -> list[str]:
    assert answer.headers["content-type"].startswith("application/problem+json")
    return [one["field"] for one in answer.json()["errors"]]


def test_a_channel_is_written_read_and_listed() -> None:
    made = put(DOCUMENT, 0)
    whole = Channel.model_validate(DOCUMENT).model_dump(mode="json", by_alias=True)
    assert (made.status, made.json()["version"], made.json()["document"]) == (200, 1, whole), "defaults included"
    assert OPERATOR.get("/v1/channels/my-source").json() == made.json()
    listed = {one["channel_id"]: one["version"] for one in OPERATOR.get("/v1/channels").json()["channels"]}
    assert listed["my-source"] == 1
    assert {"tax-bureau", "credit-bureau", "fraud-shield"} <= set(listed)


def test_versions_stay_readable() -> None:
    put(DOCUMENT, 0)
    second = put({**DOCUMENT, "title": "Second title"}, '"1"')
    assert (second.status, second.json()["version"]) == (200, 2)
    path = "/v1/channels/my-source/versions"
    assert [OPERATOR.get(f"{path}/{n}").json()["document"]["title"] for n in (1, 2)] == [
        "Weather office",
        "Second title",
    ]
    for nothing in ("3", "0", "-1", "x", "1000000", "١"):
        assert OPERATOR.get(f"{path}/{nothing}").status == 404
    assert OPERATOR.get("/v1/channels/nobody").status == 404


def test_who_has_not_seen_the_last_version_is_told() -> None:
    put(DOCUMENT, 0)
    answer = put({**DOCUMENT, "title": "Other title"}, 0)
    assert (answer.status, answer.json()["code"]) == (409, "version_conflict")
    assert put(DOCUMENT, 0).json()["version"] == 1, "the same once more is no conflict"
    for malformed in ("x", "-1", "1.0", '"', "9999999", "١"):
        assert fields(put(DOCUMENT, malformed)) == ["If-Match"]


def test_the_tag_of_a_document_is_what_if_match_takes() -> None:
    path = f"/v1/channels/{DOCUMENT['channel_id']}"
    first = put(DOCUMENT, 0)
    assert first.headers["etag"] == '"1"'
    second = put({**DOCUMENT, "title": "Next"}, first.headers["etag"])
    assert (second.status, second.headers["etag"]) == (200, '"2"')
    assert OPERATOR.get(path).headers["etag"] == '"2"'
    assert OPERATOR.get(f"{path}/versions/1").headers["etag"] == '"1"'
    plan = {"plan_id": "tagged", "channels": [{"channel_id": "tax-bureau"}]}
    assert OPERATOR.put("/v1/collection-plans/tagged", plan).headers["etag"] == '"1"'
    assert OPERATOR.get("/v1/collection-plans/tagged").headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"structure": {"rule": "{"}}, "structure.rule", "is not a JMESPath expression"),
        ({"response": {"schema": {"type": "x"}}}, "response.schema", "is not a JSON Schema"),
        ({"response": {"schema": {"$ref": "http://127.0.0.1/x"}}}, "response.schema", "is not a JSON Schema"),
        ({"cost": {"amount": "1"}}, "cost.amount", "exactly two decimals"),
        ({"base_url": "https://evil.example"}, "base_url", "must be an allow-listed origin"),
        ({"base_url": f"{ORIGIN}@evil.example"}, "base_url", "must be an origin"),
        ({"base_url": None}, "base_url", "is required"),
        ({"fallback_channel": "nobody"}, "fallback_channel", "must be a channel"),
        ({"fallback_channel": "tax-bureau"}, "fallback_channel", "must be of kind weather"),
        ({"nonsense": 1}, "nonsense", "is not a known field"),
        ({"channel_id": "other"}, "channel_id", "must be the one in the path"),
    ],
)
def test_a_broken_document_is_a_problem_with_path_and_rule(changes: dict[str, Any], field: str, rule: str) -> None:
    answer = put({**DOCUMENT, **changes}, 0, path="/v1/channels/my-source")
    assert (answer.status, answer.json()["code"]) == (422, "invalid_input")
    (error,) = answer.json()["errors"]
    assert error["field"].split(".", 1)[-1] == field or error["field"] == field
    assert rule in error["rule"]
    assert OPERATOR.get("/v1/channels/my-source").status == 404


@pytest.mark.parametrize("role", ["borrower", "bank", "lender", "manager", "risk_officer", "auditor", None])
def test_only_operators_write(role: str | None) -> None:
    caller = Api(role, "platform")
    expected = 403 if role else 401
    assert put(DOCUMENT, 0, caller).status == expected
    plan = {"plan_id": "mine", "channels": [{"channel_id": "tax-bureau"}]}
    assert caller.call("PUT", "/v1/collection-plans/mine", plan).status == expected
    assert caller.call("PUT", "/v1/reference-records/rr/k", {}).status == expected


@pytest.mark.parametrize(
    "path",
    [
        "/v1/channels",
        "/v1/channels/tax-bureau",
        "/v1/channels-health",
        "/v1/collection-plans/standard",
        "/v1/collection-plans",
    ],
)
def test_staff_reads_and_others_do_not(path: str) -> None:
    for role, status in (
        ("manager", 200),
        ("auditor", 200),
        ("operator", 200),
        ("borrower", 403),
        ("lender", 403),
        ("bank", 403),
    ):
        assert Api(role, "platform").get(path).status == status
    assert Api(None).get(path).status == 401


def test_the_schema_is_for_everybody() -> None:
    answer = Api(None).get("/v1/schemas/channel.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.json() == schema() == json.loads((ROOT / "docs/reference/channel.schema.json").read_text("utf-8"))


def test_plans() -> None:
    plan = {"plan_id": "mine", "channels": [{"channel_id": "tax-bureau", "required": True}, {"channel_id": "nobody"}]}
    answer = OPERATOR.call("PUT", "/v1/collection-plans/mine", plan, headers={"If-Match": "0"})
    assert (answer.status, fields(answer)) == (422, ["channels.1.channel_id"])
    plan["channels"] = plan["channels"][:1]
    answer = OPERATOR.call("PUT", "/v1/collection-plans/mine", plan, headers={"If-Match": "0"})
    assert (answer.status, answer.json()["version"]) == (200, 1)
    assert OPERATOR.get("/v1/collection-plans/mine").json() == answer.json()
    listed = {one["plan_id"]: one for one in OPERATOR.get("/v1/collection-plans").json()["plans"]}
    assert listed["mine"] == answer.json()
    assert list(listed) == sorted(listed)
    assert "standard" in listed
    assert OPERATOR.get("/v1/collection-plans/other").status == 404
    assert fields(OPERATOR.call("PUT", "/v1/collection-plans/other", plan)) == ["plan_id"]


def test_a_reference_record_fills_a_field(world: World) -> None:
    path = f"/v1/reference-records/firm-profiles/{FIRM.taxpayer_id}"
    assert OPERATOR.call("PUT", path, {"legal_representative": "张三"}).status == 204
    assert wired.reference_records().get("firm-profiles", FIRM.taxpayer_id) == {"legal_representative": "张三"}
    stored = json.dumps(world.stack.raw_items("ReferenceRecords"), default=str)
    assert FIRM.taxpayer_id not in stored
    assert "张三".encode("unicode-escape").decode() not in stored
    assert OPERATOR.call("PUT", path, []).status == 422


def test_a_dry_run_over_the_api() -> None:
    put(DOCUMENT, 0)
    asked = {"channel": DOCUMENT, "sample": {"fields": {"taxpayer_id": "../x"}, "pages": ['{"rain": 1.10}']}}
    answer = Api("auditor", "platform").post("/v1/channel-dry-runs", asked)
    made = answer.json()
    assert (answer.status, made["outcome"]) == (200, "complete")
    request = next(step for step in made["steps"] if step["name"] == "request")
    assert request["result"]["url"] == f"{ORIGIN}/of/..%2Fx"
    assert made["steps"][-1]["result"] == {"rain": "1.10"}
    foreign = {**asked, "channel": {**DOCUMENT, "base_url": "https://evil.example"}}
    assert fields(OPERATOR.post("/v1/channel-dry-runs", foreign)) == ["base_url"]
    assert Api("borrower").post("/v1/channel-dry-runs", asked).status == 403


def test_health_of_every_channel(world: World) -> None:
    world.to_collected()
    found = {one["channel_id"]: one for one in OPERATOR.get("/v1/channels-health").json()["channels"]}
    tax = found["tax-bureau"]
    assert (tax["calls"], tax["collections"], tax["outcomes"], tax["success_bps"]) == (1, 1, {"complete": 1}, 10_000)
    assert (tax["breaker"], tax["cost"], found["credit-bureau"]["calls"]) == ("closed", "0.00", 0)
    assert tax["latency_p50_ms"] is not None
    assert set(found) == {one.stem for one in (ROOT / "channels").glob("*.yaml")}
    for minutes in ("4", "10081", "x"):
        assert fields(OPERATOR.get("/v1/channels-health", query={"minutes": minutes})) == ["minutes"]


def test_shipped_documents_pass_the_api_as_they_are() -> None:
    for file in (ROOT / "channels").glob("*.yaml"):
        document = yaml.safe_load(file.read_text("utf-8"))
        if document["institution"] not in ADDRESSES:
            document["base_url"] = ORIGIN
        assert put(document).status == 200, file
