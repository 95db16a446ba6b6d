"""Running Step Functions executions: ending one wakes its waiting tasks; a deadline ends it."""

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
    """One running execution; ``ended`` is set when it is stopped or times out."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.ended = threading.Event()
        self._waiting: set[threading.Event] = set()
        self._lock = threading.Lock()

    def end(self) -> None:
        """Set ``ended`` and wake every waiting task of this execution."""
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
    """Timers that share one thread."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], Any]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def call_in(self, seconds: float, action: Callable[[], Any]) -> None:
        """Run ``action`` after ``seconds``; it must be quick and check whether it is still needed."""
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
