"""How other contexts read applications and move them on; the store of this context does it."""

from __future__ import annotations

from typing import Any, Protocol

from creditmesh.intake.model import Actor, Application, ApplicationSummary, Outcome, Status
from creditmesh.intake.moves import PLATFORM, Move
from creditmesh.kernel.caller import Caller
from creditmesh.platform.tables import Item, Ref, Update, Write


class Applications(Protocol):
    """Applications, as `intake.store.ApplicationStore` keeps them; its methods say what each does and raises."""

    def get(self, application_id: str) -> Application: ...

    def get_with(self, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]: ...

    def get_for(self, caller: Caller, application_id: str, *others: Ref) -> tuple[Application, list[Item | None]]: ...

    def summary_with(self, application_id: str, *others: Ref) -> tuple[ApplicationSummary, list[Item | None]]: ...

    def move(
        self,
        application_id: str,
        move: Move,
        by: Actor = PLATFORM,
        *,
        note: str | None = None,
        outcome: Outcome | None = None,
        standing: Status | None = None,
        to: Status | None = None,
        **values: Any,
    ) -> Update: ...

    def apply(self, write: Update, *also: Write) -> None: ...

    def after(self, application: Application, write: Update) -> Application: ...
