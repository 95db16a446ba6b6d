"""A function's environment, typed; a variable is read when it is asked for, so a function gets only what it reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class SettingInvalid(Exception):
    """A variable of the environment is missing or malformed; the message names it."""


class Variable(Generic[T]):
    """The environment variable named as the attribute, in capitals.

    Args:
        convert: makes the value of the text; its ValueError becomes SettingInvalid.
        default: what a missing variable counts as; without one it must be there.
    """

    def __init__(self, convert: Callable[[str], T], default: T | None = None) -> None:
        self._convert, self.default = convert, default

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the variable's name."""
        self.name = name.upper()

    @overload
    def __get__(self, settings: None, owner: type) -> Variable[T]: ...
    @overload
    def __get__(self, settings: Settings, owner: type) -> T: ...
    def __get__(self, settings: Settings | None, owner: type) -> Variable[T] | T:
        """The value.

        Raises:
            SettingInvalid: it is missing or malformed.
        """
        if settings is None:
            return self
        text = os.environ.get(self.name)
        if text is None:
            if self.default is None:
                raise SettingInvalid(f"the environment has no {self.name}")
            return self.default
        try:
            return self._convert(text)
        except ValueError as error:
            raise SettingInvalid(f"{self.name}: {error}") from None


class Named:
    """A name that follows from the stage, as template.yaml gives it; `{stage}` is filled in."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get__(self, settings: Settings, owner: type) -> str:
        """The name."""
        return self._pattern.format(stage=settings.stage)


class Table:
    """A table's name: `creditmesh-<stage>-` and the attribute's name without `_table`, with hyphens."""

    def __set_name__(self, owner: type, name: str) -> None:
        """Derive the name's last part."""
        self._part = name.removesuffix("_table").replace("_", "-")

    def __get__(self, settings: Settings, owner: type) -> str:
        """The name."""
        return f"creditmesh-{settings.stage}-{self._part}"


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


class Settings:
    """Names of resources and the few figures an operator sets; template.yaml gives each function those it reads."""

    stage = Variable(str)

    applications_table = Table()
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
    closings_table = Table()
    outbox_table = Table()
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
    """Origins that channels may name besides those of the address book."""
    pages_origin = Variable(str, "")
    """The one origin whose pages may call the API."""
    data_bucket = Variable(str)
    artefact_bucket = Variable(str)
    model_id = "origination"
    model_key = Variable(str, "models/origination-2.1.0.json")
    """The shipped model's object."""
    model_signing_key = Variable(str)
    """ARN of the KMS key that signs models."""
    trusted_model_keys: Variable[list[str]] = Variable(_listed, [])
    """ARNs of further keys whose signatures count."""
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
    delivery_queue_url = Variable(str)
    """SQS FIFO queue of messages to be delivered."""
    retry_queue_url = Variable(str)
    """SQS queue of messages to be tried again."""
    parked_queue_url = Variable(str)
    """SQS queue of messages that no institution took."""
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
    """The object with the resident job's Python libraries; empty where its interpreter has them."""
    spark_code = Variable(str)
    """The digest under which the jobs' code lies in the bucket of artefacts."""
    rules_utc_offset_minutes = Variable(int, 0)
    """What the days of rules are ahead of those in UTC."""

    @property
    def model_keys(self) -> list[str]:
        """Every key whose signatures of models count."""
        return [self.model_signing_key, *self.trusted_model_keys]


def variables() -> dict[str, Variable[Any]]:
    """Every variable that the settings know, by attribute."""
    return {name: one for name, one in vars(Settings).items() if isinstance(one, Variable)}


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
