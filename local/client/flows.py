"""Write the repository's loan flows to a platform: a manager registers, another person approves; idempotent.

``CREDITMESH_TOKEN=… CREDITMESH_APPROVER_TOKEN=… python -m client.flows --api-url https://…/prod``
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import yaml

from client.api import Api

FOLDER = Path(__file__).resolve().parents[2] / "flows"


def documents(folder: Path = FOLDER) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*.yaml"))]


def push(manager: Api, approver: Api, folder: Path = FOLDER) -> int:
    """Put the flows in force; returns their number.

    Args:
        approver: another person: a manager or a risk officer.

    Raises:
        ProblemError: a document was refused; it names path and rule.
    """
    found = documents(folder)
    for document in found:
        approver.approve_flow(document["flow_id"], manager.register_flow(document))
    return len(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--api-url", required=True)
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    options = arguments.parse_args()
    manager = Api(options.api_url, os.environ["CREDITMESH_TOKEN"])
    count = push(manager, manager.as_caller(os.environ["CREDITMESH_APPROVER_TOKEN"]), options.folder)
    print(f"{count} loan flows are in force")


if __name__ == "__main__":
    main()
