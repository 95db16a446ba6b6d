"""From counts to US dollars: use by a table of prices, fixed cost by what the stack consists of."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tally import Counted, Usage

FILE = Path(__file__).with_name("prices.json")
ENGINES = ("lambda", "auto", "spark")
AUTO_FROM_PER_DAY = 14_400
"""From so many applications a day on, `ScoringEngine: auto` is counted with a job that runs all day: the template's
ScoringJobThreshold, 100 in five minutes, for twelve hours."""
HOURS_A_MONTH = 730
_GIB = 1024
_SIGNED = ("kms:Sign", "kms:Verify")
_DRIVER = {"cores": "4", "memory": "14g"}  # EMR Serverless's defaults


@dataclass(frozen=True)
class Prices:
    """The table of prices and assumptions."""

    as_of: str
    usd: Mapping[str, float]
    assumed: Mapping[str, float]

    @classmethod
    def read(cls, file: Path = FILE) -> Prices:
        """From the repository's table."""
        found = json.loads(file.read_text("utf-8"))
        usd = {name: one["usd"] / one["per"] for name, one in found["prices"].items()}
        return cls(found["as_of"], usd, {name: one["value"] for name, one in found["assumptions"].items()})

    def of(self, amounts: Mapping[str, float]) -> dict[str, float]:
        """What amounts cost, by name."""
        return {name: self.usd[name] * amount for name, amount in amounts.items()}


@dataclass(frozen=True)
class Estate:
    """What is there whether or not anybody applies."""

    resources: Mapping[str, int]
    """How many of each CloudFormation type."""
    queues: int
    per_day: float
    """How often schedules start something in a day."""
    job: tuple[float, float]
    """VCPU and GiB of the resident job's workers together."""

    def month(self, prices: Prices, metrics: int) -> dict[str, float]:
        """US dollars a month, the resident job apart."""
        kind = self.resources
        days = prices.assumed["days_a_month"]
        runs = self.per_day * days
        return prices.of({
            "key_month": kind.get("AWS::KMS::Key", 0), "secret_month": kind.get("AWS::SecretsManager::Secret", 0),
            "alarm_month": kind.get("AWS::CloudWatch::Alarm", 0),
            "dashboard_month": kind.get("AWS::CloudWatch::Dashboard", 0),
            "metric_month": metrics, "sqs_request": self.queues * prices.assumed["queue_polls_a_month"],
            "schedule": runs, "invocation": runs, "gb_second": runs * 0.5 * 0.1, "read_unit": runs * 2,
        })  # fmt: skip

    def job_month(self, prices: Prices) -> float:
        """US dollars a month of a job that never ends."""
        vcpu, memory = self.job
        return HOURS_A_MONTH * (vcpu * prices.usd["emr_vcpu_hour"] + memory * prices.usd["emr_gb_hour"])


def amounts(usage: Usage) -> dict[str, float]:
    """What is billed of a usage, by the names of the price table."""
    calls = usage.calls
    return {
        "transition": usage.transitions, "write_unit": usage.write_units, "read_unit": usage.read_units,
        "put": usage.puts, "get": usage.gets, "invocation": usage.invocations, "gb_second": usage.gb_seconds,
        "api_request": usage.api_requests, "event": usage.events, "log_gb": usage.log_bytes / 1e9,
        # Each message sent is also received and deleted.
        "sqs_request": 3 * sum(count for name, count in calls.items() if name.startswith("sqs:")),
        "kms_signature": sum(calls[name] for name in _SIGNED),
        "kms_request": sum(n for name, n in calls.items() if name.startswith("kms:") and name not in _SIGNED),
        "secret_request": calls["secretsmanager:GetSecretValue"],
    }  # fmt: skip


def at_volume(prices: Prices, counted: Counted, per_day: int) -> dict[str, float]:
    """What one application asks for at so many a day: cold starts and traces depend on it."""
    usage = counted.whole
    found = amounts(usage)
    seconds = prices.assumed["busy_hours"] * 3600
    rate = per_day / seconds
    cold = math.exp(-rate * prices.assumed["idle_seconds"])
    functions = sum(1 for one in counted.by_function.values() if one.invocations)
    memory = usage.gb_seconds and 0.6  # GB, as most functions have
    found["gb_second"] += cold * functions * prices.assumed["cold_start_seconds"] * memory
    roots = usage.api_requests + 1
    requests = rate * roots
    share = prices.assumed["trace_share"]
    found["trace"] = roots * min(1.0, (1 + share * max(0.0, requests - 1)) / requests)
    return found


