"""Rotates the key of the blind indexes: `begin`, then `go-on` until it reports that the earlier key is removed.

`lists` indexes the lists anew after a release that gives values another normal form.

Each run may be interrupted and repeated; items are moved conditionally, while the platform serves. When to run it:
docs/how-to/deploy-aws.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws.target import Refused, Target, find, refuse_emulators, region_of, stage_name
from creditmesh.authorization.bootstrap import firm_moves
from creditmesh.authorization.store import FIRM
from creditmesh.gateway.bootstrap import reference_records
from creditmesh.intake.bootstrap import applications
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import DomainError
from creditmesh.offers.bootstrap import exposures
from creditmesh.offers.exposure import Borrower
from creditmesh.platform.blind_index import IndexKey, IndexKeysInvalid
from creditmesh.platform.bootstrap import platform
from creditmesh.screening.bootstrap import list_entries, list_imports

ANNOUNCED = timedelta(minutes=10)
"""Time between the announcement of a key and its use: every process has read it by then."""
SETTLED = timedelta(minutes=20)
"""Time after which no process works with the earlier key any more."""


def document(keys: tuple[IndexKey, ...]) -> str:
    return json.dumps({"keys": [_written(key) for key in keys]})


def _written(key: IndexKey) -> dict[str, Any]:
    given = {"id": key.key_id, "key": key.secret.decode(), "retired": key.retired or None}
    since = None if key.since.year == 1 else iso(key.since)
    return {name: value for name, value in {**given, "from": since}.items() if value is not None}


@dataclass
class Rotation:
    """One stage's rotation.

    Args:
        store: replaces the secret's text.
        fresh: generates a key.
    """

    store: Callable[[str], object]
    fresh: Callable[[], str]

    def begin(self) -> str:
        """Announce a new key.

        Raises:
            Refused: a rotation is in progress.
        """
        keys, now = platform().blind_index.keys(), platform().clock.now()
        if len(keys) > 1:
            raise Refused("A rotation is in progress; run `go-on`.")
        key = IndexKey(str(int(keys[0].key_id) + 1), self.fresh().encode(), now + ANNOUNCED)
        self.store(document((key, replace(keys[0], since=datetime.min.replace(tzinfo=UTC)))))
        return f"Key {key.key_id} counts from {iso(key.since)}. Say `go-on` after {iso(key.since + SETTLED)}."

    def go_on(self) -> str:
        """Do the next step, and report what is left.

        Raises:
            Refused: too early, or no rotation is in progress.
        """
        (newest, *earlier), now = platform().blind_index.keys(), platform().clock.now()
        if not earlier:
            raise Refused("No rotation is in progress; `begin` starts one.")
        if any(not key.retired for key in earlier):
            return self._move(newest, earlier, now)
        if until := firm_moves().codes_until(int(now.timestamp())):
            ends = iso(datetime.fromtimestamp(until, tz=UTC))
            return f"Codes that firms brought are known by the earlier key alone until {ends}. Go on after that."
        self.store(document((replace(newest, since=datetime.min.replace(tzinfo=UTC)),)))
        return "The earlier key is removed. The rotation is complete."

    def _move(self, newest: IndexKey, earlier: list[IndexKey], now: datetime) -> str:
        if now < (settled := newest.since + SETTLED):
            raise Refused(f"Processes may still use the earlier key; go on after {iso(settled)}.")
        moved = move()
        again = move(every=firm_moves().left() > 0)
        told = ", ".join(f"{count} {name}" for name, count in moved.items())
        if left := firm_moves().left() + sum(again.values()):
            return f"Moved: {told}. {left} were written meanwhile; say `go-on` once more."
        self.store(document((newest, *(replace(key, retired=True) for key in earlier))))
        return f"Moved: {told}. The earlier key is retired, and serves codes alone. Say `go-on` to remove it."


def move(*, every: bool = False) -> dict[str, int]:
    """Move items under earlier keys to the current one; returns counts.

    Args:
        every: include firms whose applications have been moved.
    """
    index, firms = platform().blind_index, firm_moves()
    found = {"revocations": firms.move_revocations(), "items of firms": 0, "commitments": 0, "applications": 0}
    for one in applications().indexed_otherwise(lambda taxpayer: index.of(FIRM, taxpayer), every=every):
        found["items of firms"] += firms.move(one.taxpayer_id)
        borrower = Borrower(one.taxpayer_id, applications().representative_of(one))
        found["commitments"] += exposures().rekey(one.application_id, borrower)
        if (current := index.of(FIRM, one.taxpayer_id)) != one.taxpayer_index:
            applications().reindex(one, current)  # last, as it marks the firm as moved
            found["applications"] += 1
    found |= _lists_moved()
    found["stored records"] = reference_records().rekey()
    return found


def lists() -> str:
    """Index the lists by today's key and normal forms, and report what was done."""
    return "Indexed anew: " + ", ".join(f"{count} {name}" for name, count in _lists_moved().items()) + "."


def _lists_moved() -> dict[str, int]:
    return {"imported lists": list_imports().rekey(), "list entries": list_entries().rekey()}


def environment(session: Any, target: Target) -> dict[str, str]:
    """The environment of the platform's code for this stage.

    Raises:
        Refused: no such stack.
    """
    stacks = session.client("cloudformation")
    try:
        listed = stacks.get_paginator("list_stack_resources").paginate(StackName=target.stack)
        found = [summary for page in listed for summary in page["StackResourceSummaries"]]
    except ClientError as problem:
        raise Refused(f"There is no stack {target.stack} in {target.place}.") from problem
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
    return {
        "STAGE": target.stage,
        "AWS_DEFAULT_REGION": target.region,
        "DATA_BUCKET": ids["DataBucket"],
        "FIELD_KEY_ID": ids["FieldKey"],
        "INDEX_SECRET": ids["IndexSecret"],
        "LIST_IMPORT_ARN": ids["ListImport"],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("step", choices=("begin", "go-on", "lists"))
    arguments.add_argument("--stage", default=os.environ.get("STAGE"), help="name of the installation")
    options = arguments.parse_args()
    session = boto3.Session(region_name=region_of(os.environ))
    try:
        refuse_emulators(os.environ)
        target = find(session, stage_name(options.stage))
        os.environ |= environment(session, target)
        secrets, name = session.client("secretsmanager"), os.environ["INDEX_SECRET"]
        rotation = Rotation(
            store=lambda text: secrets.put_secret_value(SecretId=name, SecretString=text),
            fresh=lambda: secrets.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"],
        )
        print({"begin": rotation.begin, "go-on": rotation.go_on, "lists": lists}[options.step]())
    except (Refused, IndexKeysInvalid, DomainError, ClientError, BotoCoreError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
