"""Keeps the processes of a local platform running: starts them in order, restarts them, ends all at the end.

Standard library and psutil only, since `make run` and the tests use it from the developer's environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

_LOOK_SECONDS = 0.2
_STEADY_SECONDS = 10.0  # a process that ran this long is restarted at once
_LONGEST_PAUSE = 5.0
_GRACE_SECONDS = 10.0


class PortTaken(Exception):
    """A port that a child needs is in use."""


class NotHealthy(Exception):
    """A child did not answer in time; the message includes the end of its log."""


@dataclass
class _Child:
    name: str
    argv: list[str]
    environment: dict[str, str]
    health_url: str | None
    log: Path
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    failures: int = 0
    wanted: bool = True
    not_before: float = 0.0


def healthy(url: str, timeout: float = 2.0) -> bool:
    """Whether ``url`` answers with a status below 500."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return bool(answer.status < 500)
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except (urllib.error.URLError, OSError):
        return False


def require_free_port(port: int, who: str, host: str = "127.0.0.1") -> None:
    """Raise PortTaken, naming the process that holds ``port`` if visible, unless it can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            raise PortTaken(f"{who} needs port {port} on {host}, but {_holder(port)} listens there.") from taken


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another process"


class Supervisor:
    """Child processes by name, each in its own process group.

    Args:
        log_dir: each child's output goes to ``<name>.log`` there.
    """

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        argv: list[str],
        env: dict[str, str],
        health_url: str | None = None,
        timeout: float = 30.0,
        *,
        revive: bool = True,
    ) -> int:
        """Start a child and wait until it is healthy.

        Args:
            name: its name for the other methods.
            argv: command and arguments.
            env: additions to this process's environment.
            health_url: URL that answers once it serves; its port must be free before.
            timeout: seconds until it must answer.
            revive: restart it whenever it ends.

        Returns:
            Its process id.

        Raises:
            PortTaken: the port of ``health_url`` is in use.
            NotHealthy: it ended or did not answer in time.
            ValueError: a child of this name is running.
        """
        with self._lock:
            if name in self._children:
                raise ValueError(f"{name} is already running")
            if health_url:
                require_free_port(urlsplit(health_url).port or 80, name)
            environment = {**os.environ, "CREDITMESH_DIE_WITH_PARENT": "1", **env}
            log = self._log_dir / f"{name}.log"
            process = _spawn(argv, environment, log)
            child = _Child(name, argv, environment, health_url, log, process, time.monotonic(), wanted=revive)
            self._children[name] = child
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._watcher.start()
        try:
            self.wait_healthy(name, timeout)
        except NotHealthy:
            self.stop(name)
            raise
        return self.pid(name)

    def wait_healthy(self, name: str, timeout: float = 30.0) -> None:
        """Wait until the child answers; raises NotHealthy."""
        child = self._children[name]
        deadline = time.monotonic() + timeout
        while child.health_url and not healthy(child.health_url):
            if child.process.poll() is not None and (not child.wanted or (child.restarts == 0 and child.failures > 1)):
                break
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            if child.process.poll() is None:
                return
        tail = child.log.read_bytes()[-1500:].decode("utf-8", "replace")
        raise NotHealthy(f"{name} did not start; the end of {child.log}:\n{tail}")

    def pid(self, name: str) -> int:
        return self._children[name].process.pid

    def alive(self, name: str) -> bool:
        return self._children[name].process.poll() is None

    def restarts(self, name: str) -> int:
        return self._children[name].restarts

    def names(self) -> list[str]:
        return list(self._children)

    def stop(self, name: str) -> None:
        with self._lock:
            child = self._children.pop(name)
            child.wanted = False
        _end(child.process)

    def stop_all(self) -> None:
        """End all children, last started first, with all their processes."""
        self._ended.set()
        for name in reversed(self.names()):
            self.stop(name)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock:
                for child in list(self._children.values()):
                    self._look(child)

    def _look(self, child: _Child) -> None:
        if not child.wanted or self._ended.is_set() or child.process.poll() is None:
            return
        now = time.monotonic()
        if child.not_before == 0.0:
            child.failures = 0 if now - child.started > _STEADY_SECONDS else child.failures + 1
            pause = 0.0 if child.failures <= 1 else min(0.25 * 2.0**child.failures, _LONGEST_PAUSE)
            child.not_before = now + pause
        if now >= child.not_before:
            _end(child.process)  # its group may still hold the port
            self._revive(child)

    def _revive(self, child: _Child) -> None:
        child.process = _spawn(child.argv, child.environment, child.log)
        child.started = time.monotonic()
        child.restarts += 1
        child.not_before = 0.0


PRIVATE = 0o077
"""What the programs write is their owner's alone: keys that sign tokens are among it."""


def _spawn(argv: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=PRIVATE,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child and all processes of its group."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for left in below:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(below, timeout=5)
