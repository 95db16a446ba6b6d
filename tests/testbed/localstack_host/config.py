"""What the host-mode LocalStack listens on and where it keeps its things, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHONPATH = f"{ROOT / 'local'}{os.pathsep}{ROOT / 'tests' / 'testbed'}"
LOCALSTACK_VERSION = "4.4.0"

# Told at the top of every run (docs/how-to/localstack.md says more); in the order in which they are applied.
SUBSTITUTED = (
    "Lambda containers: a pool of processes that run the functions' real archives and layers",
    "DynamoDB with its streams, Cognito and EMR Serverless: forwarded to MiniStack, Spark runs there",
    "CloudFormation resources of Cognito and EMR Serverless: made in MiniStack",
    "JSONata: PyPI's jsonata-python, with Step Functions' own functions",
    "emr-serverless:startJobRun[.sync] in state machines: over the forwarded EMR Serverless",
    "Lambda authorisers and gateway responses of REST APIs: ours",
    "CloudFormation: four faults repaired (substitutions/cloudformation_repairs.py)",
)
# What nothing stands in for.
LACKING = (
    "EventBridge Scheduler fires no schedules",
    "AWS::Logs::ResourcePolicy is ignored",
    "IAM, KMS key policies and throttling are not enforced",
)


@dataclass(frozen=True)
class Config:
    """Settings of one LocalStack process."""

    port: int
    state_dir: Path
    forward_to: str
    lambda_python: str
    preload: tuple[str, ...] = ("boto3", "pydantic", "aws_lambda_powertools")

    @classmethod
    def from_environment(cls, environ: dict[str, str] | None = None) -> Config:
        """Read the settings; ``CREDITMESH_FORWARD_TO`` is MiniStack's URL.

        Raises:
            KeyError: a variable is missing.
        """
        env = dict(os.environ) if environ is None else environ
        return cls(
            port=int(env["CREDITMESH_LOCALSTACK_PORT"]),
            state_dir=Path(env["CREDITMESH_LOCALSTACK_STATE"]).resolve(),
            forward_to=env["CREDITMESH_FORWARD_TO"],
            lambda_python=env.get("CREDITMESH_LAMBDA_PYTHON", str(ROOT / ".venvs" / "lambda" / "bin" / "python")),
        )

    def upstream_environment(self) -> dict[str, str]:
        """What LocalStack reads at import time; set before the first import of it."""
        return {
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "LOCALSTACK_HOST": f"127.0.0.1:{self.port}",
            "FILESYSTEM_ROOT": str(self.state_dir),
            "SQS_ENDPOINT_STRATEGY": "path",  # queue URLs that need no name server
            "LAMBDA_KEEPALIVE_MS": "120000",
            "CFN_VERBOSE_ERRORS": "1",
            "LS_LOG": os.environ.get("LS_LOG", "warning"),
            # No telemetry, no downloads, no name server, no containers.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            # Names for LocalStack's own clients; whoever runs this may have real ones.
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
