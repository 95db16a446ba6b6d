"""Running Step Functions executions: their end wakes whatever waits for them, their deadline ends them."""

from __future__ import annotations

import contextlib
import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


class Running:
    """One running execution; ``ended`` is set when it was stopped or timed out from outside."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.ended = threading.Event()
        self._waiting: set[threading.Event] = set()
        self._lock = threading.Lock()

    def end(self) -> None:
        """Wake every task of this execution; each finds ``ended`` set and gives up."""
        with self._lock:
            self.ended.set()
            for event in self._waiting:
                event.set()

    @contextlib.contextmanager
    def waiting(self, event: threading.Event) -> Iterator[None]:
        """Let ``end`` set ``event`` while the block runs."""
        with self._lock:
            self._waiting.add(event)
            if self.ended.is_set():
                event.set()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(event)


current: contextvars.ContextVar[Running | None] = contextvars.ContextVar("current", default=None)
running: dict[str, Running] = {}


class Deadlines:
    """Calls at given moments, from one thread."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], Any]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def call_in(self, seconds: float, action: Callable[[], Any]) -> None:
        """Run ``action`` after ``seconds``; it must be quick and must look whether it is still wanted."""
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._number), action))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cloud-deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                _, _, action = heapq.heappop(self._heap)
            action()


deadlines = Deadlines()
