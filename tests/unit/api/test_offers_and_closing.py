"""Catalogue, choice, contract and signature (C17-C22)."""

from __future__ import annotations

import hashlib

import pytest

from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.platform.bootstrap import platform
from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import DOCUMENT, Api, new_key, offer, product_terms, submit

pytestmark = pytest.mark.usefixtures("cloud")

SHA256 = hashlib.sha256(DOCUMENT.encode()).hexdigest()
CHOICE = {"lender_id": "lender-a", "product_id": "season"}
FIXED = {"type": "fixed", "annual_rate_bps": 480}
SIGNATURE = {"document_sha256": SHA256, "signer_name": "Li Example", "consent": True}


def _contract_ready(application_id: str) -> None:
    receive = wired.lender_answers().receive
    approval = {
        "application_id": application_id, "decision": "approved", "lender_reference": "L-1",
        "approved_amount": "300000.00", "currency": "CNY", "annual_rate_bps": 540, "term_months": 12,
    }  # fmt: skip
    contract = {"application_id": application_id, "contract_id": "C-1", "document": DOCUMENT, "document_sha256": SHA256}
    for kind, data in {"loan.decision": approval, "loan.contract.ready": contract}.items():
        receive("lender-a", f"{kind}.{application_id}", LENDER_MESSAGE.validate_python({"type": kind, "data": data}))


def test_a_lender_pushes_replaces_and_takes_back_a_product():
    lender = Api("lender", "lender-c")
    pushed = lender.put("/v1/products/p-1", product_terms())
    assert pushed.status == 200
    assert (pushed.json()["lender_id"], pushed.json()["pushed_by"]) == (lender.tenant, "u-1")
    assert "u-1" not in Api("borrower").get("/v1/products").body
    assert lender.put("/v1/products/p-1", product_terms(price=FIXED)).status == 200
    mine = [one for one in Api("borrower").get("/v1/products").json()["products"] if one["lender_id"] == lender.tenant]
    assert [(one["version"], one["price"]) for one in mine] == [(2, FIXED)]
    versions = lender.get("/v1/products/p-1/versions").json()["products"]
    assert [(one["version"], one["price"]["annual_rate_bps"]) for one in versions] == [(2, 480), (1, 540)]
    staff = Api("auditor", "platform")
    read = staff.get("/v1/products/p-1/versions", query={"lender_id": lender.tenant}).json()["products"]
    assert [one["version"] for one in read] == [2, 1]
    assert staff.get("/v1/products/p-1/versions").json()["errors"][0]["field"] == "lender_id"
    gone = lender.call("DELETE", "/v1/products/p-1")
    assert (gone.status, gone.body, "content-type" in gone.headers) == (204, "", False)
    left = Api("borrower").get("/v1/products").json()["products"]
    assert lender.tenant not in [one["lender_id"] for one in left]


def test_a_lender_touches_its_own_products_only():
    lender, rival = Api("lender", "lender-c"), Api("lender", "lender-d")
    lender.put("/v1/products/p-1", product_terms())
    assert rival.call("DELETE", "/v1/products/p-1").status == 204
    assert [one["product_id"] for one in lender.get("/v1/products").json()["products"]] == ["p-1"]
    assert rival.put("/v1/products/p-1", product_terms(name="Another's", price=FIXED)).status == 200
    (mine,) = lender.get("/v1/products").json()["products"]
    assert (mine["name"], mine["price"]["annual_rate_bps"]) == ("Season credit", 540)
    for each in (lender, rival):
        each.call("DELETE", "/v1/products/p-1")


def test_two_persons_give_a_lender_its_grade():
    officer, path = Api("risk_officer"), "/v1/lenders/lender-b/grade"
    grade = {"grade": "B", "note": "yearly review"}
    assert officer.post(path, grade, subject="ann").status == 202
    assert officer.post(path, {**grade, "grade": "A"}, subject="ben").json()["code"] == "grade_proposed"
    confirm = {"action": "confirm"}
    assert officer.post(f"{path}/decision", confirm, subject="ann").json()["code"] == "four_eyes"
    assert officer.post(f"{path}/decision", confirm, subject="ben").json()["grade"] == "B"
    assert officer.post(f"{path}/decision", {"action": "refuse"}, subject="ben").json()["code"] == "not_proposed"
    assert officer.post("/v1/lenders/nobody/grade", grade).status == 404
    assert officer.post(path, {**grade, "grade": "F"}).json()["errors"][0]["field"] == "grade"
    assert officer.post(path, {**grade, "since": "2020-01-01"}).json()["errors"][0]["code"] == "too_small"
    (mine,) = Api("lender", "lender-b").get("/v1/lenders").json()["lenders"]
    assert set(mine) == {"lender_id", "name", "grade", "since"}
    known = Api("borrower").get("/v1/lenders").json()["lenders"]
    assert {"lender_id": "lender-b", "name": mine["name"], "grade": "B"} in known
    seen = {one["lender_id"]: one for one in Api("auditor").get("/v1/lenders").json()["lenders"]}
    assert [one["decided_by"] for one in seen["lender-b"]["history"]] == ["ben"]
    assert Api("operator").post(path, grade).status == 403


