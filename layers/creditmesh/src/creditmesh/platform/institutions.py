"""The directory of institutions: addresses from the address book, keys from Secrets Manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.kernel.reasons import Unusable
from creditmesh.platform.observability import logger
from creditmesh.platform.signing import key_of

CACHE_SECONDS = 300
LONGEST_ID = 40
"""Of an institution's id: ids of accounts in the ledger have room for no more."""
ADDRESS_BOOK = "institutions.json"
"""Key of the address book in the bucket of artefacts, uploaded by the deployment."""


class SecretMissing(Unusable):
    """A channel refers to a secret that is missing or unfit; an operator must store it."""

    code = "secret_missing"
    SENTENCES = {
        "certificate_unfit": "the secrets {certificate} and {private_key} are not a certificate and its key in PEM",
        "secret_missing": "the institution has no secret {secret}",
        "secret_too_short": "the secret {secret} must have at least {min} printable characters, without spaces around",
        "secret_unfit_for_header": "the secret {secret} cannot be sent in a header",
    }


class Address(BaseModel):
    """An institution in the address book; nothing secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")
    name: str
    base_url: str
    login_url: str | None = None
    """Where browsers find the login page, if not at `base_url`."""
    products_need_approval: bool = Field(default=False, strict=True)
    """Of a lender: whether another of its users must approve what one enters into its catalogue."""


def _webhook_secret(text: str) -> str:
    try:
        key_of(text)
    except InvalidInput as error:
        raise ValueError(error.message) from None
    return text


class Keys(BaseModel):
    """An institution's keys in the secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: str = Field(default="", repr=False)
    client_id: str = "creditmesh"
    webhook_secrets: list[Annotated[str, AfterValidator(_webhook_secret)]] = Field(default_factory=list, repr=False)
    """Standard Webhooks secrets, newest first: we sign with the first and accept all."""
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    """Other secrets that its channels name: signing secrets, client secrets, certificates."""

    def secret(self, name: str) -> str:
        """A secret by the name that a channel uses.

        Raises:
            SecretMissing: unknown name.
        """
        found = self.api_key if name == "api_key" else self.secrets.get(name, "")
        if not found:
            raise SecretMissing("secret_missing", secret=name)
        return found


class Institution(BaseModel):
    """An institution with its keys."""

    model_config = ConfigDict(frozen=True)

    institution_id: str
    address: Address
    keys: Keys


class Directory(Protocol):
    """Look-up of institutions."""

    def get(self, institution_id: str) -> Institution:
        """An institution by id.

        Raises:
            NotFound: unknown id.
        """

    def of_kind(self, kind: str) -> list[Institution]:
        """All institutions of a kind, ordered by id."""

    def keys_of(self, institution_id: str) -> Keys:
        """The keys of an institution, which need not be in the address book."""


_ADDRESSES = TypeAdapter(dict[Annotated[str, Field(min_length=1, max_length=LONGEST_ID)], Address])
KEYS = TypeAdapter(dict[str, Keys], config=ConfigDict(hide_input_in_errors=True))
_GIVEN = TypeAdapter(dict[str, Any], config=ConfigDict(hide_input_in_errors=True))


class AddressBook:
    """The institutions' addresses, read again every few minutes; without one, empty and read at each look-up.

    Args:
        read: returns the address book's JSON; raises NotFound if there is none.
        monotonic: clock in seconds, for the cache's age.
    """

    def __init__(self, read: Callable[[], str | bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read, self._monotonic = read, monotonic
        self._known: dict[str, Address] = {}
        self._read_at: float | None = None

    def all(self) -> dict[str, Address]:
        if self._read_at is None or self._monotonic() - self._read_at > CACHE_SECONDS:
            try:
                self._known = _ADDRESSES.validate_json(self._read())
            except NotFound:
                return {}
            self._read_at = self._monotonic()
        return self._known

    def of(self, kind: str) -> dict[str, Address]:
        """All institutions of a kind by id, ordered."""
        return {name: one for name, one in sorted(self.all().items()) if one.kind == kind}


class ConfiguredDirectory:
    """Joins the addresses and the keys in the secret, which it reads again every few minutes.

    Args:
        addresses: which institutions there are.
        read_keys: returns the secret's JSON text.
        monotonic: clock in seconds, for the cache's age.
    """

    def __init__(
        self,
        addresses: AddressBook,
        read_keys: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses, self._read_keys, self._monotonic = addresses, read_keys, monotonic
        self._keys: dict[str, Keys] = {}
        self._read_at: float | None = None

    def get(self, institution_id: str) -> Institution:
        address = self._addresses.all().get(institution_id)
        if address is None:
            raise NotFound("no such institution", field="institution_id")
        return Institution(institution_id=institution_id, address=address, keys=self.keys_of(institution_id))

    def of_kind(self, kind: str) -> list[Institution]:
        return [self.get(name) for name in self._addresses.of(kind)]

    def keys_of(self, institution_id: str) -> Keys:
        if self._read_at is None or self._monotonic() - self._read_at > CACHE_SECONDS:
            self._keys = {name: _usable(name, one) for name, one in _GIVEN.validate_json(self._read_keys()).items()}
            self._read_at = self._monotonic()
        return self._keys.get(institution_id, Keys())


def faults_of(error: ValidationError) -> list[str]:
    """What is wrong with keys, as place and rule; never a key."""
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]


def _usable(institution_id: str, given: Any) -> Keys:
    """Keys without those that break a rule: a bad one must not cost the others, as in a rotation."""
    try:
        return Keys.model_validate(given)
    except ValidationError as error:
        logger.error("unusable keys", extra={"institution": institution_id, "faults": faults_of(error)})
        places = {one["loc"] for one in error.errors()}
    return Keys() if () in places else _usable(institution_id, _without(given, places))


def _without(given: Any, places: Iterable[tuple[int | str, ...]]) -> Any:
    pruned = deepcopy(given)
    for *parents, last in sorted(places, reverse=True):  # the later items of a list first
        inner = pruned
        for name in parents:
            inner = inner[name]
        del inner[last]
    return pruned
