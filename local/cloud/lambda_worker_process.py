"""The emulator's side of zygotes and workers: starts them, exchanges messages, detects their end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_START_SECONDS = 30.0


class WorkerDied(Exception):
    """The worker's process ended before it answered."""


class StartFailed(Exception):
    """The handler could not be loaded; ``document`` is Lambda's error document."""

    def __init__(self, document: dict[str, Any], log: str) -> None:
        super().__init__(document.get("errorMessage", ""))
        self.document = document
        self.log = log


class Worker:
    """One forked execution environment."""

    def __init__(self, channel: socket.socket, log: int) -> None:
        self._channel = channel
        self._log = log
        self._pidfd: int | None = None
        self.pid = 0

    def wait_until_ready(self) -> None:
        """Read the worker's first frame.

        Raises:
            StartFailed: the handler's module could not be imported.
            WorkerDied: the process ended first.
        """
        self._channel.settimeout(_START_SECONDS)
        first = self._read()
        if first["status"] != "ready":
            log = self.take_log()
            self.kill()
            raise StartFailed(first["document"], log)
        self.pid = first["pid"]
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError as gone:
            raise WorkerDied from gone

    def call(self, invocation: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Run one invocation.

        Raises:
            TimeoutError: no answer within ``timeout`` seconds; the worker must be killed.
            WorkerDied: the process ended before it answered.
        """
        document = json.dumps(invocation).encode()
        self._channel.settimeout(timeout)
        try:
            self._channel.sendall(struct.pack("!I", len(document)) + document)
        except (BrokenPipeError, ConnectionResetError) as gone:
            raise WorkerDied from gone
        return self._read()

    def _read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._exactly(struct.unpack("!I", self._exactly(4))[0]))
        return answer

    def _exactly(self, size: int) -> bytes:
        parts, missing = [], size
        while missing:
            try:
                part = self._channel.recv(missing)
            except ConnectionResetError as gone:
                raise WorkerDied from gone
            if not part:
                raise WorkerDied
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def take_log(self) -> str:
        """What the function has printed since the last call."""
        size = os.fstat(self._log).st_size
        if not size:
            return ""
        text = os.pread(self._log, size, 0).decode("utf-8", "replace")
        os.ftruncate(self._log, 0)
        return text

    def alive(self) -> bool:
        return self._pidfd is not None and not select.select([self._pidfd], [], [], 0)[0]

    def kill(self) -> None:
        """End the process immediately and close its descriptors."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = None
        self._channel.close()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1


class Zygote:
    """The parent process of all workers that share one set of layers."""

    def __init__(self, python: str, layers: list[str], preload: tuple[str, ...]) -> None:
        self.layers = layers
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [python, "-s", "-E", str(_HERE / "runtime" / "zygote.py"), str(theirs.fileno())],
                pass_fds=[theirs.fileno()], env=_base_environment(), stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._control = ours
        self._lock = threading.Lock()
        self._control.settimeout(_START_SECONDS)
        self._control.send(json.dumps({"paths": layers, "preload": preload}).encode())
        if not self._control.recv(1024):
            raise RuntimeError(f"the Lambda interpreter {python} ended at start; see its message in the emulator's log")

    def fork(self, settings: dict[str, Any]) -> Worker:
        """Start a worker; raises like ``Worker.wait_until_ready``."""
        ours, theirs = socket.socketpair()
        log = os.memfd_create("lambda-log")
        fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
        worker = Worker(ours, log)
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [json.dumps(settings).encode()], [theirs.fileno(), log])
        except OSError as gone:
            worker.kill()
            raise WorkerDied from gone
        try:
            worker.wait_until_ready()
        except WorkerDied:
            worker.kill()
            raise
        return worker

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the zygote; the kernel ends its workers with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()


def _base_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
