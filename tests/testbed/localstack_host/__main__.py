"""`make test-localstack`: the integration tests on LocalStack, whichever can be had.

What answers at ``AWS_ENDPOINT_URL`` or ``LOCALSTACK_HOST`` (default port 4566) is used if it is a LocalStack; else the
last open core is started in host mode. Arguments go to pytest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localstack_host.existing import ExistingLocalStack, endpoint_from, identity
from localstack_host.platform import LocalStackPlatform, LocalStackPorts, banner
from run.errors import RunError
from run.many import POPULATION
from run.places import ROOT

DEFAULT_PORT = 4700  # of host mode: what listens on 4566 may be the embedded cloud of `make run`


def test_environment(platform: LocalStackPlatform | ExistingLocalStack) -> dict[str, str]:
    """What tests/integration/conftest.py reads."""
    return {
        "CREDITMESH_TARGET": "localstack",
        "CREDITMESH_API_URL": platform.api_url,
        "CREDITMESH_USER_POOL_ID": platform.outputs["UserPoolId"],
        "CREDITMESH_USER_POOL_CLIENT_ID": platform.outputs["UserPoolClientId"],
        "CREDITMESH_STAFF_POOL_ID": platform.outputs["StaffPoolId"],
        "CREDITMESH_STAFF_POOL_CLIENT_ID": platform.outputs["StaffPoolClientId"],
        "AWS_ENDPOINT_URL": platform.endpoint,
        "LOCALSTACK_HOST": platform.endpoint.removeprefix("http://"),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def choose(environment: Mapping[str, str], folder: Path) -> tuple[LocalStackPlatform | ExistingLocalStack, str]:
    """The platform to test, and what must be said about it before anything else."""
    endpoint = endpoint_from(environment)
    found = identity(endpoint)
    if found:
        return ExistingLocalStack(folder, endpoint), f"At {endpoint}: {found}"
    first = int(environment.get("CREDITMESH_LOCALSTACK_PORT", str(DEFAULT_PORT)))
    platform = LocalStackPlatform(folder, LocalStackPorts(first), population=POPULATION)
    return platform, f"No LocalStack answers at {endpoint}.\n{banner()}"


def main() -> int:
    """Start, test, stop; pytest's exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with tempfile.TemporaryDirectory(prefix="creditmesh-localstack-") as folder:
        try:
            platform, said = choose(os.environ, Path(folder))
        except RunError as problem:
            print(problem, file=sys.stderr)
            return 2
        print(said, flush=True)
        try:
            platform.start()
            environment = {**os.environ, **test_environment(platform)}
            chosen = sys.argv[1:] or [str(ROOT / "tests" / "integration")]
            return subprocess.run(
                [sys.executable, "-m", "pytest", "-rs", *chosen], cwd=ROOT, env=environment, check=False
            ).returncode
        except RunError as problem:
            print(problem, file=sys.stderr)
            return 2
        finally:
            platform.stop()


if __name__ == "__main__":
    sys.exit(main())
