"""The target of a deployment: stage, account, region. Anything missing is refused with one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_STAGE = re.compile(r"[a-z][a-z0-9]{1,11}")  # the template's parameter Stage
_SERVICES = ("emr-serverless", "lambda", "stepfunctions", "scheduler", "dynamodb", "apigateway", "kms")
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "LOCALSTACK_HOST")


class Refused(Exception):
    """The deployment must not or cannot start; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """One stage in one account and region."""

    stage: str
    account: str
    region: str
    caller: str

    @property
    def stack(self) -> str:
        return f"creditmesh-{self.stage}"

    @property
    def package_bucket(self) -> str:
        """Bucket of the code archives; bucket names are global, so the account is part of the name."""
        return f"creditmesh-packages-{self.account}-{self.region}"

    @property
    def place(self) -> str:
        return f"{self.account}/{self.region}"

    @property
    def question(self) -> str:
        """What a person must type to confirm: the stage, so that nobody confirms the wrong one by habit."""
        return f"Deploy stack {self.stack} to account {self.account}, region {self.region}, as {self.caller}."


def stage_name(given: str | None) -> str:
    """Validate a stage name.

    Raises:
        Refused: missing or invalid.
    """
    if not given:
        raise Refused("Which stage? Say for example `make deploy STAGE=test`.")
    if not _STAGE.fullmatch(given):
        raise Refused(f"STAGE={given} is invalid: 2 to 12 lower-case letters and digits, a letter first.")
    if given == "local":
        raise Refused("STAGE=local is the embedded cloud's; `make run` deploys it.")
    return given


def refuse_emulators(environment: Mapping[str, str]) -> None:
    """Refuse endpoints of an emulator that are set in this shell.

    Raises:
        Refused: a variable names an endpoint.
    """
    for name in _ENDPOINT_VARIABLES:
        if environment.get(name):
            raise Refused(f"{name}={environment[name]} is set, so calls would not reach AWS; unset it first.")


def region_of(environment: Mapping[str, str]) -> str | None:
    """The region in the environment; boto3 itself does not read ``AWS_REGION``, other tools do."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def find(session: Any, stage: str) -> Target:
    """The account, region and caller, as reported by AWS.

    Args:
        session: a boto3 session.
        stage: a valid stage name.

    Raises:
        Refused: no region or one that lacks a service, no or wrong credentials, or AWS is unreachable.
    """
    region = session.region_name
    if not region:
        raise Refused(
            "No region is set; say for example `export AWS_REGION=eu-west-1`, or set one in your AWS profile."
        )
    _require_services(session, region)
    if session.get_credentials() is None:
        raise Refused("There are no AWS credentials; run `aws configure sso` or `aws login`, or set AWS_PROFILE.")
    try:
        identity = session.client("sts").get_caller_identity()
    except ClientError as problem:
        raise Refused(f"AWS rejects these credentials ({problem}); log in again.") from problem
    except BotoCoreError as problem:
        raise Refused(f"AWS cannot be reached: {problem}") from problem
    return Target(stage, str(identity["Account"]), str(region), str(identity["Arn"]))


def _require_services(session: Any, region: str) -> None:
    """Checks boto3's data of regions; it does not know regions that are newer than itself."""
    partitions = session.get_available_partitions()
    known = [
        partition for partition in partitions if region in session.get_available_regions("cloudformation", partition)
    ]
    if not known:
        raise Refused(f"There is no region {region}; set AWS_REGION to one like eu-west-1.")
    for service in _SERVICES:
        if region not in session.get_available_regions(service, known[0]):
            raise Refused(f"Region {region} has no {service}; choose another AWS_REGION.")


def confirmed(target: Target, answer: str, environment: Mapping[str, str]) -> bool:
    """Whether a person, or a pipeline that names account and region, confirmed.

    Args:
        answer: what was typed; ignored if ``CONFIRM=<account>/<region>`` is set.
    """
    given = environment.get("CONFIRM")
    if given:
        return given == target.place
    return answer.strip() == target.stage
