"""`make delete STAGE=…`: delete a stage's stack, retaining its data (docs/how-to/deploy-aws.md).

``PYTHONPATH=local .venvs/cloud/bin/python -m aws.delete --stage test``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws.target import Refused, Target, find, refuse_emulators, region_of, stage_name
from cloud.emr_applications import NotStopped
from cloud.stack import DeployFailed, Stack

_MACHINE = "AWS::StepFunctions::StateMachine"
# How to remove retained resources for good, by type.
_REMOVAL = {
    "AWS::DynamoDB::Table": "dynamodb delete-table --table-name {id}",
    "AWS::S3::Bucket": "s3 rb --force s3://{id}  (after every version is gone: docs/how-to/deploy-aws.md)",
    "AWS::KMS::Key": "kms schedule-key-deletion --key-id {id}",
    "AWS::SecretsManager::Secret": "secretsmanager delete-secret --secret-id {id}",
    "AWS::Logs::LogGroup": "logs delete-log-group --log-group-name {id}",
    "AWS::Cognito::UserPool": "cognito-idp delete-user-pool --user-pool-id {id}",
}


def required_answer(target: Target) -> str:
    """What a person must type; for production more than its name, which is typed often."""
    return f"delete {target.stack} in {target.account}" if target.stage == "prod" else target.stage


def confirmed(target: Target, answer: str, environment: Mapping[str, str]) -> bool:
    """Whether a person, or a pipeline by ``CONFIRM=delete/<account>/<region>/<stage>``, confirmed.

    The confirmation of a deployment does not confirm a deletion.
    """
    given = environment.get("CONFIRM")
    if given:
        return given == f"delete/{target.place}/{target.stage}"
    return answer.strip() == required_answer(target)


def stop_executions(states: Any, machines: list[str]) -> int:
    """Stop running executions; returns their number.

    A state machine disappears only after its last execution, and applications wait for people for days.
    """
    stopped = 0
    for machine in machines:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        for page in pages:
            for execution in page["executions"]:
                states.stop_execution(
                    executionArn=execution["executionArn"], error="StageDeleted", cause="The stage is deleted."
                )
                stopped += 1
    return stopped


def delete(target: Target, session: Any) -> str:
    """Stop executions and jobs and delete the stack; returns what was retained and how to remove it.

    Raises:
        Refused: no such stack.
        DeployFailed: the stack could not be deleted.
        NotStopped: an EMR Serverless application could not be stopped.
    """
    stack = Stack(session.client, target.stack)
    if stack.found() is None:
        raise Refused(f"There is no stack {target.stack} in {target.place}.")
    machines = [resource["PhysicalResourceId"] for resource in stack.resources(_MACHINE)]
    print(f"{stop_executions(session.client('stepfunctions'), machines)} executions stopped", flush=True)
    return retained(target, stack.delete())


def retained(target: Target, left: Mapping[str, Mapping[str, Any]]) -> str:
    """The retained resources, with the commands that remove them."""
    lines = [f"{target.stack} is deleted. Retained, since a stage's data is not deleted with its stack:"]
    for name, one in sorted(left.items()):
        command = _REMOVAL.get(one["ResourceType"], "").format(id=one["PhysicalResourceId"])
        lines.append(f"  {name} {one['PhysicalResourceId']}\n    aws --region {target.region} {command}")
    lines += [
        f"and the package bucket {target.package_bucket}, which all stages of this account and region share.",
        "In which order to remove them, and how to take them back: docs/how-to/deploy-aws.md, Taking a stage down.",
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stage", default=os.environ.get("STAGE"), help="name of the installation")
    options = arguments.parse_args()
    session = boto3.Session(region_name=region_of(os.environ))
    try:
        refuse_emulators(os.environ)
        target = find(session, stage_name(options.stage))
        print(f"Delete stack {target.stack} in account {target.account}, region {target.region}, as {target.caller}.")
        answer = "" if os.environ.get("CONFIRM") else input(f"Type «{required_answer(target)}» to go on: ")
        if not confirmed(target, answer, os.environ):
            sys.exit("Not confirmed; nothing was done.")
        print(delete(target, session))
    except EOFError:
        sys.exit("There is no terminal to confirm; set CONFIRM=delete/<account>/<region>/<stage> in a pipeline.")
    except (Refused, DeployFailed, NotStopped, ClientError, BotoCoreError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
