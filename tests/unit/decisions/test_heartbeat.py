"""Jobs that say that they are ready, on a real table's conditions."""

from __future__ import annotations

from typing import Any

from creditmesh.decisions.serving.heartbeat import (
    BELIEVED_SECONDS,
    EVERY_SECONDS,
    KEY,
    Heartbeat,
    job_times,
    ready_jobs,
)
from tests.spark.job_cloud import TABLE

OLD, NEW = "score-applications-000000000001", "score-applications-000000000002"
START = 1_000_000


class Job:
    """A job's heartbeat and its clock."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self.now = float(START)
        self.heart = Heartbeat(dynamodb, table=TABLE, job=name, now=lambda: self.now, monotonic=lambda: self.now)


def item(dynamodb: Any) -> dict[str, Any]:
    found = dynamodb.get_item(TableName=TABLE, Key={"request_id": {"S": KEY}}).get("Item", {})
    return {name: next(iter(value.values())) for name, value in found.items()}


def test_a_job_that_beats_is_ready_and_one_that_stops_is_not_for_long(dynamodb: Any) -> None:
    job = Job(dynamodb, NEW)
    assert ready_jobs(item(dynamodb), START) == set()
    job.heart.beat()
    assert ready_jobs(item(dynamodb), START + BELIEVED_SECONDS - 1) == {NEW}
    assert ready_jobs(item(dynamodb), START + BELIEVED_SECONDS) == set()
    assert BELIEVED_SECONDS > 2 * EVERY_SECONDS, "one beat may be lost"


def test_it_beats_once_a_minute_however_often_it_is_asked(dynamodb: Any) -> None:
    job = Job(dynamodb, NEW)
    seen = set[str]()
    for second in range(3 * EVERY_SECONDS):
        job.now = START + second
        job.heart.beat()
        seen.add(item(dynamodb)[NEW])
    assert seen == {str(START + number * EVERY_SECONDS + BELIEVED_SECONDS) for number in range(3)}
    assert int(item(dynamodb)["expires_at"]) > job.now + 3600, "it is forgotten some day"


def test_a_beat_that_comes_late_takes_nothing_back(dynamodb: Any) -> None:
    job, late = Job(dynamodb, NEW), Job(dynamodb, NEW)
    job.now = START + 60
    job.heart.beat()
    late.heart.beat()
    assert job_times(item(dynamodb)) == {NEW: START + 60 + BELIEVED_SECONDS}


def test_two_jobs_speak_for_themselves_and_each_can_end(dynamodb: Any) -> None:
    old, new = Job(dynamodb, OLD), Job(dynamodb, NEW)
    old.heart.beat()
    new.heart.beat()
    assert ready_jobs(item(dynamodb), START) == {OLD, NEW}
    old.heart.end()
    old.heart.end()
    assert ready_jobs(item(dynamodb), START) == {NEW}


def test_a_job_that_ends_before_it_ever_spoke_leaves_nothing(dynamodb: Any) -> None:
    Job(dynamodb, NEW).heart.end()
    assert item(dynamodb) == {}


def test_what_else_the_item_holds_is_no_job() -> None:
    assert ready_jobs({"request_id": KEY, "expires_at": 10**10, "requests-7": 10**10, NEW: 5}, 4) == {NEW}
    assert ready_jobs(None, 4) == set()
