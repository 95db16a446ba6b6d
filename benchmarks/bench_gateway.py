"""What collecting credit data costs: one firm from seven sources, a thousand firms, the gateway's own work.

Starts an instance of its own (own state, own ports) whose sources take 50 ms to answer. Writes
build/bench/gateway.json; ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.measures import judged, quantiles
from client import Borrower
from institutions.education_figures import verification_code
from institutions.grant import obtain_code
from institutions.population import Firm
from run import many
from run.display import Display, console
from run.places import ROOT, Ports
from run.platform import LocalPlatform

LATENCY_MS = 50
FIRST_PORT = 4660
CONSENTS = ("credit_bureau", "shop", "education", "anti_fraud")
SOURCES = (
    "tax-bureau", "company-registry", "court-register", "credit-bureau", "market-square", "education-register",
    "fraud-shield",
)  # fmt: skip
BUREAU_DELAY_MS = 150  # of the embedded credit bureau, on top of its latency; its report comes by a webhook
TARGETS = {
    "above_slowest": (("one_firm", "above_slowest_s", "median"), 0.5),
    "own_work": (("own_work", "slowest_median_ms"), 5.0),
}


def one_firm(platform: LocalPlatform, count: int) -> dict[str, Any]:
    """Firms one by one through the API: seconds of a collection with its late answer, and above its slowest source."""
    taken, outcomes = [], Counter[str]()
    for case in many.cases(count + 2, skip=10):
        _know(platform, case.firm.taxpayer_id)
        borrower = Borrower(
            platform.api("borrower", case.tenant), platform.bureau, case.request(), password=case.password,
            consents=CONSENTS,
            fields=case.fields,
        )  # fmt: skip
        journey = borrower.live_through(uuid.uuid4().hex)
        taken.append(_collecting_s(platform, journey.application.application_id))
        outcomes.update(f"{one['source']} {one['outcome']}" for one in (journey.report or {"sources": []})["sources"])
    slowest = (LATENCY_MS + BUREAU_DELAY_MS) / 1000
    return {
        "collection_s": quantiles(taken[2:]),
        "slowest_source_s": slowest,
        "above_slowest_s": quantiles([one - slowest for one in taken[2:]]),
        "outcomes": dict(outcomes),
    }


def _collecting_s(platform: LocalPlatform, application_id: str) -> float:
    """Seconds from the start of the collection that succeeded to the next state after it."""
    execution = f"{platform.outputs['OriginationArn'].replace(':stateMachine:', ':execution:')}:{application_id}"
    pages = platform.aws("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    entered = {
        event["stateEnteredEventDetails"]["name"]: event["timestamp"]
        for page in pages for event in page["events"] if "stateEnteredEventDetails" in event
    }  # fmt: skip
    return float((entered["ScoreOnSpark"] - entered["CollectCreditData"]).total_seconds())


def _know(platform: LocalPlatform, taxpayer_id: str) -> None:
    """Let the platform know who represents the firm, so that its education can be asked for."""
    profile = platform.estate.profile(platform.estate.firm_of(taxpayer_id))
    platform.api("operator", "platform").put_record("firm-profiles", taxpayer_id, profile)


def many_firms(platform: LocalPlatform, count: int, threads: int) -> dict[str, Any]:
    """Firms through the gateway itself, in this process, on the embedded cloud's tables and buckets.

    Twice: the second time no source may be asked.
    """
    _become_a_function(platform)
    from creditmesh.gateway import bootstrap as gateway

    firms = [platform.estate.firm(index) for index in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda firm: _grant(platform, firm), firms))
        for name in SOURCES:
            httpx.delete(f"{platform.estate.url(name)}/_calls", trust_env=False)
        gateway.channels().all()
        # The firms measured one by one were charged for before, under a consent of their own.
        before = _charges(platform)
        began = time.monotonic()
        first = list(pool.map(_collect, firms))
        seconds = time.monotonic() - began
        late = _await_late_answers([one for several in first for one in several])
        asked = _calls(platform)
        began = time.monotonic()
        again = list(pool.map(_collect, firms))
        again_seconds = time.monotonic() - began
    results = [one for several in first for one in several]
    return {
        "firms": count,
        "channels": len(SOURCES),
        "threads": threads,
        "seconds": round(seconds, 2),
        "late_answers_there_after_s": round(late, 2),
        "collections_per_s": round(len(results) / seconds, 1),
        "calls_per_s": round(sum(asked.values()) / seconds, 1),
        "outcomes": dict(Counter(f"{one.channel_id} {one.outcome}" for one in results)),
        "calls_of_the_institutions": asked,
        "charged_twice": sum(1 for number in (_charges(platform) - before).values() if number > 1),
        "again": {
            "seconds": round(again_seconds, 2),
            "calls": sum(_calls(platform).values()) - sum(asked.values()),
            "cached": sum(one.cached for several in again for one in several),
        },
    }


def _become_a_function(platform: LocalPlatform) -> None:
    """Take on the environment of the platform's own functions."""
    functions = platform.aws("lambda").list_functions()["Functions"]
    environment = next(one for one in functions if "CollectCreditData" in one["FunctionName"])["Environment"][
        "Variables"
    ]
    os.environ |= {
        **environment, "AWS_ENDPOINT_URL": platform.endpoint, "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1", "POWERTOOLS_METRICS_DISABLED": "true",
    }  # fmt: skip


