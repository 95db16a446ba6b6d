"""What a source wants besides code or consent: declared by its document, brought, stored, sent, erased (C02)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput
from tests.support import wired
from tests.support.functions import invoke
from tests.support.world import BORROWER, CODE, EDUCATION, FIRM, TAX, World, documents_anew

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
PORTAL_USER, VERIFICATION = "made-up-user-7", "AB12CD34EF56AB78"
DECLARED = {"name": "portal_user", "label": "User at the bureau", "pattern": "[a-z0-9-]{4,20}", "max_length": 20}


@pytest.fixture
def declared(world: World) -> Iterator[World]:
    """The tax bureau's document alone declares a field, and sends it."""
    with documents_anew(world.stack):
        declare(DECLARED)
        world.sources_answer()
        assert world.application_id
        yield world


def declare(*fields: dict[str, Any]) -> None:
    stored = wired.channels().stored("tax-bureau").document
    body = {"taxpayer_id": "{{taxpayer_id}}", "authorization_code": "{{authorization_code}}"}
    body |= {one["name"]: f"{{{{{one['name']}}}}}" for one in fields}
    changed = {**stored, "authorization": {"fields": list(fields)}, "transport": {**stored["transport"], "body": body}}
    wired.channels().put(Channel.model_validate(changed), "operator-1", None)


def take(code: str = CODE, **fields: str) -> None:
    until = iso(wired.clock().now() + timedelta(days=30))
    wired.authorizations().take(TAXPAYER, code, until, "borrower:user-1", tenant=TENANT, fields=fields)


def consent(**fields: str) -> None:
    wired.authorizations().consent(
        TAXPAYER, "education", "borrower:user-1", tenant=TENANT, text_version=SCOPES["education"].text_version,
        language="en", valid_days=30, fields=fields,
    )  # fmt: skip


def test_it_is_stored_encrypted_and_sent_where_the_template_names_it(declared: World) -> None:
    take(portal_user=PORTAL_USER)
    (item,) = declared.items("Authorizations")
    assert set(item["fields"]) == {"portal_user"}
    assert PORTAL_USER not in json.dumps(item)
    held = wired.authorizations().usable(TAXPAYER, tenant=TENANT)
    assert (held.fields, PORTAL_USER in repr(held)) == ({"portal_user": PORTAL_USER}, False)
    declared.collect()
    (call,) = declared.http.to(TAX)
    assert call.json() == {"taxpayer_id": TAXPAYER, "authorization_code": CODE, "portal_user": PORTAL_USER}


def test_of_a_shipped_channel_with_a_consent_on_the_platform(declared: World) -> None:
    channels = [{"channel_id": "education-register", "required": True}]
    plan = CollectionPlan.model_validate({"plan_id": "standard", "channels": channels})
    wired.channels().put_plan(plan, "operator-1", None)
    wired.reference_records().put("firm-profiles", TAXPAYER, {"legal_representative": "Made Up"}, "operator-1")
    consent(verification_code=VERIFICATION)
    declared.http.answer("POST", EDUCATION, 200, {"nsrsbh": TAXPAYER, "xm": "Made Up", "xlxx": []})
    declared.collect()
    (call,) = declared.http.to(EDUCATION)
    assert f"verification_code={VERIFICATION}".encode() in call.body


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({}, "portal_user", "is required"),
        ({"portal_user": ""}, "portal_user", "is required"),
        ({"portal_user": "a" * 21}, "portal_user", "must have at most 20 characters"),
        ({"portal_user": "abc"}, "portal_user", "must match [a-z0-9-]{4,20}"),
        ({"portal_user": "Not lower"}, "portal_user", "must match [a-z0-9-]{4,20}"),
        ({"portal_user": f"{PORTAL_USER}\n"}, "portal_user", "must be printable"),
        ({"portal_user": "user\u202e-1"}, "portal_user", "must be printable"),
        ({"portal_user": "user\ud800"}, "portal_user", "must be printable"),
        ({"portal_user": PORTAL_USER, "other": "x"}, "other", "is not asked for"),
        ({"verification_code": VERIFICATION}, "verification_code", "is not asked for"),
    ],
)
def test_a_malformed_one_is_named_and_nothing_is_stored(
    declared: World, fields: dict[str, str], field: str, rule: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        take(**fields)
    assert (refused.value.field, refused.value.message) == (f"fields.{field}", rule)
    assert (declared.items("Authorizations"), declared.items("AuthorizationFlows")) == ([], [])


def test_an_optional_one_may_be_left_out(declared: World) -> None:
    declare({**DECLARED, "required": False})
    take()
    declared.collect()
    (call,) = declared.http.to(TAX)
    assert call.json()["portal_user"] is None


@pytest.mark.parametrize("end", ["withdrawn", "renewed", "refused", "expired", "erased"])
def test_it_leaves_with_its_right(declared: World, end: str) -> None:
    take(portal_user=PORTAL_USER)
    held = wired.authorizations().usable(TAXPAYER, tenant=TENANT)
    if end == "withdrawn":
        wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    elif end == "erased":
        wired.authorizations().erase(TAXPAYER, "borrower:user-1", tenant=TENANT)
    elif end == "refused":
        wired.authorizations().refuse(held, "code_revoked")
    elif end == "renewed":
        declare()
        take("code-brought-later-0002")
    else:
        declared.clock.advance(31 * 86400)
        invoke("SweepAuthorizationsFunction", {})
    (item,) = declared.items("Authorizations")
    assert "fields" not in item


def test_a_right_from_before_the_declaration_is_asked_for_again(declared: World) -> None:
    declare()
    take()
    declare(DECLARED)
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT) == "fields_missing"
    (tax,) = (one for one in wired.authorizations().standing_of(TAXPAYER, tenant=TENANT) if one.scope.name == "tax")
    assert tax.problem == "fields_missing"
    with pytest.raises(AuthorizationRequired, match="fields_missing") as raised:
        declared.collect()
    assert (raised.value.scope, declared.http.calls) == ("tax", [])
    for token in ("t-1", "t-2"):  # asked, and neither passed over nor asked without end
        wired.intake().await_authorization(declared.application_id, token, "fields_missing", 1)
    assert declared.steps.succeeded == {}
    wired.intake().authorize(
        BORROWER, declared.application_id, "code-brought-later-0002", iso(declared.clock.now() + timedelta(days=30)),
        fields={"portal_user": PORTAL_USER},
    )  # fmt: skip
    assert declared.steps.succeeded == {"t-2": {}}
    declared.collect()


