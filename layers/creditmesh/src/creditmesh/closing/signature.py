"""The borrower's side of the contract: reading and signing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.closing.model import Closing
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import WAITS, Actor, Application, NotAwaited, Status
from creditmesh.intake.moves import SIGN
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.tables import again
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.intake.ports import Applications

_SIGNATURE = WAITS[Status.CONTRACT_READY]


class Signatures:
    """Shows contracts and takes signatures."""

    def __init__(self, store: ClosingStore, applications: Applications, waits: Waits, clock: Clock) -> None:
        self._store, self._applications, self._waits, self._clock = store, applications, waits, clock

    def await_signature(self, application_id: str, token: str) -> None:
        """Wait for the borrower's signature; completes at once if the contract is signed."""
        self._waits.wait(application_id, _SIGNATURE, token)

    def contract(self, caller: Caller, application_id: str) -> tuple[Closing, str]:
        """The contract to read.

        Raises:
            NotFound: no contract yet.
        """
        _, (item,) = self._applications.get_for(caller, application_id, self._store.ref(application_id))
        closing = self._store.read_as(item)
        if closing is None or closing.contract is None:
            raise NotFound("the application has no contract yet", field="application_id")
        return closing, self._store.document(closing.contract["document_key"])

    def sign(self, caller: Caller, application_id: str, document_sha256: str, signer_name: str) -> Application:
        """Accept the borrower's signature under the displayed document; idempotent.

        Raises:
            InvalidInput: the hash is not the contract's, so the borrower has read something else.
            NotAwaited: there is nothing to sign now.
        """
        if caller.role is not Role.BORROWER:
            raise Forbidden("only the borrower may sign")
        return again(lambda: self._signed(caller, application_id, document_sha256, signer_name))

    def _signed(self, caller: Caller, application_id: str, document_sha256: str, signer_name: str) -> Application:
        application, (stored, asked) = self._applications.get_for(
            caller, application_id, self._store.ref(application_id), self._waits.ref(application_id, _SIGNATURE)
        )
        closing, wait, answer = self._store.read_as(stored), Wait(application_id, _SIGNATURE, asked), Answer()
        if closing is None or closing.contract is None:
            raise NotAwaited("there is no contract to sign yet")
        if document_sha256 != closing.contract["document_sha256"]:
            raise InvalidInput(
                "must be the hash of this application's contract", field="document_sha256", fault="other_contract"
            )
        if closing.signature is not None:
            self._waits.give(wait.token, answer)
            return application
        application.require_open()
        if application.status is not Status.CONTRACT_READY:
            raise NotAwaited("the contract cannot be signed now")
        signature = {
            "signer_name": signer_name,
            "signed_at": iso(self._clock.now()),
            "signed_by": caller.subject,
        }
        signed = self._store.change(application_id, {"signature": signature})  # once: the move allows no second
        moved = self._applications.move(application_id, SIGN, Actor.of(caller))
        self._store.transact([signed, moved, self._waits.answering(wait, answer)], f"{application_id}.signature")
        self._waits.give(wait.token, answer)
        return self._applications.after(application, moved)
