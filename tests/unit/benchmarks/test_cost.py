"""Counting and pricing (issue 9 part 3)."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cost_model import Estate, Prices, amounts, at_volume, scaled, times_a_day, workers
from benchmarks.tally import RESIDENT, Counted, Usage, tally
from benchmarks.units import Index, Table

TABLES = {"orders": Table("orders", (Index("by-status", ("status",), None),))}
NAMES = {"stack-Api-1": "ApiFunction", "stack-Sweep-1": "SweepFunction", "job-1": RESIDENT}
PRICES = Prices.read()


def record(action: str, service: str = "dynamodb", caller: str = "stack-Api-1", **more: Any) -> dict[str, Any]:
    return {"service": service, "action": action, "caller": caller, **more}


def write(action: str, size: int, caller: str = "stack-Api-1") -> dict[str, Any]:
    after = {"id": {"S": "x" * (size - 2)}}
    return record(action, caller=caller, items=[{"table": "orders", "before": None, "after": after}])


def test_tally_counts_each_kind() -> None:
    """Units, objects, events, invocations and requests, each where it belongs."""
    found = tally(
        [
            write("PutItem", 1025),
            write("TransactWriteItems", 1025),
            record("GetItem", consistent=True, items=[{"table": "orders", "before": None, "after": None}]),
            record("Query", consistent=False, index="by-status", table="orders", items=[]),
            record("PUT", "s3", path="/bucket/key", bytes=10),
            record("GET", "s3", path="/bucket/key", bytes=0),
            record("GET", "s3", path="/bucket?prefix=x", bytes=0),
            record("PutEvents", "events", path="/", bytes=900, entries=3),
            record("Invocation", "lambda", memory_mb=512, wall_ms=30.0, cpu_ms=10.0, log_bytes=100),
            record("POST", "", "", path="/restapis/1/local/_user_request_/v1/applications", bytes=100),
        ],
        TABLES, NAMES, transitions=7,
    ).whole  # fmt: skip
    assert (found.write_units, found.read_units, found.puts, found.gets) == (2 + 4, 1.5, 2, 1)
    assert (found.events, found.invocations, found.api_requests, found.transitions) == (3, 1, 1, 7)
    assert found.calls.total() == 8
    assert found.gb_seconds == pytest.approx((10 * 1769 / 512 + 20) / 1000 * 0.5)
    assert found.log_bytes == 900 + 400 + 250


def test_tally_leaves_out_what_no_application_asked_for() -> None:
    """Others' calls, functions that run by the clock, the resident job's looking for work."""
    found = tally(
        [
            write("PutItem", 100, caller="somebody"),
            write("PutItem", 100, caller="stack-Sweep-1"),
            record("Query", caller="job-1", consistent=False, index=None, table="orders", items=[]),
            write("UpdateItem", 100, caller="job-1"),
        ],
        TABLES, NAMES, background={"SweepFunction"},
    )  # fmt: skip
    assert found.by_function.keys() == {RESIDENT, "StepFunctions"}
    assert (found.whole.write_units, found.whole.read_units, found.whole.calls.total()) == (1, 0, 0)


def test_every_amount_has_its_price() -> None:
    """Whatever is counted, at any volume, is priced."""
    usage = Usage(transitions=5, write_units=100, api_requests=10, gb_seconds=1, invocations=3)
    assert amounts(usage).keys() <= PRICES.usd.keys()
    priced = PRICES.of(at_volume(PRICES, Counted({"ApiFunction": usage}), 100))
    assert priced["transition"] == pytest.approx(5 * 25e-6)
    assert priced["write_unit"] == pytest.approx(100 * 0.625e-6)
    assert all(usd >= 0 for usd in priced.values())


def test_volume_changes_cold_starts_traces_and_the_share_of_what_is_fixed() -> None:
    """A busy platform starts warm, traces a share and spreads its fixed cost; the count of transitions stays."""
    counted = Counted({"ApiFunction": Usage(transitions=5, api_requests=10, gb_seconds=1, invocations=3)})
    estate = Estate({"AWS::KMS::Key": 3}, 1, 1440.0, (3.0, 6.0))
    few, lots = (scaled(PRICES, estate, "x", counted, counted, volume, 4) for volume in (100, 100_000))
    assert few["fixed_month"] == lots["fixed_month"]
    assert few["parts_per_1000"]["whole"]["transition"] == lots["parts_per_1000"]["whole"]["transition"] == 0.125
    for part in ("gb_second", "trace"):
        assert few["parts_per_1000"]["whole"][part] > lots["parts_per_1000"]["whole"][part]
    assert few["all_per_1000"]["lambda"]["whole"] - few["usage_per_1000"]["whole"] == pytest.approx(
        few["fixed_month"]["total"] / (100 * 30.4 / 1000), rel=0.01
    )
    assert (few["job_month"]["auto"], lots["job_month"]["auto"]) == (0, lots["job_month"]["spark"])


def test_workers_as_spark_is_told() -> None:
    """Cores as they are; memory with a tenth more, at least 384 MB, in whole GiB; EMR's defaults otherwise."""
    told = (
        "--conf spark.driver.cores=1 --conf spark.driver.memory=1g --conf 'spark.x=a b' --conf spark.executor.cores=2 "
    )
    assert workers(told + "--conf spark.executor.memory=3g --conf spark.executor.instances=2") == (5, 2 + 2 * 4)
    assert workers("--py-files x.zip") == (16, 4 * 16)


@pytest.mark.parametrize(
    ("expression", "times"),
    [("rate(1 minute)", 1440), ("rate(5 minutes)", 288), ("rate(1 hour)", 24), ("rate(1 day)", 1),
     ("cron(15 1 * * ? *)", 1), ("cron(30 2 1 * ? *)", 1 / 30.4)],
)  # fmt: skip
def test_schedules_a_day(expression: str, times: float) -> None:
    """As EventBridge Scheduler writes them."""
    assert times_a_day(expression) == pytest.approx(times)


def test_unknown_expressions_are_refused() -> None:
    """A schedule or an amount that the model does not know would be counted as nothing."""
    with pytest.raises(ValueError, match="no schedule"):
        times_a_day("at(2026-01-01T00:00:00)")
    with pytest.raises(ValueError, match="no amount"):
        workers("--conf spark.driver.memory=lots")
