from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from creditmesh.platform.settings import SettingInvalid, Settings, settings, variables


def test_a_variable_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "test")
    monkeypatch.delenv("DATA_BUCKET", raising=False)
    own = Settings()
    with pytest.raises(SettingInvalid, match="DATA_BUCKET"):
        _ = own.data_bucket
    monkeypatch.setenv("DATA_BUCKET", "some-bucket")
    assert own.data_bucket == "some-bucket"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SCORING_SHARDS", "7", 7),
        ("BUSINESS_ZONE", "Asia/Shanghai", ZoneInfo("Asia/Shanghai")),
        ("ALLOWED_ORIGINS", " https://a.test, ,https://*.b.test ", ["https://a.test", "https://*.b.test"]),
        ("ALLOWED_ORIGINS", "", []),
        ("SHIPPED_MODELS", "models/x-1.0.0.json, models/y-1.0.0.json", ["models/x-1.0.0.json", "models/y-1.0.0.json"]),
    ],
)
def test_variables_have_types(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(settings(), name.lower()) == value


def test_a_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_SHARDS", "many")
    with pytest.raises(SettingInvalid, match="SCORING_SHARDS"):
        _ = settings().scoring_shards


def test_what_may_be_missing_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in variables().values():
        monkeypatch.delenv(one.name, raising=False)
    assert (settings().scoring_shards, settings().allowed_origins) == (1, [])


def test_names_follow_from_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "blue")
    own = settings()
    assert own.consent_records_table == "creditmesh-blue-consent-records"
    assert (own.event_bus, own.public_url_parameter) == ("creditmesh-blue", "/creditmesh/blue/public-url")
