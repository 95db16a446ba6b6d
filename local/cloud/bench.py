"""Measures single operations of the emulator: wall time with eight concurrent clients, and CPU time.

``.venv/bin/python -m cloud.bench --port 4566 --pid <emulator>``. Plain sockets and unsigned calls keep the client's
share small. On a busy machine CPU time is the better measure.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import psutil

CLIENTS = 8
SOURCE = "def handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"
ROLE = "arn:aws:iam::000000000000:role/bench"
_JSON = "application/x-amz-json-1.0"


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, service: str, target: str | None, path: str, body: Any, method: str = "POST") -> Any:
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request",
            "Content-Type": _JSON,
        }
        if target:
            headers["X-Amz-Target"] = target
        self._connection.request(method, path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{service} {target or path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if data[:1] in (b"{", b"[") else data

    def dynamodb(self, action: str, body: Any) -> Any:
        return self.call("dynamodb", f"DynamoDB_20120810.{action}", "/", body)

    def states(self, action: str, body: Any) -> Any:
        return self.call("states", f"AWSStepFunctions.{action}", "/", body)


def prepare(client: Client, name: str) -> dict[str, str]:
    """Create a table, a function, a REST API in front of it and a state machine of twelve Lambda tasks."""
    client.dynamodb("CreateTable", {
        "TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    })  # fmt: skip
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", SOURCE)
    code = base64.b64encode(archive.getvalue()).decode()
    function = client.call("lambda", None, "/2015-03-31/functions", {
        "FunctionName": name, "Runtime": "python3.13", "Role": ROLE, "Handler": "index.handler", "Timeout": 30,
        "Code": {"ZipFile": code},
    })["FunctionArn"]  # fmt: skip
    states: dict[str, Any] = {
        f"S{i}": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60,
                  "Next": f"S{i + 1}",
                  "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
                  "Output": "{% $states.result.Payload %}"}
        for i in range(12)
    }  # fmt: skip
    states["S11"].pop("Next")
    states["S11"]["End"] = True
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "S0", "States": states})
    machine = client.states("CreateStateMachine", {"name": name, "definition": definition, "roleArn": ROLE})
    return {"machine": machine["stateMachineArn"], "url": _api(client, name, function)}


def _api(client: Client, name: str, function: str) -> str:
    api = client.call("apigateway", None, "/restapis", {"name": name})["id"]
    root = client.call("apigateway", None, f"/restapis/{api}/resources", None, "GET")
    root = (root.get("item") or root["_embedded"]["item"])[0]["id"]
    base = f"/restapis/{api}/resources/{root}/methods/GET"
    client.call("apigateway", None, base, {"authorizationType": "NONE"}, "PUT")
    uri = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations"
    client.call(
        "apigateway", None, f"{base}/integration", {"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri}, "PUT"
    )
    client.call("apigateway", None, f"/restapis/{api}/deployments", {"stageName": "dev"})
    return f"/_aws/execute-api/{api}/dev/"


def operations(name: str, made: dict[str, str]) -> dict[str, tuple[int, Callable[[Client, int], Any]]]:
    """The operations to measure, and how often each is run."""
    item = {"v": {"N": "1"}, "text": {"S": "x" * 300}}

    def put(client: Client, i: int) -> Any:
        return client.dynamodb("PutItem", {"TableName": name, "Item": {"pk": {"S": f"p{i}"}, **item}})

    def get(client: Client, i: int) -> Any:
        return client.dynamodb("GetItem", {"TableName": name, "Key": {"pk": {"S": f"p{i}"}}})

    def transact(client: Client, i: int) -> Any:
        puts = [{"Put": {"TableName": name, "Item": {"pk": {"S": f"t{i}-{k}"}, **item}}} for k in range(3)]
        return client.dynamodb("TransactWriteItems", {"TransactItems": puts, "ClientRequestToken": uuid.uuid4().hex})

    def invoke(client: Client, i: int) -> Any:
        return client.call("lambda", None, f"/2015-03-31/functions/{name}/invocations", {"n": i})

    def api(client: Client, i: int) -> Any:
        return client.call("execute-api", None, f"{made['url']}?n={i}", None, "GET")

    def execution(client: Client, _i: int) -> Any:
        arn = client.states("StartExecution", {"stateMachineArn": made["machine"], "input": "{}"})["executionArn"]
        while (found := client.states("DescribeExecution", {"executionArn": arn}))["status"] == "RUNNING":
            time.sleep(0.02)
        if found["status"] != "SUCCEEDED":
            raise RuntimeError(str(found))

    return {"DynamoDB put": (800, put), "DynamoDB get": (800, get), "DynamoDB transact of 3": (400, transact),
            "Lambda invoke, warm": (600, invoke), "API Gateway to Lambda": (400, api),
            "execution of 12 Lambda tasks": (48, execution)}  # fmt: skip


def measure(port: int, pid: int, count: int, operation: Callable[[Client, int], Any]) -> tuple[float, float]:
    """Milliseconds of wall time and of the emulator's CPU time for one operation."""
    emulator = psutil.Process(pid)
    numbers = iter(range(count))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        client = Client(port)
        while not failures:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                operation(client, number)
            except (RuntimeError, OSError, http.client.HTTPException) as problem:
                failures.append(problem)

    before, started = emulator.cpu_times(), time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    after, took = emulator.cpu_times(), time.monotonic() - started
    cpu = after.user + after.system - before.user - before.system
    return took / count * 1000, cpu / count * 1000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--pid", type=int, required=True)
    options = arguments.parse_args()
    name = f"bench-{uuid.uuid4().hex[:8]}"
    made = prepare(Client(options.port), name)
    for label, (count, operation) in operations(name, made).items():
        measure(options.port, options.pid, CLIENTS * 2, operation)  # warm-up
        wall, cpu = measure(options.port, options.pid, count, operation)
        print(f"{label:32} {wall:8.2f} ms wall {cpu:8.2f} ms CPU of the emulator", flush=True)


if __name__ == "__main__":
    main()
