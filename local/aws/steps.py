"""Steps of a deployment outside the stack: a bucket before it, instructions after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws.target import Target


def next_steps(target: Target, outputs: Mapping[str, str]) -> str:
    """Instructions after a first deployment."""
    lines = [
        "",
        f"API: {outputs['ApiUrl']}",
        "",
        "Next, once per stage (docs/how-to/deploy-aws.md has the details):",
        f"1. The institutions' keys, as JSON in a file that you delete afterwards:\n"
        f"   aws secretsmanager put-secret-value --region {target.region} --secret-id {outputs['InstitutionsSecret']} "
        "--secret-string file://keys.json",
    ]
    pool = outputs.get("StaffPoolId")
    if pool:
        user = f"--region {target.region} --user-pool-id {pool} --username NAME"
        lines += [
            "2. The first operator, and in the same way a risk officer (group risk_officer):\n"
            f"   aws cognito-idp admin-create-user {user} "
            "--user-attributes Name=email,Value=MAIL Name=custom:tenant,Value=platform\n"
            f"   aws cognito-idp admin-add-user-to-group {user} --group-name operator\n"
            "   At the first login the operator sets a password and registers an authenticator app.",
        ]
    else:
        lines += ["2. Users come from your own issuer: claims cognito:groups (role) and custom:tenant."]
    lines += [
        "3. Each lender pushes its products with a token of role lender (docs/reference/api.md).",
        f"4. `make test-aws STAGE={target.stage}` checks the deployed stage.",
    ]
    return "\n".join(lines)


def make_package_bucket(storage: Any, bucket: str, region: str) -> None:
    """Create a private bucket for code archives, if missing.

    Archives are kept: CloudFormation needs the earlier ones to roll back an update.
    """
    if bucket in {known["Name"] for known in storage.list_buckets()["Buckets"]}:
        return
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    storage.create_bucket(Bucket=bucket, **where)
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    storage.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
