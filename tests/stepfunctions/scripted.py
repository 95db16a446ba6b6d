"""The real process on the embedded cloud's interpreter, its steps played by a script.

MiniStack with our mends is the interpreter on which `make run` and the end-to-end tests stand, so what is learned here
holds there; moto's would need its Lambda call and its JSONata patched. Every step is a tiny function that asks this
process, over HTTP, what to do.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml
from jsonata.jsonata import Jsonata

from tests.contract.cloud.clouds import ROLE, Cloud
from tests.support import template

SOURCE = """
import json, os, urllib.request

def handler(event, context):
    asked = json.dumps({"function": os.environ["FUNCTION"], "event": event}).encode()
    with urllib.request.urlopen(urllib.request.Request(os.environ["SCRIPT"], data=asked), timeout=20) as answer:
        said = json.load(answer)
    if "error" in said:
        raise type(said["error"], (Exception,), {})(said["message"])
    return said["result"]
"""
STATES: dict[str, dict[str, Any]] = template.definition()["States"]
FUNCTIONS = {
    state["Arguments"]["FunctionName"].strip("${}")
    for state in STATES.values()
    if "FunctionName" in state.get("Arguments", {})
}
WAITS = ("Flow", "Collection", "Authorization", "Scoring", "Choice", "Lender", "Reply", "Signature", "Operator")


@dataclass(frozen=True)
class Say:
    """What a step does: returns, or raises, and may answer its own task token."""

    result: Any = field(default_factory=dict)
    error: str | None = None
    message: str = ""
    succeed: Mapping[str, Any] | None = None
    fail: str | None = None

    def document(self) -> dict[str, Any]:
        return {"error": self.error, "message": self.message} if self.error else {"result": self.result}


GO_ON = Say(succeed={})
SILENT = Say()
RETRY, CLOSE = Say(succeed={"action": "retry"}), Say(succeed={"action": "close"})
APPROVE, DECLINE = Say({"decision": "approve"}), Say({"decision": "decline"})
REFER = Say({"decision": "refer", "reasons": "GREYLISTED, CREDIT_OVERDUE"})


def decides(action: str) -> Say:
    """A person's word on a referral."""
    return Say(succeed={"action": action})


def error(name: str, message: str = "made up") -> Say:
    """A step that raises."""
    return Say(error=name, message=message)


def fail(name: str) -> Say:
    """A step whose token is answered with an error."""
    return Say(fail=name)


def usual(step: str) -> Say:
    """What a step does when the script says nothing."""
    if step == "WriteReport":
        return APPROVE
    return GO_ON if STATES[step]["Resource"].endswith(".waitForTaskToken") else Say()


def step_of(function: str, event: Mapping[str, Any]) -> str:
    """The state that has called a function; of those that call the same one, the one that sends such a payload."""
    for name, state in STATES.items():
        arguments = state.get("Arguments", {})
        if arguments.get("FunctionName", "").strip("${}") == function and set(arguments["Payload"]) == set(event):
            return name
    raise AssertionError(f"no state calls {function} with {sorted(event)}")


@dataclass
class Stage:
    """Plays the steps of all executions."""

    cloud: Cloud
    scripts: dict[str, dict[str, list[Say]]] = field(default_factory=dict)
    """Application id -> step -> what it does, one after the other; then as usual."""
    played: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))
    """Application id -> steps with their events, in order."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Do what the script says; the function returns or raises the answer."""
        application_id, step = event["application_id"], step_of(function, event)
        with self.lock:
            self.played[application_id].append((step, event))
            lines = self.scripts.get(application_id, {}).get(step, [])
            line = lines.pop(0) if lines else usual(step)
        client = self.cloud.client("stepfunctions")
        if line.succeed is not None:
            client.send_task_success(taskToken=event["task_token"], output=json.dumps(line.succeed))
        if line.fail is not None:
            client.send_task_failure(taskToken=event["task_token"], error=line.fail, cause="made up")
        return line.document()


@contextmanager
def performing(cloud: Cloud) -> Iterator[Stage]:
    """The script's server, and a function per step that asks it."""
    stage = Stage(cloud)
    cloud.client("stepfunctions")  # made once, before threads share it

    class Prompter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(stage.play(asked["function"], asked["event"])).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Prompter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        for function in FUNCTIONS:
            variables = {"SCRIPT": url, "FUNCTION": function}
            cloud.function(function, SOURCE, Timeout=30, Environment={"Variables": variables})
        yield stage
        server.shutdown()


def definition(seconds: Mapping[str, int], process: str = "loan_origination", **more: str) -> dict[str, Any]:
    """The real definition with its placeholders filled.

    Only time is another: a wait takes `seconds` or a minute, and a retry comes after a second at the latest.
    """
    substitutions = {"Partition": "aws", **{f"{name}Seconds": str(seconds.get(name, 60)) for name in WAITS}}
    substitutions |= {name: name for name in FUNCTIONS} | more
    text = (template.ROOT / "stepfunctions" / f"{process}.asl.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(re.sub(r"\$\{([A-Za-z]+)\}", lambda match: substitutions[match[1]], text))
    for state in document["States"].values():
        for retrier in state.get("Retry", []):
            retrier |= {"IntervalSeconds": 1, "BackoffRate": 1}
        if state["Type"] == "Wait":
            state["Seconds"] = 1
    return dict(document)


def read_expressions(document: Any) -> int:
    """How many expressions a definition holds; each must be one that can be read."""
    found = [value for _, value in template.walk(document) if isinstance(value, str) and value.startswith("{%")]
    for one in found:
        Jsonata(re.sub(r"\$\{[A-Za-z]+\}", "1", one[2:-2].strip()))
    return len(found)


def tasks_of(document: Any) -> list[dict[str, Any]]:
    """A definition's Task states, those inside of others too."""
    return [value for _, value in template.walk(document) if isinstance(value, dict) and value.get("Type") == "Task"]


@dataclass(frozen=True)
class Scenario:
    """One way through the process: what the steps say, where it must end, and what its input holds besides the id."""

    end: str
    script: Mapping[str, Sequence[Say]] = field(default_factory=dict)
    seconds: Mapping[str, int] = field(default_factory=dict)
    steps: Sequence[str] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    def start(self, stage: Stage, name: str) -> str:
        """Start it; its execution's ARN."""
        stage.scripts[name] = {step: list(lines) for step, lines in self.script.items()}
        machines = stage.cloud.client("stepfunctions")
        written = json.dumps(definition(self.seconds))
        made = machines.create_state_machine(name=f"loan-{name}", definition=written, roleArn=ROLE)
        given = json.dumps({"application_id": name, **self.given})
        return str(
            machines.start_execution(stateMachineArn=made["stateMachineArn"], name=name, input=given)["executionArn"]
        )
