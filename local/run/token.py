"""Print a token of the running platform, for a person of a role."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from run.errors import RunError
from run.places import ROOT, Places
from run.running import Running
from run.users import STAFF

ROLES = ("borrower", "bank", "lender", *STAFF)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make token", description=__doc__)
    parser.add_argument("--role", default="", help=", ".join(ROLES))
    parser.add_argument("--lender", default="", help="for role lender: which one")
    parser.add_argument("--name", default="", help="which person, or which firm or bank: each is a user of its own")
    parser.add_argument("--state-dir", type=Path, default=ROOT / ".local", help="as given to `make run`")
    return parser.parse_args(given)


def token(role: str, lender: str, name: str, places: Places) -> str:
    """The id token.

    Raises:
        RunError: says what is missing.
    """
    if role not in ROLES:
        raise RunError(f"ROLE must be one of {', '.join(ROLES)}.")
    if name and not _NAME.fullmatch(name):
        raise RunError("NAME must be 1 to 40 letters, digits, dots, hyphens or underscores.")
    running = Running.found(places)
    if role == "lender" and lender not in running.lenders:
        raise RunError(f"LENDER must be one of {', '.join(running.lenders)}.")
    person = name or "me"
    tenant = lender if role == "lender" else "platform" if role in STAFF else person
    try:
        users = running.users(places)
        return users.token(role, tenant, f"{tenant}-{person}" if role == "lender" else person)()
    except (BotoCoreError, ClientError) as problem:
        raise RunError(f"The platform gives no token: {problem}") from problem


def main() -> int:
    options = arguments()
    try:
        print(token(options.role, options.lender, options.name, Places(options.state_dir.resolve())))
    except RunError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
