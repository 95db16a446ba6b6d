"""Lists: limit, cursor and next (S20)."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from api.app import app
from api.openapi import operations_of
from api.routing import Operation
from api.schemas import Listed, Listing
from creditmesh.platform.paging import LOOKED_AT
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Put
from tests.support import wired
from tests.unit.api.client import Api, ask_authorization, firm_id, new_key
from tests.unit.api.test_consents import GIVEN

pytestmark = pytest.mark.usefixtures("cloud")

# Answers about one thing that hold lists of its parts.
DOCUMENTS = {
    "read_model": "a model's standing",
    "read_model_version": "a version with its tests and history",
    "compare_models": "a comparison",
    "list_features": "the catalogue of a model's features",
    "list_rules": "a model's rule book",
    "read_statistics": "figures of a period",
    "read_drift": "a day's report",
    "read_entry": "an entry with its history",
    "replay_decision": "a decision made once more",
    "read_message": "a message with its replays",
    "replay_matching": "a matching made once more",
    "read_lender": "a lender's standing with its questions",
    "read_webhook": "a webhook with its replays",
    "read_transfer": "a transfer with its lines",
    "read_failed_event": "a failed event with its replays",
}


def _holds_objects(annotation: Any) -> bool:
    inner = get_args(annotation)
    return get_origin(annotation) is list and isinstance(inner[0], type) and issubclass(inner[0], BaseModel)


def fields(model: type[BaseModel]) -> Iterable[FieldInfo]:
    return model.model_fields.values()


def _lists() -> dict[str, Operation]:
    """Every route whose answer holds a list of objects."""
    found = {}
    for operation in operations_of(app):
        answer = operation.types.get("return")
        model = isinstance(answer, type) and issubclass(answer, BaseModel)
        if operation.method == "GET" and model and any(_holds_objects(one.annotation) for one in fields(answer)):
            found[operation.view.__name__] = operation
    return found


LISTS = {name: operation for name, operation in _lists().items() if name not in DOCUMENTS}


_BOOK = {"lender_id": "lender-a", "currency": "CNY"}
REQUIRED = {
    "imports_of_source": {"source": "court"}, "list_versions": {"lender_id": "lender-a"},
    "list_accounts": _BOOK, "read_trial_balance": _BOOK,
}  # fmt: skip
"""Filters that a list cannot do without."""


def test_every_list_has_pages() -> None:
    assert len(LISTS) >= 18
    assert not set(DOCUMENTS) - {operation.view.__name__ for operation in operations_of(app)}
    for name, operation in LISTS.items():
        assert issubclass(operation.types["query"], Listing), name
        assert issubclass(operation.types["return"], Listed), name


@pytest.fixture(scope="module")
def places(cloud) -> dict[str, str]:
    """Values for the routes' placeholders."""
    operator, borrower = Api("operator", "platform"), Api("borrower")
    version = operator.get("/v1/models/origination/versions").json()["versions"][0]
    new = {"source": "court", "format": "csv"}
    begun = Api("risk_officer", "platform").post("/v1/lists/imports", new).json()
    return {
        "application_id": borrower.apply(), "model_id": "origination", "content_hash": version["content_hash"],
        "import_id": begun["import_id"], "product_id": "p-1", "account_id": "lender-a:CNY:cash", "flow_id": "tax",
    }  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_made_up_cursor_is_refused_by_name(name: str, places: dict[str, str]) -> None:
    """On every list; also what is no base64, has no key, or is another sealed field."""
    required = REQUIRED.get(name, {})
    foreign = wired.cipher().seal("[]", "Applications", "app_1", "taxpayer_id")
    path = LISTS[name].path.format(**places)
    for cursor in ("x", "AAAA", "é", "AAEAAA", "_" * 400, foreign.replace("/", "_")):
        answer = Api("auditor", "platform").get(path, query={"cursor": cursor, **required})
        assert (answer.status, [one["field"] for one in answer.json()["errors"]]) == (422, ["cursor"]), cursor


