"""The directory of institutions: addresses from configuration, keys from the secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from creditmesh.kernel.errors import NotFound
from creditmesh.platform.institutions import CACHE_SECONDS, AddressBook, ConfiguredDirectory
from tests.support.world import ADDRESSES, KEYS, World

from tests.support import wired  # isort: skip


def directory(addresses: Any = ADDRESSES, keys: Any = KEYS, **options: Any) -> ConfiguredDirectory:
    book = AddressBook(lambda: json.dumps(addresses), **options)
    return ConfiguredDirectory(book, lambda: json.dumps(keys), **options)


def test_institutions_by_id_and_kind() -> None:
    found = directory()
    assert found.get("tax-bureau").keys.api_key == KEYS["tax-bureau"]["api_key"]
    assert [one.institution_id for one in found.of_kind("lender")] == ["lender-a", "lender-b"]
    assert found.of_kind("bank") == []
    with pytest.raises(NotFound):
        found.get("nobody")


@pytest.mark.parametrize("length", [0, 41])
def test_an_id_that_the_ledger_has_no_room_for_is_refused(length: int) -> None:
    lender = ADDRESSES["lender-a"]
    assert directory({"a" * 40: lender}).get("a" * 40).address.kind == "lender"
    with pytest.raises(ValidationError, match="string_too"):
        directory({**ADDRESSES, "a" * length: lender}).of_kind("lender")


def test_an_institution_without_keys_has_empty_ones() -> None:
    keys = directory(keys={}).get("lender-a").keys
    assert (keys.webhook_secrets, keys.api_key) == ([], "")


def test_a_new_institution_is_known_after_a_while() -> None:
    now, addresses = 0.0, dict(ADDRESSES)
    found = directory(addresses, monotonic=lambda: now)
    assert len(found.of_kind("lender")) == 2
    addresses["lender-c"] = {**ADDRESSES["lender-a"], "name": "Lender C"}
    now = CACHE_SECONDS
    assert len(found.of_kind("lender")) == 2
    now = CACHE_SECONDS + 1
    assert len(found.of_kind("lender")) == 3


def test_without_an_address_book_there_is_nobody_until_it_comes() -> None:
    """It is looked for at each question: the first deployment uploads it after the functions are there."""
    there: list[str] = []

    def addresses() -> str:
        if not there:
            raise NotFound("no document under institutions.json")
        return there[0]

    found = ConfiguredDirectory(AddressBook(addresses), lambda: json.dumps(KEYS))
    assert found.of_kind("lender") == []
    assert found.keys_of("lender-a").webhook_secrets == KEYS["lender-a"]["webhook_secrets"]
    there.append(json.dumps(ADDRESSES))
    assert [one.institution_id for one in found.of_kind("lender")] == ["lender-a", "lender-b"]


@pytest.mark.parametrize("broken", [{"lender-a": {"kind": "shop"}}, {"lender-a": {"name": "x"}}, []])
def test_a_configuration_that_cannot_be_read_is_an_error(broken: Any) -> None:
    with pytest.raises(ValidationError):
        directory(broken).of_kind("lender")


GOOD, BAD = KEYS["lender-a"]["webhook_secrets"][0], "whsec_c2hvcnQ="


@pytest.mark.parametrize(
    ("keys", "kept", "fault"),
    [
        ({"webhook_secrets": [BAD, GOOD]}, [GOOD], "webhook_secrets.0: Value error, must contain a key of 24 to 64"),
        ({"webhook_secrets": [GOOD, f"{GOOD} "]}, [GOOD], "webhook_secrets.1: Value error, must be whsec_ and padded"),
        ({"webhook_secrets": [BAD, GOOD, "v1,x", ""]}, [GOOD], "webhook_secrets.3"),
        ({"webhook_secrets": [BAD]}, [], "webhook_secrets.0"),
        ({"webhook_secrets": [7, None, GOOD]}, [GOOD], "webhook_secrets.1: Input should be a valid string"),
        ({"webhook_secrets": GOOD}, [], "webhook_secrets: Input should be a valid list"),
        ({"webhook_secrets": [GOOD], "api_key": 7}, [GOOD], "api_key: Input should be a valid string"),
        ({"webhook_secrets": [GOOD], "webhook_secret": BAD}, [GOOD], "webhook_secret: Extra inputs are not permitted"),
        ({"webhook_secrets": [GOOD], "secrets": {"signing_secret": 7}}, [GOOD], "secrets.signing_secret: Input"),
        ([GOOD], [], "Input should be a valid dictionary"),
    ],
)
def test_a_bad_key_costs_neither_the_others_nor_other_institutions(
    keys: Any, kept: list[str], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F15: while keys are rotated, the good one serves."""
    found = directory(keys={**KEYS, "lender-a": keys})
    assert found.get("lender-a").keys.webhook_secrets == kept
    assert found.get("lender-b").keys.webhook_secrets == KEYS["lender-b"]["webhook_secrets"]
    logged = str([vars(record) for record in caplog.records])
    assert fault in logged
    assert "lender-a" in logged
    assert not any(secret in logged for secret in (GOOD, BAD))


def test_a_secret_that_is_no_document_is_an_error_that_does_not_quote_it() -> None:
    with pytest.raises(ValidationError) as error:
        directory(keys=[GOOD]).of_kind("lender")
    assert GOOD not in str(error.value)


def test_keys_are_not_shown() -> None:
    shown = repr(directory().get("lender-a")) + repr(directory().get("tax-bureau"))
    assert KEYS["lender-a"]["webhook_secrets"][0] not in shown
    assert KEYS["tax-bureau"]["api_key"] not in shown


def test_the_platform_reads_address_book_and_secret(world: World) -> None:
    assert [one.institution_id for one in wired.directory().of_kind("registry")] == ["company-registry"]
    assert wired.directory().get("lender-a").keys.webhook_secrets == KEYS["lender-a"]["webhook_secrets"]
