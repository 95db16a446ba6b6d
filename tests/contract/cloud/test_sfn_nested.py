"""Contract of ``mends/sfn_nested``."""

from __future__ import annotations

import json

from .clouds import Cloud, eventually

WAIT_FOR = "arn:aws:states:::states:startExecution.sync:2"


def parent(cloud: Cloud, name: str, child: str) -> str:
    arguments = {"StateMachineArn": child, "Input": {"n": 3}}
    output = "{% $states.result.Output %}"
    state = {"Type": "Task", "Resource": WAIT_FOR, "End": True, "Arguments": arguments, "Output": output}
    return cloud.machine(name, {"Run": state}, "Run")


def test_the_childs_output_comes_back(mended: Cloud, name: str) -> None:
    """As JSON, with ``.sync:2``."""
    child = mended.machine(
        f"{name}-c", {"Say": {"Type": "Pass", "Output": "{% {'twice': $states.input.n * 2} %}", "End": True}}, "Say"
    )
    ended = mended.run(parent(mended, name, child))
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"twice": 6})
    listed = mended.client("stepfunctions").list_executions(stateMachineArn=child)["executions"]
    assert [one["status"] for one in listed] == ["SUCCEEDED"]


def test_a_childs_failure_is_a_failed_task(cloud: Cloud, name: str) -> None:
    """``States.TaskFailed``; the cause describes the child."""
    child = cloud.machine(f"{name}-c", {"No": {"Type": "Fail", "Error": "Own", "Cause": "so it is"}}, "No")
    ended = cloud.run(parent(cloud, name, child))
    good = ended.get("error") == "States.TaskFailed" and json.loads(ended["cause"])["Error"] == "Own"
    cloud.verdict("sfn_nested", good)


def test_a_stopped_parent_takes_its_child_along(cloud: Cloud, name: str) -> None:
    """The child's wait does not go on for nobody."""
    states = cloud.client("stepfunctions")
    child = cloud.machine(f"{name}-c", {"Wait": {"Type": "Wait", "Seconds": 6, "End": True}}, "Wait")
    started = states.start_execution(stateMachineArn=parent(cloud, name, child))["executionArn"]
    eventually(lambda: states.list_executions(stateMachineArn=child)["executions"], 3)
    states.stop_execution(executionArn=started)

    def stopped() -> bool:
        return any(one["status"] == "ABORTED" for one in states.list_executions(stateMachineArn=child)["executions"])

    cloud.verdict("sfn_nested", bool(eventually(stopped, 3)))


def test_a_task_token_inside_a_child(mended: Cloud, name: str) -> None:
    """A child that waits for a token goes on by it, inside a Map too."""
    queue = mended.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    send = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 10,
        "Arguments": {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"}, "End": True,
    }  # fmt: skip
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Send", "States": {"Send": send}}
    each = {"Type": "Map", "Items": [1, 2], "ItemProcessor": processor, "End": True}
    child = mended.machine(f"{name}-c", {"Each": each}, "Each")
    states, queues = mended.client("stepfunctions"), mended.client("sqs")
    started = states.start_execution(stateMachineArn=parent(mended, name, child))["executionArn"]
    answered = 0
    while answered < 2:
        for message in queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []):
            states.send_task_success(taskToken=message["Body"], output=json.dumps({"got": answered}))
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            answered += 1
    ended = mended.ended(started)
    assert sorted(one["got"] for one in json.loads(ended["output"])) == [0, 1]
