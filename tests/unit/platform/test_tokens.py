"""Tokens of the OIDC issuer and of guests (C01, DESIGN 8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.tokens import GuestKeys, Issuer, KeySet, TokenRefused, Verifier, guest_tenant, guest_token

ISSUER = "https://login.test/pool"
GUEST_KEY = b"g" * 40
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
WEAK_RSA = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())


def _jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"} | more


@dataclass
class Issuers(HttpClient):
    """An issuer's discovery document and key set, without a network."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [_jwk(RSA, "k1")])
    calls: list[str] = field(default_factory=list)
    discovered: dict[str, Any] = field(default_factory=lambda: {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
    down: bool = False

    def call(self, method: str, url: str, **_: Any) -> Answer:
        self.calls.append(url)
        if self.down:
            raise InstitutionUnavailable("no_answer", error="ReadTimeoutError")
        if url.endswith("/.well-known/openid-configuration"):
            return Answer(200, json.dumps(self.discovered).encode())
        return Answer(200, json.dumps({"keys": self.keys}).encode())


@dataclass
class Seconds:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def _verifier(http: Issuers | None = None, seconds: Callable[[], float] = Seconds(), **issuer: Any) -> Verifier:  # noqa: B008
    usual = {"issuer": ISSUER, "audiences": ("web", "machines"), "keys_url": f"{ISSUER}/keys"}
    return Verifier(
        lambda: GuestKeys(lambda: [GUEST_KEY]), [KeySet(Issuer(**usual | issuer), http or Issuers(), seconds)]
    )


def _claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": ISSUER, "aud": "web", "sub": "u-1", "iat": now, "exp": now + 300, "cognito:groups": ["lender"],
        "custom:tenant": "lender-a",
    }  # fmt: skip
    return {name: value for name, value in (usual | changed).items() if value is not None}


def _token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "k1", **changed: Any) -> str:
    return jwt.encode(_claims(**changed), key, algorithm, headers={"kid": kid} if kid else {})


def test_a_valid_token():
    assert _verifier().caller(_token()) == Caller("u-1", Role.LENDER, "lender-a")


def test_any_of_the_audiences_and_a_little_skew():
    now = int(time.time())
    assert _verifier().caller(_token(aud=["other", "machines"], exp=now - 25)).subject == "u-1"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1}, {"exp": None}, {"iss": "https://evil.test"}, {"iss": None}, {"aud": "another"}, {"aud": None},
        {"sub": None}, {"nbf": int(time.time()) + 3600}, {"iat": int(time.time()) + 3600},
        {"cognito:groups": None}, {"cognito:groups": []}, {"cognito:groups": ["admin"]}, {"cognito:groups": "lenders"},
        {"cognito:groups": ["lender", "operator"]}, {"cognito:groups": {"lender": 1}}, {"cognito:groups": [["lender"]]},
        {"custom:tenant": None}, {"custom:tenant": ""}, {"custom:tenant": 7}, {"custom:tenant": "guest:abc"},
        {"custom:tenant": "x" * 65}, {"custom:tenant": "a\n"},
    ],
)  # fmt: skip
def test_claims_that_prove_nothing(changed):
    with pytest.raises(TokenRefused):
        _verifier().caller(_token(**changed))


def test_exactly_30_seconds_of_leeway():
    with pytest.raises(TokenRefused):
        _verifier().caller(_token(exp=int(time.time()) - 35))


@pytest.mark.parametrize("groups", ["operator", ["operator"], ["everybody", "operator"], ["operator", "operator"]])
def test_one_known_role_among_strangers(groups):
    caller = _verifier().caller(_token(**{"cognito:groups": groups, "custom:tenant": None}))
    assert caller == Caller("u-1", Role.OPERATOR, "platform")


def test_other_claim_names():
    verifier = _verifier(role_claim="role", tenant_claim="org")
    assert verifier.caller(_token(role="bank", org="bank-a")) == Caller("u-1", Role.BANK, "bank-a")


def test_a_stranger_cannot_sign():
    with pytest.raises(TokenRefused):
        _verifier().caller(_token(OTHER_RSA))
    head, body, _ = _token().split(".")
    for spoilt in (f"{head}.{body}.", f"{head}.{body}", "", "a.b.c", f"{head}.{body}.{'A' * 342}", "é.é.é"):
        with pytest.raises(TokenRefused):
            _verifier().caller(spoilt)


