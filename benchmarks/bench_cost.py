"""What one application costs on AWS: traced on the embedded cloud from POST to disbursement, priced, scaled.

Starts an instance of its own. Counts do not depend on the machine; Lambda's seconds do, and are estimated from the
processor time that a function needs here. Writes build/bench/cost.json; ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from benchmarks.cost_model import Estate, Prices, counted_types, scaled, targets, times_a_day, workers
from benchmarks.tally import RESIDENT, Counted, tally
from benchmarks.units import Table
from client import Api, Borrower
from client.views import ApplicationView
from run import many, stack
from run.cases import Case
from run.display import Display, console
from run.errors import RunError
from run.places import ROOT, Ports
from run.platform import LocalPlatform

ENDED_SECONDS = 60.0
QUIET_SECONDS = 1.5
FIRST_AFTER_THE_REPORT = "OfferProducts"
"""The state after the report: what comes before it is request to report."""
VOLUMES = (100, 100_000)
COUNTS = Path(__file__).with_name("counts.json")
"""What each path may ask for at most; a change that needs more raises the row in the commit that explains it."""
CONSENTS = ("credit_bureau",)
LATE_MS = 1500
"""After so long the credit bureau's report arrives: the process waits for it by then."""


class OtherEnd(Exception):
    """An application did not end with a disbursement."""


class Watching(Api):
    """An API whose borrower looks at his application once a step: it waits beside the platform until there is news."""

    wait: Callable[[str], None]

    def application(self, application_id: str) -> ApplicationView:
        """How an application stands, once somebody is waited for or it has ended."""
        self.wait(application_id)
        return super().application(application_id)


@dataclass(frozen=True)
class Trace:
    """One application's way: whole, and from the request to the report."""

    whole: Counted
    to_report: Counted


