"""The institutions' keys are checked before they are stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aws.institution_keys import checked
from aws.target import Refused
from tests.support.world import KEYS, SECRET_A


def file_with(folder: Path, document: Any) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps(document))
    return path


def test_good_keys_are_stored_as_they_are(tmp_path: Path) -> None:
    assert json.loads(checked(file_with(tmp_path, KEYS))) == KEYS


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"webhook_secrets": [SECRET_A, "whsec_"]}, "lender-a.webhook_secrets.1: Value error, must contain a key"),
        ({"webhook_secrets": ["whsec_!!!!"]}, "lender-a.webhook_secrets.0: Value error, must be whsec_ and padded"),
        ({"webhook_secrets": [SECRET_A + "\n"]}, "lender-a.webhook_secrets.0"),
        ({"webhook_secrets": SECRET_A}, "lender-a.webhook_secrets: Input should be a valid list"),
        ({"secrets": {"signing_secret": 7}}, "lender-a.secrets.signing_secret: Input should be a valid string"),
        ({"apikey": SECRET_A}, "lender-a.apikey: Extra inputs are not permitted"),
        (SECRET_A, "lender-a: Input should be a valid dictionary"),
    ],
)
def test_a_bad_key_is_named_and_not_shown(tmp_path: Path, keys: Any, fault: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(file_with(tmp_path, {**KEYS, "lender-a": keys}))
    assert fault in str(refused.value)
    assert SECRET_A not in str(refused.value)
