"""A function's environment, typed. Variables are read on access, so a function needs only those it uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

T = TypeVar("T")


class SettingInvalid(Exception):
    """An environment variable is missing or malformed; the message names it."""


class Variable(Generic[T]):
    """An environment variable, named like the attribute in capitals.

    Args:
        convert: converts the text; its ValueError becomes SettingInvalid.
        default: value of a missing variable; without a default it is required.
    """

    def __init__(self, convert: Callable[[str], T], default: T | None = None) -> None:
        self._convert, self.default = convert, default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.upper()

    @overload
    def __get__(self, settings: None, owner: type) -> Variable[T]: ...
    @overload
    def __get__(self, settings: Settings, owner: type) -> T: ...
    def __get__(self, settings: Settings | None, owner: type) -> Variable[T] | T:
        if settings is None:
            return self
        text = os.environ.get(self.name)
        if text is None:
            if self.default is None:
                raise SettingInvalid(f"environment variable {self.name} is missing")
            return self.default
        try:
            return self._convert(text)
        except ValueError as error:
            raise SettingInvalid(f"{self.name}: {error}") from None


class Named:
    """A resource name derived from the stage, as in template.yaml; `{stage}` is filled in."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get__(self, settings: Settings, owner: type) -> str:
        return self._pattern.format(stage=settings.stage)


class Table:
    """A table's name: `creditmesh-<stage>-` and the attribute's name without `_table`, hyphenated."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._part = name.removesuffix("_table").replace("_", "-")

    def __get__(self, settings: Settings, owner: type) -> str:
        return f"creditmesh-{settings.stage}-{self._part}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


class Settings:
    """Resource names and the parameters that an operator sets; template.yaml gives each function those it reads."""

    stage = Variable(str)

    applications_table = Table()
    application_counts_table = Table()
    authorizations_table = Table()
    consent_records_table = Table()
    authorization_flows_table = Table()
    watches_table = Table()
    scoring_requests_table = Table()
    decisions_table = Table()
    list_entries_table = Table()
    list_journal_table = Table()
    list_imports_table = Table()
    products_table = Table()
    offers_table = Table()
    exposures_table = Table()
    closings_table = Table()
    ledger_accounts_table = Table()
    ledger_transfers_table = Table()
    ledger_entries_table = Table()
    outbox_table = Table()
    received_webhooks_table = Table()
    failed_events_table = Table()
    outcome_labels_table = Table()
    operator_tasks_table = Table()
    idempotency_table = Table()
    documents_table = Table()
    channel_calls_table = Table()
    channel_states_table = Table()
    waits_table = Table()
    reference_records_table = Table()
    models_table = Table()
    shadow_scores_table = Table()

    event_bus = Named("creditmesh-{stage}")
    public_url_parameter = Named("/creditmesh/{stage}/public-url")

    allowed_origins: Variable[list[str]] = Variable(_listed, [])
    """Origins that channels may use besides those of the address book."""
    pages_origin = Variable(str, "")
    """The only origin whose pages may call the API (CORS)."""
    data_bucket = Variable(str)
    artefact_bucket = Variable(str)
    failed_records_bucket = Variable(str)
    """Batches of stream records that functions could not handle."""
    shipped_models: Variable[list[str]] = Variable(_listed)
    """Object keys of the shipped models: `models/<model id>-<version>.json`."""
    model_signing_key = Variable(str)
    """ARN of the KMS key that signs models."""
    trusted_model_keys: Variable[list[str]] = Variable(_listed, [])
    """ARNs of further keys whose signatures are trusted."""
    field_key_id = Variable(str)
    """KMS key that wraps the field data keys."""
    index_secret = Variable(str)
    """Secrets Manager id of the blind-index key."""
    institutions_secret = Variable(str)
    """Secrets Manager id of the institutions' keys."""
    guest_secret = Variable(str)
    """Secrets Manager id of the key that signs guests' tokens."""
    origination_arn = Variable(str)
    list_import_arn = Variable(str)
    training_arn = Variable(str)
    event_replay_arn = Variable(str)
    delivery_queue_url = Variable(str)
    """SQS FIFO queue of messages to deliver."""
    retry_queue_url = Variable(str)
    """SQS queue of messages to retry."""
    max_authorization_requests = Variable(int, 3)
    scoring_shards = Variable(int, 1)
    scoring_engine = Variable(str)
    """`decisions.engine.Engine`."""
    scoring_job_threshold = Variable(int)
    """Requests in five minutes that start the resident job under the engine `auto`."""
    scoring_application_id = Variable(str)
    """EMR Serverless application of the resident job."""
    scoring_job_role_arn = Variable(str)
    scoring_warm_up_calls = Variable(int)
    scoring_spark_parameters = Variable(str)
    """Further parameters of spark-submit."""
    scoring_libraries = Variable(str)
    """Object with the resident job's Python libraries; empty if its interpreter has them."""
    spark_code = Variable(str)
    """Digest of the jobs' code in the bucket of artefacts."""
    country = Variable(str)
    """Whose rules apply: retention, caps on cost (`platform.country`)."""
    business_zone = Variable(_zone)
    """IANA time zone of the installation; its days are the business dates."""

    @property
    def model_keys(self) -> list[str]:
        """Every key whose signatures of models are trusted."""
        return [self.model_signing_key, *self.trusted_model_keys]


def variables() -> dict[str, Variable[Any]]:
    """All variables, by attribute."""
    return {name: one for name, one in vars(Settings).items() if isinstance(one, Variable)}


@cache
def settings() -> Settings:
    return Settings()
