"""A bounded pool of workers; waiting invocations are served in order of arrival."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from cloud.lambda_worker_process import Worker

_SETTLED = 2.0  # idle seconds after which a worker may make way for a function that has workers already


class Busy(Exception):
    """No worker became free in time."""


@dataclass
class _Waiter:
    key: Hashable
    event: threading.Event = field(default_factory=threading.Event)
    worker: Worker | None = None


class WorkerPool:
    """At most ``limit`` workers, at most ``limit_per_key`` of one function version; the longest idle is ended first."""

    def __init__(self, limit: int, limit_per_key: int) -> None:
        self._limit = limit
        self._limit_per_key = limit_per_key
        self._lock = threading.Lock()
        self._idle: dict[Hashable, deque[tuple[float, Worker]]] = defaultdict(deque)
        self._count: dict[Hashable, int] = defaultdict(int)
        self._total = 0
        self._waiting: deque[_Waiter] = deque()

    def lease(self, key: Hashable, start: Callable[[], Worker], timeout: float) -> Worker:
        """Return a worker for ``key``: an idle one or a new one from ``start``.

        Raises:
            Busy: none became free within ``timeout`` seconds.
        """
        waiter = _Waiter(key)
        with self._lock:
            doomed = [] if self._waiting else self._try(waiter)
            if not waiter.event.is_set():
                self._waiting.append(waiter)
                doomed += self._serve_waiting()
        _kill(doomed)
        if not waiter.event.wait(timeout):
            with self._lock:
                if not waiter.event.is_set():
                    self._waiting.remove(waiter)
                    raise Busy
        if waiter.worker is not None:
            return waiter.worker
        try:
            return start()
        except BaseException:
            self._leave(key)
            raise

    def release(self, key: Hashable, worker: Worker, healthy: bool) -> None:
        """Return a worker to the pool; one that is not healthy is ended."""
        if not healthy:
            worker.kill()
            self._leave(key)
            return
        with self._lock:
            self._idle[key].append((time.monotonic(), worker))
            doomed = self._serve_waiting()
        _kill(doomed)

    def forget(self, matches: Callable[[Hashable], bool]) -> None:
        """End the idle workers of matching keys. Busy ones age out, as their key is not requested again."""
        with self._lock:
            doomed = []
            for key in [key for key in self._idle if matches(key)]:
                held = [worker for _, worker in self._idle.pop(key)]
                self._uncount(key, len(held))
                doomed += held
            doomed += self._serve_waiting()
        _kill(doomed)

    def workers(self) -> int:
        return self._total

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            self._uncount(key)
            doomed = self._serve_waiting()
        _kill(doomed)

    def _uncount(self, key: Hashable, number: int = 1) -> None:
        self._count[key] -= number
        self._total -= number

    def _serve_waiting(self) -> list[Worker]:
        doomed: list[Worker] = []
        for waiter in list(self._waiting):
            doomed += self._try(waiter)
            if waiter.event.is_set():
                self._waiting.remove(waiter)
        return doomed

    def _try(self, waiter: _Waiter) -> list[Worker]:
        """Give the waiter an idle worker or permission to start one; returns workers to end."""
        idle = self._idle[waiter.key]
        doomed: list[Worker] = []
        while idle:
            _, worker = idle.pop()
            if worker.alive():
                waiter.worker = worker
                waiter.event.set()
                return doomed
            doomed.append(worker)
            self._uncount(waiter.key)
        if self._count[waiter.key] >= self._limit_per_key:
            return doomed
        if self._total >= self._limit:
            victim = min(
                (key for key, held in self._idle.items() if held), key=lambda key: self._idle[key][0][0], default=None
            )
            if victim is None or (self._count[waiter.key] and time.monotonic() - self._idle[victim][0][0] < _SETTLED):
                return doomed  # wait for a worker of this key: ending another in use would cost two starts
            doomed.append(self._idle[victim].popleft()[1])
            self._uncount(victim)
        self._count[waiter.key] += 1
        self._total += 1
        waiter.event.set()
        return doomed


def _kill(workers: list[Worker]) -> None:
    for worker in workers:
        worker.kill()
