"""The operators' queue: tasks for people, where the process cannot continue by itself."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from creditmesh.intake import exceptions
from creditmesh.intake.model import (
    WAITS,
    Actor,
    Application,
    NotAwaited,
    Outcome,
    ReferralDecision,
    Status,
)
from creditmesh.intake.moves import HAND_OVER, HAND_OVER_AGAIN, RESUME, SETTLE
from creditmesh.intake.notes import Note, NoteCode, noted, with_note, words_of
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from creditmesh.platform.paging import FIRST, Page, Partition, Window, matching, read
from creditmesh.platform.tables import ConditionFailed, Put, Tables, Update, Write, again
from creditmesh.platform.waits import Answer, Wait, Waits

OPEN_QUEUE, RESOLVED_QUEUE = "open", "resolved"
MOST_ENTRIES = 150
"""In a timeline after which nothing is retried: an item takes 400 KB, an entry up to 2 KB."""
REFERRAL = "Referral"
"""The stage at which a person decides on a referred firm."""
ACTIONS = ("retry", "close")
REFERRAL_ACTIONS = ("approve", "decline", "close")
_KIND = WAITS[Status.WITH_OPERATOR]
_ENDS = {"close": Outcome.CLOSED_BY_OPERATOR, "decline": Outcome.DECLINED_REFERRAL}


class RetriedTooOften(Conflict):
    """An application's timeline is full, as it has been handed over again and again."""

    code = "retried_too_often"


