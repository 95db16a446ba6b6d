"""How long a loan takes on this machine, alone and in a crowd, and what memory that costs.

Starts an instance of its own (own state, own ports), so that nothing of `make run` is touched. Writes
build/bench/origination.json; ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measures import MemoryPeak, cpu_seconds, judged, memory, quantiles
from client import Api, Borrower, Outcome
from client.views import ApplicationView, TimelineEntry
from run import many
from run.cases import Case
from run.crowds import crowd, discrepancies, paid
from run.display import Display, console
from run.errors import RunError
from run.places import ROOT
from run.platform import LocalPlatform
from run.results import seconds_of

POLL_SECONDS = (0.04, 0.04)
REPORTED = {"assessed", "offered", "closed"}
CROWD_SECONDS = 300.0
TARGETS = {  # name: (path in the result, most)
    "report": (("one", "to_report_s", "median"), 3.0),
    "disbursement": (("one", "to_disbursement_s", "median"), 6.0),
    "two_hundred": (("crowd", "seconds"), 60.0),
    "claim_to_result_alone": (("spark", "alone_ms", "median"), 100.0),
    "claim_to_result_alone_p99": (("spark", "alone_ms", "p99"), 250.0),
    "claim_to_result_crowd": (("spark", "crowd_ms", "median"), 400.0),
    "memory": (("memory", "peak", "pss_mib"), 3072.0),
}


def one_by_one(platform: LocalPlatform, cases: Sequence[Case], *, authorized: bool) -> dict[str, Any]:
    """Each case alone; seconds from POST to the report and to the money, as the client sees them."""
    to_report, to_disbursement, outcomes = [], [], Counter[str]()
    for case in cases:
        reported: list[float] = []

        def seen(view: ApplicationView, reported: list[float] = reported) -> None:
            if view.status in REPORTED and not reported:
                reported.append(time.monotonic())

        api = platform.api("borrower", case.tenant)
        api.products()  # the token is there and the connection open
        borrower = Borrower(
            api, platform.bureau, case.request(), password=case.password, watch=seen, poll_seconds=POLL_SECONDS
        )
        began = time.monotonic()
        journey = borrower.live_through(uuid.uuid4().hex)
        outcomes[str(journey.application.outcome)] += 1
        to_report.append(reported[0] - began)
        if journey.application.outcome == "disbursed":
            to_disbursement.append(time.monotonic() - began)
        if bool(journey.logins) == authorized:
            raise RunError(f"{case.firm.name} logged in {journey.logins} times")
    return {
        "stored_authorization": authorized,
        "to_report_s": quantiles(to_report),
        "to_disbursement_s": quantiles(to_disbursement),
        "outcomes": dict(outcomes),
    }


def together(platform: LocalPlatform, cases: Sequence[Case]) -> tuple[Outcome, dict[str, Any]]:
    """All cases at the same time, with what the lenders' books say of them."""
    me = psutil.Process()
    used, mine = cpu_seconds(me), sum(me.cpu_times()[:2])
    outcome = crowd(platform, cases, CROWD_SECONDS)
    used, mine = cpu_seconds(me) - used, sum(me.cpu_times()[:2]) - mine
    books, operator = paid(platform), platform.api("operator", "platform")
    figures = {
        "applications": len(cases),
        "seconds": round(outcome.seconds, 2),
        "cpu_seconds": {"platform": round(used, 1), "clients": round(mine, 1), "cores": psutil.cpu_count()},
        "per_second": round(len(outcome.ended) / outcome.seconds, 2),
        "outcomes": dict(Counter(str(view.outcome) for view in outcome.ended.values())),
        "engines": dict(Counter(str(operator.application(one).engine) for one in outcome.ended)),
        "lost": len(cases) - len(outcome.ended),
        "discrepancies": discrepancies(outcome, books),
        "client_problems": outcome.problems,
    }
    return outcome, figures


def stages(staff: Api, application_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Median seconds from receipt to each stage, and the median each step took after the one before it."""
    lines = [staff.timeline(one) for one in application_ids]
    since: dict[str, list[float]] = {}
    step: dict[str, list[float]] = {}
    for line in lines:
        times = seconds_of(line)
        for stage, seconds in times.items():
            since.setdefault(stage, []).append(seconds)
        for earlier, later in _pairs(line):
            step.setdefault(f"{earlier}→{later}", []).append(times[later] - times[earlier])
    return {
        "since_receipt_s": {stage: round(statistics.median(values), 3) for stage, values in since.items()},
        "step_s": {name: round(statistics.median(values), 3) for name, values in step.items()},
    }


def _pairs(line: Sequence[TimelineEntry]) -> Iterator[tuple[str, str]]:
    names = ["ended" if entry.status == "closed" else entry.status for entry in line]
    return zip(names, names[1:], strict=False)


def spark_times(platform: LocalPlatform, crowd_began_ms: float) -> dict[str, Any]:
    """Milliseconds from a request's claim by the resident job to its stored result, from the hand-over table."""
    pages = platform.aws("dynamodb").get_paginator("scan").paginate(TableName=platform.outputs["ScoringRequestsTable"])
    items = [item for page in pages for item in page["Items"]]
    spark = [item for item in items if item.get("engine", {}).get("S") == "spark"]
    times = [(float(item["claimed_at_ms"]["N"]), float(item["scored_at_ms"]["N"])) for item in spark]
    return {
        "requests": len(items),
        "scored_by_spark": len(spark),
        "alone_ms": quantiles([scored - claimed for claimed, scored in times if claimed < crowd_began_ms], 1),
        "crowd_ms": quantiles([scored - claimed for claimed, scored in times if claimed >= crowd_began_ms], 1),
    }


def judge(result: dict[str, Any]) -> dict[str, Any]:
    """Each target with its figure and whether it is met."""
    found = judged(result, TARGETS)
    whole = result["crowd"]
    found["none_lost_or_doubled"] = {"met": not whole["lost"] and not whole["discrepancies"]}
    return found


def measure(platform: LocalPlatform, single: int, many_at_once: int) -> dict[str, Any]:
    """All measurements on a running platform."""
    me = psutil.Process()
    idle = memory(me)
    cases = many.cases(single + 2 + many_at_once)
    warm, alone, all_together = cases[:2], cases[2 : single + 2], cases[single + 2 :]
    one_by_one(platform, warm, authorized=False)
    with MemoryPeak(me) as watched:
        first = one_by_one(platform, alone, authorized=False)
        again = one_by_one(platform, alone, authorized=True)
        crowd_began_ms = time.time() * 1000
        outcome, figures = together(platform, all_together)
    figures["stages"] = stages(platform.api("operator", "platform"), list(outcome.ended))
    return {
        "one": first,
        "one_with_stored_authorization": again,
        "crowd": figures,
        "spark": spark_times(platform, crowd_began_ms),
        "memory": {"idle": idle, "peak": watched.peak, "after": memory(me)},
    }


def main() -> int:
    """Start, measure, write, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=ROOT / "build" / "bench" / "state")
    parser.add_argument("--port", type=int, default=4600, help="first of the eleven ports used on 127.0.0.1")
    parser.add_argument("--single", type=int, default=10, help="applications one after the other")
    parser.add_argument("--together", type=int, default=200, help="applications at the same time")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "origination.json")
    options = parser.parse_args()
    with Display(console(to_stderr=True)) as display:
        platform = many.platform(options.state_dir, options.port, display)
        platform.start()
        try:
            result = measure(platform, options.single, options.together)
        finally:
            platform.stop()
    result["targets"] = judge(result)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text + "\n", "utf-8")
    print(text)
    return 0 if all(target["met"] for target in result["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
