"""Collection for an application: its plan's channels, what becomes of it, key data (C03, C07-C10, C12)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES
from creditmesh.features.cleaning import date_of
from creditmesh.features.table import features_of
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.gateway.model import AnswersPending, KeyDataDocument, SourceUnavailable
from creditmesh.intake import collecting as intake_collecting
from creditmesh.intake.model import ApplicationClosed, Outcome
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.http import Answer, InstitutionUnavailable
from creditmesh.platform.tables import Update
from institutions.registry_figures import registry_data
from tests.support import wired
from tests.support.fakes import Call
from tests.support.world import BUREAU, CODE, FIRM, KEYS, REGISTRY, TAX, World

TAX_DATA, COMPANY = f"{TAX}/api/v1/taxpayer-data", f"{REGISTRY}/api/v1/companies/"


@pytest.fixture
def ready(world: World) -> World:
    """Received and authorised; both sources answer."""
    world.authorize()
    world.sources_answer()
    assert world.application_id
    return world


def key_data(world: World) -> KeyDataDocument:
    return wired.key_data().get(world.application().key_data_key or "")


def asked_for(world: World, reason: str) -> bool:
    with pytest.raises(AuthorizationRequired) as raised:
        world.collect()
    return (raised.value.message, raised.value.scope) == (reason, "tax")


def unavailable(world: World) -> str:
    with pytest.raises(SourceUnavailable) as raised:
        world.collect()
    return raised.value.message


def test_the_sources_are_asked_with_what_opens_them(ready: World) -> None:
    assert ready.collect() == f"key-data/{ready.application_id}.json"
    (tax,), (registry,) = ready.http.to(TAX), ready.http.to(REGISTRY)
    assert tax.json() == {"taxpayer_id": FIRM.taxpayer_id, "authorization_code": CODE}
    assert tax.headers["x-api-key"] == KEYS["tax-bureau"]["api_key"]
    assert registry.url == COMPANY + FIRM.taxpayer_id
    assert ready.application().status == "collected"


def test_raw_answers_are_kept_as_received_and_every_feature_leads_back_to_one(ready: World) -> None:
    ready.collect()
    document = key_data(ready)
    assert [(one.source, one.channel, one.outcome) for one in document.sources] == [
        ("tax", "tax-bureau", "complete"), ("registry", "company-registry", "complete"),
    ]  # fmt: skip
    for source in document.sources:
        (raw_key,) = source.raw_keys
        raw = wired.data().get(raw_key)
        assert hashlib.sha256(raw).hexdigest() == source.sha256
        assert json.loads(raw)["currency"] == "CNY"
    assert document.features["requested_amount_minor"] == 10_000_000
    assert document.features["blacklist_hits"] == 0
    kinds = {one.source for one in document.sources}
    for name, value in document.features.items():
        origins = {origin["source"] for origin in document.lineage[name]}
        assert value is None or origins & (kinds | {"application", "screening"}), name
    assert features_of(json.loads(json.dumps(document.row))) == document.features


def test_collecting_twice_asks_once(ready: World) -> None:
    assert ready.collect() == ready.collect()
    assert len(ready.http.calls) == 2
    assert [entry.status for entry in ready.application().timeline] == ["received", "collected"]


def test_a_scan_looks_at_the_firm_of_a_closed_application_anew(ready: World) -> None:
    """Into key data of its own, under the consent for monitoring, and without a change of the application."""
    ready.collect()
    ready.end(Outcome.WITHDRAWN)
    before, first = ready.application(), key_data(ready)
    ready.clock.advance(100 * 86400)
    document = wired.key_data().get(ready.collect("scan-1"))
    assert len(ready.http.calls) == 4
    assert document.application_id == f"{ready.application_id}.scan-1"
    assert document.as_of > first.as_of
    assert (ready.application(), key_data(ready)) == (before, first)
    assert [use.purpose for use in wired.authorizations().uses(FIRM.taxpayer_id, tenant="firm-1")] == [
        "loan_monitoring", "loan_assessment",
    ]  # fmt: skip


def test_a_scan_twice_asks_once(ready: World) -> None:
    assert ready.collect("scan-1") == ready.collect("scan-1")
    assert len(ready.http.calls) == 2
    assert ready.application().key_data_key is None


@pytest.mark.parametrize("scan_id", ["", "a/b", "a" * 65, "-a"])
def test_a_scan_has_a_plain_name(ready: World, scan_id: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ready.collect(scan_id)
    assert refused.value.field == "scan_id"
    assert ready.http.calls == []


def test_where_it_is_known_that_the_firm_must_be_asked_it_is_asked_first_and_once(ready: World) -> None:
    collecting = wired.collecting()
    with pytest.raises(AuthorizationRequired, match="none_stored"):
        collecting.collect(ready.application_id, problem="none_stored")
    assert ready.http.calls == []
    wired.intake().await_authorization(ready.application_id, "t-1", "none_stored", 3)
    collecting.collect(ready.application_id, problem="none_stored")
    assert ready.application().status == "collected"


def test_another_application_of_the_firm_takes_the_cached_answers(ready: World) -> None:
    ready.collect()
    ready.__dict__["application_id"] = ready.apply("key-00000002").application_id
    ready.collect()
    assert len(ready.http.calls) == 2
    assert all(one.cached for one in key_data(ready).sources)


def test_what_an_older_version_read_is_read_anew_and_still_leads_back(ready: World) -> None:
    ready.collect()
    first, table = key_data(ready), ready.stack.refs["ChannelCalls"]
    for item in ready.stack.raw_items("ChannelCalls"):
        older = Update(table, {"call_key": item["call_key"]["S"]}, set={"channel_version": 0, "outcome": "incomplete"})
        wired.tables().write(older)
    ready.__dict__["application_id"] = ready.apply("key-00000002").application_id
    ready.collect()
    again = key_data(ready)
    assert again.features == first.features
    assert [(one.channel_version, one.outcome, one.cached) for one in again.sources] == [(1, "complete", True)] * 2
    assert [one.raw_keys for one in again.sources] == [one.raw_keys for one in first.sources]
    assert [one.sha256 for one in again.sources] == [one.sha256 for one in first.sources]
    assert len(ready.http.calls) == 2


def test_blacklist_hits_become_key_data(ready: World) -> None:
    ready.blacklist()
    ready.collect()
    assert key_data(ready).features["blacklist_hits"] == 1


def test_what_the_lists_gave_is_kept_with_the_key_data(ready: World) -> None:
    """The firm by number and name, and as the registry has it: figures for the model, hits to explain them by."""
    registered = registry_data(FIRM, ready.clock.now().date())["registration"]
    ready.blacklist(kind="name", taxpayer_id=FIRM.name.replace("有限公司", "部有限公司"), reason_code="near")
    ready.blacklist(kind="address", taxpayer_id=registered["address"], list_name="grey", reason_code="seat")
    ready.collect()
    document = key_data(ready)
    lists = {name: document.features[name] for name in (
        "blacklist_hits", "greylist_hits", "whitelist_hits", "blacklist_name_score_bps", "greylist_name_score_bps"
    )}  # fmt: skip
    assert document.screening is not None
    assert lists == document.screening["features"]
    assert (lists["blacklist_hits"], lists["greylist_hits"], lists["whitelist_hits"]) == (0, 1, 0)
    assert lists["blacklist_name_score_bps"] >= 9_000
    assert {(hit["list_name"], hit["reason_code"]) for hit in document.screening["hits"]} == {
        ("black", "near"), ("grey", "seat"),
    }  # fmt: skip
    assert document.screening["change_number"] == 2
    stored = json.dumps(document.screening, ensure_ascii=False)
    assert FIRM.name[:4] not in stored
    assert registered["address"] not in stored


@pytest.mark.parametrize("registry", [{"registration": None}, {"registration": {"name": 7, "address": ["x"]}}, {}])
def test_a_registry_that_tells_no_name_or_address_is_none_to_look_up(ready: World, registry: Any) -> None:
    found = intake_collecting._listed(ready.application(), {"registry": registry})
    assert [one.kind for one in found] == ["taxpayer_id", "name"]


def test_without_an_authorisation_no_source_is_asked(world: World) -> None:
    assert world.application_id
    assert asked_for(world, "none_stored")
    assert world.http.calls == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "code_unknown"), (403, "code_expired"), (403, "code_revoked"), (403, "taxpayer_mismatch"), (404, "no_data")],
)
def test_a_refused_code_is_marked_and_another_is_asked_for(ready: World, status: int, reason: str) -> None:
    ready.http.answer("POST", TAX_DATA, status, {"error": reason})
    assert asked_for(ready, reason)
    ready.sources_answer()
    ready.http.calls.clear()
    assert asked_for(ready, reason)
    assert ready.http.calls == []
    ready.clock.advance(1)
    ready.authorize("code-brought-later-0002")
    ready.collect()
    assert ready.http.to(TAX)[0].json()["authorization_code"] == "code-brought-later-0002"
    assert ready.http.to(REGISTRY) == [], "its answer was cached"


STRANGE = [
    (401, {"error": "invalid_api_key"}),
    (403, {"error": "something new"}),
    (403, ["no object"]),
    (400, None),
    (302, None),
]


@pytest.mark.parametrize(("status", "document"), STRANGE)
def test_any_other_answer_of_the_bureau_says_nothing_of_the_code(ready: World, status: int, document: Any) -> None:
    ready.http.answer("POST", TAX_DATA, status, document)
    found = unavailable(ready)
    assert found == f"tax-bureau: unavailable: answered {status}"
    assert wired.authorizations().problem(FIRM.taxpayer_id, tenant=ready.application().tenant) is None
    ready.sources_answer()
    ready.collect()


@pytest.mark.parametrize(("method", "url"), [("POST", TAX_DATA), ("GET", COMPANY)])
def test_a_silent_source_is_unavailable_and_collection_can_be_tried_again(ready: World, method: str, url: str) -> None:
    ready.http.fail(method, url, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    unavailable(ready)
    assert ready.application().status == "received"
    ready.sources_answer()
    ready.collect()
    assert ready.application().status == "collected"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"\xff", b'{"basics": 7}'])
def test_garbage_is_kept_and_the_source_counts_as_unavailable(ready: World, body: bytes) -> None:
    ready.http.routes["POST", TAX_DATA] = lambda _: Answer(200, body)
    unavailable(ready)
    kept = f"raw/{ready.application_id}/tax-bureau-v1-{hashlib.sha256(body).hexdigest()[:16]}.json"
    assert wired.data().get(kept) == body
    ready.sources_answer()
    ready.collect()


def test_a_firm_the_registry_does_not_know(ready: World) -> None:
    ready.http.answer("GET", COMPANY, 404, {"error": "no_such_company"})
    assert unavailable(ready) == "company-registry: no_data: no_such_company"


def test_for_a_closed_application_nothing_is_collected(ready: World) -> None:
    ready.end(Outcome.WITHDRAWN)
    with pytest.raises(ApplicationClosed):
        ready.collect()
    assert ready.http.calls == []


def test_withdrawn_while_it_was_collected(ready: World) -> None:
    answer = ready.http.routes["GET", COMPANY]

    def withdraw(call: Call) -> Answer:
        ready.end(Outcome.WITHDRAWN)
        return answer(call)

    ready.http.routes["GET", COMPANY] = withdraw
    with pytest.raises(ApplicationClosed):
        ready.collect()
    assert (ready.application().outcome, ready.application().key_data_key) == ("withdrawn", None)


def test_a_late_answer_is_waited_for_and_what_came_meanwhile_is_not_asked_again(ready: World) -> None:
    """The second run, with the last word, finds what the first has asked, and counts none of it as cached."""
    plan(ready, "tax-bureau", "company-registry", "credit-bureau")
    late = enquiry(ready)
    with pytest.raises(AnswersPending) as raised:
        ready.collect()
    said = json.loads(raised.value.message)
    callback = wired.channels().channel("credit-bureau").channel.callback
    seconds = callback.seconds if callback else 0
    assert (len(said["numbers"]), said["wait_seconds"]) == (1, seconds)
    asked = len(ready.http.calls)
    with pytest.raises(AnswersPending, match=said["numbers"][0]):
        ready.collect()
    wired.waits().wait(ready.application_id, "answers", "t-1", said["numbers"])
    late()
    assert ready.steps.succeeded == {"t-1": {}}
    ready.collect(last_word=True)
    assert len(ready.http.calls) == asked
    assert [(one.source, one.outcome, one.cached) for one in key_data(ready).sources] == [
        ("tax", "complete", False), ("registry", "complete", False), ("credit_bureau", "complete", False),
    ]  # fmt: skip


def test_without_its_late_answer_an_optional_channel_counts_as_unavailable(ready: World) -> None:
    plan(ready, "tax-bureau", "company-registry", "credit-bureau")
    enquiry(ready)
    with pytest.raises(AnswersPending):
        ready.collect()
    ready.collect(last_word=True)
    assert [(one.outcome, one.reason) for one in key_data(ready).sources if one.source == "credit_bureau"] == [
        ("unavailable", "no_answer_in_time")
    ]


def test_what_only_the_borrower_or_a_source_can_mend_comes_before_late_answers(ready: World) -> None:
    plan(ready, "tax-bureau", "company-registry", "credit-bureau")
    enquiry(ready)
    ready.http.answer("GET", COMPANY, 503)
    assert unavailable(ready).startswith("company-registry")
    ready.http.answer("POST", TAX_DATA, 403, {"error": "code_revoked"})
    ready.clock.advance(100 * 86400)
    assert asked_for(ready, "code_revoked")


def plan(world: World, *channels: str) -> None:
    """Ask these channels; the first two are required."""
    document = {
        "plan_id": "standard",
        "channels": [{"channel_id": one, "required": one in channels[:2]} for one in channels],
    }
    wired.channels().put_plan(CollectionPlan.model_validate(document), "operator-1", None)


def enquiry(world: World) -> Callable[[], None]:
    """Let the credit bureau take enquiries; what delivers its late answer."""
    consent = SCOPES["credit_bureau"]
    wired.authorizations().consent(
        FIRM.taxpayer_id, consent.name, "borrower:user-1", tenant="firm-1", text_version=consent.text_version,
        language="en", valid_days=90,
    )  # fmt: skip
    world.http.answer("POST", BUREAU, 202, {"enquiry_id": "e-1"})

    def answer() -> None:
        (record,) = (one for one in world.items("ChannelCalls") if one["channel_id"] == "credit-bureau")
        report = {"subject": {"id": FIRM.taxpayer_id}, "credit": {"facilities": []}, "searches": [], "currency": "CNY"}
        body = {"type": "credit.report.ready", "data": {"request_id": record["request_id"], "report": report}}
        channels = wired.channels().of_institution("credit-bureau")
        assert wired.late_answers().receive(channels, "credit.report.ready", json.dumps(body).encode())

    return answer


def test_what_a_collection_asks_of_aws(ready: World) -> None:
    """Calls are most of a function's time. A change that needs more raises the figures here and says why."""
    wired.channels().plan("standard")
    wired.channels().all()
    wired.directory().get("tax-bureau")
    asked = Counter[str]()

    def count(model: Any, **_: Any) -> None:
        asked[model.name] += 1

    # What a process asks once, such as documents, addresses and secrets, is not counted.
    events = [ready.stack.clients[name].meta.events for name in ("dynamodb", "s3")]
    assert ready.application_id
    for one in events:
        one.register("before-parameter-build", count)
    ready.collect()
    for one in events:
        one.unregister("before-parameter-build", count)
    assert len(ready.http.calls) == 2
    assert asked == {
        "GetItem": 2,  # the application; whether the consent still stands once the answer is there
        "Query": 2,  # the firm's rights; what is new in the lists
        "BatchGetItem": 1,  # breakers
        "PutItem": 2,  # claims, taken before anything else
        "UpdateItem": 4,  # answers; counts; the application
        "TransactWriteItems": 1,  # the use of the consent
        "PutObject": 5,  # raw answer and third information of each; key data
    }


def test_counts_of_all_channels_are_one_write_even_where_the_collection_fails(ready: World) -> None:
    ready.http.answer("GET", COMPANY, 503)
    unavailable(ready)
    (item,) = (one for one in ready.items("ChannelStates") if one["slot"].startswith("health#"))
    assert (item["tax-bureau.outcome_complete"], item["company-registry.outcome_unavailable"]) == (1, 1)


@pytest.mark.parametrize(("zone", "day"), [("UTC", "2015-03-21"), ("Asia/Shanghai", "2015-03-22")])
def test_an_instant_is_a_day_of_the_installations_zone(ready: World, zone: str, day: str) -> None:
    """X2."""
    ready.clock.zone = ZoneInfo(zone)
    registry = registry_data(FIRM, ready.clock.today())
    registry["registration"]["established_on"] = "2015-03-21T16:00:00.000Z"
    ready.http.answer("GET", COMPANY, 200, registry)
    ready.collect()
    row = key_data(ready).row
    assert date_of(row["registration"]["established_on"]).isoformat() == day
