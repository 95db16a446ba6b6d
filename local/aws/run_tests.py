"""`make test-aws STAGE=…`: integration and conformance tests against a deployed stage (docs/how-to/deploy-aws.md).

The tests create users and applications, so the production stage is refused.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws.target import Refused, Target, find, refuse_emulators, region_of, stage_name
from run.places import ROOT

FOLDERS = ("integration", "conformance")


def refuse_production(stage: str) -> str:
    """The stage, unless it is the production stage.

    Raises:
        Refused: it is ``prod``.
    """
    if stage == "prod":
        raise Refused(
            "STAGE=prod has real applications; the tests make up borrowers, so they run on other stages only."
        )
    return stage


def stack_outputs(stacks: Any, target: Target) -> dict[str, str]:
    """The deployed stack's outputs.

    Raises:
        Refused: no such stack, or not in a state for tests.
    """
    try:
        stack = stacks.describe_stacks(StackName=target.stack)["Stacks"][0]
    except ClientError as problem:
        place = f"{target.account}/{target.region}"
        raise Refused(f"There is no {target.stack} in {place}; run `make deploy STAGE={target.stage}`.") from problem
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        raise Refused(f"Stack {target.stack} is {stack['StackStatus']}; deploy it first.")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def test_environment(outputs: Mapping[str, str], target: Target) -> dict[str, str]:
    """The environment of tests/integration and tests/conformance.

    Raises:
        Refused: the stage has no Cognito pool, so the tests cannot create users.
    """
    if "UserPoolId" not in outputs:
        raise Refused("This stage takes tokens of another issuer; the tests make users in a Cognito pool only.")
    return {
        "CREDITMESH_TARGET": "aws",
        "CREDITMESH_API_URL": outputs["ApiUrl"],
        "CREDITMESH_USER_POOL_ID": outputs["UserPoolId"],
        "CREDITMESH_USER_POOL_CLIENT_ID": outputs["UserPoolClientId"],
        "CREDITMESH_STAFF_POOL_ID": outputs["StaffPoolId"],
        "CREDITMESH_STAFF_POOL_CLIENT_ID": outputs["StaffPoolClientId"],
        "CREDITMESH_STACK": target.stack,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_REGION": target.region,
    }


def main() -> int:
    """Further arguments go to pytest."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stage", default=os.environ.get("STAGE"))
    options, rest = arguments.parse_known_args()
    session = boto3.Session(region_name=region_of(os.environ))
    try:
        refuse_emulators(os.environ)
        target = find(session, refuse_production(stage_name(options.stage)))
        outputs = stack_outputs(session.client("cloudformation"), target)
        environment = {**os.environ, **test_environment(outputs, target)}
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except BotoCoreError as problem:
        print(f"AWS cannot be reached: {problem}", file=sys.stderr)
        return 2
    print(f"{target.stack} in {target.account}/{target.region}: {outputs['ApiUrl']}", flush=True)
    command = [sys.executable, "-m", "pytest", "-rs", *(rest or [str(ROOT / "tests" / name) for name in FOLDERS])]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
