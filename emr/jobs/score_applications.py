"""Resident Spark job: answers scoring requests in near real time.

Run by spark-submit with ``--py-files creditmesh-spark.zip`` and the settings
``creditmesh.decisions.serving.spark_settings.RESIDENT``. boto3 takes endpoints and credentials from the environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException

import creditmesh
from creditmesh.decisions.serving.batches import ResidentScorer
from creditmesh.decisions.serving.champion import Champion
from creditmesh.decisions.serving.heartbeat import Heartbeat
from creditmesh.decisions.serving.model_signature import kms_verify
from creditmesh.decisions.serving.queue import ScoringQueue
from creditmesh.decisions.serving.reload import Reloader
from creditmesh.decisions.serving.shadow import Shadow, ShadowTable
from creditmesh.decisions.serving.stored_models import Places, StoredModels
from creditmesh.decisions.serving.worker import Scorer, Served, Worker, WorkerErrors
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.document import model_id_of

_AWS = Config(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=16,
    retries={"mode": "standard", "total_max_attempts": 3},
    parameter_validation=False,
    user_agent="creditmesh",
)
_SERVICE = (BotoCoreError, ClientError)
_SPARK = (Py4JError, PySparkException)
# So that a worker has read a new model before it decides.
_RELOAD_CALLS = 2

Connect = Callable[[str], Any]


def main() -> None:
    """Start Spark, load the model, warm up, then work until told to stop."""
    arguments = parse_arguments()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    started = time.monotonic()
    context = spark_context()
    connect = partial(boto3.client, config=_AWS, region_name=arguments.region)
    reloaders: dict[str, Reloader[Scorer]] = {}
    served: dict[str, Served] = {}
    for model_id, champion in make_champions(arguments, connect).items():
        artefact = champion()
        scorer = ResidentScorer(context, artefact, partitions=context.defaultParallelism)
        scorer.warm_up(datetime.now(UTC).date(), arguments.warm_up_calls)
        reloaders[model_id] = make_reloader(context, champion, artefact)
        served[model_id] = Served(scorer, artefact, reloaders[model_id])
    heartbeat = Heartbeat(connect("dynamodb"), table=arguments.table, job=arguments.job)
    worker = Worker(
        make_queue(arguments, connect),
        served,
        max_batch=arguments.max_batch,
        log=log,
        errors=WorkerErrors(transient=_SERVICE, scoring=_SPARK),
        shadow=make_shadow(arguments, connect, reloaders),
        beat=heartbeat.beat,
    )
    heartbeat.beat()
    log(
        {
            "event": "ready",
            "worker_id": arguments.worker_id,
            "models": [f"{model_id}-{one.artefact.version}" for model_id, one in served.items()],
            "start_ms": round((time.monotonic() - started) * 1000),
        }
    )
    for reloader in reloaders.values():
        threading.Thread(target=reloader.run, args=(stop, arguments.models_poll_seconds), daemon=True).start()
    try:
        worker.run(stop, arguments.poll_ms, keep_on(arguments.run_for_seconds))
    finally:
        stop.set()
        with contextlib.suppress(*_SERVICE):  # then the last heartbeat simply expires
            heartbeat.end()
    log({"event": "stopped", "worker_id": arguments.worker_id})
    context.stop()


def spark_context() -> SparkContext:
    """Start Spark with this code on the workers' PYTHONPATH, from which their daemon is loaded before any task.

    Executors have the archive of --py-files in their working directory; a local master has it where this process does.
    """
    context = SparkContext.getOrCreate(SparkConf().setAppName("score-applications"))
    context.setLogLevel("ERROR")
    code = Path(creditmesh.__file__).parents[1]
    given = context.environment.get("PYTHONPATH")
    context.environment["PYTHONPATH"] = os.pathsep.join([*([given] if given else []), f"./{code.name}", str(code)])
    return context


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, help="the name of this job run, under which it says that it is ready")
    parser.add_argument("--region", required=True, help="the region of all that it uses")
    parser.add_argument("--table", required=True, help="the table scoring-requests")
    parser.add_argument("--index", required=True, help="its index by-queue")
    parser.add_argument("--model-uris", required=True, help="s3://bucket/key of the shipped models: a,b")
    parser.add_argument("--models-table", required=True, help="the table models, which names the champions")
    parser.add_argument("--shadow-table", required=True, help="the table of what a challenger says")
    parser.add_argument("--trusted-keys", required=True, help="ARNs of the KMS keys whose signatures count: a,b")
    parser.add_argument("--models-poll-seconds", type=float, default=5.0, help="how often the champions are looked up")
    parser.add_argument("--shards", type=int, default=1, help="into how many queues the requests are spread")
    parser.add_argument("--poll-ms", type=int, default=50)
    parser.add_argument("--lease-ms", type=int, default=15_000, help="after which another worker may take a request")
    parser.add_argument("--max-batch", type=int, default=500)
    parser.add_argument("--warm-up-calls", type=int, default=50)
    parser.add_argument("--worker-id", default=str(uuid.uuid4()))
    parser.add_argument("--run-for-seconds", type=float, help="end after this time (tests)")
    return parser.parse_args()


def make_champions(arguments: argparse.Namespace, connect: Connect) -> dict[str, Champion]:
    """The champions by model id, read from table and bucket."""
    trusted = [key for key in arguments.trusted_keys.split(",") if key]
    dynamodb, s3, verify = connect("dynamodb"), connect("s3"), kms_verify(connect("kms"), trusted)
    found = {}
    for uri in arguments.model_uris.split(","):
        place = urlsplit(uri)
        if place.scheme != "s3" or not place.netloc or not place.path.strip("/"):
            raise SystemExit(f"--model-uris must be s3://bucket/key, not {uri}")
        key = place.path.lstrip("/")
        model_id = model_id_of(key)
        stored = StoredModels(dynamodb, s3, Places(model_id, arguments.models_table, place.netloc, key), verify)
        found[model_id] = Champion(stored, seconds=0.0, log=log, transient=_SERVICE)
    return found


def make_reloader(context: SparkContext, champion: Champion, running: Artefact) -> Reloader[Scorer]:
    """Prepares a new champion beside the current one."""

    def prepare(artefact: Artefact) -> Scorer:
        scorer = ResidentScorer(context, artefact, partitions=context.defaultParallelism)
        scorer.warm_up(datetime.now(UTC).date(), _RELOAD_CALLS)
        return scorer

    return Reloader(champion, prepare, running, log=log, errors=_SPARK)


def make_shadow(arguments: argparse.Namespace, connect: Connect, reloaders: Mapping[str, Reloader[Scorer]]) -> Shadow:
    """Scores in the shadow, into the table."""
    table = ShadowTable(connect("dynamodb"), arguments.shadow_table, lambda: time.time_ns() // 1_000_000)
    pool = ThreadPoolExecutor(1, thread_name_prefix="shadow")
    return Shadow(table, lambda model_id: reloaders[model_id].challenger, pool, log, _SERVICE)


def make_queue(arguments: argparse.Namespace, connect: Connect) -> ScoringQueue:
    """The queue over the table."""
    return ScoringQueue(
        connect("dynamodb"),
        table=arguments.table,
        index=arguments.index,
        shards=arguments.shards,
        worker_id=arguments.worker_id,
        lease_ms=arguments.lease_ms,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )


def keep_on(run_for_seconds: float | None) -> Callable[[], bool]:
    """Whether to go on: until the given time, and while spark-submit, our parent, lives."""
    parent, deadline = os.getppid(), None if run_for_seconds is None else time.monotonic() + run_for_seconds

    def check() -> bool:
        return os.getppid() == parent and (deadline is None or time.monotonic() < deadline)

    return check


def log(record: Mapping[str, Any]) -> None:
    """Write one structured line to standard output; records contain ids, counts and times, never features."""
    with contextlib.suppress(BrokenPipeError):  # spark-submit, which reads our output, may end before us
        print(json.dumps({"job": "score-applications", **record}), flush=True)


if __name__ == "__main__":
    main()
