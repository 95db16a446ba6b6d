"""The institutions the platform talks to: addresses from the address book, keys from Secrets Manager."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from creditmesh.kernel.errors import NotFound, Unavailable

CACHE_SECONDS = 300
ADDRESS_BOOK = "institutions.json"
"""Key of the address book in the bucket of artefacts; a deployment puts it there."""


class SecretMissing(Unavailable):
    """A channel refers to a secret that is not there: an operator has to store it."""

    code = "secret_missing"


class Address(BaseModel):
    """One institution as the address book lists it; nothing secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")
    name: str
    base_url: str
    login_url: str | None = None
    """Where a browser reaches the login page, if elsewhere than `base_url`."""


class Keys(BaseModel):
    """One institution's keys as the secret lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: str = Field(default="", repr=False)
    client_id: str = "creditmesh"
    webhook_secrets: list[str] = Field(default_factory=list, repr=False)
    """Standard Webhooks secrets, newest first; ours are signed with the first, theirs may use any."""
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    """Whatever else its channels refer to by name: signing secrets, client secrets, certificates."""

    def secret(self, name: str) -> str:
        """A secret by the name a channel refers to it by.

        Raises:
            SecretMissing: there is none of that name.
        """
        found = self.api_key if name == "api_key" else self.secrets.get(name, "")
        if not found:
            raise SecretMissing(f"the institution has no secret {name}")
        return found


class Institution(BaseModel):
    """An institution with its keys."""

    model_config = ConfigDict(frozen=True)

    institution_id: str
    address: Address
    keys: Keys


class Directory(Protocol):
    """Finds institutions."""

    def get(self, institution_id: str) -> Institution:
        """The institution of that id.

        Raises:
            NotFound: there is none.
        """

    def of_kind(self, kind: str) -> list[Institution]:
        """All institutions of a kind, ordered by id."""

    def keys_of(self, institution_id: str) -> Keys:
        """The keys of an institution, also of one that is not in the address book."""


_ADDRESSES = TypeAdapter(dict[str, Address])
_KEYS = TypeAdapter(dict[str, Keys])


class ConfiguredDirectory:
    """The directory as address book and secret say, read again every few minutes.

    Until an address book is there the directory is empty, and looked for again at the next question.

    Args:
        read_addresses: gives the address book's JSON; raises NotFound if there is none.
        read_keys: gives the secret's JSON text.
        monotonic: seconds, for the age of what was read.
    """

    def __init__(
        self,
        read_addresses: Callable[[], str | bytes],
        read_keys: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_addresses, self._read_keys, self._monotonic = read_addresses, read_keys, monotonic
        self._known: dict[str, Institution] = {}
        self._keys: dict[str, Keys] = {}
        self._read_at: float | None = None

    def get(self, institution_id: str) -> Institution:
        """See `Directory.get`."""
        try:
            return self._all()[institution_id]
        except KeyError:
            raise NotFound("no such institution", field="institution_id") from None

    def of_kind(self, kind: str) -> list[Institution]:
        """See `Directory.of_kind`."""
        return [one for _, one in sorted(self._all().items()) if one.address.kind == kind]

    def keys_of(self, institution_id: str) -> Keys:
        """See `Directory.keys_of`."""
        self._all()
        return self._keys.get(institution_id, Keys())

    def _all(self) -> dict[str, Institution]:
        if self._read_at is None or self._monotonic() - self._read_at > CACHE_SECONDS:
            self._keys = _KEYS.validate_json(self._read_keys())
            try:
                addresses = _ADDRESSES.validate_json(self._read_addresses())
            except NotFound:
                return {}
            self._known = {
                name: Institution(institution_id=name, address=address, keys=self._keys.get(name, Keys()))
                for name, address in addresses.items()
            }
            self._read_at = self._monotonic()
        return self._known
