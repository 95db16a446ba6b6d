"""What each role from outside sees of each answer: route by role by field (S17, C02; domain rule 17)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from api.app import app
from api.openapi import answers_of, document, operations_of
from api.report_schemas import Report
from api.routing import Operation, as_reply
from api.schemas import ApplicationView, Timeline
from api.views import VIEWS, shown
from creditmesh.decisions.lenders_report import lenders_view
from creditmesh.intake.model import Outcome, Status, TimelineEntry
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.platform.settings import settings
from creditmesh.platform.web import Reply
from tests.support import wired
from tests.support.filled import filled, paths
from tests.unit.api.client import FEATURES, Api, assess, loan_request, new_key, product_terms

LENDERS_APPLICATION = (
    "application_id status outcome outcome_note outcome_note_code outcome_note_parameters.key created_at "
    "updated_at firm_name amount currency term_months purpose awaits score grade limit decision reasons[] "
    "model_version chosen.lender_id chosen.product_id chosen.version chosen.amount chosen.currency "
    "chosen.term_months chosen.repayment_method chosen.annual_rate_bps chosen.cost.instalment "
    "chosen.cost.total_repaid chosen.cost.fees chosen.cost.net_paid chosen.cost.apr_percent "
    "chosen.cost.effective_rate_percent chosen.terms_sha256"
)
APPLICATION = f"{LENDERS_APPLICATION} channel authorization_problem flow_id flow_version"
CONSENTS = (
    "scope way required usable problem authorization_id granted_at expires_at how text_version text_sha256 "
    "last_used_at reminded_days renewal_requested_at blind[] grant"
)
OFFER = (
    "lender_id product_id version name fit amount min_amount max_amount amount_step currency term_months "
    "min_term_months max_term_months term_step_months repayment_methods[] annual_rate_bps disbursement_hours "
    "measured_hours cost.instalment cost.total_repaid cost.fees cost.net_paid cost.apr_percent "
    "cost.effective_rate_percent"
)  # fmt: skip
NEAREST = "lender_id product_id name missing[] unmet[].code unmet[].parameters.key"
PRODUCT = (
    "lender_id product_id version pushed_at name currency min_amount max_amount amount_step min_term_months "
    "max_term_months term_step_months repayment_methods[] day_count due_day grace_months price.type "
    "price.annual_rate_bps fees[].code fees[].charged fees[].amount fees[].share_bps disbursement_hours min_grade "
    "industries_excluded[] eligibility[].code eligibility[].when.key eligibility[].text valid_from valid_until"
)
RANK = "rank_points points.cost points.amount points.speed"
LENDERS_PRODUCT = (
    f"{PRODUCT} pushed_by capacity monthly_capacity state decision.by decision.at decision.note expires_at "
    "joint_lending.company joint_lending.bank joint_lending.loans_from joint_lending.total_from"
)
SCOPE = (
    "scope way required purposes[] longest_days institution_kind text_version language title text text_sha256 "
    "fields[].name fields[].label fields[].pattern fields[].max_length fields[].required"
)  # fmt: skip
LENDERS_REPORT = (
    "report_version application_id firm_name decided_at requested.amount requested.currency requested.term_months "
    "currency decision result.decision result.stage result.score result.grade result.limit_minor result.reasons[] "
    "result.price_reasons[] reasons[].code reasons[].text.key reasons[].adverse_action "
    "reasons[].parameters.features[] reasons[].parameters.sources[] price_reasons[].code price_reasons[].text.key "
    "price_reasons[].adverse_action price_reasons[].parameters.features[] price_reasons[].parameters.sources[] "
    "versions.model_id versions.model_version "
    "referral.decision referral.decided_at referral.role"
)
SOURCES = "sources[].source sources[].channel sources[].outcome sources[].fetched_at"
ACCOUNT = "account_id lender_id currency kind loan_id normal_side balance pending_in pending_out available entries"
ENTRY = "number booked_on value_date posted_at transfer_id purpose side amount balance"
TRANSFER = (
    "transfer_id purpose state currency lines[].account_id lines[].side lines[].amount created_at value_date booked_on "
    "posted_at voided_at reverses reversed_by"
)
COUNTER = "amount currency term_months repayment_method annual_rate_bps terms_sha256 valid_until"
STANDING = (
    "lender_id state inquiries[].question inquiries[].asked_at inquiries[].answer inquiries[].answered_at "
    "counter_offer.cost.instalment counter_offer.cost.total_repaid counter_offer.cost.fees counter_offer.cost.net_paid "
    "counter_offer.cost.apr_percent counter_offer.cost.effective_rate_percent "
) + " ".join(f"counter_offer.{one}" for one in COUNTER.split())
STANDING += " " + " ".join(
    f"payment.{one}"
    for one in ("order_id", "state", "ordered_at", "expires_at", "cancel_asked_at", "reason_code", "reason")
)
REFUSED = "refused[].lender_id refused[].code refused[].reason"
MESSAGE = (
    "message_id institution_id type about state attempts created_at due_at last_error last_error_code "
    "last_error_parameters.key sent_at"
)
WEBHOOK = "id institution_id received_at state webhook_id type about size problem field count"
CONTRACT = "contract_id document document_sha256 signed_at"


def each(place: str, fields: str) -> str:
    return " ".join(f"{place}.{one}" for one in fields.split())


def listed(place: str, fields: str) -> str:
    return f"{each(place, fields)} next"


def applicants(fields: str) -> dict[str, str]:
    return {"borrower": fields, "bank": fields}


HERE = "/v1/applications/{application_id}"
EXPECTED: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/v1/applications"): {
        **applicants(listed("applications[]", APPLICATION)), "lender": listed("applications[]", LENDERS_APPLICATION),
    },
    ("POST", "/v1/applications"): applicants(APPLICATION),
    ("POST", "/v1/guest/applications"): {"borrower": f"{each('application', APPLICATION)} access_token"},
    ("GET", HERE): {**applicants(APPLICATION), "lender": LENDERS_APPLICATION},
    ("POST", f"{HERE}/authorization"): applicants(APPLICATION),
    ("POST", f"{HERE}/choice"): applicants(APPLICATION),
    ("POST", f"{HERE}/withdrawal"): applicants(APPLICATION),
    ("POST", f"{HERE}/signature"): {"borrower": APPLICATION},
    ("GET", f"{HERE}/timeline"): {
        **applicants(listed("timeline[]", "at status by note note_code note_parameters.key")),
        "lender": listed("timeline[]", "at status by"),
    },
    ("GET", f"{HERE}/report"): {
        **applicants(f"{LENDERS_REPORT} result.annual_rate_bps {SOURCES}"), "lender": f"{LENDERS_REPORT} referral.note",
    },
    ("GET", f"{HERE}/matches"): {
        **applicants(
            f"{listed('matches[]', f'{OFFER} {RANK}')} {each('nearest', NEAREST)}"
        ),
        "lender": listed("matches[]", OFFER),
    },
    ("GET", f"{HERE}/lender"): {**applicants(f"{STANDING} {REFUSED}"), "lender": STANDING},
    ("POST", f"{HERE}/counter-offer"): applicants(APPLICATION),
    ("POST", f"{HERE}/information"): applicants(APPLICATION),
    ("POST", "/v1/lender-messages"): {"lender": "duplicate"},
    ("POST", "/v1/lender-messages/test"): {"lender": MESSAGE},
    ("GET", "/v1/outbox"): {"lender": listed("messages[]", MESSAGE)},
    ("GET", "/v1/outbox/{message_id}"): {"lender": MESSAGE},
    ("GET", "/v1/received-webhooks"): {"lender": listed("webhooks[]", WEBHOOK)},
    ("GET", "/v1/received-webhooks/{webhook_id}"): {"lender": WEBHOOK},
    ("GET", f"{HERE}/contract"): {**applicants(CONTRACT), "lender": CONTRACT},
    ("GET", f"{HERE}/authorization-link"): applicants("url"),
    ("GET", f"{HERE}/consents"): applicants(listed("consents[]", CONSENTS)),
    ("POST", f"{HERE}/consents"): applicants(listed("consents[]", CONSENTS)),
    ("POST", f"{HERE}/consents/erasure"): applicants("withdrawn[] " + each("kept[]", "kind days after until reason")),
    ("GET", f"{HERE}/consents/history"): applicants(
        listed(
            "history[]",
            "at kind scope authorization_id by note note_code note_parameters.key subject_id expires_at how purposes[] "
            "text_key text_version text_sha256 language renewal_of",
        )
    ),
    ("GET", f"{HERE}/consents/uses"): applicants(
        listed("uses[]", "at scope authorization_id purpose by channel outcome problem correlation_id")
    ),
    ("GET", "/v1/consent-scopes"): {
        **applicants(listed("scopes[]", SCOPE)), "lender": listed("scopes[]", SCOPE),
    },
    ("GET", "/v1/blind-spots"): {"lender": listed("blind_spots[]", "subject_id scope lender_id since cause")},
    ("GET", "/v1/products"): {
        **applicants(listed("products[]", PRODUCT)), "lender": listed("products[]", LENDERS_PRODUCT),
    },
    ("PUT", "/v1/products/{product_id}"): {"lender": LENDERS_PRODUCT},
    ("GET", "/v1/products/{product_id}/versions"): {"lender": listed("products[]", LENDERS_PRODUCT)},
    ("GET", "/v1/products/{product_id}/speed"): {"lender": "payments measured_hours hours.key"},
    ("POST", "/v1/products/{product_id}/versions/{version}/approval"): {"lender": LENDERS_PRODUCT},
    ("POST", "/v1/products/{product_id}/versions/{version}/rejection"): {"lender": LENDERS_PRODUCT},
    ("GET", "/v1/lenders"): {
        "borrower": listed("lenders[]", "lender_id name grade"), "bank": listed("lenders[]", "lender_id name grade"),
        "lender": listed("lenders[]", "lender_id name grade since"),
    },
    ("GET", "/v1/ledger/accounts"): {"lender": listed("accounts[]", ACCOUNT)},
    ("GET", "/v1/ledger/accounts/{account_id}/entries"): {
        "lender": f"{each('account', ACCOUNT)} opening_balance {listed('entries[]', ENTRY)}",
    },
    ("GET", "/v1/ledger/trial-balance"): {
        "lender": f"as_of debits credits {listed('rows[]', 'account_id kind loan_id debit credit')}",
    },
    ("GET", "/v1/ledger/transfers/{transfer_id}"): {"lender": TRANSFER},
    ("GET", "/v1/health"): {"borrower": "status version"},
}  # fmt: skip
"""Route → role → what it is given. Guests, who need no token, count as borrowers."""
RENDERED_BY_THEMSELVES = {
    "read_report": "its page", "return_from_bureau": "a page", "read_openapi": "made once",
    "channel_schema": "no answer of ours", "read_model_document": "as it is stored, for staff",
}  # fmt: skip

OPERATIONS = list(operations_of(app))


def outsiders(operation: Operation) -> set[Role]:
    return {Role.BORROWER} if operation.roles is None else set(operation.roles - STAFF)


def walk() -> Iterator[tuple[str, str, Role, type[BaseModel]]]:
    for operation in OPERATIONS:
        for model in answers_of(operation).values():
            for role in sorted(outsiders(operation)) if model else ():
                yield operation.method, operation.path, role, model


WALK = list(walk())


def given(answer: BaseModel, role: Role) -> list[str]:
    return list(paths(json.loads(as_reply(answer, 200, role).body)))


@pytest.mark.parametrize(("method", "path", "role", "model"), WALK)
def test_a_role_is_given_these_fields_and_no_other(
    method: str, path: str, role: Role, model: type[BaseModel]
) -> None:  # fmt: skip
    assert sorted(given(filled(model), role)) == sorted(EXPECTED[method, path][role].split())


def test_every_route_is_expected() -> None:
    assert {(method, path, role) for method, path, role, _ in WALK} == {
        (*route, role) for route, roles in EXPECTED.items() for role in roles
    }


@pytest.mark.parametrize("role", sorted(STAFF))
def test_staff_are_given_every_field(role: Role) -> None:
    models = {model for one in OPERATIONS for model in answers_of(one).values() if model}
    assert len(models) > 40
    for model in models:
        if model in VIEWS:
            answer = filled(model)
            assert given(answer, role) == list(paths(answer.model_dump(mode="json")))


def test_a_field_that_is_not_listed_is_not_shown() -> None:
    class Grown(ApplicationView):
        """As it may look tomorrow."""

        pd_bps: int

    answer = filled(Grown)
    assert "pd_bps" in given(answer, Role.AUDITOR)
    for role in set(Role) - STAFF:
        assert given(answer, role) == [], "a schema of its own is listed of its own"
    grown = ApplicationView.model_construct(**dict(filled(ApplicationView)))
    assert "engine" not in given(grown, Role.BORROWER)


def test_only_these_views_render_their_answers_themselves() -> None:
    found = set()
    for operation in OPERATIONS:
        kind = operation.types.get("return")
        if kind is Reply or Reply in get_args(kind):
            found.add(operation.view.__name__)
    assert found == set(RENDERED_BY_THEMSELVES)


def test_the_openapi_tells_who_is_given_what() -> None:
    schemas = document(app)["components"]["schemas"]
    for model in VIEWS:
        schema = schemas[model.__name__]
        for role in sorted(set(Role) - STAFF):
            seen = set(json.loads(as_reply(filled(model), 200, role).body))
            for name, field in schema["properties"].items():
                if name in seen:
                    assert role in field.get("x-roles", Role), (model, name, role)
                if role in field.get("x-roles", Role) and name in schema.get("required", []):
                    assert not seen or name in seen, (model, name, role)
    engine, score = (schemas["ApplicationView"]["properties"][name] for name in ("engine", "score"))
    assert engine["x-roles"] == sorted(STAFF)
    assert "x-roles" not in score
    assert not {"engine", "outcome_note", "channel"} & set(schemas["ApplicationView"]["required"])


NOTED = {"note", "note_code", "note_parameters"}
ENDS = [
    (Outcome.CLOSED_BY_OPERATOR, False), (Outcome.DECLINED_REFERRAL, False), (Outcome.LENDER_REJECTED, True),
    (Outcome.DECLINED_SCORE, True), (Outcome.WITHDRAWN, True), (Outcome.AUTHORIZATION_FAILED, True), (None, True),
]  # fmt: skip


@pytest.mark.parametrize("role", sorted(set(Role) - STAFF))
@pytest.mark.parametrize(("outcome", "told"), ENDS)
def test_a_note_of_the_platforms_staff_stays_with_staff(role: Role, outcome: Outcome | None, told: bool) -> None:
    answer = ApplicationView.model_construct(**{**dict(filled(ApplicationView)), "outcome": outcome})
    for name in ("outcome_note", "outcome_note_code", "outcome_note_parameters.key"):
        assert (name in given(answer, role)) == told


@pytest.mark.parametrize(
    ("by", "status", "applicants_read", "lender_reads"),
    [
        ("platform", Status.AUTHORIZATION_REQUIRED, NOTED, set()),
        ("platform", Status.OFFERED, NOTED, set()),
        ("platform", Status.WITH_OPERATOR, set(), set()),
        ("operator", Status.SIGNED, set(), set()),
        ("risk_officer", Status.ASSESSED, set(), set()),
        ("risk_officer", Status.CLOSED, set(), set()),
        ("borrower", Status.CHOSEN, NOTED, set()),
        ("lender", Status.APPROVED, {*NOTED, "subject"}, {*NOTED, "subject"}),
    ],
)
def test_a_timeline_names_lenders_and_nobody_else(
    by: str, status: Status, applicants_read: set[str], lender_reads: set[str]
) -> None:
    entry = TimelineEntry(at="2026-11-30T00:00:00.000Z", status=status, by=by, subject="x-1", note="a word")
    for role, read in (("borrower", applicants_read), ("bank", applicants_read), ("lender", lender_reads)):
        (seen,) = json.loads(as_reply(Timeline(timeline=[entry]), 200, Role(role)).body)["timeline"]
        assert set(seen) == {"at", "status", "by", *read}
    (known,) = json.loads(as_reply(Timeline(timeline=[entry]), 200, Role.AUDITOR).body)["timeline"]
    assert set(known) == {"at", "status", "by", "subject", *NOTED}


NOTE = "the owner has explained it"
LENDER, RIVAL = Api("lender", "lender-a"), Api("lender", "lender-b")


def submitted(applicant: Api) -> str:
    """A firm was referred, let through by a person, chose one of two lenders' offers, and was submitted to it."""
    application_id = applicant.apply()
    for lender in (LENDER, RIVAL):
        terms = product_terms(name=f"Credit of {lender.tenant}")
        assert lender.put("/v1/products/season", terms).status == 200
    assess(application_id, "refer", greylist_hits=1)
    wired.operators().hand_over(application_id, f"referral-{application_id}", "Referral", "GREYLISTED")
    tasks = Api("auditor").get("/v1/operator-tasks", query={"limit": 100}).json()["tasks"]
    task_id = next(one["task_id"] for one in tasks if one["application_id"] == application_id)
    word = {"action": "approve", "note": NOTE}
    assert Api("risk_officer").post(f"/v1/operator-tasks/{task_id}/resolution", word, subject="jo").status == 200
    wired.offers().offer(application_id, f"choice-{application_id}")
    choice = {"lender_id": "lender-a", "product_id": "season"}
    assert applicant.post(f"/v1/applications/{application_id}/choice", choice).status == 202
    wired.closings().submit(application_id, f"decision-{application_id}")
    return application_id


