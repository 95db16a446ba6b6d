"""Tasks of state machines that wait for answers: token and answers may come in any order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from creditmesh.kernel.clock import Clock
from creditmesh.platform.tables import Item, Tables
from creditmesh.platform.tasks import Tasks

KEPT_DAYS = 30
"""How long an answer is remembered; longer than any task waits for one."""


class Waits:
    """One item per owner and kind of wait: the newest token, what it waits for, what has been answered.

    Token and answers are each one write to that item, and each write sees all earlier ones. So whichever comes last
    finds the wait complete and answers the task; repeats find the same and change nothing.
    """

    def __init__(self, tables: Tables, table: str, tasks: Tasks, clock: Clock) -> None:
        self._tables, self._table, self._tasks, self._clock = tables, table, tasks, clock

    def wait(self, owner: str, kind: str, token: str, numbers: Collection[str]) -> None:
        """Let a task wait until each of `numbers` is answered; a repeated step's token replaces the earlier one."""
        self._tell(self._tables.add(
            self._table, {"owner": owner, "kind": kind}, {}, token=token, numbers=sorted(numbers), **self._kept()
        ))  # fmt: skip

    def answer(self, owner: str, kind: str, number: str) -> None:
        """One answer is there, or will never come. It may come before anybody waits for it."""
        key = {"owner": owner, "kind": kind}
        self._tell(self._tables.add(self._table, key, {"answered": {number}}, **self._kept()))

    def _tell(self, wait: Item) -> None:
        if "token" in wait and wait.get("answered", set()).issuperset(wait["numbers"]):
            self._tasks.succeed(wait["token"], {})

    def _kept(self) -> dict[str, int]:
        return {"expires_at": int((self._clock.now() + timedelta(days=KEPT_DAYS)).timestamp())}
