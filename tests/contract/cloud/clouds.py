"""Emulators for the contract tests: one with the mends, one without, and the calls that the probes share."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venvs" / "cloud" / "bin" / "python"
ACCOUNT = "000000000000"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/probe"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(found: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true value of ``found()`` within ``seconds``, else its last one."""
    deadline = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and message of an error; empty where there was none."""
    try:
        call()
    except ClientError as problem:
        return problem.response["Error"]["Code"], problem.response["Error"]["Message"]
    return "", ""


class Cloud:
    """One emulator process on a port and state directory of its own."""

    def __init__(self, state_dir: Path, *, mended: bool) -> None:
        self.mended = mended
        self.port = free_port()
        self.state_dir = state_dir
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._clients: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> Cloud:
        """Start it and wait until it answers."""
        environment = {
            **os.environ, "GATEWAY_PORT": str(self.port), "STATE_DIR": str(self.state_dir),
            "PYTHONPATH": str(ROOT / "local"),
            "CREDITMESH_UNMENDED": "0" if self.mended else "1", "CREDITMESH_DIE_WITH_PARENT": "1", **settings,
        }  # fmt: skip
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "emulator.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "cloud.server"], env=environment, stdout=log, stderr=log
            )
        assert eventually(self.healthy, 20), f"the emulator did not start; see {self.state_dir}/emulator.log"
        return self

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        """The emulator's process."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def client(self, service: str) -> Any:
        """A boto3 client of this emulator."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id="test",
                aws_secret_access_key="test", config=Config(retries={"max_attempts": 1}, max_pool_connections=20),
            )  # fmt: skip
        return self._clients[service]

    def function(self, name: str, source: str, **settings: Any) -> str:
        """Create a Lambda function of one module; returns its ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", source)
        made = self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.13", Handler="index.handler",
            Code={"ZipFile": archive.getvalue()}, **{"Timeout": 10, "Role": ROLE, **settings},
        )  # fmt: skip
        return str(made["FunctionArn"])

    def invoke(self, name: str, event: Any = None) -> Any:
        """Invoke a function; returns its answer or its error document."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event if event is not None else {}))
        return json.loads(answer["Payload"].read())

    def machine(self, name: str, states: dict[str, Any], start: str, **fields: Any) -> str:
        """Create a JSONata state machine; returns its ARN."""
        definition = {"QueryLanguage": "JSONata", "StartAt": start, "States": states, **fields}
        made = self.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=ROLE
        )
        return str(made["stateMachineArn"])

    def run(self, machine: str, given: Any = None, seconds: float = 10.0) -> dict[str, Any]:
        """Run an execution; returns its description once it has ended, or as it is after ``seconds``."""
        states = self.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]
        return self.ended(arn, seconds)

    def ended(self, arn: str, seconds: float = 10.0) -> dict[str, Any]:
        """The execution's description once it has ended, or as it is after ``seconds``."""
        states = self.client("stepfunctions")
        eventually(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", seconds)
        described: dict[str, Any] = states.describe_execution(executionArn=arn)
        return described

    def table(self, name: str, **settings: Any) -> str:
        """Create a table with the hash key ``pk``; returns its name."""
        self.client("dynamodb").create_table(
            TableName=name, KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], **settings,
        )  # fmt: skip
        return name

    def verdict(self, mend: str, good: bool) -> None:
        """With the mends the probe must be good; without them it must not, or else the mend has become needless."""
        if self.mended:
            assert good, f"the mend {mend} does not do what it says"
        else:
            assert not good, f"MiniStack does this by itself now: remove local/cloud/mends/{mend}.py or this part of it"
