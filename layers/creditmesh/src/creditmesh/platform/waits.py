"""Tasks of state machines that wait for answers: token and answer come in either order; the first answer wins."""

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
"""How long a wait and its answer are kept; longer than any execution."""
ONLY = "1"
"""The number of a wait that is asked only once."""


@dataclass(frozen=True)
class Answer:
    """The output that a task continues with, or the error that it fails with."""

    output: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    cause: str = ""

    def stored(self) -> dict[str, Any]:
        return {"error": self.error, "cause": self.cause} if self.error else {"output": dict(self.output)}


@dataclass(frozen=True)
class Wait:
    """A wait as read."""

    owner: str
    kind: str
    item: Item | None = field(repr=False)
    """None before anybody asks or answers."""

    @property
    def token(self) -> str | None:
        return self._stored.get("token")

    @property
    def number(self) -> str | None:
        """The number that the newest task waits for; None before any."""
        return next(iter(self._stored.get("numbers", ())), None)

    @property
    def answered(self) -> bool:
        """Whether everything asked for has been answered; False before any question."""
        return "numbers" in self._stored and self._stored.get("answered", set()).issuperset(self._stored["numbers"])

    @property
    def answer(self) -> Answer:
        """The last answer."""
        return Answer(**self._stored.get("answer", {}))

    @property
    def _stored(self) -> Item:
        return self.item or {}


class Waits:
    """One item per owner and kind of wait: the newest task's token, what it waits for, what was answered.

    `asking` and `answering` are part of the transaction that changes the related state: the second of the two fails
    (`ConditionFailed`) if it has not seen the first. `wait` and `answer` write alone.
    """

    def __init__(self, tables: Tables, table: str, tasks: Tasks, clock: Clock) -> None:
        self._tables, self._table, self._tasks, self._clock = tables, table, tasks, clock

    def ref(self, owner: str, kind: str) -> Ref:
        """The item of a wait, to be read together with others."""
        return Ref(self._table, {"owner": owner, "kind": kind})

    def read(self, owner: str, kind: str) -> Wait:
        ref = self.ref(owner, kind)
        return Wait(owner, kind, self._tables.get(ref.table, ref.key))

    def asking(self, owner: str, kind: str, token: str, number: str = ONLY) -> Update:
        """The write by which a task starts to wait; a later token for the same number replaces the earlier one."""
        return self._change(owner, kind, {"token": token, "numbers": [number]}, lacks={"answered": number})

    def answering(self, wait: Wait, answer: Answer, number: str | None = None) -> Update:
        """The write that answers the wait that was read; call `give` afterwards.

        Args:
            number: what is answered, if the task may not wait for it yet; by default what it waits for.
        """
        number = number or wait.number or ONLY
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
        """Complete or fail a task; False if it does not wait (any more)."""
        if answer.error:
            return self._tasks.fail(token, answer.error, answer.cause)
        return self._tasks.succeed(token, answer.output)

    def wait(self, owner: str, kind: str, token: str, numbers: Collection[str] = (ONLY,)) -> None:
        """Let a task wait until each of `numbers` is answered; completes it at once if they are."""
        self._tell(owner, kind, self._change(owner, kind, {"token": token, "numbers": sorted(numbers)}))

    def answer(self, owner: str, kind: str, number: str) -> None:
        """Record that one of several answers has come, or will never come; it may come before the task waits."""
        self._tell(owner, kind, self._change(owner, kind, {}, add={"answered": frozenset({number})}))

    def fail(self, wait: Wait, error: str, cause: str) -> None:
        """Fail the waiting task, unless it has been answered."""
        answer = Answer(error=error, cause=cause)
        with suppress(ConditionFailed):
            self._tables.write(self.answering(wait, answer))
            self.give(wait.token, answer)

    def tell(self, owner: str, kind: str, token: str | None = None) -> bool:
        """Repeat the answer of a wait; False if it has none, or no task waits.

        Args:
            token: the task; by default the stored one.
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
