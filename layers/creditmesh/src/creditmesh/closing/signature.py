"""The borrower's side of the contract: read it, sign it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from creditmesh.closing.model import Closing
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import Application, NotAwaited, Status, waiting_for
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed, Update
from creditmesh.platform.tasks import Tasks

if TYPE_CHECKING:
    from creditmesh.intake.store import ApplicationStore


class Signatures:
    """Shows contracts and takes signatures."""

    def __init__(self, store: ClosingStore, applications: ApplicationStore, tasks: Tasks, clock: Clock) -> None:
        self._store, self._applications, self._tasks, self._clock = store, applications, tasks, clock

    def await_signature(self, application_id: str, token: str) -> None:
        """Wait for the borrower; goes on at once if he has signed already."""
        closing = self._store.get(application_id)
        if closing.signature:
            self._tasks.succeed(token, {})
            return
        waiting = waiting_for("signature", token, self._clock)
        try:
            # As a rule the lender's message has made the contract ready, and a token is all that is new.
            with suppress(ConditionFailed):
                ready = (Status.CONTRACT_READY,)
                self._applications.apply(self._applications.change(application_id, waiting=waiting, come_from=ready))
                return
            self._applications.apply(
                self._applications.change(
                    application_id,
                    to=Status.CONTRACT_READY,
                    note="awaits the borrower's signature",
                    waiting=waiting,
                    come_from=(Status.CONTRACT_READY, Status.APPROVED, Status.WITH_OPERATOR),
                )
            )
        except ConditionFailed:
            # He signed while this step began; whoever signs without a waiting process leaves the rest to it.
            if self._store.get(application_id).signature is None:
                raise
            self._tasks.succeed(token, {})

    def contract(self, application: Application) -> tuple[Closing, str]:
        """The contract to read.

        Raises:
            NotFound: there is none yet.
        """
        closing = self._store.find(application.application_id)
        if closing is None or closing.contract is None:
            raise NotFound("the application has no contract yet", field="application_id")
        return closing, self._store.document(closing.contract["document_key"])

    def sign(self, caller: Caller, application: Application, document_sha256: str, signer_name: str) -> Application:
        """Take the borrower's signature under the document he was shown; signing the same twice changes nothing.

        Raises:
            InvalidInput: the hash is not that of the contract, so he has read something else.
            NotAwaited: there is nothing to sign now.
        """
        if caller.role is not Role.BORROWER:
            raise Forbidden("only the borrower signs")
        closing = self._store.find(application.application_id)
        if closing is None or closing.contract is None:
            raise NotAwaited("there is no contract to sign yet")
        if document_sha256 != closing.contract["document_sha256"]:
            raise InvalidInput("is not the hash of this application's contract", field="document_sha256")
        if closing.signature is None:
            application.require_open()
            application = self._signed(caller, application, signer_name)
        if application.waiting:
            self._tasks.succeed(application.waiting.token, {})
        return application

    def _signed(self, caller: Caller, application: Application, signer_name: str) -> Application:
        """Store the signature; the application as it is then, with the token of the process that waits for it."""
        signature = {
            "signer_name": signer_name,
            "signed_at": iso(self._clock.now()),
            "signed_by": caller.subject,
        }
        if application.waiting:
            with suppress(ConditionFailed):  # the step has begun to wait anew, with another token
                same = {"waiting.token": application.waiting.token}
                return self._applications.after(application, self._store_signature(application, signature, same))
        try:
            self._store_signature(application, signature)
        except ConditionFailed:
            raise NotAwaited("the contract cannot be signed now") from None
        return self._applications.get(application.application_id)

    def _store_signature(
        self, application: Application, signature: dict[str, str], where: dict[str, str] | None = None
    ) -> Update:
        """Signature and move in one; what moved the application."""
        application_id = application.application_id
        signed = self._store.change(application_id, {"signature": signature}, absent=("signature",))
        moved = self._applications.change(
            application_id, to=Status.SIGNED, by=Role.BORROWER, come_from=(Status.CONTRACT_READY,), where=where
        )
        self._store.transact([signed, moved], f"{application_id}.signature")
        return moved
