"""Authorisations: reuse, ask, take, refuse (C02-C08)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.authorization.model import AuthorizationRequired, read_state, state_token
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform import wiring
from tests.support.world import CODE, FIRM, NOW, World

TAXPAYER = FIRM.taxpayer_id
KEY = b"state key"


def test_a_valid_authorisation_is_reused(world: World) -> None:
    world.authorize()
    for _ in range(2):
        assert wiring.authorizations().usable(TAXPAYER).code == CODE


def test_none_stored(world: World) -> None:
    with pytest.raises(AuthorizationRequired, match="none_stored"):
        wiring.authorizations().usable(TAXPAYER)
    assert not wiring.authorizations().has_usable(TAXPAYER)


def test_it_runs_out_on_the_second(world: World) -> None:
    wiring.authorizations().take(TAXPAYER, CODE, iso(NOW + timedelta(seconds=10)), "user-1")
    world.clock.advance(9.999)
    assert wiring.authorizations().has_usable(TAXPAYER)
    world.clock.advance(0.001)
    with pytest.raises(AuthorizationRequired, match="code_expired"):
        wiring.authorizations().usable(TAXPAYER)


def test_one_that_has_run_out_already_is_stored_but_not_used(world: World) -> None:
    wiring.authorizations().take(TAXPAYER, CODE, iso(NOW - timedelta(days=1)), "user-1")
    with pytest.raises(AuthorizationRequired, match="code_expired"):
        wiring.authorizations().usable(TAXPAYER)


def test_a_refused_one_is_not_tried_again_and_a_new_one_replaces_it(world: World) -> None:
    world.authorize()
    wiring.authorizations().refuse(wiring.authorizations().usable(TAXPAYER), "code_revoked")
    with pytest.raises(AuthorizationRequired, match="code_revoked"):
        wiring.authorizations().usable(TAXPAYER)
    world.clock.advance(1)
    world.authorize("code-brought-later-0002")
    assert wiring.authorizations().usable(TAXPAYER).code == "code-brought-later-0002"
    assert len(world.items("Authorizations")) == 1


def test_a_late_refusal_does_not_hit_a_newer_one(world: World) -> None:
    world.authorize()
    old = wiring.authorizations().usable(TAXPAYER)
    world.clock.advance(1)
    world.authorize("code-brought-later-0002")
    wiring.authorizations().refuse(old, "code_revoked")
    assert wiring.authorizations().usable(TAXPAYER).code == "code-brought-later-0002"


def test_neither_code_nor_taxpayer_can_be_read_from_the_table(world: World) -> None:
    world.authorize()
    text = str(world.items("Authorizations"))
    assert CODE not in text
    assert TAXPAYER not in text
    assert CODE not in repr(wiring.authorizations().usable(TAXPAYER))


@pytest.mark.parametrize(
    "code", ["", "short", "x" * 201, "with space 0001", "tab\t0000001", "词词词词词词词词", "x'); DROP--"]
)
def test_a_malformed_code(world: World, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wiring.authorizations().take(TAXPAYER, code, iso(NOW), "user-1")
    assert refused.value.field == "authorization_code"


@pytest.mark.parametrize("expires_at", ["", "soon", "2027-01-01T00:00:00", iso(NOW + timedelta(days=3651))])
def test_a_malformed_expiry(world: World, expires_at: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wiring.authorizations().take(TAXPAYER, CODE, expires_at, "user-1")
    assert refused.value.field == "expires_at"


def test_the_login_link_brings_the_borrower_back_to_his_application(world: World) -> None:
    link = urlsplit(wiring.authorizations().login_link("app_1", TAXPAYER))
    query = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert (link.netloc, link.path) == ("login.test", "/oauth/authorize")
    assert query["redirect_uri"] == "https://api.test/v1/authorizations/return"
    assert wiring.authorizations().returning(query["state"]) == "app_1"
    world.clock.advance(3601)
    with pytest.raises(InvalidInput):
        wiring.authorizations().returning(query["state"])


STATE = state_token(KEY, "app_1", 1000)


MAC = STATE[-40:]
FOREIGN = [
    "", ".", "app_1", "app_1.1000", "app_1.²", f"app_1.².{MAC}", f"app_1.-1.{MAC}", f"app_1.{'9' * 13}.{MAC}",
    f"app_2.1000.{MAC}", f"app_1.2000.{MAC}", STATE[:-1], f"{STATE}0", f"{STATE}é",
]  # fmt: skip


@pytest.mark.parametrize("state", FOREIGN)
def test_a_state_that_is_not_ours(state: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_state(KEY, state, 0)
    assert refused.value.field == "state"


def test_a_state_is_good_until_its_second() -> None:
    assert read_state(KEY, STATE, 1000) == "app_1"
    with pytest.raises(InvalidInput):
        read_state(KEY, STATE, 1001)
    with pytest.raises(InvalidInput):
        read_state(b"another key", STATE, 0)
