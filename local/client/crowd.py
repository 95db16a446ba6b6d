"""Many concurrent borrowers with few requests: polls the lists of applications that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import httpx

from client.api import Api, ProblemError
from client.borrower import Borrower
from client.views import ApplicationView

_MOST_LISTED = 100
_Act = Callable[[Borrower, str], ApplicationView | None]
_ACTS: dict[str, _Act] = {
    "authorization_required": Borrower.authorize,
    "offered": Borrower.choose,
    "contract_ready": Borrower.sign,
}


@dataclass
class Outcome:
    """Result of a crowd."""

    ended: dict[str, ApplicationView]
    """Application id to its last view."""
    seconds: float
    """From the first submission to the last end seen."""
    open: dict[str, str]
    """Application id -> status, for those that did not end in time."""
    problems: list[str] = field(default_factory=list)
    """Errors of the borrowers, each once."""


class Crowd:
    """Submits many applications and does what each waits for.

    Args:
        operator: the API as an operator, for lists by status and tasks.
        officer: the API as a risk officer, for referrals.
        groups: the borrowers of each tenant, at most 100 per tenant, with the API as that tenant.
        workers: concurrent requests.
        look_seconds: pause between polls.
        retry_tasks: whether tasks of these applications are resolved with ``retry``; referrals are always approved.
    """

    def __init__(
        self,
        operator: Api,
        officer: Api,
        groups: Sequence[tuple[Api, Sequence[Borrower]]],
        *,
        workers: int = 12,
        look_seconds: float = 1.0,
        retry_tasks: bool = False,
    ) -> None:
        self._operator, self._officer, self._tenants = operator, officer, [api for api, _ in groups]
        self._borrowers = [member for _, members in groups for member in members]
        self._workers, self._look_seconds, self._retry_tasks = workers, look_seconds, retry_tasks
        self._mine: dict[str, Borrower] = {}
        self._busy: set[str] = set()
        self._ended: dict[str, ApplicationView] = {}
        self._problems: set[str] = set()
        self._acts = 0
        self._lock = threading.Lock()

    def live_through(self, batch: str, seconds: float, meanwhile: Callable[[int], None] = lambda _: None) -> Outcome:
        """Submit all applications and handle them until all have ended.

        Args:
            batch: prefix of the idempotency keys.
            seconds: time limit.
            meanwhile: called after each poll with the number of actions so far: codes, choices, signatures.
        """
        started = time.monotonic()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="crowd") as pool:
            handed_in = [pool.submit(self._apply, one, f"{batch}-{n:04d}") for n, one in enumerate(self._borrowers)]
            while time.monotonic() - started < seconds:
                idle = not self._look(pool) and not wait(handed_in, timeout=0).not_done
                if idle:
                    self._count_ended()
                meanwhile(self._acts)
                if len(self._ended) == len(self._borrowers):
                    break
                time.sleep(self._look_seconds)
            took = time.monotonic() - started
            left = {name: self._operator.application(name).status for name in self._mine.keys() - self._ended.keys()}
        return Outcome(self._ended, took, left, sorted(self._problems))

    def _apply(self, borrower: Borrower, key: str) -> None:
        view = borrower.apply(key)
        with self._lock:
            self._mine[view.application_id] = borrower

    def _look(self, pool: ThreadPoolExecutor) -> bool:
        """Do what is awaited; returns whether there was anything."""
        found = False
        for status, act in _ACTS.items():
            for view in self._listed(status):
                if self._take(view.application_id):
                    pool.submit(self._act, act, view.application_id)
                    found = True
        return self._settle() or found or bool(self._busy)

    def _listed(self, status: str, caller: Api | None = None) -> list[ApplicationView]:
        try:
            return (caller or self._operator).applications(status, _MOST_LISTED)
        except (ProblemError, httpx.HTTPError) as problem:
            self._note(problem)
            return []

    def _take(self, application_id: str) -> bool:
        with self._lock:
            if application_id not in self._mine or application_id in self._busy:
                return False
            self._busy.add(application_id)
            return True

    def _act(self, act: _Act, application_id: str) -> None:
        try:
            act(self._mine[application_id], application_id)
            with self._lock:
                self._acts += 1
        except ProblemError as problem:
            if problem.status != 409:  # 409: the list was a moment old
                self._note(problem)
        except (httpx.HTTPError, RuntimeError) as problem:
            self._note(problem)
        finally:
            with self._lock:
                self._busy.discard(application_id)

    def _settle(self) -> bool:
        try:
            tasks = [
                task
                for task in self._operator.operator_tasks()
                if task.application_id in self._mine and (task.is_referral or self._retry_tasks)
            ]
            for task in tasks:
                action, note = ("approve", "a sound firm") if task.is_referral else ("retry", "tried again")
                (self._officer if task.is_referral else self._operator).resolve(task.task_id, action, note)
            return bool(tasks)
        except (ProblemError, httpx.HTTPError) as problem:
            self._note(problem)
            return False

    def _count_ended(self) -> None:
        """Nothing is awaited: check each tenant's ended applications."""
        for tenant in self._tenants:
            for view in self._listed("closed", tenant):
                if view.application_id in self._mine:
                    self._ended[view.application_id] = view

    def _note(self, problem: Exception) -> None:
        with self._lock:
            self._problems.add(f"{type(problem).__name__}: {problem}"[:300])
