"""Sealed fields and blind indexes (DESIGN 6)."""

from __future__ import annotations

import base64

import pytest

from creditmesh.platform.crypto import DATA_KEY_SECONDS, FieldCipher, SealBroken
from tests.support import wired
from tests.support.world import World

CONTEXT = ("Applications", "app_1", "taxpayer_id")


@pytest.fixture
def cipher(world: World) -> FieldCipher:
    return wired.cipher()


def test_a_sealed_field_opens_under_its_context_only(cipher: FieldCipher) -> None:
    sealed = cipher.seal("secret of a firm", *CONTEXT)
    assert cipher.open(sealed, *CONTEXT) == "secret of a firm"
    for other in (("Other", *CONTEXT[1:]), (CONTEXT[0], "app_2", CONTEXT[2]), (*CONTEXT[:2], "name"), CONTEXT[:2]):
        with pytest.raises(SealBroken):
            cipher.open(sealed, *other)


def test_equal_fields_look_different_and_tell_nothing(cipher: FieldCipher) -> None:
    one, other = (cipher.seal("secret of a firm", *CONTEXT) for _ in range(2))
    assert one != other
    assert b"secret" not in base64.b64decode(one)


def test_an_altered_field_never_opens(cipher: FieldCipher) -> None:
    raw = base64.b64decode(cipher.seal("x", *CONTEXT))
    wrapped_end = 2 + int.from_bytes(raw[:2], "big")
    for place in (0, wrapped_end - 1, wrapped_end, wrapped_end + 12, len(raw) - 1):
        altered = bytearray(raw)
        altered[place] ^= 1
        with pytest.raises(SealBroken):
            cipher.open(base64.b64encode(bytes(altered)).decode(), *CONTEXT)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "é"])
def test_what_was_never_sealed_does_not_open(cipher: FieldCipher, text: str) -> None:
    with pytest.raises(SealBroken):
        cipher.open(text, *CONTEXT)


def test_another_process_opens_what_this_one_sealed(world: World, cipher: FieldCipher) -> None:
    other = FieldCipher(world.stack.clients["kms"], cipher.key_id)
    assert other.open(cipher.seal("x", *CONTEXT), *CONTEXT) == "x"


def test_a_data_key_is_changed_when_it_gets_old(world: World, cipher: FieldCipher) -> None:
    now = 0.0
    ageing = FieldCipher(world.stack.clients["kms"], cipher.key_id, monotonic=lambda: now)

    def wrapped() -> bytes:
        raw = base64.b64decode(ageing.seal("x", *CONTEXT))
        return raw[2 : 2 + int.from_bytes(raw[:2], "big")]

    first = wrapped()
    now = DATA_KEY_SECONDS
    assert wrapped() == first
    now = DATA_KEY_SECONDS + 1
    assert wrapped() != first
