"""Which limit of AWS is met first as loans grow: partitions by the real key functions, executions, requests, keys.

Nothing is started: made-up applications of one second at the peak go through the functions that make the keys, with the
units that `benchmarks/counts.json` has for each table and index. JSON; ends with 1 if a partition is hotter than 30 %.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from benchmarks.bench_cost import COUNTS
from creditmesh.authorization.model import due_queue
from creditmesh.decisions import log
from creditmesh.decisions.serving.queue import open_item
from creditmesh.intake.model import Status
from creditmesh.intake.operators import OPEN_QUEUE
from creditmesh.kernel.ids import derived_id
from creditmesh.offers.store import CATALOGUE
from creditmesh.platform.outbox import PENDING_QUEUE

LOANS_A_YEAR = (1_000_000, 10_000_000, 100_000_000)
APPLICATIONS_A_LOAN = 1.6
BUSY_HOURS = 12
PEAK = 3.0
"""The busiest second of a day against the mean of its busy hours."""
SIMULATED = 2_000
LENDERS, CHANNELS, SCORING_SHARDS = 20, 7, 4
CATALOGUE_BYTES = 100 * 350
MOST_SHARE = 0.30

PARTITION_WRITES, PARTITION_READS = 1_000, 3_000
QUOTAS: dict[str, tuple[float, str]] = {
    "open executions": (1_000_000, "Step Functions quotas, per account and region"),
    "state transitions a second": (5_000, "Step Functions quotas, us-east-1, us-west-2, eu-west-1; 800 elsewhere"),
    "StartExecution a second": (300, "Step Functions quotas, the same regions; 150 elsewhere"),
    "requests a second of the stage": (200, "ThrottlingRateLimit in template.yaml; 10,000 a second for an account"),
    "symmetric KMS requests a second": (10_000, "AWS KMS request quotas, the least of all regions"),
    "functions at a time": (1_000, "Lambda quotas, default for an account and region"),
}
ITEM_BYTES, RECORDS_A_JOURNEY, PARTITION_GB = 2_100, 13, 10
SCORED_A_CORE, CLEANED_A_CORE = 1_250_000, 630
OPEN_DAYS = 2.0
"""How long an application waits for people and lenders on average."""
SECONDS_A_JOURNEY = 2.5
"""How long functions run for one application."""


@dataclass(frozen=True)
class Application:
    """A made-up one."""

    number: int

    @property
    def id(self) -> str:
        """As intake derives it."""
        return derived_id("app", f"firm-{self.number}", "key-00000001")

    @property
    def taxpayer_index(self) -> str:
        """As a keyed digest looks."""
        return hashlib.sha256(str(self.number).encode()).hexdigest()

    @property
    def lender(self) -> str:
        """A few lenders get most of the applications."""
        return f"lender-{int(LENDERS * (self.number % 997 / 997) ** 2)}"


Key = Callable[[Application], list[str]]


def own(one: Application) -> list[str]:
    """A partition of each application or firm."""
    return [one.id]


def scoring_queue(one: Application) -> list[str]:
    """The shard of an open request."""
    item = open_item(
        request_id=one.id,
        application_id=one.id,
        model_id="",
        task_token="",
        features={},
        created_at="",
        shards=SCORING_SHARDS,
        rules_of=date(2026, 11, 30),
    )
    return [str(item["queue"])]


KEYS: dict[str, Key] = {
    "applications/by-status": lambda _: [str(status) for status in Status if status is not Status.WITH_OPERATOR],
    "applications/by-channel": lambda _: ["direct"],
    "applications/by-lender": lambda one: [one.lender],
    "authorizations/by-due": lambda one: [due_queue(one.taxpayer_index)],
    "decisions": lambda one: [log.partition("origination", "2026-11-30", one.id)],
    "outbox/by-due": lambda _: [PENDING_QUEUE],
    "operator-tasks/by-queue": lambda _: [OPEN_QUEUE],
    "scoring-requests/by-queue": scoring_queue,
    "channel-states": lambda _: [f"channel-{number}" for number in range(CHANNELS)],
    "channel-calls": lambda one: [f"{one.id}#{number}" for number in range(CHANNELS)],
}
"""Table or index -> the partitions that one application writes to; an application's own one where nothing is said."""