def _grant(platform: LocalPlatform, firm: Firm) -> None:
    """All rights of one firm, and its profile."""
    from creditmesh.authorization import bootstrap as authorization
    from creditmesh.authorization.scopes import SCOPES
    from creditmesh.gateway import bootstrap as gateway

    rights, tenant = authorization.authorizations(), f"firm-{firm.taxpayer_id}"
    grant = obtain_code(platform.estate.url("tax-bureau"), firm.taxpayer_id)
    rights.take(firm.taxpayer_id, grant.code, grant.expires_at, "bench", tenant=tenant)
    for name in CONSENTS:
        version = SCOPES[name].text_version
        rights.consent(
            firm.taxpayer_id, name, "bench", tenant=tenant, text_version=version, language="en", valid_days=90
        )
    gateway.reference_records().put("firm-profiles", firm.taxpayer_id, platform.estate.profile(firm), "bench")


def _collect(firm: Firm) -> Sequence[Any]:
    from creditmesh.gateway import bootstrap as gateway
    from creditmesh.gateway.model import DataSubject
    from creditmesh.platform import bootstrap

    index = bootstrap.platform().blind_index.of("taxpayer_id", firm.taxpayer_id)
    subject = DataSubject(
        taxpayer_id=firm.taxpayer_id, taxpayer_index=index,
        tenant=f"firm-{firm.taxpayer_id}", fields={"taxpayer_id": firm.taxpayer_id}, by=f"bench-{firm.index}",
        purpose="loan_assessment",
    )  # fmt: skip
    return [one for several in gateway.collections().call("standard", subject).values() for one in several]


def _await_late_answers(results: Sequence[Any]) -> float:
    """Seconds until every pending call has its answer, which comes by webhook to the platform's API."""
    from creditmesh.gateway import bootstrap as gateway

    began, open_ = time.monotonic(), [one.call_key for one in results if one.outcome == "pending"]
    while open_ and time.monotonic() - began < 300:
        open_ = [key for key in open_ if (found := gateway.channel_calls().find(key)) and found.state == "pending"]
        time.sleep(0.5)
    return time.monotonic() - began


def _calls(platform: LocalPlatform) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in SOURCES:
        answer = httpx.get(f"{platform.estate.url(name)}/_calls", trust_env=False).json()
        for path, number in answer["calls"].items():
            route = f"{name} {path.rpartition('/')[0] if path.startswith('GET /api/v1/companies/') else path}"
            found[route] = found.get(route, 0) + number
    return found


def _charges(platform: LocalPlatform) -> Counter[tuple[str, str]]:
    """How often each firm was charged for, by institution."""
    found: Counter[tuple[str, str]] = Counter()
    for name in ("credit-bureau", "fraud-shield"):
        charges = httpx.get(f"{platform.estate.url(name)}/_ledger", trust_env=False).json()["charges"]
        found.update((name, one["taxpayer_id"]) for one in charges)
    return found


def judge(result: dict[str, Any]) -> dict[str, Any]:
    """Each target with its figure and whether it is met."""
    found = judged(result, TARGETS)
    crowd = result["many_firms"]
    found["no_call_twice"] = {"met": not crowd["charged_twice"] and not crowd["again"]["calls"]}
    return found


def main() -> int:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--firms", type=int, default=1_000)
    arguments.add_argument("--one-by-one", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=8)
    options = arguments.parse_args()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {}
    with Display(console(to_stderr=True)) as display:
        platform = LocalPlatform(
            folder / "gateway", Ports(FIRST_PORT), steps=display, population=many.POPULATION, latency_ms=LATENCY_MS
        )
        platform.start()
        try:
            result["one_firm"] = one_firm(platform, options.one_by_one)
            result["many_firms"] = many_firms(platform, options.firms, options.threads)
            result["own_work"] = _own_work(platform, 20)
        finally:
            platform.stop()
    result["targets"] = judge(result)
    text = json.dumps(result, indent=1)
    (folder / "gateway.json").write_text(text + "\n", "utf-8")
    print(text)
    return 0 if all(one["met"] for one in result["targets"].values()) else 1


def _own_work(platform: LocalPlatform, count: int) -> dict[str, Any]:
    """The gateway's own work for some firms whose rights were granted before."""
    from benchmarks.own_work import own_work
    from creditmesh.authorization import bootstrap as authorization
    from creditmesh.gateway import bootstrap as gateway

    asked = []
    for index in range(count):
        firm = platform.estate.firm(index)
        tenant = f"firm-{firm.taxpayer_id}"
        code = authorization.authorizations().usable(firm.taxpayer_id, tenant=tenant).code
        for one in gateway.channels().all():
            values = {
                "taxpayer_id": firm.taxpayer_id, "authorization_code": code, "authorization_id": f"own-{index}",
                "request_id": f"own-work-{index}", "person_name": platform.estate.profile(firm)["legal_representative"],
                "verification_code": verification_code(firm.taxpayer_id),
            }  # fmt: skip
            asked.append((one.channel, values))
    return own_work(asked)


if __name__ == "__main__":
    sys.exit(main())