def _by_hand(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    def part(document: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")

    signed = part(header) + b"." + part(claims)
    mac = base64.urlsafe_b64encode(hmac.new(key, signed, hashlib.sha256).digest()).rstrip(b"=")
    return (signed + b"." + mac).decode()


def test_the_public_key_is_no_secret_of_ours():
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(_jwk(RSA, "k1")).encode()
    for key in (pem, pem.strip(), jwk, b""):
        for issuer, audience in ((ISSUER, "web"), ("creditmesh-guest", "creditmesh")):
            claims = _claims(iss=issuer, aud=audience, application_id="app_1")
            with pytest.raises(TokenRefused):
                _verifier().caller(_by_hand({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims, key))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS384", "PS256", "ES256", "", None])
def test_other_algorithms_are_not_looked_at(algorithm):
    http = Issuers()
    with pytest.raises(TokenRefused):
        _verifier(http).caller(_by_hand({"alg": algorithm, "kid": "k1"}, _claims(), GUEST_KEY))
    assert http.calls == []


def test_the_guest_key_signs_no_member_and_the_issuer_no_guest():
    with pytest.raises(TokenRefused):
        _verifier().caller(jwt.encode(_claims(), GUEST_KEY, "HS256", headers={"kid": "k1"}))
    with pytest.raises(TokenRefused):
        _verifier().caller(_token(iss="creditmesh-guest", aud="creditmesh", application_id="app_1"))


@pytest.mark.parametrize(("key", "more"), [(EC, {}), (WEAK_RSA, {}), (RSA, {"use": "enc"}), (RSA, {"alg": "RS512"})])
def test_keys_that_are_not_for_this_are_left_out(key, more):
    verifier = _verifier(Issuers(keys=[_jwk(key, "k1", **more), _jwk(OTHER_RSA, "k2")]))
    assert verifier.caller(_token(OTHER_RSA, kid="k2")).subject == "u-1"
    with pytest.raises(TokenRefused):
        verifier.caller(_token(RSA if key is EC else key))


def _guest(key: bytes) -> str:
    return guest_token(key, tenant="guest:1", application_id="app_1", issued_at=datetime.now(UTC))


def test_a_rotated_guest_key_verifies_until_the_next_rotation():
    """In a process that lived through the rotation; strangers must not make it read the secret at will."""
    old, new, newest = b"o" * 40, b"n" * 40, b"x" * 40
    stored, now = [old], [100.0]
    lived = GuestKeys(lambda: list(stored), lambda: now[0])
    verifier = Verifier(lambda: lived, None)
    assert verifier.caller(_guest(old)).subject == "guest:1"
    stored[:] = [new, old]
    with pytest.raises(TokenRefused):
        verifier.caller(_guest(new))
    now[0] += 31
    assert [verifier.caller(_guest(key)).subject for key in (new, old)] == ["guest:1"] * 2
    assert lived.current == new
    stored[:] = [newest, new]
    now[0] += 301
    assert lived.current == newest
    assert [verifier.caller(_guest(key)).subject for key in (newest, new)] == ["guest:1"] * 2
    with pytest.raises(TokenRefused):
        verifier.caller(_guest(old))


def test_a_token_without_a_key_id_is_refused():
    with pytest.raises(TokenRefused):
        _verifier().caller(_token(kid=None))


def test_keys_are_kept_and_rotate():
    http, seconds = Issuers(), Seconds()
    verifier = _verifier(http, seconds)
    for _ in range(3):
        verifier.caller(_token())
    assert len(http.calls) == 1
    http.keys = [_jwk(OTHER_RSA, "k2")]
    with pytest.raises(TokenRefused):
        verifier.caller(_token(OTHER_RSA, kid="k2"))
    seconds.at = 31
    assert verifier.caller(_token(OTHER_RSA, kid="k2")).subject == "u-1"
    with pytest.raises(TokenRefused):
        verifier.caller(_token())
    assert len(http.calls) == 2


def test_made_up_key_ids_do_not_hammer_the_issuer():
    http = Issuers()
    verifier = _verifier(http)
    for number in range(50):
        with pytest.raises(TokenRefused):
            verifier.caller(_token(kid=f"k{number + 100}"))
    assert len(http.calls) == 1


def test_the_key_set_is_found_by_discovery():
    http = Issuers()
    assert _verifier(http, keys_url=None).caller(_token()).subject == "u-1"
    assert http.calls == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


@pytest.mark.parametrize(
    "http",
    [
        Issuers(down=True),
        Issuers(keys=[]),
        Issuers(discovered={"issuer": "https://evil.test", "jwks_uri": "https://evil.test/keys"}),
        Issuers(discovered={"issuer": ISSUER}),
    ],
)
def test_an_issuer_that_does_not_answer_is_no_refusal(http):
    with pytest.raises(InstitutionUnavailable):
        _verifier(http, keys_url=None).caller(_token())


def test_without_an_issuer_only_guests_are_known():
    verifier = Verifier(lambda: GuestKeys(lambda: [GUEST_KEY]), [])
    with pytest.raises(TokenRefused):
        verifier.caller(_token())
    tenant = guest_tenant(GUEST_KEY, "k" * 22)
    token = guest_token(GUEST_KEY, tenant=tenant, application_id="app_1", issued_at=datetime.now(UTC))
    assert verifier.caller(token) == Caller(tenant, Role.BORROWER, tenant)


def test_a_guests_token_runs_out_and_needs_our_key():
    old = datetime.now(UTC) - timedelta(days=7, minutes=1)
    for key, at in ((GUEST_KEY, old), (b"h" * 40, datetime.now(UTC))):
        with pytest.raises(TokenRefused):
            _verifier().caller(guest_token(key, tenant="guest:1", application_id="app_1", issued_at=at))


def test_the_issuer_from_the_environment():
    assert Issuer.from_environment({}) == []
    assert Issuer.from_environment({"OIDC_ISSUER": "", "STAFF_ISSUER": ""}) == []
    found = Issuer.from_environment({"OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": "web, machines", "OIDC_JWKS_URL": ""})
    assert found == [Issuer(ISSUER, ("web", "machines"))]


@pytest.fixture
def two() -> Verifier:
    """Knows the issuers of the staff and of all others, each with a key of its own under the same id."""
    names = {"OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": "web", "STAFF_ISSUER": STAFF_ISSUER, "STAFF_AUDIENCE": "desk"}
    keys = [RSA, OTHER_RSA]
    return Verifier(
        lambda: GuestKeys(lambda: [GUEST_KEY]),
        [
            KeySet(issuer, Issuers([_jwk(key, "k1")], discovered={"issuer": issuer.issuer, "jwks_uri": "https://k"}))
            for issuer, key in zip(Issuer.from_environment(names), keys, strict=True)
        ],
    )


STAFF_ISSUER = "https://login.test/staff"
OF_STAFF = {"key": OTHER_RSA, "iss": STAFF_ISSUER, "aud": "desk", "custom:tenant": None}


@pytest.mark.parametrize("role", Role)
def test_each_issuer_vouches_for_its_own_roles_only(two: Verifier, role: Role):
    tokens = {True: _token(**OF_STAFF | {"cognito:groups": [role]}), False: _token(**{"cognito:groups": [role]})}
    if role not in STAFF:
        tokens[True] = _token(**OF_STAFF | {"cognito:groups": [role], "custom:tenant": "a"})
    assert two.caller(tokens[role in STAFF]).role is role
    with pytest.raises(TokenRefused):
        two.caller(tokens[role not in STAFF])


@pytest.mark.parametrize("changed", [{"key": RSA}, {"aud": "web"}, {"iss": ISSUER}, {"iss": f"{STAFF_ISSUER}/"}])
def test_a_staff_token_needs_the_staffs_key_audience_and_issuer(two: Verifier, changed: dict[str, Any]):
    of_staff = OF_STAFF | {"cognito:groups": ["operator"]}
    assert two.caller(_token(**of_staff)) == Caller("u-1", Role.OPERATOR, "platform")
    with pytest.raises(TokenRefused):
        two.caller(_token(**of_staff | changed))
