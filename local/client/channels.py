"""Write the repository's channels and collection plans to a platform; idempotent.

``CREDITMESH_TOKEN=… python -m client.channels --api-url https://…/prod`` does it with an operator's token.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import yaml

from client.api import Api

FOLDER = Path(__file__).resolve().parents[2] / "channels"


def documents(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The channel documents, fallbacks before the channels that name them."""
    found = {one["channel_id"]: one for one in map(_read, sorted(folder.glob("*.yaml")))}
    ordered: dict[str, dict[str, Any]] = {}

    def add(name: str) -> None:
        fallback = str(found[name].get("fallback_channel"))
        if fallback in found and fallback not in ordered and fallback != name:
            add(fallback)
        ordered[name] = found[name]

    for name in found:
        add(name)
    return list(ordered.values())


def plans(folder: Path = FOLDER) -> list[dict[str, Any]]:
    return list(map(_read, sorted((folder / "plans").glob("*.yaml"))))


def push(operator: Api, folder: Path = FOLDER) -> int:
    """Write channels, then plans; returns the number of channels.

    Raises:
        ProblemError: a document was refused; it names path and rule.
    """
    found = documents(folder)
    for document in found:
        operator.put_channel(document)
    for plan in plans(folder):
        operator.put_plan(plan)
    return len(found)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return document


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--api-url", required=True)
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    options = arguments.parse_args()
    count = push(Api(options.api_url, os.environ["CREDITMESH_TOKEN"]), options.folder)
    print(f"{count} channels are in force")


if __name__ == "__main__":
    main()
