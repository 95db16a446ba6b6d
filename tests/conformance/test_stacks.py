"""A stack from its creation to its end, by the platform's own deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.place import Place, stack, table

pytestmark = pytest.mark.thorough


def test_a_stack_is_created_once(place: Place, stage: str, folder: Path) -> None:
    """All of it is there; a second deployment with nothing changed does nothing."""
    before = place.client("cloudformation").describe_stacks(StackName=stack(stage))["Stacks"][0]
    assert before["StackStatus"] == "CREATE_COMPLETE"
    done = place.deploy(stage, folder)
    assert done.returncode == 0, done.stderr
    after = place.client("cloudformation").describe_stacks(StackName=stack(stage))["Stacks"][0]
    assert after.get("LastUpdatedTime") == before.get("LastUpdatedTime")


@pytest.mark.timeout(900)
def test_an_update_while_the_application_runs(place: Place, folder: Path, name: str) -> None:
    """EMR refuses to change an application that is started; the deployment stops it first."""
    stage = f"cfu{name[:7]}"
    try:
        assert place.deploy(stage, folder).returncode == 0
        spark, application = place.client("emr-serverless"), place.outputs(stage)["Spark"]
        spark.start_application(applicationId=application)
        started = lambda: spark.get_application(applicationId=application)["application"]["state"] == "STARTED"  # noqa: E731
        assert place.eventually(started, 60)
        done = place.deploy(stage, folder, Marker="second")
        assert done.returncode == 0, done.stderr
        assert place.status(stage) == "UPDATE_COMPLETE"
        assert spark.get_application(applicationId=application)["application"]["tags"]["marker"] == "second"
    finally:
        place.delete(stage)


@pytest.mark.timeout(900)
def test_a_failed_creation_is_no_dead_end(place: Place, folder: Path, name: str) -> None:
    """Lambda refuses 4 KB of variables; what is to be kept goes with a failed creation, so the next one works."""
    stage = f"cff{name[:7]}"
    try:
        done = place.deploy(stage, folder, Padding=1_100 * "x")
        assert done.returncode != 0
        assert "TooMuchFunction" in done.stderr
        assert "4KB" in done.stderr
        assert place.eventually(lambda: place.status(stage) in ("ROLLBACK_COMPLETE", None), 30), place.status(stage)
        assert table(stage) not in place.client("dynamodb").list_tables()["TableNames"]
        done = place.deploy(stage, folder)
        assert done.returncode == 0, done.stderr
        assert place.status(stage) == "CREATE_COMPLETE"
    finally:
        place.delete(stage)


@pytest.mark.timeout(900)
def test_two_stages_side_by_side(place: Place, stage: str, folder: Path, name: str) -> None:
    """No name of one is a name of the other; the end of one leaves the other as it was."""
    other = f"cft{name[:7]}"
    try:
        done = place.deploy(other, folder)
        assert done.returncode == 0, done.stderr
        assert set(place.outputs(stage).values()).isdisjoint(place.outputs(other).values())
    finally:
        place.delete(other)
    assert place.status(other) in (None, "DELETE_COMPLETE")
    assert place.status(stage) == "CREATE_COMPLETE"
    assert place.client("dynamodb").describe_table(TableName=table(stage))
