"""Deploy to a real AWS account (docs/how-to/deploy-aws.md).

``PYTHONPATH=local .venvs/cloud/bin/python -m aws.deploy --stage test [--parameters file.json]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws import institutions, libraries, parameters
from aws.layer import check
from aws.preflight import Preflight
from aws.steps import make_package_bucket, next_steps
from aws.target import Refused, Target, confirmed, find, refuse_emulators, region_of, stage_name
from cloud import build
from cloud.deploy import ADDRESS_BOOK, ROOT, Deployment
from cloud.emr_applications import NotStopped
from cloud.stack import DeployFailed
from cloud.template import parse


def deploy(target: Target, values: Mapping[str, str], address_book: Path | None, session: Any) -> dict[str, str]:
    """Build for Lambda and EMR, check the layer, deploy, upload jobs, libraries and models; returns the outputs.

    Raises:
        DeployFailed: a step failed.
        Refused: the layer cannot run on Lambda.
    """
    build.layer(ROOT, ROOT / "build" / "layer-stage", stage=True)
    print(f"layer: {check(ROOT / 'build' / 'layer-stage')}", flush=True)
    make_package_bucket(session.client("s3"), target.package_bucket, target.region)
    uploads = {ADDRESS_BOOK: address_book} if address_book else {}
    deployment = Deployment(
        endpoint=None, parameters={**libraries.parameters(ROOT), **values}, stack=target.stack,
        region=target.region, package_bucket=target.package_bucket, stage=True,
        uploads={**libraries.uploads(ROOT), **uploads},
    )  # fmt: skip
    return deployment.run()


def _prepare(options: argparse.Namespace, session: Any) -> tuple[Target, dict[str, str]]:
    refuse_emulators(os.environ)
    stage = stage_name(options.stage)
    given = parameters.read(options.parameters)
    if options.institutions:
        institutions.check(options.institutions)
    target = find(session, stage)
    document = parse((ROOT / "template.yaml").read_text("utf-8"))
    partition = session.get_partition_for_region(target.region)
    values = parameters.complete(given, stage, document["Parameters"], partition)
    Preflight(session, target, document, values).check()
    return target, values


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stage", default=os.environ.get("STAGE"), help="name of the installation")
    arguments.add_argument("--parameters", type=Path, help="JSON file of the template's parameters")
    arguments.add_argument("--institutions", type=Path, help="JSON file of the institutions; without it they stay")
    options = arguments.parse_args()
    session = boto3.Session(region_name=region_of(os.environ))
    try:
        target, values = _prepare(options, session)
        print(target.question)
        answer = "" if os.environ.get("CONFIRM") else input(f"Type the stage's name to go on ({target.stage}): ")
        if not confirmed(target, answer, os.environ):
            sys.exit("Not confirmed; nothing was done.")
        outputs = deploy(target, values, options.institutions, session)
    except Refused as refusal:
        sys.exit(str(refusal))
    except EOFError:
        sys.exit("There is no terminal to confirm; set CONFIRM=<account>/<region> in a pipeline.")
    except (DeployFailed, NotStopped, ClientError, BotoCoreError, subprocess.CalledProcessError) as problem:
        sys.exit(f"The deployment failed: {problem}")
    print(json.dumps(outputs, indent=1))
    print(next_steps(target, outputs))


if __name__ == "__main__":
    main()