@dataclass(frozen=True)
class Meter:
    """Traces applications on a running platform, one at a time."""

    platform: LocalPlatform
    metrics: set[tuple[str, ...]] = field(default_factory=set)
    """The custom metrics seen so far."""

    @cached_property
    def resources(self) -> list[dict[str, Any]]:
        """The stack's resources."""
        pages = self.platform.aws("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.NAME)
        return [one for page in pages for one in page["StackResourceSummaries"]]

    @cached_property
    def names(self) -> dict[str, str]:
        """What calls carry -> the function's name in the template."""
        functions = {
            one["PhysicalResourceId"]: one["LogicalResourceId"]
            for one in self.resources
            if one["ResourceType"] == "AWS::Lambda::Function"
        }
        return {**functions, self.platform.outputs["ScoringApplicationId"]: RESIDENT}

    @cached_property
    def schedules(self) -> list[dict[str, Any]]:
        """What runs by the clock."""
        scheduler = self.platform.aws("scheduler")
        found = [one for one in self.resources if one["ResourceType"] == "AWS::Scheduler::Schedule"]
        return [scheduler.get_schedule(Name=one["PhysicalResourceId"].rpartition("/")[2]) for one in found]

    @cached_property
    def background(self) -> set[str]:
        """Functions that run by the clock alone; one that a stream or queue calls as well works for applications."""
        targets = {one["Target"]["Arn"].rpartition(":")[2] for one in self.schedules}
        mappings = self.platform.aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        called = {one["FunctionArn"].partition(":function:")[2].partition(":")[0] for one in mappings}
        return {self.names[name] for name in targets - called if name in self.names}

    def estate(self) -> Estate:
        """What the stack consists of, and how large its resident job is."""
        emr, application = self.platform.aws("emr-serverless"), self.platform.outputs["ScoringApplicationId"]
        runs = emr.list_job_runs(applicationId=application)["jobRuns"]
        newest = max(runs, key=lambda one: one["createdAt"])["id"]
        driver = emr.get_job_run(applicationId=application, jobRunId=newest)["jobRun"]["jobDriver"]["sparkSubmit"]
        mappings = self.platform.aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        return Estate(
            resources=counted_types(self.resources),
            queues=sum(":sqs:" in one["EventSourceArn"] for one in mappings),
            per_day=sum(times_a_day(one["ScheduleExpression"]) for one in self.schedules),
            job=workers(driver["sparkSubmitParameters"]),
        )

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables by name."""
        dynamodb = self.platform.aws("dynamodb")
        found = [one["PhysicalResourceId"] for one in self.resources if one["ResourceType"] == "AWS::DynamoDB::Table"]
        return {name: Table.described(dynamodb.describe_table(TableName=name)["Table"]) for name in found}

    @cached_property
    def _dynamodb(self) -> Any:
        return self.platform.aws("dynamodb")

    def table(self, logical_id: str) -> str:
        """A table's name."""
        return str(next(one["PhysicalResourceId"] for one in self.resources if one["LogicalResourceId"] == logical_id))

    def trace(self, case: Case, *, consents: tuple[str, ...] = ()) -> Trace:
        """Follow one application from its request to the disbursement.

        Raises:
            OtherEnd: it was not disbursed.
        """
        api = self.platform.api("borrower", case.tenant)
        watching = Watching(api.base_url, api.bearer())
        watching.wait = self._news
        borrower = Borrower(
            watching, self.platform.bureau, case.request(), password=case.password, consents=consents,
            fields=case.fields, poll_seconds=(0.01, 0.01),
        )  # fmt: skip
        with self._recording() as records:
            began = time.time()
            journey = borrower.live_through(uuid.uuid4().hex, ENDED_SECONDS)
            self._until_quiet()
        self.metrics.update(tuple(metric) for one in records for metric in one.get("metrics", ()))
        if journey.application.outcome != "disbursed":
            raise OtherEnd(str(journey.application.outcome))
        return self._counted(records, began)

    def _counted(self, records: list[dict[str, Any]], began: float) -> Trace:
        entered = self._entered(began)
        before = [name for name, _ in entered]
        if FIRST_AFTER_THE_REPORT in before:
            before = before[: before.index(FIRST_AFTER_THE_REPORT)]
        offering = next(
            (number for number, one in enumerate(records) if self.names.get(one["caller"]) == "OfferProductsFunction"),
            len(records),
        )
        given = self.tables, self.names, self.background
        return Trace(tally(records, *given, len(entered)), tally(records[:offering], *given, len(before)))

    @contextmanager
    def _recording(self) -> Iterator[list[dict[str, Any]]]:
        url = f"{self.platform.endpoint}/_usage"
        records: list[dict[str, Any]] = []
        httpx.post(url)
        try:
            yield records
            records += httpx.get(url).json()
        finally:
            httpx.delete(url)

    def _until_quiet(self) -> None:
        """Wait until what follows an application, such as events of streams, is done."""
        url, seen = f"{self.platform.endpoint}/_usage", -1
        while True:
            mine = [one for one in httpx.get(url).json() if self._for_the_application(one)]
            if len(mine) == seen:
                return
            seen = len(mine)
            time.sleep(QUIET_SECONDS)

    def _for_the_application(self, record: Mapping[str, Any]) -> bool:
        caller = self.names.get(record["caller"], "")
        return caller not in ("", RESIDENT) and caller not in self.background

    def _news(self, application_id: str) -> None:
        deadline = time.monotonic() + ENDED_SECONDS
        key = {"application_id": {"S": application_id}}
        while time.monotonic() < deadline:
            item = self._dynamodb.get_item(TableName=self.table("Applications"), Key=key, ConsistentRead=True)["Item"]
            if item["status"]["S"] == "closed" or _awaited(item):
                return
            time.sleep(0.05)
        raise RunError(f"{application_id}: nothing new within {ENDED_SECONDS:.0f} s")

    def _entered(self, began: float) -> list[tuple[str, datetime]]:
        """The states that executions entered since then, repeats of a task included, in order of time."""
        steps = self.platform.aws("stepfunctions")
        found: list[tuple[str, datetime]] = []
        for machine in steps.list_state_machines()["stateMachines"]:
            executions = steps.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
            for execution in executions:
                if execution["startDate"].timestamp() >= began - 1:
                    found += _transitions(steps, execution["executionArn"])
        return sorted(found, key=lambda one: one[1])

    def forget_answers(self) -> None:
        """Empty the cache of sources' answers, as if it were long ago that the firm was looked at."""
        table = self.table("ChannelCalls")
        for item in self._dynamodb.scan(TableName=table, ProjectionExpression="call_key")["Items"]:
            self._dynamodb.delete_item(TableName=table, Key=item)


def _awaited(item: Mapping[str, Any]) -> bool:
    return item["status"]["S"] in ("authorization_required", "offered", "contract_ready")


def _transitions(steps: Any, arn: str) -> list[tuple[str, datetime]]:
    pages = steps.get_paginator("get_execution_history").paginate(executionArn=arn)
    found, state, scheduled = [], "", 0
    for event in (event for page in pages for event in page["events"]):
        if event["type"].endswith("StateEntered"):
            state, scheduled = event["stateEnteredEventDetails"]["name"], 0
            found.append((state, event["timestamp"]))
        elif event["type"] in ("TaskScheduled", "LambdaFunctionScheduled"):
            scheduled += 1
            if scheduled > 1:  # a retry is a transition too
                found.append((state, event["timestamp"]))
    return found


def paths(meter: Meter, cases: Iterator[Case]) -> dict[str, Trace]:
    """Every path once, after two applications that leave the functions' processes warm.

    Args:
        cases: firms that have not been used for anything else, some twenty.
    """
    cases = map(_modest, cases)
    _disbursed(meter, cases)
    _disbursed(meter, cases, CONSENTS)
    case, login = _disbursed(meter, cases)
    found = {"login": login, "stored": meter.trace(case)}
    meter.forget_answers()
    found["stored_anew"] = meter.trace(case)
    case, _ = _disbursed(meter, cases, CONSENTS)
    meter.forget_answers()
    found["late"] = meter.trace(case)
    return found


def _modest(case: Case) -> Case:
    """The same firm with a small request, so that its limit bears several loans."""
    return case.model_copy(update={"application": {**case.application, "amount": "50000.00"}})


def _disbursed(meter: Meter, cases: Iterator[Case], consents: tuple[str, ...] = ()) -> tuple[Case, Trace]:
    """The first firm that a lender gives a loan to, and its way."""
    for case in cases:
        with suppress(OtherEnd):
            return case, meter.trace(case, consents=consents)
    raise RunError("no firm got a loan")


def document(found: Mapping[str, Trace], meter: Meter, per_day: tuple[int, ...]) -> dict[str, Any]:
    """Counts of every path and what they cost at so many applications a day."""
    prices = Prices.read()
    estate = meter.estate()
    result: dict[str, Any] = {
        "paths": {
            name: {
                "whole": trace.whole.whole.row(),
                "to_report": trace.to_report.whole.row(),
                "functions": {one: usage.row() | {"operations": dict(sorted(usage.calls.items()))}
                              for one, usage in sorted(trace.whole.by_function.items())},
                    "written": {
                    table.removeprefix(f"creditmesh-{stack.STAGE}-"): units
                    for table, units in trace.whole.whole.writes_by_table.most_common()
                },
            }
            for name, trace in found.items()
        },
        "costs": [scaled(prices, estate, name, trace.whole, trace.to_report, volume, len(meter.metrics))
                  for volume in per_day for name, trace in found.items()],
        "prices_as_of": prices.as_of,
    }  # fmt: skip
    result["targets"] = targets(result)
    return result


def main() -> int:
    """Start, trace, price, write, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-day", type=int, action="append", help="applications a day; 100 and 100,000 by default")
    parser.add_argument("--state-dir", type=Path, default=ROOT / "build" / "bench" / "cost-state")
    parser.add_argument("--port", type=int, default=4600, help="first of the eleven ports used on 127.0.0.1")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "cost.json")
    parser.add_argument("--keep", action="store_true", help="make what was counted the rows of benchmarks/counts.json")
    options = parser.parse_args()
    with Display(console(to_stderr=True)) as display:
        platform = LocalPlatform(
            options.state_dir, Ports(options.port), steps=display, population=many.POPULATION,
            report_ms=LATE_MS, lender_seconds=stack.PATIENT_LENDER_SECONDS,
        )  # fmt: skip
        platform.start()
        try:
            meter = Meter(platform)
            result = document(paths(meter, iter(many.cases(20))), meter, tuple(options.per_day or VOLUMES))
        finally:
            platform.stop()
    text = json.dumps(result, indent=1, ensure_ascii=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text + "\n", "utf-8")
    if options.keep:
        rows = {
            name: {part: path[part] for part in ("whole", "to_report", "written")}
            for name, path in result["paths"].items()
        }
        COUNTS.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(text)
    return 0 if all(target["met"] for target in result["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
