"""What goes when a consent goes: the answers cached under it (G11, S09)."""

from __future__ import annotations

from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.calls import CallStore
from creditmesh.platform.tasks import Tasks


class AnswerCache:
    """Erases cached answers."""

    def __init__(self, calls: CallStore, answers: Answers, tasks: Tasks) -> None:
        self._calls, self._answers, self._tasks = calls, answers, tasks

    def erase(self, authorization_id: str) -> int:
        """Forget what was collected under an authorisation; how many calls.

        Raw answers stay where a decision rests on them; nothing finds them by the firm any more. What waits for a
        late answer goes on without it.
        """
        erased = 0
        for record in list(self._calls.of_consent(authorization_id)):
            self._answers.erase(record)
            self._calls.forget(record)
            # What was settled between the two has no record any more; what comes now finds none, and is dropped.
            self._answers.erase(record)
            self._tasks.succeed(record.token, {})
            erased += 1
        return erased
