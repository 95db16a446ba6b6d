"""Parent of a layer's Lambda workers: imports the heavy libraries once, then forks a worker in milliseconds.

Runs in the interpreter CREDITMESH_LAMBDA_PYTHON with the standard library only, one process per set of layers. Control
messages come over a SEQPACKET socket whose number is the only argument: first ``{"paths", "preload"}``, then for each
worker its settings with two descriptors, the worker's channel and its log file. Nothing listens. When the emulator
ends, the socket closes and the process ends with its workers.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pathlib
import signal
import socket
import sys
from typing import Any

loopback: Any = importlib.import_module("loopback")  # in this folder, like the next
worker: Any = importlib.import_module("worker")
sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def preload(names: list[str], paths: list[str]) -> None:
    """Import what most functions import; skips what the layer lacks."""
    for name in names:
        for found in _modules(name, paths) if "/" in name else [name]:
            try:
                module = importlib.import_module(found)
            except ImportError:
                continue
            if found == "boto3":
                _share_default_session(module)
                loopback.shorten(importlib.import_module)


def _modules(pattern: str, paths: list[str]) -> list[str]:
    """Modules in the layer whose files match ``pattern``."""
    files = [file.relative_to(path) for path in paths for file in sorted(pathlib.Path(path).glob(pattern))]
    return [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]


def _share_default_session(boto3: Any) -> None:
    """Make the default session, and clients by it, once: it keeps parsed models, and workers share its pages.

    Region, endpoint and credentials are looked up when a worker makes its own clients.
    """
    boto3.setup_default_session()
    for service in ("dynamodb", "s3", "stepfunctions", "kms", "secretsmanager", "events", "sqs", "ssm"):
        boto3.client(service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")


def fork_worker(control: socket.socket, settings: dict[str, object], channel: int, log: int) -> None:
    """Fork; the child becomes the worker and never returns."""
    parent = os.getpid()
    if os.fork():
        os.close(channel)
        os.close(log)
        return
    control.close()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    worker.become(settings, socket.socket(fileno=channel), log)


def main() -> None:
    """Serve fork requests until the emulator closes the control socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; the emulator watches workers by pidfd
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the emulator ends us in order
    start = json.loads(control.recv(1 << 20))
    sys.path[:0] = start["paths"]
    preload(start["preload"], start["paths"])
    gc.collect()
    gc.freeze()
    control.send(b'{"status": "ready"}')
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 2)
        if not data:
            os._exit(0)
        fork_worker(control, json.loads(data), *descriptors)


if __name__ == "__main__":
    main()
