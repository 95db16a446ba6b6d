"""Erases the answers cached under a consent when it ends."""

from __future__ import annotations

from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore
from creditmesh.gateway.channels.late import answered
from creditmesh.platform.waits import Waits


class AnswerCache:
    """Erases cached answers."""

    def __init__(self, calls: CallStore, answers: Answers, waits: Waits) -> None:
        self._calls, self._answers, self._waits = calls, answers, waits

    def erase(self, authorization_id: str) -> int:
        """Erase what was collected under an authorisation; returns the number of calls.

        Raw answers of decisions are kept; nothing finds them by the firm any more. Processes that wait for a late
        answer continue without it.
        """
        erased = 0
        for record in list(self._calls.of_consent(authorization_id)):
            self._answers.erase(record)
            # Before the record is deleted, so that a retry still knows whom to resume.
            self._tell(record)
            forgotten = self._calls.forget(record)
            if forgotten is not None and forgotten != record:  # a collection began to wait meanwhile
                self._tell(forgotten)
            # A result written in between has no record any more; later ones find none and are dropped.
            self._answers.erase(record)
            erased += 1
        return erased

    def _tell(self, record: CallRecord) -> None:
        if record.state is CallState.PENDING:
            answered(self._waits, record)
