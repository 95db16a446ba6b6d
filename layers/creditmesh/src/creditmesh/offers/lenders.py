"""Lenders' grades: set by the platform's staff, two persons, from A, the best, to E; not the borrower's risk grade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, InvalidInput, NotFound, SamePerson
from creditmesh.offers.model import NotProposed
from creditmesh.offers.store import GradeStore
from creditmesh.platform.tables import Item, again

if TYPE_CHECKING:
    from creditmesh.platform.institutions import Address

LenderGrade = Literal["A", "B", "C", "D", "E"]
TIME_TO_DECIDE = timedelta(days=7)
"""For how long a proposed grade waits for the second person."""
_MOST_KEPT = 100
"""Grades of one lender, the latest."""


class GradeWaits(Conflict):
    """Another grade of the lender waits for a second person."""

    code = "grade_proposed"


class GradeProposal(BaseModel):
    """A grade that waits for a second person."""

    model_config = ConfigDict(frozen=True)

    grade: LenderGrade
    since: date | None = Field(description="its first day; null: that of the confirmation")
    note: str
    by: str = Field(description="id of the person")
    at: str
    expires_at: str


class DecidedGrade(BaseModel):
    """A proposed grade and what the second person decided."""

    model_config = ConfigDict(frozen=True)

    grade: LenderGrade
    since: date | None = Field(description="its first day")
    note: str
    proposed_by: str = Field(description="id of the person")
    proposed_at: str
    given: bool = Field(description="false: it was refused")
    decided_by: str = Field(description="id of the person")
    decided_at: str
    decision_note: str


class Lender(BaseModel):
    """A lender of the directory with its grade."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    name: str
    grade: LenderGrade | None = Field(description="the platform's, A is best; not a borrower's risk grade")
    since: date | None = Field(description="first day of the grade")
    history: list[DecidedGrade] = Field(description="oldest first")
    proposal: GradeProposal | None

    def on(self, day: date) -> DecidedGrade | None:
        """The grade of a day: the latest that had begun, of several with one first day the last given."""
        begun = [(one.since, number) for number, one in enumerate(self.history) if one.given and one.since]
        latest = max((one for one in begun if one[0] <= day), default=None)
        return self.history[latest[1]] if latest else None


class Lenders:
    """The lenders of the directory and their grades.

    Args:
        directory: returns the lenders in the directory of institutions, by id.
    """

    def __init__(self, store: GradeStore, clock: Clock, directory: Callable[[], Mapping[str, Address]]) -> None:
        self._store, self._clock, self._directory = store, clock, directory

    def visible_to(self, caller: Caller) -> list[Lender]:
        """The lenders by id; a lender sees itself."""
        stored = self._store.all()
        return [
            self._lender(lender_id, address, stored.get(lender_id))
            for lender_id, address in self._directory().items()
            if caller.role is not Role.LENDER or lender_id == caller.tenant
        ]

    def get(self, lender_id: str) -> Lender:
        """A lender with its grade.

        Raises:
            NotFound: it is not in the directory.
        """
        address = self._directory().get(lender_id)
        if address is None:
            raise NotFound("no such lender", field="lender_id")
        return self._lender(lender_id, address, self._store.get(lender_id))

    def propose(self, lender_id: str, by: str, grade: LenderGrade, since: date | None, note: str) -> Lender:
        """Propose a grade. Idempotent.

        Raises:
            InvalidInput: it would begin before today.
            GradeWaits: another one waits for a second person.
        """
        return again(lambda: self._proposed(lender_id, by, grade, since, note))

    def _proposed(self, lender_id: str, by: str, grade: LenderGrade, since: date | None, note: str) -> Lender:
        today, now = self._clock.today(), self._clock.now()
        if since is not None and since < today:
            raise InvalidInput("must be at least {min}", field="since", fault="too_small", min=today.isoformat())
        waiting = self.get(lender_id).proposal
        proposal = GradeProposal(
            grade=grade, since=since, note=note, by=by, at=iso(now), expires_at=iso(now + TIME_TO_DECIDE)
        )  # fmt: skip
        if waiting:
            if waiting.model_copy(update={"at": proposal.at, "expires_at": proposal.expires_at}) != proposal:
                raise GradeWaits("another grade waits for a second person")
        else:
            self._store.propose(lender_id, proposal.model_dump(mode="json"), self._store.get(lender_id))
        return self.get(lender_id)

    def decide(self, lender_id: str, by: str, *, confirm: bool, note: str) -> Lender:
        """Confirm or refuse a proposed grade; it begins today at the earliest. Idempotent.

        Raises:
            NotProposed: none waits for a decision.
            SamePerson: who proposed it cannot confirm.
        """
        return again(lambda: self._decided(lender_id, by, confirm, note))

    def _decided(self, lender_id: str, by: str, confirm: bool, note: str) -> Lender:
        lender = self.get(lender_id)
        proposal = lender.proposal
        if proposal is None:
            last = lender.history[-1] if lender.history else None
            if last and (last.decided_by, last.given) == (by, confirm):
                return lender
            raise NotProposed("no grade waits for a decision")
        if confirm and proposal.by == by:
            raise SamePerson("another person must confirm what you have proposed")
        today = self._clock.today()
        decided = DecidedGrade(
            grade=proposal.grade, since=max(proposal.since or today, today) if confirm else proposal.since,
            note=proposal.note, proposed_by=proposal.by, proposed_at=proposal.at, given=confirm, decided_by=by,
            decided_at=iso(self._clock.now()), decision_note=note,
        )  # fmt: skip
        history = [*lender.history, decided][-_MOST_KEPT:]
        self._store.decide(lender_id, [one.model_dump(mode="json") for one in history], proposal.at)
        return self.get(lender_id)

    def _lender(self, lender_id: str, address: Address, stored: Item | None) -> Lender:
        known: dict[str, Any] = stored or {}
        proposal = known.get("proposal")
        if proposal and proposal["expires_at"] <= iso(self._clock.now()):
            proposal = None
        bare = Lender(
            lender_id=lender_id, name=address.name, grade=None, since=None, proposal=proposal,
            history=known.get("history", []),
        )  # fmt: skip
        current = bare.on(self._clock.today())
        return bare.model_copy(update={"grade": current.grade, "since": current.since}) if current else bare
