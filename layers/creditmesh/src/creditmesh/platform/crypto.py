"""Encryption of single fields and of bulk data.

A field is encrypted with AES-256-GCM under a KMS data key; table, key and field name are the associated data, so that a
ciphertext copied elsewhere does not decrypt. A process reuses data keys for a few minutes to save calls to KMS; each
message has its own random nonce.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from creditmesh.kernel.errors import DomainError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

DATA_KEY_SECONDS = 300
DATA_KEY_USES = 10_000
_CONTEXT = {"purpose": "creditmesh-field"}


class SealBroken(DomainError):
    """A sealed field does not decrypt: it was altered, or belongs to another item."""

    code = "seal_broken"


@dataclass
class FieldCipher:
    """Encrypts and decrypts single fields."""

    client: KMSClient
    key_id: str
    monotonic: Callable[[], float] = time.monotonic
    _current: tuple[bytes, bytes, float] | None = field(default=None, repr=False)
    _uses: int = 0
    _opened: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def seal(self, plain: str, *context: str) -> str:
        """Encrypt one field; `context` is (table, key, field name)."""
        key, wrapped = self._data_key()
        nonce = os.urandom(12)
        body = AESGCM(key).encrypt(nonce, plain.encode(), "\x1f".join(context).encode())
        return base64.b64encode(len(wrapped).to_bytes(2, "big") + wrapped + nonce + body).decode()

    def open(self, sealed: str, *context: str) -> str:
        """Decrypt the output of `seal` for the same context.

        Raises:
            SealBroken: altered, or of another context.
        """
        refusals = self.client.exceptions
        try:
            raw = base64.b64decode(sealed, validate=True)
            size = int.from_bytes(raw[:2], "big")
            wrapped, nonce, body = raw[2 : 2 + size], raw[2 + size : 14 + size], raw[14 + size :]
            return AESGCM(self._unwrap(wrapped)).decrypt(nonce, body, "\x1f".join(context).encode()).decode()
        except (InvalidTag, ValueError, refusals.InvalidCiphertextException, refusals.IncorrectKeyException):
            raise SealBroken("a sealed field does not open") from None

    def _data_key(self) -> tuple[bytes, bytes]:
        if (
            self._current is None
            or self._uses >= DATA_KEY_USES
            or self.monotonic() - self._current[2] > DATA_KEY_SECONDS
        ):
            answer = self.client.generate_data_key(KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=_CONTEXT)
            self._current = (answer["Plaintext"], answer["CiphertextBlob"], self.monotonic())
            self._uses = 0
        self._uses += 1
        return self._current[0], self._current[1]

    def _unwrap(self, wrapped: bytes) -> bytes:
        key = self._opened.get(wrapped)
        if key is None:
            answer = self.client.decrypt(CiphertextBlob=wrapped, KeyId=self.key_id, EncryptionContext=_CONTEXT)
            key = answer["Plaintext"]
            if len(self._opened) >= 256:
                self._opened.clear()
            self._opened[wrapped] = key
        return key


@dataclass(frozen=True)
class DataKey:
    """One data key for data that belongs together, such as the blocks of one import."""

    wrapped: str
    """The key in wrapped form, which may be stored; see `BulkCipher.open_key`."""
    plain: bytes = field(repr=False)

    def seal(self, content: bytes, *context: str) -> bytes:
        """Encrypt; `context` identifies what it is and where it is stored."""
        nonce = os.urandom(12)
        return nonce + AESGCM(self.plain).encrypt(nonce, content, "\x1f".join(context).encode())

    def open(self, sealed: bytes | memoryview, *context: str) -> bytes:
        """Decrypt the output of `seal` for the same context.

        Raises:
            SealBroken: altered, or of another context.
        """
        try:
            return AESGCM(self.plain).decrypt(sealed[:12], sealed[12:], "\x1f".join(context).encode())
        except (InvalidTag, ValueError):
            raise SealBroken("sealed content does not open") from None


@dataclass(frozen=True)
class BulkCipher:
    """Creates and unwraps data keys for many megabytes of content, with one call to KMS per key."""

    client: KMSClient
    key_id: str

    def new_key(self) -> DataKey:
        answer = self.client.generate_data_key(KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=_CONTEXT)
        return DataKey(base64.b64encode(answer["CiphertextBlob"]).decode(), answer["Plaintext"])

    def open_key(self, wrapped: str) -> DataKey:
        blob = base64.b64decode(wrapped)
        answer = self.client.decrypt(CiphertextBlob=blob, KeyId=self.key_id, EncryptionContext=_CONTEXT)
        return DataKey(wrapped, answer["Plaintext"])
