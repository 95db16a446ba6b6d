"""Contract of ``mends/sfn_s3_objects``."""

from __future__ import annotations

import json
from typing import Any

from .clouds import REGION, Cloud

GET = "arn:aws:states:::aws-sdk:s3:getObject"


def reading(bucket: str, key: str) -> dict[str, Any]:
    """A state that gives an object's JSON, or the error's name."""
    return {
        "Read": {"Type": "Task", "Resource": GET, "Arguments": {"Bucket": bucket, "Key": key}, "End": True,
                 "Output": "{% $parse($states.result.Body) %}",
                 "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "No"}]},
        "No": {"Type": "Pass", "End": True},
    }  # fmt: skip


def test_an_objects_text_is_the_result(cloud: Cloud, name: str) -> None:
    """What a job has written, a state machine can tell."""
    storage = cloud.client("s3")
    storage.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    storage.put_object(Bucket=name, Key="told/counts.json", Body='{"rows": 3, "day": "二〇"}'.encode())
    ended = cloud.run(cloud.machine(name, reading(name, "told/counts.json"), "Read"))
    good = ended["status"] == "SUCCEEDED" and json.loads(ended["output"]) == {"rows": 3, "day": "二〇"}
    cloud.verdict("sfn_s3_objects", good)


def test_what_is_not_there_is_an_error_by_name(mended: Cloud, name: str) -> None:
    """As the SDK for Java names it."""
    storage = mended.client("s3")
    storage.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    for number, (bucket, error) in enumerate(
        {name: "S3.NoSuchKeyException", "gone": "S3.NoSuchBucketException"}.items()
    ):
        ended = mended.run(mended.machine(f"{name}-{number}", reading(bucket, "none"), "Read"))
        assert json.loads(ended["output"]) == error