class OperatorTask(BaseModel):
    """A task for a person."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    application_id: str
    stage: str = Field(description="state of the process that could not go on")
    reason: str = Field(description="`reasons` as one text")
    reasons: list[str] = Field(default=[], description="name of the process's error, or codes of a referral's reasons")
    created_at: str
    queue: Literal["open", "resolved"] = "open"
    resolved_at: str | None = None
    resolved_by: str | None = None
    action: str | None = None
    note: str | None = Field(default=None, description="what a person wrote, or the sentence of the code")
    note_code: NoteCode | None = Field(default=None, description="null for what a person wrote, and in older tasks")

    @model_validator(mode="before")
    @classmethod
    def _told(cls, item: Any) -> Any:
        reasons = words_of(item["reason"]) if isinstance(item, dict) and "reason" in item else []
        return with_note({**item, "reasons": item.get("reasons") or reasons} if isinstance(item, dict) else item)


class OperatorQueue:
    """Creates tasks and accepts their resolutions."""

    def __init__(self, tables: Tables, table: str, applications: ApplicationStore, waits: Waits, clock: Clock) -> None:
        self._tables, self._table = tables, table
        self._applications, self._waits, self._clock = applications, waits, clock

    def hand_over(self, application_id: str, token: str, stage: str, reason: str) -> None:
        """Create a task for an application and wait for its resolution."""
        again(lambda: self._hand_over(application_id, token, stage, reason))

    def exception(self, application_id: str, key: str, stage: str, reason: str) -> Put:
        """The write of a task that no process waits for.

        Args:
            key: tells it from others of its stage and application.
            reason: a code.
        """
        task = OperatorTask(
            task_id=f"{application_id}.{hashlib.sha256(f'{stage}:{key}'.encode()).hexdigest()[:16]}",
            application_id=application_id,
            stage=stage,
            reason=reason,
            reasons=[reason],
            created_at=iso(self._clock.now()),
        )
        return Put(self._table, task.model_dump(mode="json", exclude_none=True), "task_id")

    def _hand_over(self, application_id: str, token: str, stage: str, reason: str) -> None:
        application, wait = self._application(application_id)
        application.require_open()
        if task := self._unresolved(application, wait, stage):
            self._waits.wait(application_id, wait.kind, token, (task.task_id,))
            return
        now = self._clock.now()
        task = OperatorTask(
            task_id=f"{application_id}.{int(now.timestamp() * 1000)}",
            application_id=application_id,
            stage=stage,
            reason=reason[:200],
            reasons=words_of(reason),
            created_at=iso(now),
        )
        note = Note.of("handed_over", stage=stage, reasons=task.reasons)
        if application.status is Status.WITH_OPERATOR:
            moved = self._applications.move(application_id, HAND_OVER_AGAIN, note=note)
        else:
            moved = self._applications.move(
                application_id, HAND_OVER, note=note, standing=application.status, stood=application.status.value
            )
        item = Put(self._table, task.model_dump(mode="json", exclude_none=True), "task_id")
        self._applications.apply(moved, item, self._waits.asking(application_id, wait.kind, token, task.task_id))

    def list(
        self, caller: Caller, window: Window = FIRST, *, resolved: bool = False, **equal: str | None
    ) -> Page[OperatorTask]:
        """Open tasks, oldest first; or resolved ones, the latest first.

        Args:
            equal: attribute -> the value that it must have, if any.
        """
        _require_staff(caller)
        queue = RESOLVED_QUEUE if resolved else OPEN_QUEUE
        partition = Partition(
            self._table, ("task_id",), "queue", queue, sort="created_at", index="by-queue", newest_first=resolved
        )
        return read(self._tables, [partition], window, matching(equal)).map(OperatorTask.model_validate)

    def get(self, caller: Caller, task_id: str) -> OperatorTask:
        """A task, open or resolved.

        Raises:
            NotFound: no such task.
        """
        _require_staff(caller)
        return self._get(task_id)

    def resolve(self, caller: Caller, task_id: str, action: str, note: str) -> OperatorTask:
        """Resolve a task.

        Args:
            action: `retry` repeats the stage, `close` ends the application. A referral takes `approve` and `decline`
                instead of `retry`.

        Raises:
            NotFound: no such task.
            Forbidden: it is another role's.
            InvalidInput: not an action of this task.
            NotAwaited: resolved otherwise before.
            RetriedTooOften: only closing it is left.
        """
        task = self._get(task_id)
        referral = task.stage == REFERRAL
        role = Role.RISK_OFFICER if referral else Role.OPERATOR
        allowed = REFERRAL_ACTIONS if referral else _actions(task.stage)
        if caller.role is not role:
            raise Forbidden("a task at stage {stage} is for role {role}", stage=task.stage, role=role.value)
        if action not in allowed:
            raise InvalidInput(
                "must be one of {allowed} at stage {stage}",
                field="action",
                fault="not_allowed",
                allowed=list(allowed),
                stage=task.stage,
            )
        if action == "retry" and len(self._application(task.application_id)[0].timeline) > MOST_ENTRIES:
            raise RetriedTooOften("the application was tried too often; close it")
        task = self._resolved(task, Actor.of(caller), action, note)
        if task.action != action:
            raise NotAwaited("the task was resolved with {action}", action=str(task.action))
        self._waits.tell(task.application_id, _KIND)
        return task

    def answered(self, application_id: str, stage: str, by: Actor) -> None:
        """Let the process continue without the operators, since the awaited answer has come."""
        application, wait = self._application(application_id)
        if task := self._unresolved(application, wait, stage, also_left=True):
            self._resolved(task, by, "retry", Note.of("answer_came"))
            self._waits.tell(application_id, _KIND)

    def _resolved(self, task: OperatorTask, by: Actor, action: str, note: Note | str) -> OperatorTask:
        """Record the resolution unless there is one; returns the task with the effective one."""
        if task.action is not None:
            return task
        try:
            again(lambda: self._resolve(task, by, action, note))
        except ConditionFailed:
            if (found := self._get(task.task_id)).action is None:
                raise
            return found
        return self._get(task.task_id)

    def _resolve(self, task: OperatorTask, by: Actor, action: str, note: Note | str) -> None:
        """Change task, application and wait in one transaction."""
        resolution = {"resolved_at": iso(self._clock.now()), "resolved_by": by.subject, "action": action}
        change = {**resolution, **noted(note), "queue": RESOLVED_QUEUE}
        write = Update(self._table, {"task_id": task.task_id}, change, absent=("action",))
        if task.stage in exceptions.STAGES:
            self._tables.write(write)
            return
        application, wait = self._application(task.application_id)
        writes: list[Write] = [write]
        if wait.number == task.task_id and not wait.answered:
            writes.append(self._waits.answering(wait, Answer({"action": action})))
        if application.status is Status.WITH_OPERATOR:
            self._applications.apply(self._moved(application, task, by, resolution, note), *writes)
        else:  # ended, or continued by the awaited answer
            self._tables.transact(writes, task.task_id)

    def _moved(
        self, application: Application, task: OperatorTask, by: Actor, resolution: dict[str, Any], note: Note | str
    ) -> Update:  # fmt: skip
        values: dict[str, Any] = {}
        if task.stage == REFERRAL:  # part of the report
            decided = ReferralDecision(
                action=resolution["action"], at=resolution["resolved_at"], role=by.role, subject=by.subject or "",
                note=str(note),
            )  # fmt: skip
            values["referral"] = decided.model_dump()
        application_id = application.application_id
        if outcome := _ENDS.get(resolution["action"]):
            return self._applications.move(application_id, SETTLE, by, note=note, outcome=outcome, **values)
        return self._applications.move(application_id, RESUME, by, note=note, to=application.stood, **values)

    def _unresolved(
        self, application: Application, wait: Wait, stage: str, *, also_left: bool = False
    ) -> OperatorTask | None:  # fmt: skip
        """The open task of that stage which an application waits for.

        Args:
            also_left: also if the application has continued meanwhile by the awaited answer.
        """
        if wait.number is None or not (also_left or application.status is Status.WITH_OPERATOR):
            return None
        task = self._get(wait.number)
        return task if task.action is None and task.stage == stage else None

    def _application(self, application_id: str) -> tuple[Application, Wait]:
        application, (item,) = self._applications.get_with(application_id, self._waits.ref(application_id, _KIND))
        return application, Wait(application_id, _KIND, item)

    def _get(self, task_id: str) -> OperatorTask:
        item = self._tables.get(self._table, {"task_id": task_id})
        if item is None:
            raise NotFound("no such task", field="task_id")
        return OperatorTask.model_validate(item)


def _actions(stage: str) -> tuple[str, ...]:
    return exceptions.ACTIONS if stage in exceptions.STAGES else ACTIONS


def _require_staff(caller: Caller) -> None:
    if caller.role not in STAFF:
        raise Forbidden("only staff may see the operators' queue")
