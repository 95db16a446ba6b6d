"""Test messages: how a lender tries the way to its own system before an application takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container
from contextlib import suppress

from creditmesh.closing.model import TEST
from creditmesh.kernel.caller import Caller
from creditmesh.kernel.clock import Clock, iso
from creditmesh.offers.model import NotALender
from creditmesh.platform.outbox import Message, Outbox
from creditmesh.platform.tables import ConditionFailed, Tables


class Probe:
    """Sends test messages through the outbox.

    Args:
        lenders: ids of the lenders in the directory of institutions.
    """

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock, lenders: Callable[[], Container[str]]) -> None:
        self._tables, self._outbox, self._clock, self._lenders = tables, outbox, clock, lenders

    def send(self, caller: Caller, key: str) -> str:
        """Send a test message to the caller's own system; returns its id. Idempotent by key.

        Raises:
            NotALender: the caller's tenant is not a lender in the directory of institutions.
        """
        if caller.tenant not in self._lenders():
            raise NotALender("your tenant must be a lender in the directory of institutions")
        message = Message(
            message_id=f"{caller.tenant}.test.{hashlib.sha256(key.encode()).hexdigest()[:16]}",
            institution_id=caller.tenant,
            type=TEST.type,
            path=TEST.path,
            about=caller.tenant,
            data={"sent_by": caller.role.value, "at": iso(self._clock.now())},
        )
        with suppress(ConditionFailed):  # sent before
            self._tables.write(self._outbox.put(message))
        return message.message_id
