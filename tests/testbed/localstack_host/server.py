"""Start LocalStack's core in host mode with our substitutions; ``localstack_host.platform`` says how."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile

from cloud.server import die_with_parent, require_port
from localstack_host.config import LOCALSTACK_VERSION, Config


def require_version() -> None:
    """End with one clear sentence if the installed LocalStack is not the one the substitutions were written for."""
    try:
        found = importlib.metadata.version("localstack-core")
    except importlib.metadata.PackageNotFoundError:
        sys.exit("localstack-core is not installed here; run `python3 local/setup.py --with localstack`.")
    if found != LOCALSTACK_VERSION:
        sys.exit(f"The substitutions fit localstack-core {LOCALSTACK_VERSION}, but {found} is installed.")


def main() -> None:
    """Check, prepare, substitute, serve."""
    require_version()
    config = Config.from_environment()
    require_port(config.port)
    die_with_parent()
    folder = config.state_dir / "tmp"  # LocalStack unpacks Lambda code below it, so that instances do not meet
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)
    os.environ.update(config.upstream_environment())
    from localstack_host import substitutions, upstream

    substitutions.apply_all(config)
    upstream.runtime.main()


if __name__ == "__main__":
    main()
