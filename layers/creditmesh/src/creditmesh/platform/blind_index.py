"""Blind indexes: items are found by a value that is stored only encrypted, under keys that can be rotated.

The secret holds one key or several. During a rotation an item may be under the current key or its predecessor: look-ups
try both, new items use the current one, and transactions ensure that nothing is under both. Rotation:
docs/how-to/deploy-aws.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from creditmesh.kernel.clock import Clock, parse_instant

KEYS_SECONDS = 300
"""How long a process caches the keys."""
_GENERATED = re.compile(r"[A-Za-z0-9]{32,128}")
_FIRST = "1"
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class IndexKeysInvalid(Exception):
    """The secret of the index keys cannot be used; the message names the fault, never a key."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"the secret of the index keys: {fault}")


@dataclass(frozen=True)
class IndexKey:
    """One key."""

    key_id: str
    secret: bytes = field(repr=False)
    since: datetime = _ALWAYS
    """New items use the key from this time on."""
    retired: bool = False
    """Everything has been moved to a later key, except codes, which are known by their index alone."""

    def of(self, kind: str, value: str) -> str:
        """The index of one value, prefixed by the key's id; the first key's indexes have no prefix."""
        digest = hmac.new(self.secret, f"{kind}\x1f{value}".encode(), hashlib.sha256).hexdigest()
        return digest if self.key_id == _FIRST else f"{digest}.{self.key_id}"

    def derived(self, use: str) -> bytes:
        """A key of 32 bytes for another use."""
        return hmac.new(self.secret, f"key\x1f{use}".encode(), hashlib.sha256).digest()


def read_keys(text: str) -> tuple[IndexKey, ...]:
    """Parse a secret into keys, newest first: a single generated key, or `{"keys": [{id, key, from?, retired?}]}`.

    Raises:
        IndexKeysInvalid: names the fault.
    """
    if _GENERATED.fullmatch(text):
        return (IndexKey(_FIRST, text.encode()),)
    try:
        document = json.loads(text)
    except ValueError:
        raise IndexKeysInvalid("must be a generated key or JSON") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise IndexKeysInvalid("must list at least one key")
    keys = tuple(_key(number, one) for number, one in enumerate(listed, 1))
    ids = [int(key.key_id) for key in keys]
    if ids != sorted(set(ids), reverse=True):
        raise IndexKeysInvalid("ids must fall from the newest key to the oldest")
    if len({key.secret for key in keys}) < len(keys):
        raise IndexKeysInvalid("two ids must not have the same key")
    if keys[-1].since != _ALWAYS:
        raise IndexKeysInvalid("the oldest key must have no `from`")
    if keys[0].retired:
        raise IndexKeysInvalid("the newest key must not be retired")
    return keys


def _key(number: int, given: Any) -> IndexKey:
    if not isinstance(given, Mapping) or set(given) - {"id", "key", "from", "retired"}:
        raise IndexKeysInvalid(f"key number {number} must have id and key, and may have from and retired")
    key_id, key, since, retired = (given.get(name) for name in ("id", "key", "from", "retired"))
    if not isinstance(key_id, str) or not re.fullmatch(r"[1-9][0-9]{0,3}", key_id):
        raise IndexKeysInvalid(f"key number {number}: id must be a whole number, as text")
    if not isinstance(key, str) or not _GENERATED.fullmatch(key):
        raise IndexKeysInvalid(f"key {key_id}: must be 32 to 128 letters and digits")
    if retired not in (None, True):
        raise IndexKeysInvalid(f"key {key_id}: retired must be true, or left out")
    try:
        begins = _ALWAYS if since is None else parse_instant(since)
    except (ValueError, TypeError, AttributeError):
        raise IndexKeysInvalid(f"key {key_id}: from must be an instant with its offset") from None
    return IndexKey(key_id, key.encode(), begins, bool(retired))


@dataclass
class BlindIndex:
    """Computes indexes: HMAC-SHA256 under the secret's keys, which are reread every five minutes."""

    read: Callable[[], str]
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _keys: tuple[IndexKey, ...] = field(default=(), repr=False)
    _read_at: float = 0.0

    def of(self, kind: str, value: str) -> str:
        """The index of a value under the current key; `kind` separates equal texts of different meaning."""
        return self.current.of(kind, value)

    def each(self, kind: str, value: str) -> list[str]:
        """The indexes that an item may have, newest key first; only one outside of a rotation."""
        return [key.of(kind, value) for key in self.keys() if not key.retired]

    def every(self, kind: str, value: str) -> list[str]:
        """Like `each`, including retired keys."""
        return [key.of(kind, value) for key in self.keys()]

    @property
    def current(self) -> IndexKey:
        """The key for new items."""
        now = self.clock.now()
        return next(key for key in self.keys() if key.since <= now)

    def keys(self) -> tuple[IndexKey, ...]:
        """All keys, newest first.

        Raises:
            IndexKeysInvalid: names the fault.
        """
        if not self._keys or self.monotonic() - self._read_at > KEYS_SECONDS:
            self._keys, self._read_at = read_keys(self.read()), self.monotonic()
        return self._keys
