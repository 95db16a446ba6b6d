"""Contract of ``mends/sfn_lifecycle``."""

from __future__ import annotations

import time

from .clouds import Cloud, eventually

WAIT = {"Type": "Wait", "Seconds": 4, "End": True}
PASS = {"Type": "Pass", "Output": "{% 1 %}", "End": True}


def test_execution_times_out(cloud: Cloud, name: str) -> None:
    """The definition's TimeoutSeconds ends the execution as TIMED_OUT."""
    ended = cloud.run(cloud.machine(name, {"Wait": WAIT}, "Wait", TimeoutSeconds=1))
    cloud.verdict("sfn_lifecycle", ended["status"] == "TIMED_OUT" and ended.get("error") == "States.Timeout")


def test_no_sleep_at_the_start(cloud: Cloud, name: str) -> None:
    """A machine of one Pass state ends within 100 ms; one of many is enough, as other tests keep this machine busy."""
    machine = cloud.machine(name, {"Pass": PASS}, "Pass")

    def quick() -> bool:
        started = time.monotonic()
        assert cloud.run(machine)["status"] == "SUCCEEDED"
        return time.monotonic() - started < 0.1

    cloud.verdict("sfn_lifecycle", any(quick() for _ in range(50 if cloud.mended else 5)))


def test_a_stopped_execution_stays_stopped_and_does_no_more(cloud: Cloud, name: str) -> None:
    """Its Wait ends at once, the task after it does not run, and ABORTED does not become FAILED."""
    table = cloud.table(name)
    branch = {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "Seconds": 3, "Next": "Write"},
            "Write": {
                "Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True,
                "Arguments": {"TableName": table, "Item": {"pk": {"S": "late"}}},
            },
        },
    }  # fmt: skip
    machine = cloud.machine(name, {"Both": {"Type": "Parallel", "Branches": [branch], "End": True}}, "Both")
    states = cloud.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    time.sleep(0.4)
    states.stop_execution(executionArn=arn)
    time.sleep(3.5)
    written = cloud.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "late"}}).get("Item")
    status = states.describe_execution(executionArn=arn)["status"]
    cloud.verdict("sfn_lifecycle", written is None and status == "ABORTED")


def test_history_of_old_executions_is_dropped_but_their_outcome_is_kept(mended: Cloud, name: str) -> None:
    """Names stay used and outcomes readable, whatever else is forgotten."""
    machine = mended.machine(name, {"Pass": PASS}, "Pass")
    states = mended.client("stepfunctions")
    arns = [states.start_execution(stateMachineArn=machine, name=f"n{i}")["executionArn"] for i in range(20)]
    assert eventually(lambda: all(states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED" for arn in arns))
