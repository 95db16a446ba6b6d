"""The programs `make run` starts: each logs to its own file, is started again if it dies, and none outlives us."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from run.errors import RunError, tail

_GUARD = Path(__file__).with_name("guard.py")
_WATCH_SECONDS = 0.3
_STOP_SECONDS = 12.0
_MOST_RESTARTS = 20


@dataclass
class Child:
    """One program.

    Attributes:
        health_url: answers 200 once the program serves.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    health_url: str
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)


class Children:
    """Keeps programs running. Every program is started by one thread, on which `guard` depends.

    Args:
        cwd: where they run.
        restarted: told of a program that died and has been started again.
    """

    def __init__(self, cwd: Path, restarted: Callable[[Child], None] = lambda _: None) -> None:
        self._cwd, self._restarted = cwd, restarted
        self._children: dict[str, Child] = {}
        self._wanted: list[Child] = []
        self._changed, self._stopping = threading.Condition(), False
        self._keeper = threading.Thread(target=self._keep, name="children", daemon=True)

    def start(self, child: Child) -> None:
        """Have a program started; `wait` tells when it serves."""
        with self._changed:
            self._wanted.append(child)
            self._children[child.name] = child
            if not self._keeper.ident:
                self._keeper.start()
            self._changed.notify()

    def get(self, name: str) -> Child:
        """A program by its name."""
        return self._children[name]

    def wait(self, name: str, seconds: float = 30.0) -> None:
        """Wait until a program serves.

        Raises:
            RunError: it ended, or did not serve in time; with the end of its log.
        """
        child, deadline = self._children[name], time.monotonic() + seconds
        with httpx.Client(timeout=2.0, trust_env=False) as http:
            while time.monotonic() < deadline and child.restarts < 3:
                try:
                    if http.get(child.health_url).status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                time.sleep(0.05)
        raise RunError(f"{name} did not start. The end of {child.log}:\n{tail(child.log)}")

    def stop(self) -> None:
        """End every program, the last started first; those that do not heed are killed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._keeper.ident:
            self._keeper.join()

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or bool(self._wanted), _WATCH_SECONDS)
                if self._stopping:
                    break
                wanted, self._wanted = self._wanted, []
            for child in wanted:
                self._spawn(child)
            for child in self._children.values():
                if child.process and child.process.poll() is not None and child.restarts < _MOST_RESTARTS:
                    child.restarts += 1
                    self._spawn(child)
                    self._restarted(child)
        self._end()

    def _end(self) -> None:
        running = [child.process for child in reversed(self._children.values()) if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self, child: Child) -> None:
        child.log.parent.mkdir(parents=True, exist_ok=True)
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(_GUARD), *child.command],
                cwd=self._cwd, env={**os.environ, **child.environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
