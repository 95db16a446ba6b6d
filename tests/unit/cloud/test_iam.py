"""What ``cloud.iam`` allows: the documented rules of IAM's evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.iam import allowed

BUCKET = "arn:aws:s3:::data"


def allow(**elements: Any) -> dict[str, Any]:
    """A statement on reads of one bucket, with elements changed or added."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"} | elements


def where(condition: dict[str, Any]) -> list[dict[str, Any]]:
    """Statements that allow a listing under one condition."""
    return [allow(Action="s3:ListBucket", Resource=BUCKET, Condition=condition)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow(), True),
        (allow(Action=["s3:PutObject", "s3:getobject"]), True),
        (allow(Action="s3:Get*"), True),
        (allow(Action="s3:GetObjec?"), True),
        (allow(Action="*", Resource="*"), True),
        (allow(Action="s3:GetObjectTagging"), False),
        (allow(Resource=BUCKET), False),
        (allow(Resource=f"{BUCKET}/A/*"), False),
        (allow(Resource=["arn:aws:s3:::other/*", f"{BUCKET}/a/b"]), True),
        (allow(Resource="arn:aws:*/a/b"), False),
        (allow(NotResource=f"{BUCKET}/a/*", Resource=None), False),
        (allow(NotAction="s3:PutObject", Action=None), True),
        (allow(Effect="Deny"), False),
    ],
)
def test_actions_and_resources(statement: dict[str, Any], expected: bool) -> None:
    """Actions whatever their case, resources exactly; a wildcard stays within its part of the ARN."""
    assert allowed([statement], "s3:GetObject", f"{BUCKET}/a/b") is expected


def test_a_denial_wins() -> None:
    """Wherever it stands."""
    deny = allow(Effect="Deny", Resource=f"{BUCKET}/secret/*")
    assert allowed([allow(), deny], "s3:GetObject", f"{BUCKET}/open/1")
    assert not allowed([deny, allow()], "s3:GetObject", f"{BUCKET}/secret/1")


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringLike": {"s3:prefix": "third/*"}}, {"s3:prefix": "third/x"}, True),
        ({"StringLike": {"s3:prefix": "third/*"}}, {}, False),
        ({"StringLikeIfExists": {"s3:prefix": "third/*"}}, {}, True),
        ({"StringLikeIfExists": {"s3:prefix": ["a/*", "b/*"]}}, {"s3:prefix": "b/1"}, True),
        ({"StringLikeIfExists": {"s3:prefix": ["a/*", "b/*"]}}, {"s3:prefix": "c/1"}, False),
        ({"StringEquals": {"S3:Prefix": "a*"}}, {"s3:prefix": "a*"}, True),
        ({"StringEquals": {"s3:prefix": "a*"}}, {"s3:prefix": "ab"}, False),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, False),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {}, True),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/m*"}}, {"kms:ResourceAliases": ["alias/x"]}, False),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/m*"}},
         {"kms:ResourceAliases": ["alias/x", "alias/m1"]}, True),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/m*"}}, {}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "false"}, True),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": True}}, {"s3:prefix": "x"}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": 10}}, {"s3:max-keys": "10"}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": 10}}, {"s3:max-keys": "many"}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:1:rule/a*"}},
         {"aws:SourceArn": "arn:aws:events:eu-west-1:1:rule/ab"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:rule/ab"}},
         {"aws:SourceArn": "arn:aws:events:eu-west-1:1:rule/ab"}, False),
        ({"StringEquals": {"aws:a": "1"}, "Bool": {"aws:b": "true"}}, {"aws:a": "1", "aws:b": "false"}, False),
        ({"StringEquals": {"aws:a": "1", "aws:b": "2"}}, {"aws:a": "1"}, False),
    ],
)  # fmt: skip
def test_conditions(condition: dict[str, Any], context: dict[str, Any], expected: bool) -> None:
    """Every operator and every key must hold; several values are alternatives; an absent key holds for few."""
    assert allowed(where(condition), "s3:ListBucket", BUCKET, context) is expected


def test_an_unknown_operator_is_an_error() -> None:
    """It must not count as met nor as not met."""
    with pytest.raises(ValueError, match="IpAddress"):
        allowed(where({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "s3:ListBucket", BUCKET)