def test_a_second_person_of_the_lender_approves_a_version(monkeypatch):
    book = {
        name: one.model_copy(update={"products_need_approval": True})
        for name, one in platform().addresses.all().items()
    }
    monkeypatch.setattr(platform().addresses, "all", lambda: book)
    lender, version = Api("lender", "lender-b"), "/v1/products/careful/versions/1"
    assert lender.put("/v1/products/careful", product_terms(), subject="ann").json()["state"] == "proposed"
    assert "careful" not in Api("borrower").get("/v1/products").body
    waiting = {"query": {"state": "proposed"}}
    (found,) = lender.get("/v1/products", **waiting).json()["products"]
    assert (found["product_id"], found["pushed_by"]) == ("careful", "ann")
    assert [Api(role).get("/v1/products", **waiting).json()["products"] for role in ("borrower", "bank")] == [[], []]
    refused = lender.post(f"{version}/approval", {}, subject="ann")
    assert (refused.status, refused.json()["code"]) == (403, "four_eyes")
    for path in ("/v1/products/careful/versions/2", "/v1/products/careful/versions/x", "/v1/products/none/versions/1"):
        assert lender.post(f"{path}/approval", {}, subject="ben").status == 404
    approved = lender.post(f"{version}/approval", {"note": "seen"}, subject="ben").json()
    assert (approved["state"], approved["decision"]["by"]) == ("released", "ben")
    late = lender.post(f"{version}/rejection", {"reason": "too late"}, subject="ben")
    assert (late.status, late.json()["code"]) == (409, "not_proposed")
    assert '"ben"' not in Api("borrower").get("/v1/products").body
    assert lender.call("DELETE", "/v1/products/careful").status == 204


