"""Stores a stage's institutions' keys in its secret, after checking every one: a bad key would be ignored there."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from aws.parameters import read_object
from aws.target import Refused, find, refuse_emulators, region_of, stage_name
from creditmesh.platform.institutions import KEYS, faults_of


def checked(path: Path) -> str:
    """The secret's text.

    Raises:
        Refused: names what is wrong with which keys, never a key.
    """
    document = read_object(path)
    try:
        KEYS.validate_python(document)
    except ValidationError as error:
        raise Refused("\n".join(faults_of(error))) from None
    return json.dumps(document)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path, help="JSON, deleted afterwards: {id: {api_key, webhook_secrets, …}}")
    arguments.add_argument("--stage", default=os.environ.get("STAGE"), help="name of the installation")
    options = arguments.parse_args()
    session = boto3.Session(region_name=region_of(os.environ))
    try:
        text = checked(options.file)
        refuse_emulators(os.environ)
        stack = find(session, stage_name(options.stage)).stack
        resource = session.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId="InstitutionsSecret"
        )
        secret = resource["StackResourceDetail"]["PhysicalResourceId"]
        session.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)
    except (Refused, ClientError, BotoCoreError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
