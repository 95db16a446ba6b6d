"""Decision models in the API: who may do what, what is refused, and where (M06, M08, S10)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Put
from tests.support import wired
from tests.support.candidates import SHIPPED, candidate, failing_test, stricter
from tests.unit.api.client import Answer, Api, assess, new_key

pytestmark = pytest.mark.usefixtures("models_cloud")

OFFICER = Api("risk_officer", "platform")
HERE = "/v1/models/origination"


@pytest.fixture
def models_cloud(cloud: None) -> None:
    """No model but the shipped one."""
    client, table = wired.client("dynamodb"), settings().models_table
    for item in client.scan(TableName=table)["Items"]:
        client.delete_item(TableName=table, Key={name: item[name] for name in ("model_id", "record")})
    wired.forget("champions")
    wired.forget("assessment")


def act(path: str, by: str, body: Any = None, **more: Any) -> Answer:
    """What one risk officer does."""
    return OFFICER.post(f"{HERE}{path}", {} if body is None else body, subject=by, **more)


def propose(document: dict[str, Any], kind: str = "rules", key: str | None = None, **more: Any) -> Answer:
    """What Ann proposes."""
    return act("/versions", "ann", {"kind": kind, "note": "why", "document": document, **more}, key=key)


def approved(version: str = "2.2.0", **more: Any) -> str:
    """The hash of an approved version."""
    made = propose(candidate(version, **more))
    assert made.status == 201, made.body
    content_hash = str(made.json()["content_hash"])
    assert act(f"/versions/{content_hash}/approval", "bob").status == 200
    return content_hash


def test_from_proposal_to_rollback() -> None:
    before = OFFICER.get(HERE).json()
    assert (before["champion"], before["champion_version"], before["revision"]) == (
        SHIPPED["content_hash"],
        "2.1.0",
        0,
    )
    listed = OFFICER.get("/v1/models").json()["models"]
    assert (listed[0], [one["model_id"] for one in listed]) == (before, ["origination", "trade"])
    made = propose(candidate(), kind="policy")
    assert (made.status, made.json()["state"], made.json()["maker"]) == (201, "proposed", "ann")
    assert all(case["passed"] for case in made.json()["tests"])
    content_hash = made.json()["content_hash"]
    here = f"/versions/{content_hash}"
    assert act(f"{here}/approval", "bob", {"note": "fine"}).json()["checker"] == "bob"
    assert act(f"{here}/challenge", "bob").json()["challenger"] == content_hash
    assert OFFICER.get(f"{HERE}/comparison").json()["scored"] == 0
    assert act(f"{here}/promotion", "bob").json()["promotion"]["maker"] == "bob"
    assert OFFICER.get(HERE).json()["waiting"] == [content_hash]
    current = act(f"{here}/promotion/confirmation", "cid").json()
    assert (current["champion"], current["champion_version"], current["challenger"]) == (content_hash, "2.2.0", None)
    assert current["waiting"] == []
    assert act("/rollback", "dan", {"reason": "a test"}).json()["champion"] == SHIPPED["content_hash"]
    version = OFFICER.get(f"{HERE}{here}").json()
    whats = ["proposed", "approved", "challenged", "promotion_proposed", "promoted", "rolled_back"]
    assert [line["what"] for line in version["history"]] == whats
    assert [line["by"] for line in version["history"]] == ["ann", "bob", "bob", "bob", "cid", "dan"]
    document = OFFICER.get(f"{HERE}{here}/document").json()
    assert (document["content_hash"], set(document["signature"])) == (content_hash, {"key_id", "algorithm", "value"})
    assert [one["version"] for one in OFFICER.get(f"{HERE}/versions").json()["versions"]] == ["2.2.0", "2.1.0"]


def test_an_unsealed_document_is_sealed() -> None:
    document = candidate()
    content_hash = document.pop("content_hash")
    assert propose(document).json()["content_hash"] == content_hash


def test_the_same_person_does_not_do_both() -> None:
    content_hash = propose(candidate()).json()["content_hash"]
    refused = act(f"/versions/{content_hash}/approval", "ann")
    assert (refused.status, refused.json()["code"]) == (403, "four_eyes")
    act(f"/versions/{content_hash}/approval", "bob")
    act(f"/versions/{content_hash}/promotion", "cid")
    refused = act(f"/versions/{content_hash}/promotion/confirmation", "cid")
    assert (refused.status, refused.json()["code"]) == (403, "four_eyes")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"model_id": "origination"}, "document"),
        (candidate(change=lambda one: one["scorecard"].update(cutoff=1.5)), "document"),
        (candidate(change=lambda one: one["scorecard"].update(cutoff="1")), "document.scorecard.cutoff"),
        ({**candidate(), "version": "9.0.0"}, "document.content_hash"),
        (candidate("2.1.0", stricter), "document.version"),
        (candidate(change=lambda one: one.update(model_id="other")), "document.model_id"),
    ],
)
def test_a_bad_document_is_told_by_field_and_rule(document: dict[str, Any], field: str) -> None:
    refused = propose(document)
    assert refused.status == 422
    (error,) = refused.json()["errors"]
    assert error["field"].startswith(field)
    assert error["rule"]


def test_what_is_out_of_order_is_a_conflict() -> None:
    content_hash = propose(candidate(change=failing_test)).json()["content_hash"]
    here = f"/versions/{content_hash}"
    for path, body, code in (
        (f"{here}/challenge", {}, "wrong_model_state"),
        (f"{here}/promotion", {}, "wrong_model_state"),
        (f"{here}/promotion/confirmation", {}, "wrong_model_state"),
        (f"{here}/approval", {}, "model_tests_failed"),
        ("/rollback", {"reason": "x"}, "wrong_model_state"),
    ):
        refused = act(path, "bob", body)
        assert (refused.status, refused.json()["code"]) == (409, code), path
    assert act(f"{here}/rejection", "bob", {"reason": ""}).status == 422
    assert act(f"{here}/rejection", "bob", {"reason": "its test fails"}).json()["state"] == "rejected"
    trained = propose(candidate("2.3.0"), kind="training").json()["content_hash"]
    assert act(f"/versions/{trained}/approval", "bob").json()["code"] == "model_gates_failed"
    assert propose(candidate("2.4.0"), kind="shipped").status == 422


def test_unknown_versions_and_models() -> None:
    for path in (f"/versions/sha256:{'0' * 64}", "/versions/none", f"/versions/{'0' * 64}/document"):
        assert OFFICER.get(f"{HERE}{path}").status == 404
    assert OFFICER.get("/v1/models/other").status == 404
    assert OFFICER.get("/v1/models/other/versions").status == 404


def test_a_hash_is_taken_without_its_prefix_too() -> None:
    assert OFFICER.get(f"{HERE}/versions/{SHIPPED['content_hash'][7:]}").json()["version"] == "2.1.0"


def test_a_repeated_request_is_the_same() -> None:
    key = new_key()
    first, again = (propose(candidate(), key=key) for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    content_hash = first.json()["content_hash"]
    key = new_key()
    answers = [act(f"/versions/{content_hash}/approval", "bob", {"note": "fine"}, key=key) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert act(f"/versions/{content_hash}/approval", "bob", {"note": "other"}, key=key).status == 422


def test_who_reads_and_who_acts() -> None:
    for role in ("manager", "operator", "auditor"):
        assert Api(role, "platform").get(HERE).status == 200
        assert Api(role, "platform").post(f"{HERE}/rollback", {"reason": "x"}).status == 403
    for role in ("borrower", "lender", "bank"):
        assert Api(role).get(f"{HERE}/versions").status == 403
    assert Api().get(HERE).status == 401


def test_a_large_document_is_taken_a_huge_one_is_not() -> None:
    def talkative(document: dict[str, Any]) -> None:
        document["rules"][0]["label"]["en"] = "x" * 200

    assert propose({**candidate(change=talkative)}).status == 201
    refused = propose({"model_id": "origination", "filling": "x" * 1_100_000})
    assert (refused.status, refused.json()["code"]) == (413, "body_too_large")
    crowded = propose(candidate("2.10.0"), evidence={"x": "y" * 200_000})
    assert (crowded.status, crowded.json()["errors"][0]["field"]) == (422, "evidence")


def test_comparison_counts_what_was_scored_in_the_shadow() -> None:
    content_hash = approved(change=stricter)
    act(f"/versions/{content_hash}/challenge", "bob")
    ours = '{"decision":"approve","score":700,"pd_ppm":10000,"limit_minor":500,"grade":"A","stage":"approved"}'
    theirs = '{"decision":"decline","score":650,"pd_ppm":30000,"limit_minor":null,"grade":null,"stage":"score"}'
    for number, (champion, verdict) in enumerate(((SHIPPED["content_hash"], theirs), ("sha256:old", theirs),
                                                  (SHIPPED["content_hash"], ours))):  # fmt: skip
        item = {
            "challenger": f"{content_hash}#{number}", "request_id": f"r-{number}", "application_id": f"a-{number}",
            "champion": champion, "champion_result": ours, "challenger_result": verdict, "scored_at_ms": 1,
            "expires_at": 9,
        }  # fmt: skip
        wired.tables().write(Put(settings().shadow_scores_table, item, "request_id"))
    found = OFFICER.get(f"{HERE}/comparison").json()
    assert (found["scored"], found["agreed"], found["agreement_bps"]) == (2, 1, 5_000)
    assert (found["champion_approval_bps"], found["challenger_approval_bps"]) == (10_000, 5_000)
    assert found["decisions"] == {"approve/approve": 1, "approve/decline": 1}
    assert (found["score_shift"], found["mean_pd_shift_ppm"], found["limit_shift_minor"]) == (-2_500, 10_000, 0)
    assert OFFICER.call("DELETE", f"{HERE}/challenger").json()["challenger"] is None


def test_an_old_decision_is_replayed() -> None:
    borrower = Api("borrower")
    application_id = borrower.apply()
    path = f"/v1/applications/{application_id}/replay"
    assert OFFICER.get(path).status == 404
    assess(application_id)
    content_hash = approved(change=stricter)
    act(f"/versions/{content_hash}/promotion", "bob")
    act(f"/versions/{content_hash}/promotion/confirmation", "cid")
    found = OFFICER.get(path).json()
    assert (found["equal"], found["model_version"], found["engine"]) == (True, "2.1.0", "python")
    assert found["model_hash"] == SHIPPED["content_hash"]
    assert Api("auditor", "platform").get(path).status == 200
    assert borrower.get(path).status == 403