@pytest.mark.parametrize("tenant", ["tax", "registry", "lender-z", "Lender-A", "lender-a.", "platform"])
def test_only_a_lender_of_the_directory_has_products(tenant):
    answer = Api("lender", tenant).put("/v1/products/p-1", product_terms())
    assert (answer.status, answer.json()["code"]) == (403, "not_a_lender")
    assert "directory" in answer.json()["detail"]
    assert Api("lender", tenant).get("/v1/products").json()["products"] == []
    assert tenant not in [one["lender_id"] for one in Api("borrower").get("/v1/products").json()["products"]]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"min_amount": "abc"}, "min_amount"),
        ({"max_amount": -5}, "max_amount"),
        ({"currency": "GBP"}, "currency"),
        ({"min_amount": "3000000.00"}, "min_amount"),
        ({"min_term_months": 40}, "min_term_months"),
        ({"price": {"type": "fixed", "annual_rate_bps": 3601}}, "price.annual_rate_bps"),
        ({"price": {"type": "auction"}}, "price.type"),
        ({"fees": [{"code": "entry", "charged": "deducted", "share_bps": 1}]}, "fees"),
        ({"eligibility": [{"code": "any", "when": {"var": "x"}, "text": "xx"}]}, "eligibility.0.when"),
        ({"min_grade": "F"}, "min_grade"),
        ({"valid_until": "2000-01-01"}, "valid_until"),
        ({"valid_until": "someday"}, "valid_until"),
        ({"lender_id": "another"}, "lender_id"),
    ],
)
def test_bad_terms_are_named(changed, field):
    answer = Api("lender", "lender-c").put("/v1/products/p-1", product_terms(**changed))
    assert (answer.status, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_matches_and_choice(answers):
    borrower = Api("borrower")
    application_id = borrower.apply()
    path = f"/v1/applications/{application_id}"
    assert borrower.get(f"{path}/matches").json() == {"matches": [], "nearest": None, "next": None}
    token = offer(application_id)
    matches = borrower.get(f"{path}/matches").json()
    assert CHOICE in [{name: one[name] for name in CHOICE} for one in matches["matches"]]
    assert borrower.get(path).json()["awaits"] == "choice"
    wrong = borrower.post(f"{path}/choice", CHOICE | {"product_id": "none"})
    assert (wrong.status, wrong.json()["errors"][0]["field"]) == (422, "product_id")
    chosen = borrower.post(f"{path}/choice", CHOICE)
    assert (chosen.status, chosen.json()["status"]) == (202, "chosen")
    agreed = chosen.json()["chosen"]
    assert CHOICE.items() <= agreed.items()
    assert (agreed["amount"], agreed["term_months"], agreed["annual_rate_bps"]) == ("300000.00", 12, 540)
    assert agreed["cost"] == matches["matches"][0]["cost"]
    assert answers.of(token) == ["SendTaskSuccess"]
    assert borrower.post(f"{path}/choice", CHOICE).status == 202
    other = borrower.post(f"{path}/choice", CHOICE | {"lender_id": "lender-b"})
    assert (other.status, other.json()["code"]) == (409, "not_awaited")


def test_choosing_once_more_tells_how_things_stand_and_keeps_no_record():
    """With a key as without: the use case meets its own first result."""
    borrower, key = Api("borrower"), new_key()
    application_id = borrower.apply()
    offer(application_id)
    path = f"/v1/applications/{application_id}/choice"
    first = borrower.post(path, CHOICE, key=key).json()
    assert first["status"] == "chosen"
    wired.closings().submit(application_id, "t")
    again = borrower.post(path, CHOICE, key=key)
    assert (again.status, again.json()["status"], again.json()["chosen"]) == (202, "submitted", first["chosen"])
    other = borrower.post(path, {**CHOICE, "product_id": "none"}, key=key)
    assert (other.status, other.json()["code"]) == (409, "not_awaited")
    assert wired.client("dynamodb").scan(TableName=table_name("Idempotency"), Select="COUNT")["Count"] == 0


def test_a_lender_sees_an_application_once_it_was_given_to_it():
    borrower, lender = Api("borrower"), Api("lender", "lender-a")
    application_id = borrower.apply()
    path = f"/v1/applications/{application_id}"
    offer(application_id)
    borrower.post(f"{path}/choice", CHOICE)
    assert lender.get(path).status == 404
    wired.closings().submit(application_id, "t")
    assert lender.get(path).status == 200
    assert application_id in [one["application_id"] for one in lender.get("/v1/applications").json()["applications"]]
    assert Api("lender", "lender-b").get(path).status == 404


def test_reading_and_signing_the_contract(answers):
    borrower = Api("borrower")
    application_id = submit(borrower)
    path = f"/v1/applications/{application_id}"
    assert borrower.get(f"{path}/contract").status == 404
    assert borrower.post(f"{path}/signature", SIGNATURE).json()["code"] == "not_awaited"
    _contract_ready(application_id)
    wired.signatures().await_signature(application_id, f"signature-{application_id}")
    assert borrower.get(path).json()["awaits"] == "signature"
    contract = {"contract_id": "C-1", "document": DOCUMENT, "document_sha256": SHA256, "signed_at": None}
    assert borrower.get(f"{path}/contract").json() == contract
    signed = borrower.post(f"{path}/signature", SIGNATURE)
    assert (signed.status, signed.json()["status"]) == (202, "signed")
    assert answers.of(f"signature-{application_id}") == ["SendTaskSuccess"]
    assert borrower.post(f"{path}/signature", SIGNATURE).status == 202
    read = borrower.get(f"{path}/contract").json()
    assert read["signed_at"]
    assert read | {"signed_at": None} == contract


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"document_sha256": "0" * 64}, "document_sha256"),
        ({"document_sha256": SHA256.upper()}, "document_sha256"),
        ({"consent": False}, "consent"),
        ({"consent": "true"}, "consent"),
        ({"consent": 1}, "consent"),
        ({"signer_name": " "}, "signer_name"),
    ],
)
def test_nothing_but_full_consent_to_this_contract_signs(changed, field):
    borrower = Api("borrower")
    application_id = submit(borrower)
    _contract_ready(application_id)
    answer = borrower.post(f"/v1/applications/{application_id}/signature", SIGNATURE | changed)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "contract_ready"


def test_another_tenant_neither_chooses_nor_signs():
    application_id = submit(Api("borrower"))
    stranger = Api("borrower")
    assert stranger.post(f"/v1/applications/{application_id}/choice", CHOICE).status == 404
    assert stranger.post(f"/v1/applications/{application_id}/signature", SIGNATURE).status == 404