def paged(api: Api, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    """Everything of a list, page by page."""
    found, cursor, pages = [], {}, 0
    while True:
        answer = api.get(path, query={"limit": 2, **query, **cursor}).json()
        assert len(answer[name]) <= query.get("limit", 2)
        found += answer[name]
        pages += 1
        if answer["next"] is None:
            assert pages > 1, "the list is too short to tell"
            return found
        cursor = {"cursor": answer["next"]}


@pytest.fixture
def borrower() -> Api:
    """With five applications, each with a history."""
    borrower = Api("borrower")
    for number in range(5):
        borrower.apply(firm_name=f"Firm {number}", taxpayer_id=firm_id(700 + number))
    return borrower


def test_pages_join_to_the_whole_list(borrower: Api) -> None:
    application_id = borrower.get("/v1/applications").json()["applications"][0]["application_id"]
    ask_authorization(application_id)
    here = f"/v1/applications/{application_id}"
    for _ in range(2):
        assert borrower.post(f"{here}/consents", GIVEN, key=new_key()).status == 201
        assert borrower.call("DELETE", f"{here}/consents/shop").status == 204
    staff = Api("auditor", "platform")
    for number in range(3):
        wired.operators().hand_over(borrower.apply(), f"operator-{number}-{application_id}", "CollectData", "x")
    for api, path, name in (
        (borrower, "/v1/applications", "applications"),
        (staff, "/v1/applications", "applications"),
        (borrower, f"{here}/timeline", "timeline"),
        (borrower, f"{here}/consents", "consents"),
        (borrower, f"{here}/consents/history", "history"),
        (borrower, "/v1/consent-scopes", "scopes"),
        (staff, "/v1/operator-tasks", "tasks"),
    ):
        small = 1 if name == "timeline" else 2
        pages = paged(api, path, name, limit=small)
        whole: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = api.get(path, query={"limit": 100, **cursor}).json()
            whole += answer[name]
            if answer["next"] is None:
                break
            cursor = {"cursor": answer["next"]}
        assert pages == whole, path


def test_a_cursor_serves_its_own_list_view_and_filters_only(borrower: Api) -> None:
    query = {"limit": 1, "status": "received"}
    cursor = borrower.get("/v1/applications", query=query).json()["next"]
    again = {"limit": 3, "status": "received", "cursor": cursor}
    assert len(borrower.get("/v1/applications", query=again).json()["applications"]) == 3, "another limit is fine"
    for api, path, other in (
        (borrower, "/v1/applications", {"status": "closed"}),
        (borrower, "/v1/applications", {"status": "received", "text": "f"}),
        (borrower, "/v1/products", {}),
        (Api("borrower"), "/v1/applications", query),
        (Api("bank", borrower.tenant), "/v1/applications", query),
        (Api("auditor", "platform"), "/v1/applications", query),
    ):
        answer = api.get(path, query={"cursor": cursor, **other})
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "cursor"), (path, other)
    for place in (0, 3, len(cursor) // 2, len(cursor) - 2):
        altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert borrower.get("/v1/applications", query=again | {"cursor": altered}).status == 422


def test_a_cursor_of_another_application_is_refused(borrower: Api) -> None:
    one, other = (one["application_id"] for one in borrower.get("/v1/applications").json()["applications"][:2])
    found = borrower.get(f"/v1/applications/{one}/consents", query={"limit": 1}).json()["next"]
    answer = borrower.get(f"/v1/applications/{other}/consents", query={"limit": 1, "cursor": found})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "cursor")


