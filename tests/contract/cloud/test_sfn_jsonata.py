"""Contract of ``mends/sfn_jsonata``, ``mends/sfn_distributed_map`` and ``mends/sfn_retry``."""

from __future__ import annotations

import json
import time
from typing import Any

from .clouds import Cloud
from .test_sfn_task_tokens import QUIET, token_task

FAILS = "class Busy(Exception):\n    pass\n\ndef handler(event, context):\n    raise Busy('again')\n"


def branch(output: str, **fields: Any) -> dict[str, Any]:
    """A branch of one Pass state."""
    return {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Output": output, "End": True, **fields}}}


def output(ended: dict[str, Any]) -> Any:
    """The output of an execution that succeeded, else its description."""
    return json.loads(ended["output"]) if ended["status"] == "SUCCEEDED" else ended


def test_timeout_as_expression(cloud: Cloud, name: str) -> None:
    """TimeoutSeconds may be JSONata."""
    task = token_task(cloud.function(name, QUIET), TimeoutSeconds="{% 1 + 0 %}")
    ended = cloud.run(cloud.machine(name, {"Ask": task}, "Ask"), seconds=5)
    cloud.verdict("sfn_jsonata", ended.get("error") == "States.Timeout")


def test_parallel_output_and_assign(cloud: Cloud, name: str) -> None:
    """Arguments reach the branches, Output and Assign see their results."""
    both = {
        "Type": "Parallel", "Arguments": {"n": 2}, "Next": "Sum",
        "Branches": [branch("{% $states.input.n * 10 %}"), branch("{% $states.input.n + 1 %}")],
        "Output": "{% {'first': $states.result[0]} %}", "Assign": {"second": "{% $states.result[1] %}"},
    }  # fmt: skip
    total = {"Type": "Pass", "Output": "{% $states.input.first + $second %}", "End": True}
    ended = cloud.run(cloud.machine(name, {"Both": both, "Sum": total}, "Both"))
    cloud.verdict("sfn_jsonata", output(ended) == 23)


def test_variables_do_not_leave_a_branch(cloud: Cloud, name: str) -> None:
    """A branch reads what was assigned before it; what it assigns ends with it."""
    first = {"Type": "Pass", "Assign": {"seen": 1}, "Next": "Both"}
    both = {
        "Type": "Parallel", "Next": "Last",
        "Branches": [branch("{% $seen %}", Assign={"seen": 99}), branch("{% $seen %}")],
    }  # fmt: skip
    last = {"Type": "Pass", "Output": "{% $seen %}", "End": True}
    ended = cloud.run(cloud.machine(name, {"First": first, "Both": both, "Last": last}, "First"))
    cloud.verdict("sfn_jsonata", output(ended) == 1)


def test_distributed_map(cloud: Cloud, name: str) -> None:
    """Items, ItemSelector, ItemBatcher, ResultWriter, Output and Assign together."""
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    scan = {
        "Type": "Map", "Items": "{% $states.input.loans %}", "Next": "Last",
        "ItemSelector": {"loan": "{% $states.context.Map.Item.Value %}"},
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"day": "{% $states.input.day %}"}},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Count",
            "States": {"Count": {"Type": "Pass", "End": True, "Output": "{% $count($states.input.Items) %}"}},
        },
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": name, "Prefix": "scans"}},
        "Output": "{% $states.result.ResultWriterDetails.Key %}", "Assign": {"run": "{% $states.result.MapRunArn %}"},
    }  # fmt: skip
    last = {"Type": "Pass", "Output": "{% {'key': $states.input, 'run': $run} %}", "End": True}
    ended = cloud.run(
        cloud.machine(name, {"Scan": scan, "Last": last}, "Scan"), {"loans": [1, 2, 3, 4, 5], "day": "2026-11-22"}
    )
    result = output(ended)
    if not isinstance(result, dict) or not isinstance(result.get("key"), str) or not result["key"].startswith("scans/"):
        cloud.verdict("sfn_distributed_map", False)
        return
    storage = cloud.client("s3")
    manifest = json.loads(storage.get_object(Bucket=name, Key=result["key"])["Body"].read())
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    children = json.loads(storage.get_object(Bucket=name, Key=file["Key"])["Body"].read())
    batches = sorted(int(child["Output"]) for child in children)
    days = {json.loads(child["Input"])["BatchInput"]["day"] for child in children}
    cloud.verdict("sfn_distributed_map", batches == [1, 2, 2] and days == {"2026-11-22"})


def test_retry_respects_the_longest_delay(cloud: Cloud, name: str) -> None:
    """Two retries with a back-off of one hundred, capped at one second."""
    task = {
        "Type": "Task", "Resource": cloud.function(name, FAILS), "End": True,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 3, "MaxDelaySeconds": 1,
                   "MaxAttempts": 3}],
    }  # fmt: skip
    started = time.monotonic()
    ended = cloud.run(cloud.machine(name, {"Try": task}, "Try"), seconds=8)
    assert ended["status"] in ("FAILED", "RUNNING")
    cloud.verdict("sfn_retry", ended["status"] == "FAILED" and time.monotonic() - started < 7)


def test_a_mistake_in_the_definition_is_not_caught(cloud: Cloud, name: str) -> None:
    """States.ALL does not catch States.Runtime (Amazon States Language, reserved error names)."""
    inner = {"StartAt": "Gone", "States": {"Here": {"Type": "Succeed"}}}
    both = {
        "Type": "Parallel", "Branches": [inner], "Next": "Done",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
    }  # fmt: skip
    ended = cloud.run(cloud.machine(name, {"Both": both, "Done": {"Type": "Succeed"}}, "Both"))
    cloud.verdict("sfn_retry", ended["status"] == "FAILED" and ended["error"] == "States.Runtime")
