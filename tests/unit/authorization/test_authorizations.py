"""Authorisations: reuse, ask, take, refuse; each tenant's by itself (C02-C08)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.tables import Tables
from tests.support import wired
from tests.support.world import BORROWER, CODE, FIRM, NOW, World

TAXPAYER = FIRM.taxpayer_id
TENANT = BORROWER.tenant
OTHER_FIRM = "91350100M000100Y43"


def take(code: str = CODE, days: float = 365, tenant: str = TENANT, taxpayer: str = TAXPAYER) -> None:
    until = iso(wired.clock().now() + timedelta(days=days))
    wired.authorizations().take(taxpayer, code, until, "borrower:user-1", tenant=tenant)


def test_a_valid_authorisation_is_reused(world: World) -> None:
    world.authorize()
    for _ in range(2):
        assert wired.authorizations().usable(TAXPAYER).code == CODE
    assert wired.authorizations().usable(TAXPAYER, "tax", tenant=TENANT).code == CODE


def test_none_stored(world: World) -> None:
    for scope in ("tax", "credit_bureau"):
        with pytest.raises(AuthorizationRequired, match="none_stored") as refused:
            wired.authorizations().usable(TAXPAYER, scope)
        assert refused.value.scope == scope
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT)


def test_it_runs_out_on_the_second(world: World) -> None:
    take(days=10 / 86400)
    world.clock.advance(9.999)
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT) is None
    world.clock.advance(0.001)
    with pytest.raises(AuthorizationRequired, match="code_expired"):
        wired.authorizations().usable(TAXPAYER)


def test_one_that_has_run_out_already_is_stored_but_not_used(world: World) -> None:
    take(days=-1)
    with pytest.raises(AuthorizationRequired, match="code_expired"):
        wired.authorizations().usable(TAXPAYER)


def test_a_refused_one_is_not_tried_again_and_a_new_one_replaces_it(world: World) -> None:
    world.authorize()
    wired.authorizations().refuse(wired.authorizations().usable(TAXPAYER), "code_revoked")
    with pytest.raises(AuthorizationRequired, match="code_revoked"):
        wired.authorizations().usable(TAXPAYER)
    world.clock.advance(1)
    world.authorize("code-brought-later-0002")
    assert wired.authorizations().usable(TAXPAYER).code == "code-brought-later-0002"
    (stored,) = world.items("Authorizations")
    assert "rejected_reason" not in stored


def test_a_late_refusal_does_not_hit_a_newer_one(world: World) -> None:
    world.authorize()
    old = wired.authorizations().usable(TAXPAYER)
    world.authorize("code-brought-later-0002")
    wired.authorizations().refuse(old, "code_revoked")
    assert wired.authorizations().usable(TAXPAYER).code == "code-brought-later-0002"


def test_another_tenant_neither_uses_nor_spoils_it(world: World) -> None:
    world.authorize()
    with pytest.raises(AuthorizationRequired, match="none_stored"):
        wired.authorizations().usable(TAXPAYER, tenant="firm-2")
    take("made-up-by-a-stranger", tenant="firm-2")
    assert wired.authorizations().usable(TAXPAYER, tenant=TENANT).code == CODE
    wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:stranger", tenant="firm-2")
    assert wired.authorizations().usable(TAXPAYER, tenant=TENANT).code == CODE
    assert wired.authorizations().usable(TAXPAYER).tenant == TENANT


def test_of_several_tenants_rights_the_one_that_can_be_used_is_found(world: World) -> None:
    world.authorize()
    world.clock.advance(1)
    wired.authorizations().take(TAXPAYER, "code-that-ended-0001", iso(NOW), "borrower:user-2", tenant="firm-2")
    assert wired.authorizations().usable(TAXPAYER).tenant == TENANT


def test_the_rights_of_a_collection_are_its_tenants_own(world: World) -> None:
    world.authorize()
    with pytest.raises(AuthorizationRequired, match="none_stored"):
        wired.authorizations().rights(TAXPAYER, tenant="firm-2").usable("tax", "loan_assessment")
    take("made-up-by-a-stranger", tenant="firm-2")
    for tenant, code in ((TENANT, CODE), ("firm-2", "made-up-by-a-stranger")):
        rights = wired.authorizations().rights(TAXPAYER, tenant=tenant)
        assert rights.usable("tax", "loan_assessment").code == code


def test_of_two_grants_at_once_one_stands_and_each_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.authorize()
    whole = Tables.transact

    def meanwhile(tables: Tables, *arguments: Any) -> None:
        monkeypatch.setattr(Tables, "transact", whole)
        world.clock.advance(1)
        take("code-brought-first-0002")
        whole(tables, *arguments)

    monkeypatch.setattr(Tables, "transact", meanwhile)
    take("code-brought-later-0003")
    assert wired.authorizations().usable(TAXPAYER).code == "code-brought-later-0003"
    history = wired.authorizations().history(TAXPAYER, tenant=TENANT)
    granted = {one.authorization_id for one in history if one.kind == "granted"}
    ended = {one.authorization_id for one in history if one.kind == "overwritten"}
    assert (len(granted), len(ended), ended < granted) == (3, 2, True)


def test_one_that_was_replaced_stands_no_more(world: World) -> None:
    world.authorize()
    old = wired.authorizations().usable(TAXPAYER)
    assert wired.authorizations().stands(old)
    world.authorize("code-brought-later-0002")
    assert not wired.authorizations().stands(old)


@pytest.mark.parametrize(("tenant", "taxpayer"), [("firm-2", TAXPAYER), (TENANT, OTHER_FIRM), ("firm-2", OTHER_FIRM)])
def test_a_code_serves_the_first_tenant_and_taxpayer_only(world: World, tenant: str, taxpayer: str) -> None:
    world.authorize()
    with pytest.raises(InvalidInput) as refused:
        take(tenant=tenant, taxpayer=taxpayer)
    assert refused.value.field == "authorization_code"
    assert wired.authorizations().problem(taxpayer, tenant=tenant)
    take()  # he himself may bring it again


def test_neither_code_nor_taxpayer_can_be_read_from_any_table(world: World) -> None:
    world.authorize()
    found = wired.authorizations().usable(TAXPAYER)
    wired.authorizations().use(found, purpose="loan_assessment", by="app_1", channel="tax-bureau")
    wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    text = str([world.items(table) for table in world.stack.tables])
    assert CODE not in text
    assert TAXPAYER not in text
    assert CODE not in repr(found)


@pytest.mark.parametrize(
    "code", ["", "short", "x" * 201, "with space 0001", "tab\t0000001", "词词词词词词词词", "x'); DROP--"]
)
def test_a_malformed_code(world: World, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        take(code)
    assert refused.value.field == "authorization_code"
    assert world.items("AuthorizationFlows") == []


@pytest.mark.parametrize("expires_at", ["", "soon", "2027-01-01T00:00:00", iso(NOW + timedelta(days=3651))])
def test_a_malformed_expiry(world: World, expires_at: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wired.authorizations().take(TAXPAYER, CODE, expires_at, "borrower:user-1", tenant=TENANT)
    assert refused.value.field == "expires_at"


def test_a_renewal_names_what_it_renews(world: World) -> None:
    take()
    first = wired.authorizations().usable(TAXPAYER)
    take("code-brought-later-0002")
    second = wired.authorizations().usable(TAXPAYER)
    assert (first.renewal_of, second.renewal_of) == (None, first.authorization_id)
    assert second.authorization_id != first.authorization_id


def test_standing_of_every_right(world: World) -> None:
    take()
    standing = wired.authorizations().standing_of(TAXPAYER, tenant=TENANT)
    assert [(one.scope.name, one.problem) for one in standing] == [
        ("tax", None), ("credit_bureau", "none_stored"), ("shop", "none_stored"), ("education", "none_stored"),
        ("anti_fraud", "none_stored"),
    ]  # fmt: skip
    assert standing[0].authorization is not None
    assert standing[0].authorization.code == ""
