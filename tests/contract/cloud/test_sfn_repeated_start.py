"""Contract of ``mends/sfn_repeated_start``."""

from __future__ import annotations

from .clouds import Cloud, eventually, refused

WAIT = {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}


def test_a_start_can_be_repeated_while_the_first_runs(cloud: Cloud, name: str) -> None:
    """With the same input it answers as the first time; with another it does not."""
    machine, states = cloud.machine(name, WAIT, "Wait"), cloud.client("stepfunctions")
    start = {"stateMachineArn": machine, "name": "application-1", "input": '{"a": 1}'}
    first = states.start_execution(**start)
    other, _ = refused(lambda: states.start_execution(**{**start, "input": '{"a": 2}'}))
    code, _ = refused(lambda: states.start_execution(**start))
    again = {} if code else states.start_execution(**start)
    same = all(again.get(field) == first[field] for field in ("executionArn", "startDate"))
    running = states.list_executions(stateMachineArn=machine)["executions"]
    assert (other, len(running)) == ("ExecutionAlreadyExists", 1)
    cloud.verdict("sfn_repeated_start", same)


def test_a_name_is_used_once(cloud: Cloud, name: str) -> None:
    """After the end it is refused with whatever input; upstream does this by itself."""
    machine, states = (
        cloud.machine(name, {"Pass": {"Type": "Pass", "End": True}}, "Pass"),
        cloud.client("stepfunctions"),
    )
    arn = states.start_execution(stateMachineArn=machine, name="application-1")["executionArn"]
    assert eventually(lambda: states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED")
    code, _ = refused(lambda: states.start_execution(stateMachineArn=machine, name="application-1"))
    assert code == "ExecutionAlreadyExists"
