"""One local Spark session for all tests, set as the resident job sets its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cloud.java import java_home
from creditmesh.decisions.serving.spark_settings import RESIDENT, SMALL_RESIDENT
from creditmesh.risk.artefact import Artefact, load

ROOT = Path(__file__).parents[2]

# The same Java as `make run` takes: the machine's, else the one from PyPI (DESIGN 12).
os.environ["PYSPARK_PYTHON"] = sys.executable  # workers import the package
os.environ["JAVA_HOME"] = str(java_home(ROOT / ".venvs" / "spark", ROOT / "build" / "java"))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session with one core."""
    builder = SparkSession.builder.master("local[1]").config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "1")
    builder = builder.config(map={**RESIDENT, **SMALL_RESIDENT})
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def origination() -> Artefact:
    """The model that is shipped."""
    return load((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def good_firm() -> dict[str, Any]:
    """A made-up firm that the shipped model approves."""
    firm: dict[str, Any] = json.loads((ROOT / "models" / "sample-firm.json").read_text(encoding="utf-8"))
    return firm
