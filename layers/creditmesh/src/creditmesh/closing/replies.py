"""The borrower's replies to a lender: to its counter-offer, and to its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.closing import messages
from creditmesh.closing.decisions import Reopening
from creditmesh.closing.model import Closing, Counter, CounterExpired, Ending
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import WAITS, Actor, Application, LenderRefusal, NotAwaited, Outcome, Status
from creditmesh.intake.moves import ACCEPT, COUNTER, DECLINE_COUNTER, INFORM, INQUIRE, REOPEN
from creditmesh.intake.notes import Note
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.platform.outbox import Outbox
from creditmesh.platform.tables import Step, Update, again
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.intake.ports import Applications

_REPLY = WAITS[Status.COUNTERED]
CONTRACT, DECISION, CHOICE, END = (Answer({"next": one}) for one in ("contract", "decision", "choice", "end"))
"""How the process goes on after a reply."""


class BorrowerAsked:
    """Asks the borrower what the lender asked."""

    def __init__(self, store: ClosingStore, applications: Applications, waits: Waits) -> None:
        self._store, self._applications, self._waits = store, applications, waits

    def await_reply(self, application_id: str, token: str) -> None:
        """Ask the borrower what the lender asked, and wait; completes at once if they have replied."""
        again(lambda: self._await(application_id, token))

    def _await(self, application_id: str, token: str) -> None:
        application, (stored,) = self._applications.get_with(application_id, self._store.ref(application_id))
        closing = self._store.read_as(stored)
        if closing is None:
            raise NotAwaited("nothing has been submitted for this application")
        if closing.pending is None:
            replied = CONTRACT if closing.decision else DECISION
            self._waits.give(token, CHOICE if application.status is Status.OFFERED else replied)
            return
        application.require_open()
        asks, note = INQUIRE, None
        if closing.counter:
            terms = closing.counter.terms
            asks, note = COUNTER, Note.of("countered_with", amount=terms.amount, currency=terms.currency)
        asked = self._applications.move(application_id, asks, Actor(Role.LENDER, closing.lender_id), note=note)
        self._applications.apply(asked, self._waits.asking(application_id, _REPLY, token, closing.reply))


class Replies:
    """Takes the borrower's replies; `BorrowerAsked` asks for them."""

    def __init__(
        self,
        store: ClosingStore,
        applications: Applications,
        outbox: Outbox,
        waits: Waits,
        clock: Clock,
        reopening: Reopening,
    ) -> None:
        self._store, self._applications, self._outbox = store, applications, outbox
        self._waits, self._clock, self._reopening = waits, clock, reopening

    def standing(self, caller: Caller, application_id: str) -> tuple[Application, Closing | None]:
        """An application and how its lender stands to it; None before it was submitted."""
        application, (item,) = self._applications.get_for(caller, application_id, self._store.ref(application_id))
        return application, self._store.read_as(item)

    def accept(self, caller: Caller, application_id: str, terms_sha256: str) -> Application:
        """Accept the lender's counter-offer; idempotent.

        Raises:
            InvalidInput: the hash is not the counter-offer's, so the borrower has read something else.
            CounterExpired: it stood until before now.
            NotAwaited: no counter-offer awaits a reply.
        """
        return again(lambda: self._accepted(_applicant(caller), application_id, terms_sha256))

    def _accepted(self, caller: Caller, application_id: str, terms_sha256: str) -> Application:
        application, closing, wait = self._read(caller, application_id)
        counter = closing.counter
        if counter and closing.decision == counter.said and counter.terms.sha256 == terms_sha256:
            return application
        counter = self._open(application, closing)
        if counter.terms.sha256 != terms_sha256:
            raise InvalidInput("must be the hash of the counter-offer", field="terms_sha256", fault="other_terms")
        if counter.valid_until and parse_instant(counter.valid_until) < self._clock.now():
            raise CounterExpired("the counter-offer stood until {until}", until=counter.valid_until)
        terms = counter.terms.model_dump(mode="json")
        change = self._store.change(application_id, {"decision": counter.said, "terms": terms}, absent=("decision",))
        moved = self._applications.move(application_id, ACCEPT, Actor.of(caller), chosen_terms=terms)
        return self._replied(application, moved, wait, CONTRACT, change)

    def decline(self, caller: Caller, application_id: str) -> Application:
        """Decline the lender's counter-offer: other lenders' offers stand, or the application ends; idempotent.

        Raises:
            NotAwaited: no counter-offer awaits a reply.
        """
        return again(lambda: self._declined(_applicant(caller), application_id))

    def _declined(self, caller: Caller, application_id: str) -> Application:
        application, closing, wait = self._read(caller, application_id)
        if closing.counter and closing.rejected():
            return application
        self._open(application, closing)
        change = self._store.change(application_id, {"decision": {"decision": "declined"}}, absent=("decision",))
        told, by = self._outbox.put(messages.closed(closing, Outcome.COUNTER_DECLINED)), Actor.of(caller)
        refusal = LenderRefusal(lender_id=closing.lender_id, code=Outcome.COUNTER_DECLINED)
        reopened = self._reopening.after(application, refusal)
        if reopened is None:
            outcome = Outcome.COUNTER_DECLINED
            moved = self._applications.move(application_id, DECLINE_COUNTER, by, outcome=outcome)
            return self._replied(application, moved, wait, END, change, told)
        refused, writes = reopened
        moved = self._applications.move(
            application_id, REOPEN, by, standing=Status.COUNTERED,
            refused=[one.model_dump(exclude_none=True) for one in refused],
        )  # fmt: skip
        return self._replied(application, moved, wait, CHOICE, change, told, *writes)

    def inform(self, caller: Caller, application_id: str, answer: str) -> Application:
        """Answer the lender's question; it gets the submission again, with the answer; idempotent.

        Raises:
            NotAwaited: no question awaits a reply.
        """
        return again(lambda: self._informed(_applicant(caller), application_id, answer))

    def _informed(self, caller: Caller, application_id: str, answer: str) -> Application:
        application, closing, wait = self._read(caller, application_id)
        if closing.pending is not Ending.INFORMATION and closing.inquiries and closing.inquiries[-1].answer == answer:
            return application
        application.require_open()
        if closing.pending is not Ending.INFORMATION or application.status is not Status.INFORMATION_REQUIRED:
            raise NotAwaited("no question awaits an answer")
        last = closing.inquiries[-1].model_copy(update={"answer": answer, "answered_at": iso(self._clock.now())})
        asked = [one.model_dump(exclude_none=True) for one in closing.inquiries]
        change = self._store.change(
            application_id, {"inquiries": [*asked[:-1], last.model_dump()]}, absent=("decision",),
            where={"inquiries": asked},
        )  # fmt: skip
        moved = self._applications.move(application_id, INFORM, Actor.of(caller))
        return self._replied(application, moved, wait, DECISION, change)

    def _read(self, caller: Caller, application_id: str) -> tuple[Application, Closing, Wait]:
        application, (stored, asked) = self._applications.get_for(
            caller, application_id, self._store.ref(application_id), self._waits.ref(application_id, _REPLY)
        )
        closing = self._store.read_as(stored)
        if closing is None:
            raise NotAwaited("nothing has been submitted for this application")
        return application, closing, Wait(application_id, _REPLY, asked)

    @staticmethod
    def _open(application: Application, closing: Closing) -> Counter:
        application.require_open()
        if closing.counter is None or closing.decision or application.status is not Status.COUNTERED:
            raise NotAwaited("no counter-offer awaits a reply")
        return closing.counter

    def _replied(
        self, application: Application, moved: Update, wait: Wait, answer: Answer, *writes: Step
    ) -> Application:  # fmt: skip
        self._applications.apply(moved, self._waits.answering(wait, answer), *writes)
        self._waits.give(wait.token, answer)
        return self._applications.after(application, moved)


def _applicant(caller: Caller) -> Caller:
    if caller.role not in (Role.BORROWER, Role.BANK):
        raise Forbidden("only the borrower may reply")
    return caller
