"""The wait for a manager who assigns a loan flow to an application whose request names none."""

from __future__ import annotations

from creditmesh.intake.model import WAITS, Actor, Application, FlowTaken, NotAwaited, Status
from creditmesh.intake.moves import ASK_FOR_FLOW, ASSIGN
from creditmesh.intake.notes import Note
from creditmesh.intake.operators import OperatorQueue
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.platform.tables import again
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Answer, Wait, Waits

STAGE = "AwaitFlow"
"""The state of the process that waits for the manager."""
_FLOW = WAITS[Status.FLOW_REQUIRED]


class FlowAssignments:
    """Asks managers for loan flows and takes their answers."""

    def __init__(self, store: ApplicationStore, operators: OperatorQueue, tasks: Tasks, waits: Waits) -> None:
        self._store, self._operators, self._tasks, self._waits = store, operators, tasks, waits

    def ask(self, application_id: str, token: str) -> None:
        """Ask the managers for a flow and wait; asking again is a reminder."""
        again(lambda: self._ask(application_id, token))

    def _ask(self, application_id: str, token: str) -> None:
        application = self._store.get(application_id)
        application.require_open()
        if application.flow is not None:
            self._tasks.succeed(token, {})
            return
        note = Note.of("manager_reminded") if application.status is Status.FLOW_REQUIRED else None
        asking = self._store.move(application_id, ASK_FOR_FLOW, note=note, standing=application.status)
        self._store.apply(asking, self._waits.asking(application_id, _FLOW, token))

    def assign(self, caller: Caller, application_id: str, flow: FlowTaken, version: int | None = None) -> Application:
        """Give an application its flow and let the process go on; idempotent.

        Args:
            flow: as it is in force.
            version: the version that the manager has seen; None: whichever is in force.

        Raises:
            InvalidInput: another version is in force.
            NotAwaited: the application waits for no flow, or has another.
        """
        if caller.role is not Role.MANAGER:
            raise Forbidden("only managers may assign loan flows")
        if version not in (None, flow.version):
            raise InvalidInput(
                "must be {current}, the version in force", field="version", fault="not_in_force", current=flow.version
            )
        return again(lambda: self._assign(caller, application_id, flow))

    def tell_operators(self, application_id: str, stage: str) -> None:
        """Let the process go on without the operators, if a manager has assigned a flow meanwhile."""
        if stage == STAGE and (flow := self._store.summary(application_id).flow) is not None:
            self._operators.answered(application_id, stage, Actor(Role.MANAGER, flow.assigned_by))

    def _assign(self, caller: Caller, application_id: str, flow: FlowTaken) -> Application:
        application, (asked,) = self._store.get_for(caller, application_id, self._waits.ref(application_id, _FLOW))
        if application.flow is not None:
            if (application.flow.flow_id, application.flow.version) == (flow.flow_id, flow.version):
                return application
            raise NotAwaited("the application has a loan flow already")
        application.require_open()
        if application.status is Status.WITH_OPERATOR and application.stood is Status.FLOW_REQUIRED:
            self._operators.answered(application_id, STAGE, Actor.of(caller))
        elif application.status is not Status.FLOW_REQUIRED:
            raise NotAwaited("the application does not wait for a loan flow")
        wait, answer = Wait(application_id, _FLOW, asked), Answer()
        moved = self._store.move(
            application_id, ASSIGN, Actor.of(caller), note=Note.of("flow_assigned", flow_id=flow.flow_id),
            standing=Status.FLOW_REQUIRED, flow=flow.model_dump(),
        )  # fmt: skip
        self._store.apply(moved, self._waits.answering(wait, answer))
        self._waits.give(wait.token, answer)
        return self._store.after(application, moved)
