"""To the source and back: state, PKCE, one return, the same browser, no mix-up (C05, C06)."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.authorization.flow import Link, challenge, flow_id_of
from creditmesh.authorization.model import RedirectUsed
from creditmesh.authorization.redirects import OtherBrowser
from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput
from tests.support import wired
from tests.support.world import BORROWER, CODE, FIRM, NOW, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
UNTIL = iso(NOW + timedelta(days=30))


def begin(application_id: str = "app_1", *, tenant: str = TENANT, in_browser: bool = True) -> Link:
    return wired.authorizations().redirects.begin(
        application_id, TAXPAYER, tenant, SCOPES["tax"], in_browser=in_browser
    )


def query(link: Link) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link.url).query).items()}


def state(link: Link) -> str:
    return query(link)["state"]


def test_the_link_names_client_taxpayer_state_and_challenge(world: World) -> None:
    link = begin()
    assert urlsplit(link.url)[1:3] == ("login.test", "/oauth/authorize")
    asked = query(link)
    assert asked["redirect_uri"] == "https://api.test/v1/authorizations/return"
    assert (asked["client_id"], asked["taxpayer_id"]) == ("creditmesh", TAXPAYER)
    assert asked["code_challenge_method"] == "S256"
    flow = wired.authorizations().redirects.named_by(asked["state"])
    assert (flow.application_id, flow.scope, flow.tenant) == ("app_1", "tax", TENANT)
    assert asked["code_challenge"] == challenge(flow.verifier)
    assert 43 <= len(flow.verifier) <= 128


def test_the_challenge_is_that_of_rfc_7636() -> None:
    digest = hashlib.sha256(b"a" * 43).digest()
    assert challenge("a" * 43) == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifier_and_nonce_are_not_readable_in_the_table(world: World) -> None:
    link = begin()
    flow = wired.authorizations().redirects.named_by(state(link))
    text = str(world.items("AuthorizationFlows"))
    assert flow.verifier not in text
    assert link.nonce
    assert link.nonce not in text + repr(link) + repr(flow)


def test_it_runs_out_although_the_item_is_still_there(world: World) -> None:
    link = begin()
    world.clock.advance(3600)
    assert wired.authorizations().redirects.named_by(state(link))
    world.clock.advance(1)
    with pytest.raises(InvalidInput):
        wired.authorizations().redirects.named_by(state(link))


def test_a_return_outlives_a_rotation_of_the_key(world: World) -> None:
    set_out = state(begin())
    name = world.stack.refs["GuestSecret"]
    secrets = world.stack.clients["secretsmanager"]
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString="another-key-of-the-guests-tokens-0123456789")
    wired.renew()
    try:
        keys = wired.guest_keys().all()
        assert keys == [b"another-key-of-the-guests-tokens-0123456789", before.encode()]
        assert wired.authorizations().redirects.named_by(set_out)
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)


def test_a_return_is_taken_once(world: World) -> None:
    redirects = wired.authorizations().redirects
    first, second = (redirects.named_by(state(link)) for link in [begin()] * 2)
    redirects.use(first)
    with pytest.raises(RedirectUsed):
        redirects.use(second)
    with pytest.raises(RedirectUsed):
        redirects.named_by(first.state(wired.guest_keys().current))


def test_only_the_browser_that_set_out_returns(world: World) -> None:
    redirects = wired.authorizations().redirects
    mine, other = begin(), begin("app_2")
    flow = redirects.named_by(state(mine))
    redirects.require_browser(flow, mine.nonce)
    for nonce in (None, "", other.nonce, (mine.nonce or "") + "x"):
        with pytest.raises(OtherBrowser):
            redirects.require_browser(flow, nonce)


def test_a_banks_customer_comes_from_the_banks_pages(world: World) -> None:
    link = begin(in_browser=False)
    assert link.nonce is None
    redirects = wired.authorizations().redirects
    redirects.require_browser(redirects.named_by(state(link)), None)


def test_no_part_of_a_state_can_be_exchanged(world: World) -> None:
    mine, others = state(begin()).split("."), state(begin("app_2", tenant="firm-2")).split(".")
    for number in range(5):
        mixed = [*mine[:number], others[number], *mine[number + 1 :]]
        if mixed != mine:
            with pytest.raises(InvalidInput) as refused:
                wired.authorizations().redirects.named_by(".".join(mixed))
            assert refused.value.field == "state"
    later = [*mine[:3], str(int(mine[3]) + 1), mine[4]]
    with pytest.raises(InvalidInput):
        wired.authorizations().redirects.named_by(".".join(later))


FOREIGN = [
    "", ".", "....", "app_1", "app_1.tax.x", "app_1.tax.x.².m", "app_1.tax.x.-1.m", f"app_1.tax.x.{'9' * 13}.m",
    "app_1.tax..99999999999.m", "app_1.shop.x.99999999999.m", "app_1.loot.x.99999999999.m",
    f"app_1.tax.{'x' * 60}.99999999999.m", "app_1.tax.x.99999999999.m.n", "app_1.tax.x.99999999999.é",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_a_state_that_is_not_ours(world: World, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wired.authorizations().redirects.named_by(text)
    assert refused.value.field == "state"


def test_the_fingerprint_of_a_code_is_no_redirect(world: World) -> None:
    world.authorize()
    (claim,) = world.items("AuthorizationFlows")
    with pytest.raises(InvalidInput):
        wired.authorizations().redirects.named_by(f"app_1.tax.{claim['flow_id'][:50]}.99999999999.m")
    assert flow_id_of("app_1.tax.abc.1000.m", 1000) == "abc"


def test_another_institution_does_not_answer_for_the_one_that_was_asked(world: World) -> None:
    redirects, asked = wired.authorizations().redirects, state(begin())
    assert redirects.named_by(asked, issuer="tax-bureau").institution_id == "tax-bureau"
    with pytest.raises(InvalidInput) as refused:
        redirects.named_by(asked, issuer="shop")
    assert refused.value.field == "iss"


@pytest.mark.parametrize(("taxpayer", "tenant"), [("91350100M000100Y43", TENANT), (TAXPAYER, "firm-2")])
def test_a_redirect_serves_its_taxpayer_and_tenant_only(world: World, taxpayer: str, tenant: str) -> None:
    flow = wired.authorizations().redirects.named_by(state(begin()))
    with pytest.raises(InvalidInput) as refused:
        wired.authorizations().take(taxpayer, CODE, UNTIL, "redirect", tenant=tenant, flow=flow)
    assert refused.value.field == "state"
    assert world.items("Authorizations") == []


def test_the_verifier_goes_with_the_code_for_sources_that_verify_it(world: World) -> None:
    flow = wired.authorizations().redirects.named_by(state(begin()))
    wired.authorizations().take(TAXPAYER, CODE, UNTIL, "redirect", tenant=TENANT, flow=flow)
    assert wired.authorizations().usable(TAXPAYER).code_verifier == flow.verifier
    with pytest.raises(RedirectUsed):
        wired.authorizations().take(TAXPAYER, CODE, UNTIL, "redirect", tenant=TENANT, flow=flow)
    world.clock.advance(1)
    world.authorize("code-brought-by-hand-02")
    assert wired.authorizations().usable(TAXPAYER).code_verifier == ""


def test_a_malformed_return_does_not_burn_the_redirect(world: World) -> None:
    flow = wired.authorizations().redirects.named_by(state(begin()))
    for code, until in (("short", UNTIL), (CODE, "soon")):
        with pytest.raises(InvalidInput):
            wired.authorizations().take(TAXPAYER, code, until, "redirect", tenant=TENANT, flow=flow)
    wired.authorizations().take(TAXPAYER, CODE, UNTIL, "redirect", tenant=TENANT, flow=flow)