@pytest.fixture(scope="module", params=["borrower", "bank"])
def loan(cloud: None, request: pytest.FixtureRequest) -> tuple[Api, str]:
    """An applicant and the application, submitted to a lender."""
    applicant = Api(request.param)
    return applicant, submitted(applicant)


PARTS = ("", "/timeline", "/report", "/matches")
OF_THE_FIRM = ("/consents", "/consents/history", "/consents/uses")
PAGE = {"Accept": "text/html"}


def told(caller: Api, application_id: str) -> str:
    """Everything that a caller can read of an application, as pages too."""
    here = f"/v1/applications/{application_id}"
    parts = PARTS if caller.role == "lender" else PARTS + OF_THE_FIRM
    answers = [caller.get(f"{here}{part}") for part in parts]
    answers += [caller.get(f"{here}/report", headers=PAGE, query={"language": one}) for one in ("en", "zh-CN")]
    answers += [caller.get("/v1/applications", query={"status": "submitted"}), caller.get("/v1/products")]
    assert {one.status for one in answers} == {200}
    return "\n".join(one.body for one in answers)


def words_of(report: dict[str, Any]) -> dict[str, list[str]]:
    """What the whole report says that a reader from outside must not find."""
    points = [line["characteristic"] for line in report["points"]]
    return {
        "features": [*(name for name in FEATURES if name in report["features"]), *points],
        "labels": [text for line in report["points"] for text in line["label"].values()],
        "values": [text for rule in report["fired_rules"] for one in rule["values"] for text in one["label"].values()],
        "rules": [one["id"] for one in report["fired_rules"]],
        "model": [report["versions"]["model_hash"], report["versions"]["feature_schema"]],
        "sources": [one["sha256"] for one in report["sources"] if one["sha256"]],
    }


