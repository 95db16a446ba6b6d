"""Joins real stores and clients to the services; the only module that does.

Everything is made on first use and kept per process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from creditmesh.authorization.changes import Changes
from creditmesh.authorization.endings import FollowUp
from creditmesh.authorization.expiry import ExpirySweep
from creditmesh.authorization.moves import FirmMoves
from creditmesh.authorization.redirects import Redirects
from creditmesh.authorization.revocations import TYPE as REVOKED
from creditmesh.authorization.revocations import Revocations
from creditmesh.authorization.service import Authorizations
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.authorization.watches import Watches
from creditmesh.closing.answers import LenderAnswers
from creditmesh.closing.service import Closings
from creditmesh.closing.signature import Signatures
from creditmesh.closing.store import ClosingStore
from creditmesh.decisions.engine import Choice, Engine, ResidentJobs
from creditmesh.decisions.log import DecisionLog
from creditmesh.decisions.requests import ScoringRequestStore
from creditmesh.decisions.scoring_job import ScoringJob, resident_job
from creditmesh.decisions.service import Assessment
from creditmesh.decisions.serving.champion import Champion
from creditmesh.decisions.serving.model_signature import kms_sign, kms_verify
from creditmesh.decisions.serving.stored_models import Places, StoredModels
from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.authentication import Authenticator
from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.cache import AnswerCache
from creditmesh.gateway.channels.caller import ChannelCaller
from creditmesh.gateway.channels.calls import CallStore
from creditmesh.gateway.channels.catalogue import ChannelCatalogue
from creditmesh.gateway.channels.documents import VersionedDocuments
from creditmesh.gateway.channels.exchange import Exchanger
from creditmesh.gateway.channels.guards import Guards
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.gateway.channels.late import LateAnswers
from creditmesh.gateway.channels.records import ReferenceRecords
from creditmesh.gateway.channels.source import Source
from creditmesh.gateway.service import Collections
from creditmesh.gateway.store import KeyDataStore
from creditmesh.governance.labels import Labels
from creditmesh.governance.learning import Learning
from creditmesh.governance.outcomes import Decided
from creditmesh.governance.registry import ModelRegistry
from creditmesh.governance.rules import RuleWorkbench
from creditmesh.governance.shadows import ShadowScores
from creditmesh.governance.simulation import Simulations, SimulationStore
from creditmesh.governance.statistics import Statistics
from creditmesh.governance.store import ModelStore
from creditmesh.governance.watch import DriftWatch
from creditmesh.intake.collecting import Collecting
from creditmesh.intake.model import Outcome
from creditmesh.intake.operators import OperatorQueue
from creditmesh.intake.recovery import Recovery
from creditmesh.intake.service import Intake
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.clock import Clock, SystemClock
from creditmesh.kernel.errors import InvalidInput
from creditmesh.offers.service import Offers
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.blind_index import BlindIndex
from creditmesh.platform.crypto import BulkCipher, FieldCipher
from creditmesh.platform.deliveries import Deliveries, Ticket, overdue
from creditmesh.platform.events import EventPublisher
from creditmesh.platform.http import HttpClient
from creditmesh.platform.institutions import ADDRESS_BOOK, ConfiguredDirectory
from creditmesh.platform.objects import Objects
from creditmesh.platform.observability import logger
from creditmesh.platform.outbox import Outbox
from creditmesh.platform.queue import DeliveryQueue, SqsRetryQueue
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Item, Tables, Write
from creditmesh.platform.tasks import Process, Tasks
from creditmesh.platform.tokens import GuestKeys
from creditmesh.platform.waits import Waits
from creditmesh.risk.artefact import Artefact
from creditmesh.screening.entries import ListEntries
from creditmesh.screening.generations import Generations
from creditmesh.screening.import_store import ImportStore
from creditmesh.screening.imported import ImportedEntries
from creditmesh.screening.imports import Imports
from creditmesh.screening.journal import Journal
from creditmesh.screening.service import Lists
from creditmesh.screening.state import Keeper

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# Types are checked before anything runs, and by the services; building the long user agent anew for each request, as
# boto3 does, takes a twelfth of a function's processor time.
_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=3,
    read_timeout=15,
    parameter_validation=False,
    user_agent="creditmesh",
)


@cache
def client(service: str) -> Any:
    """One boto3 client per service and process."""
    # An empty key must not reach S3: there it would stand for the bucket.
    # A URL to upload to is signed the way that buckets encrypted by KMS ask for.
    own = Config(parameter_validation=True, signature_version="s3v4")
    config = _CONFIG.merge(own) if service == "s3" else _CONFIG
    return boto3.client(service, config=config)  # type: ignore[call-overload]


@cache
def clock() -> Clock:
    """The machine's clock."""
    return SystemClock()


