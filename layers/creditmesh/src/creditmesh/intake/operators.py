"""The operators' queue: what a machine could not finish waits here for a person."""

from __future__ import annotations

from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.intake.model import (
    Application,
    ApplicationClosed,
    NotAwaited,
    Outcome,
    ReferralDecision,
    Status,
    waiting_for,
)
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed, Put, Tables, Update
from creditmesh.platform.tasks import Tasks

OPEN_QUEUE = "open"
#: The stage at which a person decides on a firm that the model referred.
REFERRAL = "Referral"
ACTIONS = ("retry", "close")
REFERRAL_ACTIONS = ("approve", "decline", "close")
_ENDS = {"close": Outcome.CLOSED_BY_OPERATOR, "decline": Outcome.DECLINED_REFERRAL}


class OperatorTask(BaseModel):
    """A piece of work for a person."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    application_id: str
    stage: str = Field(description="state of the process that could not go on")
    reason: str
    created_at: str
    queue: str | None = OPEN_QUEUE
    resolved_at: str | None = None
    resolved_by: str | None = None
    action: str | None = None
    note: str | None = None


class OperatorQueue:
    """Hands work to people and takes their word back."""

    def __init__(self, tables: Tables, table: str, applications: ApplicationStore, tasks: Tasks, clock: Clock) -> None:
        self._tables, self._table = tables, table
        self._applications, self._tasks, self._clock = applications, tasks, clock

    def hand_over(self, application_id: str, token: str, stage: str, reason: str) -> None:
        """Put an application before the operators and wait for their word."""
        application = self._applications.get(application_id)
        application.require_open()
        if again := self._unresolved(application, stage):
            waiting = waiting_for("operator", token, self._clock, again)
            self._applications.apply(self._applications.change(application_id, waiting=waiting))
            return
        now = self._clock.now()
        task = OperatorTask(
            task_id=f"{application_id}.{int(now.timestamp() * 1000)}",
            application_id=application_id,
            stage=stage,
            reason=reason[:200],
            created_at=iso(now),
        )
        moved = self._applications.change(
            application_id,
            to=Status.WITH_OPERATOR,
            note=f"{stage}: {task.reason}",
            waiting=waiting_for("operator", token, self._clock, task.task_id),
        )
        item = task.model_dump(mode="json", exclude_none=True)
        self._tables.transact([Put(self._table, item, "task_id"), moved], task.task_id)

    def list(self, caller: Caller, limit: int) -> list[OperatorTask]:
        """Open tasks, oldest first."""
        if caller.role not in STAFF:
            raise Forbidden("only the platform's staff sees the operators' queue")
        found = self._tables.listed(self._table, ("task_id",), "queue", OPEN_QUEUE, index="by-queue", limit=limit)
        return [OperatorTask.model_validate(item) for item in found]

    def resolve(self, caller: Caller, task_id: str, action: str, note: str) -> OperatorTask:
        """Say how an application goes on.

        Args:
            action: `retry` sends it through the stage again, `close` ends it. A referral takes `approve` and `decline`
                instead of `retry`.

        Raises:
            NotFound: no such task.
            InvalidInput: that is no answer to the task's question.
            NotAwaited: it has been resolved otherwise.
        """
        if caller.role is not Role.OPERATOR:
            raise Forbidden("only operators resolve tasks")
        task = self._get(task_id)
        allowed = REFERRAL_ACTIONS if task.stage == REFERRAL else ACTIONS
        if action not in allowed:
            raise InvalidInput(f"must be one of {', '.join(allowed)} at stage {task.stage}", field="action")
        task = self._record(task, caller.subject, action, note)
        if task.action != action:
            raise NotAwaited(f"the task has been resolved with {task.action}")
        self._tell(task.application_id, task_id, action, note)
        return self._get(task_id)

    def answered(self, application_id: str, stage: str, by: str) -> None:
        """What a person was to look into has come after all: the process goes on, nobody need do a thing."""
        waiting = self._applications.get(application_id).waiting
        if waiting is None or waiting.kind != "operator" or waiting.note is None:
            return
        task = self._get(waiting.note)
        if task.stage == stage and self._record(task, by, "retry", "the answer came").action == "retry":
            self._tasks.succeed(waiting.token, {"action": "retry"})

    def _record(self, task: OperatorTask, by: str, action: str, note: str) -> OperatorTask:
        """Take a word on a task, unless there is one already; the task with the word that counts."""
        word = {"resolved_at": iso(self._clock.now()), "resolved_by": by, "action": action, "note": note}
        if task.action is None:
            with suppress(ConditionFailed):
                self._write(task, word)
            task = self._get(task.task_id)
        return task

    def _write(self, task: OperatorTask, word: dict[str, str]) -> None:
        """A word on a referral goes to the application too, all or nothing, for the report tells of it."""
        write = Update(self._table, {"task_id": task.task_id}, set=word, remove=("queue",), absent=("action",))
        if task.stage != REFERRAL:
            self._tables.write(write)
            return
        decided = ReferralDecision(
            action=word["action"],
            at=word["resolved_at"],
            role=Role.OPERATOR,
            subject=word["resolved_by"],
            note=word["note"],
        )
        try:
            change = self._applications.change(task.application_id, values={"referral": decided.model_dump()})
            self._applications.apply(change, write)
        except ApplicationClosed:  # it ended before anybody decided: the word stands with the task only
            self._tables.write(write)

    def _unresolved(self, application: Application, stage: str) -> str | None:
        """The open task that an earlier run of the same step has put before the operators already."""
        waiting = application.waiting
        if application.status is not Status.WITH_OPERATOR or waiting is None or waiting.note is None:
            return None
        task = self._get(waiting.note) if waiting.kind == "operator" else None
        return task.task_id if task and task.action is None and task.stage == stage else None

    def _tell(self, application_id: str, task_id: str, action: str, note: str) -> None:
        waiting = self._applications.get(application_id).waiting
        if action in _ENDS:
            self._applications.close(application_id, _ENDS[action], by=Role.OPERATOR, note=note)
        if waiting and waiting.note == task_id:
            self._tasks.succeed(waiting.token, {"action": action})

    def _get(self, task_id: str) -> OperatorTask:
        item = self._tables.get(self._table, {"task_id": task_id})
        if item is None:
            raise NotFound("no such task", field="task_id")
        return OperatorTask.model_validate({"queue": None, **item})
