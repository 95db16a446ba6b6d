"""Wires the context of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from creditmesh.decisions.engine import Choice, Engine, ResidentJobs
from creditmesh.decisions.log import DecisionLog
from creditmesh.decisions.requests import ScoringRequestStore
from creditmesh.decisions.scoring_job import ScoringJob, resident_job
from creditmesh.decisions.service import Assessment
from creditmesh.decisions.serving.champion import Champion
from creditmesh.decisions.serving.model_signature import kms_verify
from creditmesh.decisions.serving.stored_models import Places, StoredModels
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.observability import AWS_ERRORS, logger
from creditmesh.platform.settings import settings
from creditmesh.risk.document import model_id_of


@singleton
def stored_models() -> dict[str, StoredModels]:
    """By model id."""
    own, names = platform(), settings()
    verify = kms_verify(own.client("kms"), names.model_keys)
    places = [
        Places(model_id_of(key), names.models_table, names.artefact_bucket, key) for key in names.shipped_models
    ]  # fmt: skip
    dynamodb, s3 = own.client("dynamodb"), own.client("s3")
    return {place.model_id: StoredModels(dynamodb, s3, place, verify) for place in places}


@singleton
def champions() -> dict[str, Champion]:
    """By model id."""

    def log(record: Mapping[str, Any]) -> None:
        logger.error(record["event"], extra={name: value for name, value in record.items() if name != "event"})

    clock = platform().clock
    return {
        model_id: Champion(stored, log=log, transient=AWS_ERRORS, monotonic=lambda: clock.now().timestamp())
        for model_id, stored in stored_models().items()
    }


@singleton
def decision_log() -> DecisionLog:
    return DecisionLog(platform().tables, settings().decisions_table, platform().clock)


@singleton
def scoring_requests() -> ScoringRequestStore:
    own, names = platform(), settings()
    return ScoringRequestStore(own.tables, names.scoring_requests_table, names.scoring_shards, own.clock)


@singleton
def resident_jobs() -> ResidentJobs:
    return ResidentJobs(platform().tables, settings().scoring_requests_table, platform().clock)


@singleton
def choice() -> Choice:
    return Choice(Engine(settings().scoring_engine), resident_jobs(), platform().clock)


@singleton
def scoring_job() -> ScoringJob:
    own = settings()
    emr = platform().client("emr-serverless")
    bucket = f"s3://{own.artefact_bucket}"
    arguments = {
        "--region": emr.meta.region_name,
        "--table": own.scoring_requests_table,
        "--index": "by-queue",
        "--shards": str(own.scoring_shards),
        "--warm-up-calls": str(own.scoring_warm_up_calls),
        "--model-uris": ",".join(f"{bucket}/{key}" for key in own.shipped_models),
        "--models-table": own.models_table,
        "--shadow-table": own.shadow_scores_table,
        "--trusted-keys": ",".join(own.model_keys),
    }
    archive = f"{bucket}/{own.scoring_libraries}" if own.scoring_libraries else ""
    job = resident_job(f"{bucket}/emr/{own.spark_code}", arguments, archive, own.scoring_spark_parameters)
    names, engine = (own.scoring_application_id, own.scoring_job_role_arn), Engine(own.scoring_engine)
    return ScoringJob(emr, *names, job, resident_jobs(), engine, own.scoring_job_threshold, platform().clock)


@singleton
def assessment() -> Assessment:
    from creditmesh.gateway.bootstrap import key_data
    from creditmesh.intake.bootstrap import applications

    own = platform()
    return Assessment(
        applications(), scoring_requests(), key_data().get, own.data, champions(), own.tasks, own.clock, decision_log()
    )