def test_staff_find_everything(loan: tuple[Api, str]) -> None:
    _, application_id = loan
    text = told(Api("auditor"), application_id)
    report = Api("auditor").get(f"/v1/applications/{application_id}/report").json()
    for words in words_of(report).values():
        assert all(word in text for word in words)
    assert NOTE in text
    assert "jo" in text


@pytest.mark.parametrize("reader", ["applicant", "lender"])
def test_nobody_from_outside_finds_data_rules_or_persons(loan: tuple[Api, str], reader: str) -> None:
    applicant, application_id = loan
    report = Api("auditor").get(f"/v1/applications/{application_id}/report").json()
    text = told(applicant if reader == "applicant" else LENDER, application_id)
    for kind, words in words_of(report).items():
        assert not [word for word in words if f'"{word}"' in text or f">{word}" in text], kind
    assert (NOTE in text) == (reader == "lender"), "the lender reads why a person let the firm through"
    assert '"jo"' not in text
    assert ">jo<" not in text
    assert '"engine"' not in text
    assert str(report["result"]["score"]) in text


def test_a_lender_is_sent_the_hash_of_the_report_that_it_reads(loan: tuple[Api, str]) -> None:
    """C21: the submission names the report by path and by the hash of its canonical JSON."""
    _, application_id = loan
    message_id, table = f"{application_id}.decision.1", settings().outbox_table
    item = wired.tables().get(table, {"message_id": message_id})
    assert item
    sent = json.loads(wired.cipher().open(item["body"], table, message_id, "body"))["data"]["report"]
    read = LENDER.get(sent["path"]).json()
    assert read["referral"]["note"] == NOTE
    canonical = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert sent == {
        "path": f"/v1/applications/{application_id}/report", "sha256": hashlib.sha256(canonical).hexdigest(),
    }  # fmt: skip
    assert LENDER.get(sent["path"]).json() != Api("auditor").get(sent["path"]).json()


