"""The AWS side of a process, created on first use; the one seam that tests replace.

Modules that only some functions need are imported where they are used, so that a function loads little more than its
own context.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from creditmesh.kernel.clock import Clock, SystemClock
from creditmesh.platform.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import BulkCipher, FieldCipher
    from creditmesh.platform.events import EventPublisher
    from creditmesh.platform.http import HttpClient
    from creditmesh.platform.institutions import AddressBook, ConfiguredDirectory
    from creditmesh.platform.objects import Objects
    from creditmesh.platform.outbox import Outbox
    from creditmesh.platform.tables import Tables
    from creditmesh.platform.tasks import Process, Tasks
    from creditmesh.platform.tokens import GuestKeys
    from creditmesh.platform.waits import Waits

T = TypeVar("T")


class Platform:
    """AWS, institutions and clock for all contexts."""

    def __init__(self) -> None:
        self.made: dict[Callable[[], Any], Any] = {}
        """Instances of `singleton`, by their factory."""
        self._clients: dict[str, Any] = {}
        self._making = Lock()

    def client(self, service: str) -> Any:
        """The boto3 client of a service; threads may share it, but must not make clients at the same time."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = _client(service)
            return self._clients[service]

    def secret(self, name: str) -> str:
        """A secret's text, not cached; callers cache what they derive from it."""
        secrets: SecretsManagerClient = self.client("secretsmanager")
        return secrets.get_secret_value(SecretId=name)["SecretString"]

    def parameter(self, name: str) -> str:
        """An SSM parameter's text, not cached."""
        return str(self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    @cached_property
    def clock(self) -> Clock:
        return SystemClock(settings().business_zone)

    @cached_property
    def tables(self) -> Tables:
        from creditmesh.platform.tables import Tables

        return Tables(self.client("dynamodb"))

    @cached_property
    def data(self) -> Objects:
        from creditmesh.platform.objects import Objects

        return Objects(self.client("s3"), settings().data_bucket)

    @cached_property
    def artefacts(self) -> Objects:
        from creditmesh.platform.objects import Objects

        return Objects(self.client("s3"), settings().artefact_bucket)

    @cached_property
    def failed_records(self) -> Objects:
        from creditmesh.platform.objects import Objects

        return Objects(self.client("s3"), settings().failed_records_bucket)

    @cached_property
    def cipher(self) -> FieldCipher:
        from creditmesh.platform.crypto import FieldCipher

        return FieldCipher(self.client("kms"), settings().field_key_id)

    @cached_property
    def bulk_cipher(self) -> BulkCipher:
        from creditmesh.platform.crypto import BulkCipher

        return BulkCipher(self.client("kms"), settings().field_key_id)

    @cached_property
    def blind_index(self) -> BlindIndex:
        from creditmesh.platform.blind_index import BlindIndex

        return BlindIndex(lambda: self.secret(settings().index_secret), self.clock)

    @cached_property
    def guest_keys(self) -> GuestKeys:
        from creditmesh.platform.tokens import GuestKeys

        secrets: SecretsManagerClient = self.client("secretsmanager")

        def read() -> list[bytes]:
            keys = [self.secret(settings().guest_secret).encode()]
            with suppress(secrets.exceptions.ResourceNotFoundException):  # none before the first rotation
                before = secrets.get_secret_value(SecretId=settings().guest_secret, VersionStage="AWSPREVIOUS")
                keys.append(before["SecretString"].encode())
            return keys

        return GuestKeys(read)

    @cached_property
    def tasks(self) -> Tasks:
        from creditmesh.platform.tasks import Tasks

        return Tasks(self.client("stepfunctions"), settings().origination_arn)

    def process(self, arn: str) -> Process:
        from creditmesh.platform.tasks import Process

        return Process(self.client("stepfunctions"), arn)

    @cached_property
    def waits(self) -> Waits:
        from creditmesh.platform.waits import Waits

        return Waits(self.tables, settings().waits_table, self.tasks, self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        from creditmesh.platform.outbox import Outbox

        return Outbox(settings().outbox_table, self.cipher, self.clock)

    @cached_property
    def events(self) -> EventPublisher:
        from creditmesh.platform.events import EventPublisher

        return EventPublisher(self.client("events"), settings().event_bus)

    @cached_property
    def http(self) -> HttpClient:
        from creditmesh.platform.http import HttpClient

        return HttpClient()

    @cached_property
    def addresses(self) -> AddressBook:
        from creditmesh.platform.institutions import ADDRESS_BOOK, AddressBook

        return AddressBook(lambda: self.artefacts.get(ADDRESS_BOOK))

    @cached_property
    def directory(self) -> ConfiguredDirectory:
        from creditmesh.platform.institutions import ConfiguredDirectory

        secret = settings().institutions_secret
        return ConfiguredDirectory(self.addresses, lambda: self.secret(secret))


def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # The services validate parameters themselves, and tests and type checks do before. Building boto3's long user agent
    # for each request takes a twelfth of a function's processor time.
    config = Config(
        retries={"mode": "standard", "max_attempts": 4},
        connect_timeout=3,
        read_timeout=15,
        parameter_validation=False,
        user_agent="creditmesh",
    )
    if service == "s3":
        # An empty key must not reach S3, where it would mean the bucket. Upload URLs need the signature version that
        # buckets encrypted by KMS require.
        config = config.merge(Config(parameter_validation=True, signature_version="s3v4"))
    return boto3.client(service, config=config)  # type: ignore[call-overload]


_current = Platform()


def platform() -> Platform:
    """The platform of this process."""
    return _current


def replace(new: Platform) -> Platform:
    """Replace the platform and return the previous one; for tests."""
    global _current
    before, _current = _current, new
    return before


def singleton(make: Callable[[], T]) -> Callable[[], T]:
    """Cache what `make` returns on the current platform."""

    @wraps(make)
    def made() -> T:
        kept = platform().made
        if made not in kept:
            kept[made] = make()
        found: T = kept[made]
        return found

    return made