def hottest(written: Mapping[str, float], per_second: float) -> dict[str, dict[str, Any]]:
    """The hottest partition of every table and index: units a second, and their share of what a partition takes."""
    found: dict[str, dict[str, Any]] = {}
    for name, units in written.items():
        key, load = KEYS.get(name, own), Counter[str]()
        for number in range(SIMULATED):
            partitions = key(Application(number))
            for partition in partitions:
                load[partition] += units / len(partitions)  # type: ignore[assignment]
        partition, total = load.most_common(1)[0]
        shared = KEYS.get(name, own) is not own and name != "channel-calls"
        rate = total * per_second / SIMULATED if shared else total
        found[name] = {"partition": partition, "units": round(rate, 2), "share": round(rate / PARTITION_WRITES, 4)}
    catalogue = math.ceil(CATALOGUE_BYTES / 4096) / 2 * per_second
    found["products/by-catalogue (read)"] = {
        "partition": CATALOGUE, "units": round(catalogue, 2), "share": round(catalogue / PARTITION_READS, 4),
    }  # fmt: skip
    return dict(sorted(found.items(), key=lambda one: -one[1]["share"]))


def streams(per_day: float, per_second: float) -> dict[str, float]:
    """The stream of the applications: a shard for each partition, which a year's items need by their size."""
    gigabytes = per_day * 365 * ITEM_BYTES / 1e9
    shards = max(1, math.ceil(gigabytes / PARTITION_GB))
    records = per_second * RECORDS_A_JOURNEY
    return {
        "gigabytes_a_year": round(gigabytes, 1),
        "shards": shards,
        "records_a_second_and_shard": round(records / shards, 1),
    }


def scans(loans: int) -> dict[str, int]:
    """EMR's vCPU for one scan of all loans, by the speeds in docs/benchmarks.md."""
    return {
        "to score in 15 minutes": math.ceil(loans / SCORED_A_CORE / 900),
        "to clean and make features in 4 hours": math.ceil(loans / CLEANED_A_CORE / 14_400),
    }


def loads(row: Mapping[str, Any], per_second: float, per_day: float) -> Iterator[tuple[str, float]]:
    """What is asked of each quota at the peak."""
    yield "open executions", per_day * OPEN_DAYS
    yield "state transitions a second", per_second * row["transitions"]
    yield "StartExecution a second", per_second
    yield "requests a second of the stage", per_second * row["api_requests"]
    # Functions keep the data keys they made or opened; those of a firm's own fields are opened by each process once.
    yield "symmetric KMS requests a second", per_second * row["invocations"] * 0.1
    yield "functions at a time", per_second * SECONDS_A_JOURNEY


def simulated(counts: Mapping[str, Any], loans: int) -> dict[str, Any]:
    """All of it for so many loans a year."""
    per_day = loans * APPLICATIONS_A_LOAN / 365
    per_second = per_day / BUSY_HOURS / 3600 * PEAK
    row = counts["login"]
    quotas = {
        name: {"asked": round(asked, 1), "quota": QUOTAS[name][0], "share": round(asked / QUOTAS[name][0], 3)}
        for name, asked in loads(row["whole"], per_second, per_day)
    }
    first = max(quotas, key=lambda name: quotas[name]["share"])
    return {
        "applications_a_day": round(per_day), "applications_a_second": round(per_second, 2),
        "partitions": hottest(row["written"], per_second), "quotas": quotas, "first": first,
        "stream": streams(per_day, per_second), "vcpu": scans(loans),
    }  # fmt: skip


def main() -> int:
    """Simulate, print, judge."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    counts = json.loads(COUNTS.read_text("utf-8"))
    result = {str(loans): simulated(counts, loans) for loans in LOANS_A_YEAR}
    print(json.dumps(result, indent=1))
    shares = [place["share"] for one in result.values() for place in one["partitions"].values()]
    return 0 if max(shares) <= MOST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
