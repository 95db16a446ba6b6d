"""Tasks of state machines that wait for answers: token and answer come in either order, the first answer wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from creditmesh.kernel.clock import Clock
from creditmesh.platform.tables import ConditionFailed, Item, Ref, Tables, Update
from creditmesh.platform.tasks import Tasks

KEPT_DAYS = 200
"""How long a wait and its answer are remembered; longer than any execution lasts."""
ONLY = "1"
"""The number of a wait that is asked only once."""


@dataclass(frozen=True)
class Answer:
    """What a task goes on with; or the error by which it fails."""

    output: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    cause: str = ""

    def stored(self) -> dict[str, Any]:
        """As the wait keeps it."""
        return {"error": self.error, "cause": self.cause} if self.error else {"output": dict(self.output)}


@dataclass(frozen=True)
class Wait:
    """One wait as it was read."""

    owner: str
    kind: str
    item: Item = field(repr=False)

    @property
    def token(self) -> str | None:
        """The newest task's."""
        return self.item.get("token")

    @property
    def number(self) -> str | None:
        """Which asking of this kind the newest task waits for; None before any."""
        return next(iter(self.item.get("numbers", ())), None)

    @property
    def answered(self) -> bool:
        """Whether all that is awaited has been answered; nothing has, before anybody asks."""
        return "numbers" in self.item and self.item.get("answered", set()).issuperset(self.item["numbers"])

    @property
    def answer(self) -> Answer:
        """What was answered last."""
        return Answer(**self.item.get("answer", {}))


class Waits:
    """One item per owner and kind of wait: the newest task's token, what it waits for, what has been answered.

    `asking` and `answering` belong into the transaction that changes the state they go with: whichever comes second is
    refused (`ConditionFailed`) where it has not seen the first. `wait` and `answer` write alone.
    """

    def __init__(self, tables: Tables, table: str, tasks: Tasks, clock: Clock) -> None:
        self._tables, self._table, self._tasks, self._clock = tables, table, tasks, clock

    def ref(self, owner: str, kind: str) -> Ref:
        """Where a wait lies, to be read by one call with other items."""
        return Ref(self._table, {"owner": owner, "kind": kind})

    def read(self, owner: str, kind: str) -> Wait:
        """A wait as it is now."""
        ref = self.ref(owner, kind)
        return Wait(owner, kind, self._tables.get(ref.table, ref.key) or {})

    def asking(self, owner: str, kind: str, token: str, number: str = ONLY) -> Update:
        """The write by which a task begins to wait; a later token for the same number replaces the earlier one."""
        return self._change(owner, kind, {"token": token, "numbers": [number]}, lacks={"answered": number})

    def answering(self, wait: Wait, answer: Answer) -> Update:
        """The write that answers the asking which was read; `give` follows it."""
        number = wait.number or ONLY
        return self._change(
            wait.owner,
            wait.kind,
            {"answer": answer.stored()},
            add={"answered": frozenset({number})},
            lacks={"answered": number},
            where={"token": wait.token} if wait.token else {},
            absent=() if wait.token else ("token",),
        )

    def give(self, token: str | None, answer: Answer) -> bool:
        """Let a task go on, or fail; False if it does not wait (any more)."""
        if answer.error:
            return self._tasks.fail(token, answer.error, answer.cause)
        return self._tasks.succeed(token, answer.output)

    def wait(self, owner: str, kind: str, token: str, numbers: Collection[str] = (ONLY,)) -> None:
        """Let a task wait until each of `numbers` is answered; it goes on at once if they are."""
        self._tell(owner, kind, self._change(owner, kind, {"token": token, "numbers": sorted(numbers)}))

    def answer(self, owner: str, kind: str, number: str) -> None:
        """One of several answers is there, or will never come. It may come before anybody waits for it."""
        self._tell(owner, kind, self._change(owner, kind, {}, add={"answered": frozenset({number})}))

    def fail(self, wait: Wait, error: str, cause: str) -> None:
        """Let the task that waits fail, unless its answer has come."""
        answer = Answer(error=error, cause=cause)
        with suppress(ConditionFailed):
            self._tables.write(self.answering(wait, answer))
            self.give(wait.token, answer)

    def tell(self, owner: str, kind: str, token: str | None = None) -> bool:
        """Repeat the answer of a wait that has it; False if it has none, or nobody waits for it.

        Args:
            token: the task to tell; by default the one that is stored.
        """
        wait = self.read(owner, kind)
        return wait.answered and self.give(token or wait.token, wait.answer)

    def _tell(self, owner: str, kind: str, change: Update) -> None:
        wait = Wait(owner, kind, self._tables.update(change))
        if wait.answered:
            self.give(wait.token, wait.answer)

    def _change(self, owner: str, kind: str, values: dict[str, Any], **conditions: Any) -> Update:
        forgotten = int((self._clock.now() + timedelta(days=KEPT_DAYS)).timestamp())
        key = self.ref(owner, kind)
        return Update(key.table, key.key, {**values, "expires_at": forgotten}, creates=True, **conditions)
