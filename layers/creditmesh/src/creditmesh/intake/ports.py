"""Interface for reading and moving applications from other contexts; implemented in `intake.store`."""

from __future__ import annotations

from typing import Any, Protocol

from creditmesh.intake.model import Actor, Application, ApplicationSummary, Outcome, Status
from creditmesh.intake.moves import PLATFORM, Move
from creditmesh.intake.notes import Note
from creditmesh.kernel.caller import Caller
from creditmesh.platform.tables import Item, Ref, Step, Update


class Applications(Protocol):
    """See the methods of `intake.store.ApplicationStore`."""

    def get(self, application_id: str) -> Application: ...

    def get_with(self, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]: ...

    def get_for(self, caller: Caller, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]: ...

    def summary_with(self, application_id: str, *others: Ref) -> tuple[ApplicationSummary, list[Item | None]]: ...

    def representative_of(self, application: Application) -> str | None: ...

    def move(
        self,
        application_id: str,
        move: Move,
        by: Actor = PLATFORM,
        *,
        note: Note | str | None = None,
        outcome: Outcome | None = None,
        standing: Status | None = None,
        to: Status | None = None,
        **values: Any,
    ) -> Update: ...

    def apply(self, write: Update, *also: Step) -> None: ...

    def after(self, application: Application, write: Update) -> Application: ...
