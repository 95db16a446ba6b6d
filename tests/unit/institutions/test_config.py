"""The configuration file: every institution gets what its kind needs, and nothing twice the same."""

from __future__ import annotations

from typing import Any

import pytest

from institutions.config import KINDS, SETTINGS, default_document, parse
from institutions.serve import build


def document(**changes: Any) -> dict[str, Any]:
    return default_document(callback_url="http://localhost/api", state_dir="unused", **changes)


def test_every_kind_gets_its_settings_and_the_first_five_keep_their_ports() -> None:
    made = document(base_port=4710)["institutions"]
    assert [(name, one["port"]) for name, one in made.items()] == list(zip(KINDS, range(4710, 4721), strict=True))
    assert list(made)[:5] == ["tax-bureau", "company-registry", "harbor-bank", "riverstone-credit", "northgate-bank"]
    for one in made.values():
        assert set(one) == {"kind", "port", *SETTINGS[one["kind"]]}


def test_no_secret_is_another_ones_or_an_earlier_ones() -> None:
    both = [*document()["institutions"].values(), *document()["institutions"].values()]
    secrets = [one[name] for one in both for name in one if name.endswith(("_key", "_secret"))]
    assert len(secrets) == len(set(secrets)) == 2 * 12
    assert all(len(secret) >= 32 for secret in secrets)


def test_settings_are_read_as_written_and_unknown_ones_refused() -> None:
    made = document()
    made["institutions"]["credit-bureau"] |= {"delay_ms": 7, "latency_ms": 3}
    config = parse(made)
    bureau = config.institutions["credit-bureau"]
    assert (bureau.delay_ms, bureau.latency_ms, bureau.client_id) == (7, 3, "creditmesh")
    assert config.callback_for("credit-bureau") == "http://localhost/api/webhooks/credit-bureau"
    made["institutions"]["credit-bureau"]["delai_ms"] = 7
    with pytest.raises(TypeError, match="delai_ms"):
        parse(made)


def test_an_unknown_kind_is_not_served() -> None:
    made = document()
    made["institutions"]["court-register"]["kind"] = "oracle"
    with pytest.raises(ValueError, match="oracle"):
        build("court-register", parse(made))
