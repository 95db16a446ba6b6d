"""Applications whose process was lost or never told start again from their stored state.

Step Functions reports each execution that fails, and its application is started again at once. Two sweeps find what no
event reports: a frequent one looks at applications that have just changed their status, a daily one at everything open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

from creditmesh.intake.model import WAITS, ApplicationSummary, Status
from creditmesh.intake.store import ApplicationStore
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import Conflict, NotFound
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Waits

STALE_SECONDS = 30
"""An application that changed this recently may still be about to answer its process."""
TRANSIT_SECONDS = 600
"""How far back the frequent sweep looks: two of its intervals."""
DAY_SECONDS = 90_000
"""How far back the daily sweep looks for answers that no process was told: a day and an hour."""
MOST_IN_TRANSIT = 500
MOST_LOST = 1000
"""Of each status, respectively altogether, in one run; what is left over is found by the next."""
PAUSE_SECONDS = 0.1
"""Between applications that are looked at: DescribeExecution refills by ten a second in small regions."""
LIST_PAUSE_SECONDS = 0.5
"""Between pages of running executions: ListExecutions refills by two a second in small regions."""
IMMEDIATE_RESTARTS = 10
"""An execution that keeps failing is started again at once so often; from then on by the sweeps only."""
ANSWERED = {
    Status.AUTHORIZED: WAITS[Status.AUTHORIZATION_REQUIRED],
    Status.CHOSEN: WAITS[Status.OFFERED],
    Status.SIGNED: WAITS[Status.CONTRACT_READY],
}
"""The borrower's answer to that kind of wait is stored; if its process was never told, it is told again."""
TRANSIT = (Status.RECEIVED, Status.COLLECTED, Status.ASSESSED, Status.APPROVED, *ANSWERED)
"""An application that has just got one of these is about to leave it, unless its process was lost or never told."""


class Recovery:
    """Starts processes again and repeats answers that may not have reached them; every call may be repeated."""

    def __init__(
        self,
        store: ApplicationStore,
        tasks: Tasks,
        waits: Waits,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._tasks, self._waits, self._clock, self._sleep = store, tasks, waits, clock, sleep

    def execution_failed(self, name: str) -> bool:
        """Start the application of a failed execution again; False if it goes on without that execution."""
        application_id, number = _parts(name)
        try:
            application = self._store.summary(application_id)
        except NotFound:
            return False
        if application.execution != name or number >= IMMEDIATE_RESTARTS:
            return False
        return self._restart(application)

    def in_transit(self) -> int:
        """Take up what has been in a passing status for longer than it takes to leave it; how many were."""
        return sum(self._moved_lately(status, TRANSIT_SECONDS) for status in TRANSIT)

    def lost(self) -> int:
        """Take up every open application without an execution, and answers of the last day; how many were."""
        until = self._clock.now() - timedelta(seconds=STALE_SECONDS)
        running = {_parts(name)[0] for name in self._tasks.running(lambda: self._sleep(LIST_PAUSE_SECONDS))}
        open_ids = (one for status in Status if status is not Status.CLOSED for one in self._store.ids(status, until))
        resumed = self._take_up_each(islice((one for one in open_ids if one not in running), MOST_LOST))
        return resumed + sum(self._moved_lately(status, DAY_SECONDS) for status in ANSWERED)

    def _moved_lately(self, status: Status, seconds: int) -> int:
        now = self._clock.now()
        since, until = now - timedelta(seconds=seconds), now - timedelta(seconds=STALE_SECONDS)
        return self._take_up_each(self._store.ids(status, until, since, MOST_IN_TRANSIT))

    def _take_up_each(self, application_ids: Iterator[str]) -> int:
        resumed = 0
        for application_id in list(application_ids):  # restarting must not disturb the reading of the index
            resumed += self._take_up(self._store.summary(application_id))
            self._sleep(PAUSE_SECONDS)
        return resumed

    def _take_up(self, application: ApplicationSummary) -> bool:
        if not self._tasks.is_running(application.execution):
            return self._restart(application)
        kind = ANSWERED.get(application.status)
        return kind is not None and self._waits.tell(application.application_id, kind)

    def _restart(self, application: ApplicationSummary) -> bool:
        application_id, number = _parts(application.execution)
        name = f"{application_id}-r{number + 1}"
        try:
            self._store.apply(self._store.restarted(application, name))
        except Conflict:
            return False  # it has ended, or another run was quicker
        return self._tasks.start(name, application_id)


def _parts(execution: str) -> tuple[str, int]:
    """The application's id and the number of the restart in an execution's name."""
    application_id, mark, number = execution.rpartition("-r")
    return (application_id, int(number)) if mark and number.isdecimal() else (execution, 0)
