"""What Spark runs on: workers of documented sizes that fit, an interpreter by name."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from creditmesh.decisions.engine import Engine
from creditmesh.decisions.serving.spark_settings import (
    INTERPRETER,
    RESIDENT,
    RESIDENT_WORKERS,
    SCAN,
    SCAN_WORKERS,
    TRAINING_WORKERS,
)

Template = dict[str, Any]
DOCUMENTED = {1: (2, 8, 1), 2: (4, 16, 1), 4: (8, 30, 1), 8: (16, 60, 4), 16: (32, 120, 8)}
"""vCPU -> smallest, largest, step in GB: «Supported worker configurations» of EMR Serverless."""
APPLICATIONS = {"Scoring": RESIDENT_WORKERS, "KeyDataSpark": SCAN_WORKERS, "TrainingSpark": TRAINING_WORKERS}


def worker(settings: dict[str, str], kind: str) -> tuple[int, int]:
    """vCPU and GB of a driver or an executor."""
    sizes = [settings[f"spark.{kind}.{name}"] for name in ("memory", "memoryOverhead")]
    assert all(re.fullmatch(r"\d+g", size) for size in sizes), "whole gigabytes, so that nothing is rounded"
    heap, overhead = (int(size[:-1]) for size in sizes)
    assert overhead * 1024 >= max(384, heap * 1024 // 10)
    return int(settings[f"spark.{kind}.cores"]), heap + overhead


def capacity(source: Template, application: str) -> tuple[int, int]:
    maximum = source["Resources"][application]["Properties"]["MaximumCapacity"]
    return int(maximum["Cpu"].split()[0]), int(maximum["Memory"].split()[0])


@pytest.mark.parametrize("kind", ["driver", "executor"])
@pytest.mark.parametrize("application", APPLICATIONS)
def test_workers_are_of_documented_sizes(application: str, kind: str) -> None:
    cores, gigabytes = worker(APPLICATIONS[application], kind)
    smallest, largest, step = DOCUMENTED[cores]
    assert gigabytes in range(smallest, largest + 1, step)


def test_two_resident_jobs_fit_side_by_side_and_keep_their_executors(source: Template) -> None:
    drivers, executors = worker(RESIDENT_WORKERS, "driver"), worker(RESIDENT_WORKERS, "executor")
    count = int(RESIDENT_WORKERS["spark.executor.instances"])
    job = tuple(driver + count * executor for driver, executor in zip(drivers, executors, strict=True))
    assert capacity(source, "Scoring") == (2 * job[0], 2 * job[1])
    assert source["Resources"]["Scoring"]["Properties"]["MaximumCapacity"]["Disk"] == f"{2 * (1 + count) * 20} GB"
    assert RESIDENT_WORKERS["spark.dynamicAllocation.enabled"] == "false"


@pytest.mark.parametrize(("application", "executors"), [("KeyDataSpark", 16), ("TrainingSpark", 8)])
def test_capacity_is_a_driver_and_whole_executors(source: Template, application: str, executors: int) -> None:
    settings = APPLICATIONS[application]
    for limit, driver, executor in zip(
        capacity(source, application), worker(settings, "driver"), worker(settings, "executor"), strict=True
    ):
        assert math.floor((limit - driver) / executor) == executors
        assert limit == driver + executors * executor


@pytest.mark.parametrize("application", APPLICATIONS)
def test_applications_are_of_one_release_for_arm64(source: Template, application: str) -> None:
    properties = source["Resources"][application]["Properties"]
    assert (properties["ReleaseLabel"], properties["Architecture"]) == ("emr-spark-8.0.0", "ARM64")


@pytest.mark.parametrize(
    ("machine", "workers"), [("KeyDataExtraction", SCAN_WORKERS), ("ScorecardTraining", TRAINING_WORKERS)]
)
def test_batch_jobs_are_given_the_settings_of_the_package(
    source: Template, machine: str, workers: dict[str, str]
) -> None:
    text = json.dumps(source["Resources"][machine]["Properties"]["DefinitionSubstitutions"]["SparkParameters"])
    given = dict(word.split("=", 1) for word in text.split() if word.startswith("spark."))
    wanted = {**SCAN, **workers, **INTERPRETER}
    assert {name: value for name, value in given.items() if name in wanted} == wanted


def test_the_template_holds_no_copy_of_the_resident_jobs_settings(source: Template) -> None:
    variables = source["Resources"]["EnsureScoringJobFunction"]["Properties"]["Environment"]["Variables"]
    assert not any(name in json.dumps(variables) for name in {**RESIDENT, **RESIDENT_WORKERS})
    assert set(source["Parameters"]["ScoringEngine"]["AllowedValues"]) == {str(engine) for engine in Engine}
    assert source["Parameters"]["ScoringEngine"]["Default"] == "spark"
