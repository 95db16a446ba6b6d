"""What a function is told by its environment, typed and read once."""

from __future__ import annotations

import os
from functools import cache

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Names of resources and the few figures an operator sets; template.yaml gives each."""

    model_config = ConfigDict(frozen=True)

    stage: str = "local"
    applications_table: str
    authorizations_table: str
    consent_records_table: str
    authorization_flows_table: str
    revocations_table: str
    watches_table: str
    scoring_requests_table: str
    decisions_table: str
    list_entries_table: str
    list_journal_table: str
    list_imports_table: str
    products_table: str
    closings_table: str
    outbox_table: str
    outcome_labels_table: str
    operator_tasks_table: str
    idempotency_table: str
    documents_table: str
    channel_calls_table: str
    channel_states_table: str
    reference_records_table: str
    allowed_origins: str = Field(default="", description="origins channels may name besides the address book's")
    data_bucket: str
    artefact_bucket: str
    model_id: str = "origination"
    model_key: str = Field(default="models/origination-2.1.0.json", description="the shipped model's object")
    models_table: str
    shadow_scores_table: str
    model_signing_key: str = Field(description="ARN of the KMS key that signs models")
    trusted_model_keys: str = Field(default="", description="ARNs of further keys whose signatures count")
    event_bus: str
    field_key_id: str = Field(description="KMS key that wraps the field data keys")
    index_secret: str = Field(description="Secrets Manager id of the blind-index key")
    institutions_secret: str = Field(description="Secrets Manager id of the institutions' keys")
    guest_secret: str = Field(description="Secrets Manager id of the key that signs guests' tokens")
    institutions_parameter: str = Field(description="SSM parameter that lists the institutions")
    origination_arn: str = Field(description="ARN of the origination state machine")
    list_import_arn: str = Field(description="ARN of the state machine that imports a source's list")
    training_arn: str = Field(description="ARN of the training process")
    retry_queue_url: str = Field(description="SQS queue of messages to be tried again")
    parked_queue_url: str = Field(description="SQS queue of messages nobody took")
    public_url_parameter: str = Field(description="SSM parameter: where borrowers reach the API")
    max_authorization_requests: int = 3
    scoring_shards: int = 1
    rules_utc_offset_minutes: int = Field(default=0, description="what the days of rules are ahead of those in UTC")

    @property
    def model_keys(self) -> list[str]:
        """Every key whose signatures of models count."""
        return [self.model_signing_key, *filter(None, (one.strip() for one in self.trusted_model_keys.split(",")))]

    @property
    def origins(self) -> list[str]:
        """`allowed_origins`, one by one."""
        return [one.strip() for one in self.allowed_origins.split(",") if one.strip()]


@cache
def settings() -> Settings:
    """The settings from the environment; a missing one is named at once.

    Raises:
        pydantic.ValidationError: a variable is missing or malformed.
    """
    names = Settings.model_fields
    return Settings.model_validate({name: os.environ[name.upper()] for name in names if name.upper() in os.environ})