def test_a_cursor_tells_nothing(borrower: Api) -> None:
    first = borrower.get("/v1/applications", query={"limit": 1}).json()
    cursor, shown = first["next"], first["applications"][0]
    assert cursor != borrower.get("/v1/applications", query={"limit": 1}).json()["next"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for told in (shown["application_id"], shown["created_at"], shown["firm_name"], borrower.tenant, "received"):
        assert told.encode() not in raw


def test_what_moves_between_pages_neither_comes_twice_nor_hides_others(borrower: Api) -> None:
    """The item that the first page ended with leaves its place in the index before the second page is asked for."""
    staff = Api("auditor", "platform")
    query = {"status": "received", "limit": 2}
    first = staff.get("/v1/applications", query=query).json()
    before = [one["application_id"] for one in _rest(staff, query, first["next"])]
    ask_authorization(first["applications"][-1]["application_id"])
    after = [one["application_id"] for one in _rest(staff, query, first["next"])]
    assert after == before


def _rest(api: Api, query: dict[str, Any], cursor: str | None) -> list[dict[str, Any]]:
    found = []
    while cursor:
        answer = api.get("/v1/applications", query={**query, "cursor": cursor}).json()
        found += answer["applications"]
        cursor = answer["next"]
    return found


def test_the_filters_of_applications(borrower: Api) -> None:
    """Each narrows; together they narrow further."""
    staff = Api("operator", "platform")
    mine = borrower.get("/v1/applications", query={"limit": 100}).json()["applications"]
    asked = mine[0]["application_id"]
    ask_authorization(asked)
    entered = borrower.get(f"/v1/applications/{asked}").json()["updated_at"]

    def ids(api: Api, **query: str) -> list[str]:
        answer = api.get("/v1/applications", query={"limit": 100, **query})
        assert answer.status == 200, answer.body
        return [one["application_id"] for one in answer.json()["applications"]]

    rest = [one["application_id"] for one in mine[1:]]
    assert ids(borrower, status="received,authorization_required") == [asked, *rest]
    assert ids(borrower, status="authorization_required") == [asked]
    assert ids(borrower, waiting_since="2020-01-01T00:00:00Z") == []
    assert ids(borrower, status="authorization_required", waiting_since=entered) == [asked]
    assert ids(borrower, text="firm 3") == ids(borrower, text="ＦＩＲＭ 3") != []
    assert ids(borrower, text=asked) == [asked]
    assert ids(borrower, text="irm") == []
    waiting = {"text": "FIRM", "status": "authorization_required"}
    assert asked in ids(staff, taxpayer_id=firm_id(704), **waiting)
    assert asked not in ids(staff, taxpayer_id=firm_id(703), **waiting)
    assert ids(staff, taxpayer_id=firm_id(704), status="closed") == []
    assert ids(Api("borrower"), text=asked) == [], "another tenant's is no hit"
    assert ids(Api("borrower"), taxpayer_id=firm_id(704)) == []
    assert ids(staff, lender_id="lender-none") == []
    assert ids(staff, status="received,authorization_required", waiting_since="2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "received,shrug"}, "status"),
        ({"status": ""}, "status"),
        ({"waiting_since": "yesterday"}, "waiting_since"),
        ({"taxpayer_id": "123"}, "taxpayer_id"),
        ({"text": ""}, "text"),
        ({"limit": 0}, "limit"),
        ({"cursor": "x" * 4001}, "cursor"),
    ],
)
def test_a_bad_filter_is_named(query: dict[str, Any], field: str) -> None:
    answer = Api("auditor", "platform").get("/v1/applications", query=query)
    assert (answer.status, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_a_page_reads_a_bounded_number_of_items(cloud) -> None:
    """A filter that nothing meets gives an empty page and a cursor, and the pages together have read all."""
    bank = Api("bank")
    for number in range(LOOKED_AT + 3):
        bank.apply(firm_name="Sought" if not number else f"Firm {number}", taxpayer_id=firm_id(number))
    first = bank.get("/v1/applications", query={"text": "sought"}).json()
    assert (first["applications"], first["next"] is None) == ([], False)
    second = bank.get("/v1/applications", query={"text": "sought", "cursor": first["next"]}).json()
    assert ([one["firm_name"] for one in second["applications"]], second["next"]) == (["Sought"], None)


def test_a_cursor_is_as_short_for_two_hundred_institutions_as_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several messages of each, some of them at the same instant."""
    names = [f"institution-{number:03}-{'x' * 40}" for number in range(200)]
    kept = {
        (name, f"2026-11-30T00:00:{second:02}.000Z.{number // 4:016}")
        for number, name in enumerate(names)
        for second in (number % 7, 30)
    }
    for name, received in kept:
        item = {"institution_id": name, "received": received, "received_at": received[:24], "state": "accepted"}
        wired.tables().write(Put(settings().received_webhooks_table, item, "received"))
    monkeypatch.setattr(wired.received_webhooks(), "_senders", lambda: names)
    staff, found, lengths, cursor = Api("auditor", "platform"), [], set(), {}
    while True:
        answer = staff.get("/v1/received-webhooks", query={"limit": 37, **cursor}).json()
        found += [(one["institution_id"], one["id"].partition(":")[2]) for one in answer["webhooks"]]
        if answer["next"] is None:
            break
        lengths.add(len(answer["next"]))
        cursor = {"cursor": answer["next"]}
    assert max(lengths) < 350
    assert found == sorted(kept, key=lambda one: (one[1], one[0]), reverse=True)
