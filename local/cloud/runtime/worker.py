"""One Lambda execution environment: loads the handler, then answers invocations frame by frame over a socket.

Standard library only; forked by ``zygote.py``. A frame is four bytes of length and that much JSON. The function's
output goes to an anonymous file that the emulator reads after each invocation, so it survives the process. Error
documents have the form of AWS Lambda's Python runtime: errorMessage, errorType, requestId, stackTrace.
"""

from __future__ import annotations

import decimal
import importlib
import json
import os
import site
import socket
import struct
import sys
import time
import traceback
from typing import Any, NoReturn


class LambdaContext:
    """The context object of a handler (AWS Lambda, "Context object in Python")."""

    def __init__(self, settings: dict[str, Any], invocation: dict[str, Any]) -> None:
        self.function_name = settings["function_name"]
        self.function_version = settings["version"]
        self.memory_limit_in_mb = settings["memory"]
        self.invoked_function_arn = invocation["arn"]
        self.aws_request_id = invocation["request_id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + invocation["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def read_exactly(channel: socket.socket, size: int) -> bytes:
    """Read ``size`` bytes; ends the process when the emulator has gone."""
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def read_frame(channel: socket.socket) -> Any:
    return json.loads(read_exactly(channel, struct.unpack("!I", read_exactly(channel, 4))[0]))


def write_frame(channel: socket.socket, document: bytes) -> None:
    channel.sendall(struct.pack("!I", len(document)) + document)


def error_document(problem: BaseException, request_id: str, kind: str | None = None) -> dict[str, Any]:
    """Lambda's answer for an uncaught exception of the handler."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if os.path.dirname(frame.filename) != os.path.dirname(__file__)]
    return {
        "errorMessage": str(problem),
        "errorType": kind or type(problem).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(own),
    }


def _encode(value: object) -> object:
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def load_handler(handler: str) -> Any:
    """Import the function named ``package/module.function``."""
    module, _, name = handler.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), name)


def invoke(function: Any, settings: dict[str, Any], invocation: dict[str, Any]) -> dict[str, Any]:
    """Run the handler once; returns ``{"status": "ok", "result"}`` or ``{"status": "error", "document"}``."""
    request_id = invocation["request_id"]
    _per_call_environment(invocation)
    try:
        result = function(invocation["event"], LambdaContext(settings, invocation))
    except SystemExit as leaving:
        document = error_document(leaving, request_id, "Runtime.ExitError")
        document["errorMessage"] = f"RequestId: {request_id} Error: Runtime exited"
        return {"status": "error", "document": document, "fatal": True}
    except BaseException as problem:
        traceback.print_exc()
        return {"status": "error", "document": error_document(problem, request_id)}
    return {"status": "ok", "result": result}


def _per_call_environment(invocation: dict[str, Any]) -> None:
    if invocation.get("trace_id"):
        os.environ["_X_AMZN_TRACE_ID"] = invocation["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _prepare(settings: dict[str, Any], log: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(settings["environment"])
    time.tzset()
    os.chdir(settings["code_dir"])
    for own in ("worker", "loopback"):  # a function may have modules of these names
        sys.modules.pop(own, None)
    sys.path.insert(0, settings["code_dir"])
    for path in settings["paths"]:
        if path.endswith("site-packages"):
            site.addsitedir(path)


def become(settings: dict[str, Any], channel: socket.socket, log: int) -> NoReturn:
    """Turn this forked process into the worker that ``settings`` describe."""
    _prepare(settings, log)
    try:
        function = load_handler(settings["handler"])
    except BaseException as problem:
        traceback.print_exc()
        kind = "Runtime.ImportModuleError" if isinstance(problem, ImportError) else None
        kind = "Runtime.HandlerNotFound" if isinstance(problem, AttributeError) else kind
        document = error_document(problem, "", kind)
        write_frame(channel, json.dumps({"status": "error", "document": document, "pid": os.getpid()}).encode())
        os._exit(1)
    write_frame(channel, json.dumps({"status": "ready", "pid": os.getpid()}).encode())
    while True:
        invocation = read_frame(channel)
        busy = time.process_time()
        outcome = invoke(function, settings, invocation)
        outcome["cpu_ms"] = (time.process_time() - busy) * 1000
        try:
            answer = json.dumps(outcome, default=_encode).encode()
        except (TypeError, ValueError) as problem:
            document = error_document(problem, invocation["request_id"], "Runtime.MarshalError")
            document["errorMessage"] = f"Unable to marshal response: {problem}"
            answer = json.dumps({"status": "error", "document": document}).encode()
        sys.stdout.flush()
        write_frame(channel, answer)
        if outcome.get("fatal"):
            os._exit(1)
