"""The routes of the lists (M04, M05)."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from api.list_schemas import masked
from creditmesh.screening.import_model import ImportState
from tests.support import wired
from tests.unit.api.client import Api, firm_id, new_key

pytestmark = pytest.mark.usefixtures("cloud")


@dataclass(frozen=True)
class Person(Api):
    """A caller of another name."""

    subject: str = "u-2"

    def call(self, *given, **more):
        return super().call(*given, subject=self.subject, **more)


OFFICER = Api("risk_officer", "platform")
MANAGER = Person("manager", "platform")
ENTRIES, SCREENINGS, IMPORTS = "/v1/lists/entries", "/v1/lists/screenings", "/v1/lists/imports"


def given(number: int, **changed):
    usual = {"list_name": "black", "kind": "taxpayer_id", "value": firm_id(number), "source": "court",
             "reason_code": "debt", "text": "2026-17"}  # fmt: skip
    return usual | changed


def features(*subjects):
    body = {"subjects": [{"kind": kind, "value": value} for kind, value in subjects]}
    answer = OFFICER.post(SCREENINGS, body)
    assert answer.status == 200, answer.body
    return answer.json()["features"]


def test_entering_looking_up_and_reading_an_entry():
    answer = OFFICER.post(ENTRIES, given(700))
    assert answer.status == 201, answer.body
    entry = answer.json()
    assert (entry["state"], entry["origin"], entry["added_by"], entry["version"]) == ("active", "entered", "u-1", 1)
    assert entry["masked_value"] == f"{firm_id(700)[:4]}••••••••••{firm_id(700)[-4:]}"
    screened = Api("auditor", "platform").post(
        SCREENINGS, {"subjects": [{"kind": "taxpayer_id", "value": firm_id(700)}]}
    )
    assert [hit["entry_id"] for hit in screened.json()["hits"]] == [entry["entry_id"]]
    read = Api("auditor", "platform").get(f"{ENTRIES}/{entry['entry_id']}")
    assert (read.status, read.json()) == (200, entry)
    for body in (answer.body, screened.body, read.body):
        assert firm_id(700) not in body


def test_the_same_request_once():
    key = new_key()
    first, again = (OFFICER.post(ENTRIES, given(701), key=key) for _ in range(2))
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert OFFICER.post(ENTRIES, given(702), key=key).json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"list_name": "pink"}, "list_name"),
        ({"kind": "ship"}, "kind"),
        ({"value": "91"}, "value"),
        ({"reason_code": ""}, "reason_code"),
        ({"valid_until": "2030-01-01"}, "valid_until"),
        ({"valid_from": "2030-01-01T00:00:00Z", "valid_until": "2029-01-01T00:00:00Z"}, "valid_until"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_entry_is_named(changed, field):
    answer = OFFICER.post(ENTRIES, given(703, **changed))
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


def test_a_removal_takes_two_persons():
    entry_id = OFFICER.post(ENTRIES, given(704)).json()["entry_id"]
    removal = f"{ENTRIES}/{entry_id}/removal"
    proposed = OFFICER.post(removal, {"note": "another firm"})
    assert (proposed.status, proposed.json()["state"], proposed.json()["proposed_by"]) == (
        200,
        "removal_proposed",
        "u-1",
    )
    waiting = MANAGER.get("/v1/lists/removals").json()["entries"]
    assert entry_id in [one["entry_id"] for one in waiting]
    alone = OFFICER.post(f"{removal}/decision", {"action": "confirm", "note": "me again"})
    assert (alone.status, alone.json()["code"]) == (403, "four_eyes")
    assert features(("taxpayer_id", firm_id(704)))["blacklist_hits"] == 1
    removed = MANAGER.post(f"{removal}/decision", {"action": "confirm", "note": "indeed"})
    assert (removed.status, removed.json()["state"]) == (200, "removed")
    assert [(one["act"], one["by"]) for one in removed.json()["history"]] == [
        ("entered", "u-1"), ("removal_proposed", "u-1"), ("removed", "u-2"),
    ]  # fmt: skip
    assert features(("taxpayer_id", firm_id(704)))["blacklist_hits"] == 0
    again = MANAGER.post(f"{removal}/decision", {"action": "refuse", "note": "late"})
    assert (again.status, again.json()["code"]) == (409, "entry_state")
    changes = Api("auditor", "platform").get("/v1/lists/changes", query={"limit": 3}).json()["changes"]
    assert [one["act"] for one in changes] == ["removed", "removal_proposed", "entered"]
    assert {one["entry_id"] for one in changes} == {entry_id}


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("manager", "POST", ENTRIES),
        ("borrower", "POST", SCREENINGS),
        ("lender", "GET", f"{ENTRIES}/x"),
        ("auditor", "POST", f"{ENTRIES}/x/removal"),
        ("auditor", "POST", f"{ENTRIES}/x/removal/decision"),
        ("bank", "GET", "/v1/lists/removals"),
        ("borrower", "GET", "/v1/lists/changes"),
        ("manager", "POST", IMPORTS),
        ("manager", "POST", f"{IMPORTS}/x/run"),
        ("lender", "GET", f"{IMPORTS}/x"),
    ],
)
def test_a_role_that_may_not_is_told_so(role, method, path):
    answer = Api(role).call(method, path, {} if method == "POST" else None)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


def test_what_is_not_there():
    assert OFFICER.get(f"{ENTRIES}/none").status == 404
    assert OFFICER.post(f"{ENTRIES}/none/removal", {"note": "none"}).status == 404
    assert OFFICER.get(f"{IMPORTS}/none").status == 404
    assert OFFICER.post(f"{IMPORTS}/none/run", {}).status == 404
    assert OFFICER.get(f"{IMPORTS}/none/rejected").status == 404


def test_an_upload_is_imported():
    body = {"source": "third-party", "format": "csv", "list_name": "grey"}
    begun = OFFICER.post(IMPORTS, body)
    assert begun.status == 202, begun.body
    one = begun.json()
    assert one["state"] == "awaiting_file"
    assert f"/lists/incoming/uploads/{one['import_id']}?" in one["upload_url"]
    early = OFFICER.post(f"{IMPORTS}/{one['import_id']}/run", {})
    assert (early.status, early.json()["errors"][0]["field"]) == (422, "object_key")
    key = f"lists/incoming/uploads/{one['import_id']}"
    text = f"kind,value,reason_code\ntaxpayer_id,{firm_id(705)},debt\nphone,none,debt\n" + "phone,13800138000,x\n" * 98
    wired.data().put(key, text.encode(), "text/csv")
    running = OFFICER.post(f"{IMPORTS}/{one['import_id']}/run", {})
    assert (running.status, running.json()["state"], running.json()["upload_url"]) == (202, "reading", None)
    assert wired.list_imports().read_part(one["import_id"]).state is ImportState.READ
    wired.list_imports().publish(one["import_id"])
    told = OFFICER.get(f"{IMPORTS}/{one['import_id']}").json()
    assert (told["state"], told["accepted"], told["rejected"], told["entries"]) == ("published", 99, 1, 2)
    assert OFFICER.get(f"{IMPORTS}/{one['import_id']}/rejected").json() == {
        "rejected": [{"line": 3, "field": "value", "rule": "no_phone"}],
        "next": None,
    }
    listed = OFFICER.get(IMPORTS, query={"source": "third-party"}).json()["imports"]
    assert [found["import_id"] for found in listed] == [one["import_id"]]
    assert features(("taxpayer_id", firm_id(705)))["greylist_hits"] == 1
    ended = OFFICER.post(f"{IMPORTS}/{one['import_id']}/run", {})
    assert (ended.status, ended.json()["code"]) == (409, "import_state")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"object_key": "reports/x.json"}, "object_key"),
        ({"object_key": "lists/incoming/none.csv"}, "object_key"),
        ({"format": "xlsx"}, "format"),
        ({"source": "The Court"}, "source"),
        ({"encoding": "latin-1"}, "encoding"),
        ({"max_rejected_bps": 10_001}, "max_rejected_bps"),
    ],
)
def test_a_bad_import_is_named(changed, field):
    answer = OFFICER.post(IMPORTS, {"source": "court", "format": "csv"} | changed)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


def test_too_many_subjects_are_refused():
    subjects = [{"kind": "phone", "value": "13800138000"}] * 51
    answer = OFFICER.post(SCREENINGS, {"subjects": subjects})
    assert (answer.status, json.loads(answer.body)["errors"][0]["field"]) == (422, "subjects")


@pytest.mark.parametrize(("value", "shown"), [("", ""), ("abc", "•••"), ("abcdefgh", "ab••••gh"), ("x" * 40, "xxxx" + "•" * 32 + "xxxx")])  # fmt: skip  # noqa: E501
def test_a_masked_value_shows_its_ends_and_its_length(value, shown):
    assert masked(value) == shown
