"""Settings of the embedded cloud, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MINISTACK_VERSION = "1.5.33"

# Modules that the parent of the Lambda workers imports before it forks: module names, or file patterns inside the
# layer. Only modules that open nothing on import and read no environment variables that differ between functions.
_PRELOAD = (
    "boto3,boto3.dynamodb.types,botocore.httpsession,pydantic,pydantic.main,pydantic.types,pydantic.type_adapter,"
    "aws_lambda_powertools,aws_lambda_powertools.metrics,aws_lambda_powertools.utilities.typing,"
    "aws_lambda_powertools.utilities.idempotency,chalice,jinja2,jwt,cryptography.hazmat.primitives.ciphers.aead,"
    "creditmesh/*/*.py"
)


@dataclass(frozen=True)
class Config:
    """Settings of one emulator process; ``docs/reference/embedded-cloud.md`` lists the variables."""

    port: int
    state_dir: Path
    region: str
    lambda_python: str
    spark_venv: Path
    max_workers: int
    max_workers_per_function: int
    minute_seconds: float
    preload: tuple[str, ...]

    @classmethod
    def from_environment(cls, environ: dict[str, str] | None = None) -> Config:
        """Read the settings; the defaults suit a checkout of this repository."""
        env = dict(os.environ) if environ is None else environ
        root = Path(__file__).resolve().parents[2]
        return cls(
            port=int(env.get("GATEWAY_PORT", "4566")),
            state_dir=Path(env.get("STATE_DIR", str(root / ".state" / "cloud"))).resolve(),
            region=env.get("MINISTACK_REGION", "eu-west-1"),
            lambda_python=env.get("CREDITMESH_LAMBDA_PYTHON", str(root / ".venvs" / "lambda" / "bin" / "python")),
            spark_venv=Path(env.get("CREDITMESH_SPARK_HOME_VENV", str(root / ".venvs" / "spark"))),
            max_workers=int(env.get("LAMBDA_MAX_PROCS", "56")),
            max_workers_per_function=int(env.get("LAMBDA_FUNCTION_MAX_PROCS", "3")),
            minute_seconds=float(env.get("CREDITMESH_MINUTE_SECONDS", "60")),
            preload=tuple(filter(None, env.get("CREDITMESH_LAMBDA_PRELOAD", _PRELOAD).split(","))),
        )

    @property
    def endpoint(self) -> str:
        """URL under which functions, jobs and clients on this machine reach the emulator."""
        return f"http://127.0.0.1:{self.port}"

    def upstream_environment(self) -> dict[str, str]:
        """Environment variables for MiniStack, to be set before its first import."""
        return {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": self.region,
            "STATE_DIR": str(self.state_dir / "services"),
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            # Unused listeners and helpers that would bind ports or look for a daemon.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        }
