"""Restarts the processes of applications that were lost, and repeats answers that were not delivered.

Step Functions reports each failed execution, and its application is restarted at once. Two sweeps find what no event
reports: a frequent one checks applications with a recent change of status, a daily one all open applications.
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
"""Period of the frequent sweep: two of its intervals."""
DAY_SECONDS = 90_000
"""Period for which the daily sweep checks undelivered answers: a day and an hour."""
MOST_IN_TRANSIT = 500
MOST_LOST = 1000
"""Limit per status (respectively in total) and run; the next run takes the rest."""
PAUSE_SECONDS = 0.1
"""Pause between applications: DescribeExecution refills by ten per second in small regions."""
LIST_PAUSE_SECONDS = 0.5
"""Pause between pages of running executions: ListExecutions refills by two per second in small regions."""
IMMEDIATE_RESTARTS = 10
"""Immediate restarts of an execution that keeps failing; afterwards only sweeps restart it."""
ANSWERED = {
    Status.RECEIVED: WAITS[Status.FLOW_REQUIRED],
    Status.AUTHORIZED: WAITS[Status.AUTHORIZATION_REQUIRED],
    Status.CHOSEN: WAITS[Status.OFFERED],
    Status.SIGNED: WAITS[Status.CONTRACT_READY],
}
"""Waits with a stored answer in this status; it is delivered again if the process did not get it."""
TRANSIT = (Status.COLLECTED, Status.ASSESSED, Status.APPROVED, *ANSWERED)
"""An application leaves these statuses soon, unless its process was lost or its answer not delivered."""


class Recovery:
    """Restarts processes and repeats answers; every call is idempotent."""

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
        """Restart the application of a failed execution; False if it continues without that execution."""
        application_id, number = _parts(name)
        try:
            application = self._store.summary(application_id)
        except NotFound:
            return False
        if application.execution != name or number >= IMMEDIATE_RESTARTS:
            return False
        return self._restart(application)

    def in_transit(self) -> int:
        """Resume applications that stay too long in a transient status; returns their number."""
        return sum(self._moved_lately(status, TRANSIT_SECONDS) for status in TRANSIT)

    def lost(self) -> int:
        """Resume every open application without an execution, and repeat answers of the last day.

        Returns their number.
        """
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
        for application_id in list(application_ids):  # restarts must not disturb paging through the index
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
            return False  # ended, or restarted concurrently
        return self._tasks.start(name, application_id)


def _parts(execution: str) -> tuple[str, int]:
    """Application id and number of the restart, from an execution's name."""
    application_id, mark, number = execution.rpartition("-r")
    return (application_id, int(number)) if mark and number.isdecimal() else (execution, 0)
