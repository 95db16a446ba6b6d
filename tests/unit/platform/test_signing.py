"""Standard Webhooks signatures (DESIGN 7)."""

from __future__ import annotations

import pytest

from creditmesh.platform.signing import SignatureRefused, sign, signed_headers, verify

# Published test case of the Standard Webhooks libraries (standardwebhooks.com).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER = "whsec_b3RoZXIgc2VjcmV0IG9mIDI0IGJ5dGU="
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