def test_another_channel_of_the_right_is_not_kept_back(declared: World) -> None:
    declare()
    take()
    stored = wired.channels().stored("company-registry").document
    changed = {**stored, "consent_scope": "tax", "authorization": {"fields": [DECLARED]}}
    wired.channels().put(Channel.model_validate(changed), "operator-1", None)
    with pytest.raises(AuthorizationRequired, match="fields_missing"):
        declared.collect()
    plan = CollectionPlan.model_validate({"plan_id": "standard", "channels": [{"channel_id": "tax-bureau"}]})
    wired.channels().put_plan(plan, "operator-1", None)
    declared.collect()
    assert len(declared.http.to(TAX)) == 1


def test_the_return_from_the_bureau_carries_it(declared: World) -> None:
    wired.intake().await_authorization(declared.application_id, "t-1", "none_stored", 3)
    flow = wired.redirects().begin(declared.application_id, TAXPAYER, TENANT, SCOPES["tax"], in_browser=False)
    until = iso(declared.clock.now() + timedelta(days=30))
    found = wired.redirects().named_by(flow.url.partition("state=")[2].partition("&")[0])
    with pytest.raises(InvalidInput, match="is required"):
        wired.intake().authorize_on_return(found, TAXPAYER, CODE, until)
    wired.intake().authorize_on_return(found, TAXPAYER, CODE, until, {"portal_user": PORTAL_USER})
    assert wired.authorizations().usable(TAXPAYER, tenant=TENANT).fields == {"portal_user": PORTAL_USER}


def test_a_required_consent_on_the_platform_lets_the_application_go_on(declared: World) -> None:
    declare()
    take()
    channels = [{"channel_id": name, "required": True} for name in ("tax-bureau", "education-register")]
    wired.channels().put_plan(
        CollectionPlan.model_validate({"plan_id": "standard", "channels": channels}), "operator-1", None
    )
    with pytest.raises(AuthorizationRequired) as raised:
        declared.collect()
    assert (raised.value.message, raised.value.scope) == ("none_stored", "education")
    for token in ("t-1", "t-2"):
        wired.intake().await_authorization(declared.application_id, token, "none_stored", 1)
    assert wired.intake().consented(BORROWER, declared.application_id).status == "authorization_required"
    consent(verification_code=VERIFICATION)
    assert wired.intake().consented(BORROWER, declared.application_id).status == "authorized"
    assert declared.steps.succeeded == {"t-2": {}}
    wired.intake().await_authorization(declared.application_id, "t-3", "none_stored", 1)
    assert "t-3" in declared.steps.succeeded, "answered before"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"authorization": {"fields": [{**DECLARED, "name": "authorization_code"}]}}, "the name authorization_code"),
        ({"authorization": {"fields": [{**DECLARED, "name": "request_id"}]}}, "the name request_id is taken"),
        ({"authorization": {"fields": [{**DECLARED, "name": "state"}]}}, "the name state is taken"),
        ({"authorization": {"fields": [{**DECLARED, "name": "taxpayer_id"}]}}, "the name taxpayer_id is taken"),
        ({"authorization": {"fields": [DECLARED, DECLARED]}}, "the name portal_user is taken"),
        ({"authorization": {"fields": [DECLARED]}, "consent_scope": None}, "consent_scope"),
        ({"authorization": {"fields": [{**DECLARED, "pattern": "("}]}}, "regular expression"),
        ({"authorization": {"fields": [{"name": "x"}]}}, "label"),
        (
            {"authorization": {"fields": [DECLARED]}, "transport": {"type": "rest", "path": "/x/{{portal_user}}"}},
            "would be written into logs",
        ),
        ({"transport": {"type": "rest", "path": "/x", "body": {"user": "{{portal_user}}"}}}, "not among fields"),
    ],
)
def test_what_a_document_may_declare(declared: World, changes: dict[str, Any], problem: str) -> None:
    declare()
    stored = wired.channels().stored("tax-bureau").document
    with pytest.raises(ValueError, match=problem):
        Channel.model_validate({**stored, **changes})
