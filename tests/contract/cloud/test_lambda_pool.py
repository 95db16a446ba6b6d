"""The worker pool's rules, on workers that are no processes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cloud.lambda_pool import Busy, WorkerPool

from .clouds import eventually


class Worker:
    """Stands for a process."""

    def __init__(self) -> None:
        self.running = True

    def alive(self) -> bool:
        """Whether it runs."""
        return self.running

    def kill(self) -> None:
        """End it."""
        self.running = False


def lease(pool: WorkerPool, key: str, timeout: float = 0.2) -> Any:
    """A worker for ``key``."""
    return pool.lease(key, Worker, timeout)  # type: ignore[arg-type, return-value]


def test_an_idle_worker_is_used_again() -> None:
    """The one used last, so that others can age."""
    pool = WorkerPool(4, 2)
    first = lease(pool, "a")
    pool.release("a", first, healthy=True)
    assert lease(pool, "a") is first
    assert pool.workers() == 1


def test_no_more_than_the_limit_of_a_key() -> None:
    """A further call waits and gets the worker that comes back."""
    pool = WorkerPool(4, 2)
    held = [lease(pool, "a") for _ in range(2)]
    with pytest.raises(Busy):
        lease(pool, "a")
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(lease(pool, "a", 5)))
    waiting.start()
    pool.release("a", held[0], healthy=True)
    waiting.join()
    assert got == [held[0]]


def test_at_the_limit_an_idle_worker_of_another_key_makes_room() -> None:
    """For a key that has none; a key that has workers waits for its own while the others were just used."""
    pool = WorkerPool(2, 2)
    old, busy = lease(pool, "a"), lease(pool, "b")
    pool.release("a", old, healthy=True)
    with pytest.raises(Busy):
        lease(pool, "b")
    assert old.alive()
    lease(pool, "c")
    assert not old.alive()
    assert busy.alive()
    assert pool.workers() == 2


def test_a_dead_or_unhealthy_worker_is_not_used_again() -> None:
    """And does not count."""
    pool = WorkerPool(2, 2)
    dead, ill = lease(pool, "a"), lease(pool, "a")
    pool.release("a", dead, healthy=True)
    dead.running = False
    pool.release("a", ill, healthy=False)
    assert not ill.alive()
    fresh = lease(pool, "a")
    assert fresh not in (dead, ill)
    assert pool.workers() == 1


def test_a_failed_start_gives_its_place_back() -> None:
    """Else the pool would shrink with every bad handler."""
    pool = WorkerPool(1, 1)

    def fail() -> Any:
        raise RuntimeError("no handler")

    with pytest.raises(RuntimeError):
        pool.lease("a", fail, 0.2)
    assert lease(pool, "b").alive()
    assert eventually(lambda: pool.workers() == 1)
