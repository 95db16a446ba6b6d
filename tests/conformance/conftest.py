"""One stack for all tests: in an embedded cloud that is started for them, or with ``CREDITMESH_TARGET=aws`` on AWS.

Each test says in its docstring which fact of AWS it pins; the platform relies on it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.conformance.place import Place
from tests.contract.cloud.clouds import REGION, Cloud


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Where the tests run."""
    target = os.environ.get("CREDITMESH_TARGET", "")
    if target == "localstack":
        pytest.skip("these facts are held against the embedded cloud and AWS")
    if target == "aws":
        region = os.environ["AWS_DEFAULT_REGION"]
        account = boto3.client("sts").get_caller_identity()["Account"]
        yield Place(None, region, f"creditmesh-packages-{account}-{region}", patience=20.0)
        return
    cloud = Cloud(tmp_path_factory.mktemp("conformance"), mended=True).start()
    try:
        yield Place(cloud.endpoint, REGION, "creditmesh-packages")
    finally:
        cloud.stop()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where parameters are written."""
    return tmp_path_factory.mktemp("parameters")


@pytest.fixture(scope="session")
def stage(place: Place, folder: Path) -> Iterator[str]:
    """The stage of the stack that most tests share."""
    name = f"cf{uuid.uuid4().hex[:8]}"
    try:
        done = place.deploy(name, folder)
        assert done.returncode == 0, done.stderr
        yield name
    finally:
        place.delete(name)


@pytest.fixture(scope="session")
def outputs(place: Place, stage: str) -> dict[str, str]:
    """The stack's outputs."""
    return place.outputs(stage)


@pytest.fixture
def aws(place: Place) -> Place:
    """The place, where only an account can answer; tests that take it are skipped elsewhere."""
    if place.endpoint:
        pytest.skip("the embedded cloud has no metrics, so its alarms never fire; `make test-aws` shows this")
    return place


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex[:12]
