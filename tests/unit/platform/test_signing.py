"""Standard Webhooks signatures (DESIGN 7)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.signing import SignatureRefused, key_of, sign, signed_headers, verify

# Published test case of the Standard Webhooks libraries (standardwebhooks.com).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER = "whsec_YW5vdGhlciBzZWNyZXQ6IDI0IGJ5dGVz"
HEADERS = {"webhook-id": MESSAGE_ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": SIGNATURE}


def test_the_published_case():
    assert sign(SECRET, MESSAGE_ID, TIMESTAMP, BODY) == SIGNATURE
    assert verify([SECRET], HEADERS, BODY, TIMESTAMP) == MESSAGE_ID


def test_what_we_sign_we_verify():
    assert verify([SECRET], signed_headers(SECRET, "m-1", TIMESTAMP, b"\xff\x00"), b"\xff\x00", TIMESTAMP) == "m-1"


@pytest.mark.parametrize("now", [TIMESTAMP - 300, TIMESTAMP + 300])
def test_five_minutes_either_way_are_fine(now):
    assert verify([SECRET], HEADERS, BODY, now) == MESSAGE_ID


def test_rotation_on_either_side():
    assert verify([OTHER, SECRET], HEADERS, BODY, TIMESTAMP) == MESSAGE_ID
    both = f"{sign(OTHER, MESSAGE_ID, TIMESTAMP, BODY)} {SIGNATURE}"
    assert verify([SECRET], HEADERS | {"webhook-signature": both}, BODY, TIMESTAMP) == MESSAGE_ID


@pytest.mark.parametrize(
    ("secrets", "headers", "body", "now"),
    [
        ([], {}, BODY, TIMESTAMP),
        ([OTHER], {}, BODY, TIMESTAMP),
        ([SECRET], {}, BODY + b" ", TIMESTAMP),
        ([SECRET], {}, BODY, TIMESTAMP + 301),
        ([SECRET], {}, BODY, TIMESTAMP - 301),
        ([SECRET], {"webhook-id": "other"}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-id": ""}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-timestamp": str(TIMESTAMP + 1)}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-timestamp": f" {TIMESTAMP}"}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-timestamp": "9" * 13}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-timestamp": "-1"}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-signature": SIGNATURE[3:]}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-signature": SIGNATURE.replace("v1,", "v1a,")}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-signature": SIGNATURE.replace("v1,", "v2,")}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-signature": "v1,é v1,===="}, BODY, TIMESTAMP),
        ([SECRET], {"webhook-signature": ""}, BODY, TIMESTAMP),
    ],
)
def test_anything_else_is_refused_alike(secrets, headers, body, now):
    with pytest.raises(SignatureRefused, match="^not authentic$"):
        verify(secrets, HEADERS | headers, body, now)


@pytest.mark.parametrize("missing", list(HEADERS))
def test_every_header_is_needed(missing):
    with pytest.raises(SignatureRefused):
        verify([SECRET], {name: text for name, text in HEADERS.items() if name != missing}, BODY, TIMESTAMP)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


NOT_BASE64, WRONG_SIZE = "must be whsec_ and padded base64", "must contain a key of 24 to 64 bytes"
BAD_SECRETS = {
    "": NOT_BASE64,
    "whsec_": WRONG_SIZE,
    "whsec_!!!!": NOT_BASE64,
    f"v1,{SECRET}": NOT_BASE64,
    SECRET.removeprefix("whsec_"): NOT_BASE64,
    f"WHSEC_{SECRET.removeprefix('whsec_')}": NOT_BASE64,
    f"whsec_{SECRET}": NOT_BASE64,
    secret_of(b"k" * 25).rstrip("="): NOT_BASE64,
    secret_of(b"k" * 25)[:-1]: NOT_BASE64,
    f"{SECRET}====": NOT_BASE64,
    f"{SECRET}\n": NOT_BASE64,
    f" {SECRET}": NOT_BASE64,
    f"{SECRET[:20]} {SECRET[20:]}": NOT_BASE64,
    f"{SECRET} {OTHER}": NOT_BASE64,
    f"{SECRET},{OTHER}": NOT_BASE64,
    secret_of(b"\xfb\xff" * 15).replace("+", "-").replace("/", "_"): NOT_BASE64,
    secret_of(b"k" * 25)[:-3] + "x==": NOT_BASE64,  # bits beyond the last byte
    "whsec_密钥密钥": NOT_BASE64,
    "whsec_\ud800": NOT_BASE64,
    secret_of(b"k"): WRONG_SIZE,
    secret_of(b"k" * 23): WRONG_SIZE,
    secret_of(b"k" * 65): WRONG_SIZE,
}


@pytest.mark.parametrize(("secret", "rule"), BAD_SECRETS.items())
def test_an_unusable_secret_is_refused_and_not_shown(secret: str, rule: str) -> None:
    """F15."""
    with pytest.raises(InvalidInput) as refused:
        key_of(secret)
    assert refused.value.message == rule
    with pytest.raises(InvalidInput):
        sign(secret, MESSAGE_ID, TIMESTAMP, BODY)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_keys_of_the_allowed_sizes(size: int) -> None:
    assert key_of(secret_of(b"k" * size)) == b"k" * size


@pytest.mark.parametrize("secret", BAD_SECRETS)
def test_an_unusable_secret_verifies_nothing_and_leaves_the_others(secret: str) -> None:
    """F15: above all nothing that anybody could sign, as with the empty key."""
    for key in (b"", b"k", secret.encode("utf-8", "surrogatepass")):
        mac = hmac.new(key, f"{MESSAGE_ID}.{TIMESTAMP}.".encode() + BODY, hashlib.sha256).digest()
        forged = HEADERS | {"webhook-signature": "v1," + base64.b64encode(mac).decode()}
        with pytest.raises(SignatureRefused):
            verify([secret], forged, BODY, TIMESTAMP)
    assert verify([secret, SECRET], HEADERS, BODY, TIMESTAMP) == MESSAGE_ID
    assert verify([SECRET, secret], HEADERS, BODY, TIMESTAMP) == MESSAGE_ID