def secret(name: str) -> str:
    """A secret's text, read each time; callers cache what they make of it."""
    secrets: SecretsManagerClient = client("secretsmanager")
    return secrets.get_secret_value(SecretId=name)["SecretString"]


def parameter(name: str) -> str:
    """An SSM parameter's text, read each time."""
    return str(client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


@cache
def tables() -> Tables:
    """DynamoDB."""
    return Tables(client("dynamodb"))


@cache
def data() -> Objects:
    """The bucket of raw answers, key data, reports and contracts."""
    return Objects(client("s3"), settings().data_bucket)


@cache
def cipher() -> FieldCipher:
    """Seals personal fields."""
    return FieldCipher(client("kms"), settings().field_key_id)


@cache
def blind_index() -> BlindIndex:
    """Finds sealed values."""
    return BlindIndex(lambda: secret(settings().index_secret), clock())


@cache
def guest_keys() -> GuestKeys:
    """The keys of guests' tokens and of the `state` of redirects."""
    secrets: SecretsManagerClient = client("secretsmanager")

    def read() -> list[bytes]:
        keys = [secret(settings().guest_secret).encode()]
        with suppress(secrets.exceptions.ResourceNotFoundException):  # there is none before the first rotation
            before = secrets.get_secret_value(SecretId=settings().guest_secret, VersionStage="AWSPREVIOUS")
            keys.append(before["SecretString"].encode())
        return keys

    return GuestKeys(read)


@cache
def tasks() -> Tasks:
    """Step Functions."""
    return Tasks(client("stepfunctions"), settings().origination_arn)


@cache
def waits() -> Waits:
    """Tasks that wait for answers."""
    return Waits(tables(), settings().waits_table, tasks(), clock())


@cache
def http() -> HttpClient:
    """Calls to institutions."""
    return HttpClient()


@cache
def directory() -> ConfiguredDirectory:
    """The institutions."""
    return ConfiguredDirectory(
        lambda: Objects(client("s3"), settings().artefact_bucket).get(ADDRESS_BOOK),
        lambda: secret(settings().institutions_secret),
    )


@cache
def applications() -> ApplicationStore:
    """Applications."""
    return ApplicationStore(tables(), settings().applications_table, cipher(), clock())


@cache
def authorization_store() -> AuthorizationStore:
    """Authorisations and what happened to them."""
    names = settings().authorizations_table, settings().consent_records_table
    return AuthorizationStore(tables(), *names, cipher())


@cache
def redirects() -> Redirects:
    """The borrowers' ways to a source and back."""
    return_url = f"{parameter(settings().public_url_parameter)}/v1/authorizations/return"
    table = settings().authorization_flows_table
    return Redirects(tables(), table, cipher(), blind_index(), directory(), clock(), guest_keys(), return_url)


@cache
def watches() -> Watches:
    """What monitoring rests on."""
    return Watches(tables(), settings().watches_table, authorization_store(), clock())


@cache
def revocations() -> Revocations:
    """Codes given back to their sources."""
    return Revocations(outbox(), authorization_store(), directory(), clock())


@cache
def consent_follow_up() -> FollowUp:
    """What follows a change of an authorisation."""

    def on_ended(_taxpayer_index: str, _scope: str, authorization_id: str) -> None:
        answer_cache().erase(authorization_id)

    return FollowUp(authorization_store(), watches(), on_ended)


@cache
def expiry_sweep() -> ExpirySweep:
    """Reminders and expiries of authorisations."""
    return ExpirySweep(authorization_store(), watches(), consent_follow_up(), clock())


@cache
def authorizations() -> Authorizations:
    """Authorisations."""
    store = authorization_store()
    changes = Changes(store, revocations(), consent_follow_up(), clock())
    return Authorizations(store, changes, redirects(), watches(), blind_index(), clock(), logger.get_correlation_id)


@cache
def firm_moves() -> FirmMoves:
    """What moves firms to another index key."""
    own = settings()
    return FirmMoves(
        tables(), cipher(), blind_index(), watches().reconcile,
        authorizations=own.authorizations_table, watches=own.watches_table, records=own.consent_records_table,
        outbox=own.outbox_table, flows=own.authorization_flows_table,
    )  # fmt: skip


@cache
def intake() -> Intake:
    """Applications' use cases."""
    return Intake(applications(), authorizations(), tasks(), waits(), blind_index(), clock(), channels().requires)


@cache
def recovery() -> Recovery:
    """What starts lost processes again."""
    return Recovery(applications(), tasks(), waits(), clock())


@cache
def operators() -> OperatorQueue:
    """The operators' queue."""
    return OperatorQueue(tables(), settings().operator_tasks_table, applications(), waits(), clock())


@cache
def collecting() -> Collecting:
    """Collection as a step of the process."""
    return Collecting(applications(), lists(), collections())


@cache
def list_journal() -> Journal:
    """Changes of the lists."""
    return Journal(tables(), settings().list_journal_table, clock())


@cache
def list_generations() -> Generations:
    """What imports consist of."""
    return Generations(data(), BulkCipher(client("kms"), settings().field_key_id))


@cache
def list_keeper() -> Keeper:
    """The lists in this process's memory."""
    return Keeper(list_journal(), list_generations().index)


@cache
def lists() -> Lists:
    """Look-ups in the lists."""
    return Lists(list_keeper(), blind_index(), cipher(), settings().list_journal_table, clock())


@cache
def list_import_store() -> ImportStore:
    """Imports of sources' lists and how they stand."""
    return ImportStore(tables(), settings().list_imports_table, clock())


@cache
def list_imports() -> Imports:
    """Imports of sources' lists."""
    process = Process(client("stepfunctions"), settings().list_import_arn)
    parts = list_import_store(), list_generations(), data(), list_journal(), list_keeper()
    return Imports(*parts, blind_index, process, clock())


@cache
def list_entries() -> ListEntries:
    """Entries of the lists, one by one."""
    names = settings().list_entries_table, list_journal(), settings().list_journal_table
    imported = ImportedEntries(list_import_store(), list_generations(), list_keeper())
    return ListEntries(tables(), *names, cipher(), blind_index(), clock(), imported.get)


@cache
def collections() -> Collections:
    """Collection from the channels of a plan."""
    return Collections(channels(), channel_caller(), answers(), key_data(), clock())


@cache
def channels() -> ChannelCatalogue:
    """Channels and collection plans."""

    def documents(kind: str) -> VersionedDocuments:
        return VersionedDocuments(tables(), settings().documents_table, kind, clock())

    return ChannelCatalogue(documents("channel"), documents("plan"), source())


@cache
def source() -> Source:
    """What channels call."""
    exchanger = Exchanger(http(), Authenticator(http(), clock()))
    return Source(directory(), exchanger, BatchFiles(data(), clock()), lambda: settings().allowed_origins)


@cache
def answers() -> Answers:
    """What sources answer."""
    return Answers(data(), clock())


@cache
def channel_calls() -> CallStore:
    """Calls to sources."""
    return CallStore(tables(), settings().channel_calls_table, clock())


@cache
def guards() -> Guards:
    """Channels' breakers and rates."""
    return Guards(tables(), settings().channel_states_table, clock())


@cache
def health() -> HealthBook:
    """How channels do."""
    return HealthBook(tables(), settings().channel_states_table, clock())


@cache
def reference_records() -> ReferenceRecords:
    """What missing fields are filled from."""
    return ReferenceRecords(tables(), settings().reference_records_table, cipher(), blind_index(), clock())


@cache
def channel_caller() -> ChannelCaller:
    """One firm's data from one channel."""

    def lookup(record: str, key: str) -> Any:
        return reference_records().get(record, key)

    return ChannelCaller(authorizations(), channel_calls(), guards(), health(), source(), answers(), lookup, clock())


@cache
def late_answers() -> LateAnswers:
    """Answers of sources that come later."""
    return LateAnswers(channel_calls(), answers(), health(), waits(), clock())


@cache
def answer_cache() -> AnswerCache:
    """What goes when a consent goes."""
    return AnswerCache(channel_calls(), answers(), waits())


@cache
def key_data() -> KeyDataStore:
    """Key data."""
    return KeyDataStore(data())


@cache
def artefacts() -> Objects:
    """The bucket of models and jobs."""
    return Objects(client("s3"), settings().artefact_bucket)


@cache
def stored_models() -> StoredModels:
    """The decision models, verified."""
    own = settings()
    places = Places(own.model_id, own.models_table, own.artefact_bucket, own.model_key)
    return StoredModels(client("dynamodb"), client("s3"), places, kms_verify(client("kms"), own.model_keys))


@cache
def champion() -> Champion:
    """The model in force and any other by hash."""

    def log(record: Mapping[str, Any]) -> None:
        logger.error(record["event"], extra={name: value for name, value in record.items() if name != "event"})

    transient = (BotoCoreError, ClientError)
    return Champion(stored_models(), log=log, transient=transient, monotonic=lambda: clock().now().timestamp())


def artefact() -> Artefact:
    """The model in force."""
    return champion()()


@cache
def model_registry() -> ModelRegistry:
    """Versions of the model, and which of them decides."""
    store = ModelStore(tables(), settings().models_table, artefacts(), clock())
    sign = kms_sign(client("kms"), settings().model_signing_key)
    return ModelRegistry(store, stored_models(), sign, shadow_scores().of_challenger, clock())


@cache
def shadow_scores() -> ShadowScores:
    """What challengers said."""
    return ShadowScores(tables(), settings().shadow_scores_table)


@cache
def labels() -> Labels:
    """What became of loans."""

    def decision_of(application_id: str) -> Decided:
        application = applications().get(application_id)
        if application.outcome is not Outcome.DISBURSED:
            raise InvalidInput("must be a loan that was disbursed", field="application_id")
        report = assessment().report(application)
        result = report["result"]
        return Decided(decided_on=report["rules_of"], model_hash=result["model_hash"], pd_ppm=result["pd_ppm"])

    return Labels(tables(), settings().outcome_labels_table, decision_of, clock())


@cache
def learning() -> Learning:
    """Training runs."""
    process = Process(client("stepfunctions"), settings().training_arn)
    return Learning(data(), labels(), model_registry, process)


@cache
def drift_watch() -> DriftWatch:
    """The daily watch over the model in force."""
    return DriftWatch(data(), decision_log(), champion().of, labels(), model_registry, learning, clock())


@cache
def decision_log() -> DecisionLog:
    """What was decided, and from what."""
    return DecisionLog(tables(), settings().decisions_table)


@cache
def rule_workbench() -> RuleWorkbench:
    """Changes of rules."""
    return RuleWorkbench(model_registry())


@cache
def rule_statistics() -> Statistics:
    """Hits of the rules."""
    return Statistics(decision_log(), clock())


@cache
def simulations() -> Simulations:
    """Versions tried on past decisions."""
    store = SimulationStore(tables(), settings().models_table, data())
    return Simulations(model_registry(), decision_log(), store, clock())


@cache
def scoring_requests() -> ScoringRequestStore:
    """What the resident Spark job is asked."""
    own = settings()
    ahead = timedelta(minutes=own.rules_utc_offset_minutes)
    return ScoringRequestStore(tables(), own.scoring_requests_table, own.scoring_shards, clock(), ahead)


@cache
def resident_jobs() -> ResidentJobs:
    """Which resident jobs are ready."""
    return ResidentJobs(tables(), settings().scoring_requests_table, clock())


@cache
def choice() -> Choice:
    """Which engine scores a request."""
    return Choice(Engine(settings().scoring_engine), resident_jobs(), clock())


@cache
def scoring_job() -> ScoringJob:
    """The resident job's runs."""
    own = settings()
    emr = client("emr-serverless")
    bucket = f"s3://{own.artefact_bucket}"
    arguments = {
        "--region": emr.meta.region_name,
        "--table": own.scoring_requests_table,
        "--index": "by-queue",
        "--shards": str(own.scoring_shards),
        "--warm-up-calls": str(own.scoring_warm_up_calls),
        "--model-id": own.model_id,
        "--model-uri": f"{bucket}/{own.model_key}",
        "--models-table": own.models_table,
        "--shadow-table": own.shadow_scores_table,
        "--trusted-keys": ",".join(own.model_keys),
    }
    archive = f"{bucket}/{own.scoring_libraries}" if own.scoring_libraries else ""
    job = resident_job(f"{bucket}/emr/{own.spark_code}", arguments, archive, own.scoring_spark_parameters)
    names, engine = (own.scoring_application_id, own.scoring_job_role_arn), Engine(own.scoring_engine)
    return ScoringJob(emr, *names, job, resident_jobs(), engine, own.scoring_job_threshold, clock())


@cache
def assessment() -> Assessment:
    """Scoring and report."""
    return Assessment(
        applications(), scoring_requests(), key_data(), data(), champion(), tasks(), clock(), decision_log()
    )


@cache
def offers() -> Offers:
    """Catalogue and matching."""
    stores = ProductStore(tables(), settings().products_table), OfferStore(settings().offers_table)
    return Offers(*stores, applications(), tasks(), waits(), clock())


@cache
def closing_store() -> ClosingStore:
    """Closings."""
    return ClosingStore(tables(), settings().closings_table, data())


@cache
def outbox() -> Outbox:
    """What is to leave the platform."""
    return Outbox(settings().outbox_table, cipher(), clock())


@cache
def delivery_queue() -> DeliveryQueue:
    """Tickets of messages to be delivered now."""
    return DeliveryQueue(client("sqs"), settings().delivery_queue_url)


@cache
def deliveries() -> Deliveries:
    """What brings messages to their receivers."""
    queue = SqsRetryQueue(client("sqs"), settings().retry_queue_url, settings().parked_queue_url)

    def beside(item: Item, state: str) -> list[Write]:
        return [revocations().settled(item, state)] if item["type"] == REVOKED else []

    def parked(item: Item) -> None:
        if item["type"] != REVOKED:
            closings().message_parked(item)

    return Deliveries(tables(), settings().outbox_table, cipher(), directory(), http(), clock(), queue, beside, parked)


def overdue_messages() -> Iterator[Ticket]:
    """Tickets of messages that lost theirs."""
    return overdue(tables(), settings().outbox_table, clock())


@cache
def closings() -> Closings:
    """Questions to lenders."""
    return Closings(closing_store(), applications(), outbox(), waits(), clock())


@cache
def lender_answers() -> LenderAnswers:
    """Answers of lenders."""
    return LenderAnswers(closing_store(), applications(), operators(), waits())


@cache
def signatures() -> Signatures:
    """Contracts and signatures."""
    return Signatures(closing_store(), applications(), waits(), clock())


@cache
def events() -> EventPublisher:
    """The platform's event bus."""
    return EventPublisher(client("events"), settings().event_bus)