def scaled(
    prices: Prices, estate: Estate, path: str, whole: Counted, to_report: Counted, per_day: int, metrics: int
) -> dict[str, Any]:
    """US dollars per 1,000 applications of one path at so many a day, and what is fixed a month."""
    fixed = estate.month(prices, metrics)
    job = estate.job_month(prices)
    thousands = per_day * prices.assumed["days_a_month"] / 1000
    parts = {
        part: {name: round(1000 * usd, 5) for name, usd in prices.of(at_volume(prices, counted, per_day)).items()}
        for part, counted in (("whole", whole), ("to_report", to_report))
    }
    usage = {part: sum(found.values()) for part, found in parts.items()}
    engines = {"lambda": 0.0, "auto": job if per_day >= AUTO_FROM_PER_DAY else 0.0, "spark": job}
    return {
        "path": path,
        "per_day": per_day,
        "usage_per_1000": {part: round(usd, 4) for part, usd in usage.items()},
        "parts_per_1000": parts,
        "fixed_month": {name: round(usd, 3) for name, usd in fixed.items()} | {"total": round(sum(fixed.values()), 2)},
        "job_month": {engine: round(usd, 2) for engine, usd in engines.items()},
        "all_per_1000": {
            engine: {
                part: round(usd + (sum(fixed.values()) + engines[engine]) / thousands, 4)
                for part, usd in usage.items()
            }
            for engine in ENGINES
        },
    }  # fmt: skip


def workers(parameters: str) -> tuple[float, float]:
    """How many vCPU and GiB spark-submit's parameters ask EMR Serverless for; memory with the tenth that Spark adds."""
    words = shlex.split(parameters)
    settings = dict(word.split("=", 1) for flag, word in zip(words, words[1:], strict=False) if flag == "--conf")

    def worker(kind: str) -> tuple[float, float]:
        cores = float(settings.get(f"spark.{kind}.cores", _DRIVER["cores"]))
        heap = _mebibytes(settings.get(f"spark.{kind}.memory", _DRIVER["memory"]))
        beside = settings.get(f"spark.{kind}.memoryOverhead")
        overhead = _mebibytes(beside) if beside else max(384.0, heap / 10)
        return cores, math.ceil((heap + overhead) / _GIB)

    count = int(settings.get("spark.executor.instances", "3"))
    driver, executor = worker("driver"), worker("executor")
    return driver[0] + count * executor[0], driver[1] + count * executor[1]


def _mebibytes(text: str) -> float:
    found = re.fullmatch(r"(\d+)([mgMG]?)[bB]?", text)
    if found is None:
        raise ValueError(f"{text} is no amount of memory")
    return float(found[1]) * (_GIB if found[2].lower() == "g" else 1)


def times_a_day(expression: str) -> float:
    """How often a schedule fires in a day.

    Raises:
        ValueError: an expression that is neither a rate nor once a day or a month.
    """
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        minutes = {"minute": 1, "hour": 60, "day": 1440}[found[2]]
        return 1440 / (int(found[1]) * minutes)
    if found := re.fullmatch(r"cron\(\d+ \d+ (\S+) \S+ \S+ \S+\)", expression):
        return 1 if found[1] in "*?" else 1 / 30.4
    raise ValueError(f"{expression} is no schedule known here")


def counted_types(resources: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many resources of each type."""
    return dict(Counter(one["ResourceType"] for one in resources))


def targets(result: Mapping[str, Any]) -> dict[str, Any]:
    """Each target with what was measured; of US dollars the dearest path's."""
    found: dict[str, Any] = {}

    def judge(name: str, most: float, figures: Iterable[float]) -> None:
        measured = max(figures, default=None)
        found[name] = {"at_most": most, "measured": measured, "met": measured is None or measured <= most}

    rows = result["paths"]
    for path, most in (("login", 90), ("stored", 68)):
        judge(f"calls_{path}", most, [rows[path]["whole"]["calls"]])
    judge("write_units", 150, [rows["stored"]["whole"]["write_units"]])
    large = [one for one in result["costs"] if one["per_day"] == 100_000]
    small = [one for one in result["costs"] if one["per_day"] == 100]
    judge("usd_per_1000_decisions_at_100000", 0.35, [one["all_per_1000"]["auto"]["to_report"] for one in large])
    judge("usage_per_1000_decisions_at_100", 0.60, [one["usage_per_1000"]["to_report"] for one in small])
    judge("fixed_usd_a_month_at_100", 25, [one["fixed_month"]["total"] + one["job_month"]["auto"] for one in small])
    return found
