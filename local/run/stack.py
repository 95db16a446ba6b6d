"""The stack in the embedded cloud: its parameters, its deployment, its outputs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from run.errors import RunError
from run.places import ROOT

NAME = "creditmesh-local"
STAGE = "local"
REGION = "eu-west-1"
CLOUD_PYTHON = ROOT / ".venvs" / "cloud" / "bin" / "python"
LENDER_SECONDS = 12  # so that a silent lender's case can be seen without waiting two days
FLOW_SECONDS = 6  # likewise a silent manager's
PATIENT_LENDER_SECONDS = 90  # for many concurrent applications

# Two cores and no time to warm up: the quick compiler only, and less memory than an EMR worker
# (docs/explanation/resident-job.md).
_QUICK = "--conf 'spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'"
RESIDENT_JVM = f"{_QUICK} --conf spark.driver.memory=512m"
SMALL_JVM = f"{_QUICK} --conf spark.driver.memory=1g"


def parameters(endpoint: str, guest_port: int, lender_seconds: int) -> dict[str, str]:
    """The template's parameters on this machine."""
    return {
        "Stage": STAGE,
        "AllowedOrigins": f"http://127.0.0.1:{guest_port}",
        "JwksUrlPrefix": f"{endpoint}/",
        "PublicUrlPrefix": f"{endpoint}/restapis/",
        "PublicUrlSuffix": f"/{STAGE}/_user_request_",
        "LenderSeconds": str(lender_seconds),
        "FlowSeconds": str(FLOW_SECONDS),
        "ScoringWarmUpCalls": "10",  # a fast start matters more than the first answers
        "ScoringSparkParameters": RESIDENT_JVM,
        "ExtractionSparkParameters": SMALL_JVM,
        "TrainingSparkParameters": SMALL_JVM,
    }


def deploy(
    endpoint: str, values: Mapping[str, str], institutions: str, folder: Path, *, name: str = NAME, on_aws: bool = False
) -> dict[str, str]:
    """Build and deploy template.yaml, if anything has changed; returns the stack's outputs.

    Args:
        endpoint: of the embedded cloud.
        values: the template's parameters.
        institutions: the address book, as JSON.
        folder: for parameters, address book and log.
        name: the stack's name.
        on_aws: build for AWS's machines instead of this one.

    Raises:
        RunError: with the stack's own events.
    """
    file, book = folder / "parameters.json", folder / "address-book.json"
    file.write_text(json.dumps(dict(values), indent=1))
    book.write_text(institutions)
    command = [
        str(CLOUD_PYTHON), "-m", "cloud.deploy", "--endpoint", endpoint, "--parameters", str(file),
        "--institutions", str(book), "--stack", name, "--region", REGION, *(["--stage"] if on_aws else []),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / "deploy.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RunError(f"The stack could not be deployed.\n{done.stderr.strip()[-3000:]}")
    deployed: dict[str, str] = json.loads(done.stdout)
    return deployed
