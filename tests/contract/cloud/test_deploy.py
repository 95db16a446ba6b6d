"""The deployment of the platform's real template, and its second run."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.processes import below

from .clouds import PYTHON, ROOT, Cloud

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """An emulator with the platform on it, and the stack's outputs."""
    cloud = Cloud(tmp_path_factory.mktemp("deployed"), mended=True).start()
    yield cloud, deploy(cloud)
    cloud.stop()


def deploy(cloud: Cloud, **parameters: str) -> dict[str, str]:
    """Run the deployment as `make run` does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
    given = Path(cloud.state_dir, "parameters.json")
    given.write_text(json.dumps(parameters))
    command = [str(PYTHON), "-m", "cloud.deploy", "--endpoint", cloud.endpoint, "--parameters", str(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs: dict[str, str] = json.loads(done.stdout)
    return outputs


def spark_code(cloud: Cloud) -> str:
    """The version of the Spark code that the stack refers to."""
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName="creditmesh")["Stacks"]
    return next(one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == "SparkCode")


def change_sets(cloud: Cloud) -> list[str]:
    """The names of the stack's change sets; one that is executed takes the others away."""
    found = cloud.client("cloudformation").list_change_sets(StackName="creditmesh")["Summaries"]
    return [one["ChangeSetName"] for one in found]


def functions(cloud: Cloud) -> list[str]:
    """The platform's functions."""
    pages = cloud.client("lambda").get_paginator("list_functions").paginate()
    return [function["FunctionName"] for page in pages for function in page["Functions"]]


def own_memory(worker: psutil.Process, cloud: int) -> float | None:
    """A worker's own memory in MiB; None for what the emulator itself started, and of one that has just ended."""
    try:
        return None if worker.ppid() == cloud else worker.memory_full_info().pss / 2**20
    except psutil.Error:
        return None


def test_the_template_deploys_whole(deployed: tuple[Cloud, dict[str, str]]) -> None:
    """Each resource is complete, and jobs and models lie in the artefact bucket."""
    cloud, outputs = deployed
    resources = cloud.client("cloudformation").describe_stack_resources(StackName="creditmesh")["StackResources"]
    assert {resource["ResourceStatus"] for resource in resources} == {"CREATE_COMPLETE"}
    keys = {item["Key"] for item in cloud.client("s3").list_objects_v2(Bucket=outputs["ArtefactBucket"])["Contents"]}
    names = {"creditmesh-spark.zip", *(f"jobs/{path.name}" for path in (ROOT / "emr" / "jobs").glob("*.py"))}
    assert {f"emr/{spark_code(cloud)}/{name}" for name in names} <= keys


def test_the_layer_carries_byte_code(deployed: tuple[Cloud, dict[str, str]]) -> None:
    """Also where this process keeps its own byte-code elsewhere: no worker compiles what it imports."""
    with zipfile.ZipFile(ROOT / "build" / "layer.zip") as layer:
        names = layer.namelist()
    sources = [name for name in names if name.startswith("python/creditmesh/") and name.endswith(".py")]
    compiled = [name for name in names if name.startswith("python/creditmesh/") and name.endswith(".pyc")]
    assert len(compiled) == len(sources) > 100


def test_every_function_loads_and_workers_are_small(deployed: tuple[Cloud, dict[str, str]]) -> None:
    """No handler fails to import from what its layer and code carry; a worker's own memory is below 40 MB."""
    cloud, _ = deployed
    names = functions(cloud)
    assert len(names) >= 15
    for name in names:
        kind = str((cloud.invoke(name) or {}).get("errorType", ""))
        assert kind not in ("Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.ExitError"), name
    sizes = [size for worker in below(cloud.pid, "zygote.py") if (size := own_memory(worker, cloud.pid))]
    assert len(sizes) >= 15
    assert max(sizes) < 40


def test_a_second_deployment_does_nothing(deployed: tuple[Cloud, dict[str, str]]) -> None:
    """The outputs stay the same, no change set is made, and it is quick."""
    cloud, outputs = deployed
    before = change_sets(cloud)
    started = time.process_time()
    assert deploy(cloud) == outputs
    assert change_sets(cloud) == before
    assert time.process_time() - started < 3


def test_a_changed_parameter_reaches_the_stage_of_the_api(deployed: tuple[Cloud, dict[str, str]]) -> None:
    """PagesOrigin: the gateway's own answers, the functions' and a preflight name the origin after an update."""
    cloud, outputs = deployed
    url = f"{cloud.endpoint}/_aws/execute-api/{outputs['ApiId']}/dev"

    off = {"GET /v1/nowhere": 404, "GET /v1/applications": 401, "GET /v1/health": 200, "OPTIONS /v1/outcomes": 404}

    def origins() -> dict[str, tuple[int, str | None]]:
        found = {}
        for call in off:
            method, _, path = call.partition(" ")
            answer = httpx.request(method, url + path, timeout=30, trust_env=False)
            found[call] = (answer.status_code, answer.headers.get("access-control-allow-origin"))
        return found

    assert origins() == {call: (status, None) for call, status in off.items()}
    page = "https://pages.example"
    assert deploy(cloud, PagesOrigin=page)["PagesOrigin"] == page
    assert origins() == {call: (status, page) for call, status in {**off, "OPTIONS /v1/outcomes": 204}.items()}