def test_every_part_of_the_report_is_hashed_as_a_lender_is_shown_it() -> None:
    """C21: whatever the report holds, also where it lacks what a field has by default."""
    whole = filled(Report)
    stored = whole.model_dump(mode="json")
    assert lenders_view(stored) == shown(whole, Role.LENDER)
    for reason in stored["reasons"]:
        del reason["parameters"]
    assert lenders_view(stored) == shown(Report.model_validate(stored), Role.LENDER)


def test_a_lender_finds_nothing_of_its_rivals(loan: tuple[Api, str]) -> None:
    applicant, application_id = loan
    offers = applicant.get(f"/v1/applications/{application_id}/matches").json()["matches"]
    assert {"lender-a", "lender-b"} <= {one["lender_id"] for one in offers}
    text = told(LENDER, application_id)
    assert "Credit of lender-a" in text
    assert "lender-b" not in text
    assert f"{len(offers)} offers" not in text
    assert RIVAL.get(f"/v1/applications/{application_id}/matches").status == 404
    assert {one["lender_id"] for one in RIVAL.get("/v1/products").json()["products"]} == {"lender-b"}


def test_a_guest_is_shown_what_a_borrower_is(cloud: None) -> None:
    made = Api().post("/v1/guest/applications", loan_request(), key=new_key()).json()["application"]
    assert set(made) == set(Api("borrower").post("/v1/applications", loan_request(), key=new_key()).json())
    assert "engine" not in made


def test_the_reports_schema_is_the_report(loan: tuple[Api, str]) -> None:
    """Whatever the risk model's report says has its place in the schema."""
    _, application_id = loan
    application = wired.applications().get(application_id)
    report = wired.assessment().report_with_referral(application)
    assert Report.model_validate(report).model_dump(mode="json") == report
