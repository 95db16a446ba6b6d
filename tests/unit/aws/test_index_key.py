"""The rotation of the index key, step by step, on a stage with data of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aws import index_key
from aws.index_key import ANNOUNCED, SETTLED, Rotation
from aws.target import Refused, Target
from creditmesh.authorization.rotation import FirmMoves
from creditmesh.kernel.clock import iso
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Put
from creditmesh.screening.model import Kind, Subject
from tests.support import wired
from tests.support.world import BORROWER, FIRM, World

TENANT, TAXPAYER = BORROWER.tenant, FIRM.taxpayer_id


@pytest.fixture
def rotation(world: World) -> Iterator[Rotation]:
    """Of a stage where a firm applied, authorised and was collected, and is listed, and has a stored record."""
    world.to_chosen()
    world.blacklist()
    wired.reference_records().put("firm-profiles", TAXPAYER, {"legal_representative": "Made Up"}, "operator-1")
    secrets, name = world.stack.clients["secretsmanager"], world.stack.refs["IndexSecret"]
    before = secrets.get_secret_value(SecretId=name)["SecretString"]

    def store(text: str) -> None:
        secrets.put_secret_value(SecretId=name, SecretString=text)
        wired.blind_index()._keys = ()

    yield Rotation(store, lambda: "n" * 64)
    store(before)


def stands() -> tuple[Any, ...]:
    """What the platform tells of the firm."""
    held = wired.authorizations().usable(TAXPAYER, tenant=TENANT)
    history = [one.record for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]
    uses = [one.record for one in wired.authorizations().uses(TAXPAYER, tenant=TENANT)]
    owed = wired.exposures().used(TAXPAYER)
    hits = [one.source for one in wired.lists().screen([Subject(kind=Kind.TAXPAYER_ID, value=TAXPAYER)]).hits]
    return held.authorization_id, history, uses, owed, hits, wired.reference_records().get("firm-profiles", TAXPAYER)


def test_from_begin_to_the_earlier_keys_removal(world: World, rotation: Rotation) -> None:
    before, index = stands(), world.application().taxpayer_index
    with pytest.raises(Refused, match="No rotation"):
        rotation.go_on()
    assert "Key 2 counts from" in rotation.begin()
    with pytest.raises(Refused, match="in progress"):
        rotation.begin()
    assert stands() == before
    world.clock.advance(ANNOUNCED.total_seconds())
    assert stands() == before
    with pytest.raises(Refused, match="go on after"):
        rotation.go_on()
    world.clock.advance(SETTLED.total_seconds())
    told = rotation.go_on()
    assert "1 commitments, 1 applications" in told
    assert "retired" in told
    assert stands() == before
    assert world.application().taxpayer_index != index
    assert "Codes that firms brought" in rotation.go_on()
    world.authorize("code-of-the-good-firm-0002")
    world.clock.advance(timedelta(days=365).total_seconds())
    assert "is removed" in rotation.go_on()
    (key,) = wired.blind_index().keys()
    assert (key.key_id, key.retired) == ("2", False)
    assert index not in str([world.items(name) for name in ("Applications", "Authorizations", "ConsentRecords")])
    assert "Key 3 counts from" in rotation.begin(), "there is a next time"


def test_what_is_written_amidst_the_move_is_moved_by_the_next_run(
    world: World, rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that began under the earlier key ends late."""
    rotation.begin()
    world.clock.advance((ANNOUNCED + SETTLED).total_seconds())
    (record,) = (one for one in world.items("ConsentRecords") if one["entry"] == "consent")
    left, looks = FirmMoves.left, iter(range(1))

    def late(moves: FirmMoves) -> int:
        if next(looks, None) is None:
            later = {**record, "record": "consent#1"}
            wired.tables().write(Put(settings().consent_records_table, later, "record"))
            monkeypatch.setattr(FirmMoves, "left", left)
        return left(moves)

    monkeypatch.setattr(FirmMoves, "left", late)
    assert "1 were written meanwhile" in rotation.go_on()
    assert "1 were written meanwhile" in rotation.go_on(), "found by the second look, at all firms"
    assert "retired" in rotation.go_on()
    assert len(list(wired.authorizations().history(TAXPAYER, tenant=TENANT))) == 2


def test_the_parts_are_found_by_the_stack() -> None:
    client: Any = boto3.client("cloudformation", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    target = Target("test", "123456789012", "eu-central-1", "arn:me")
    names = ("DataBucket", "FieldKey", "IndexSecret", "ListImport")
    given = [
        {
            "LogicalResourceId": name, "PhysicalResourceId": f"the-{name}", "ResourceType": "x",
            "ResourceStatus": "UPDATE_COMPLETE", "LastUpdatedTimestamp": "2026-01-01T00:00:00Z",
        }
        for name in names
    ]  # fmt: skip

    class Session:
        """Gives the one client."""

        def client(self, _: str) -> Any:
            return client

    with Stubber(client) as stub:
        stub.add_response("list_stack_resources", {"StackResourceSummaries": given}, {"StackName": "creditmesh-test"})
        found = index_key.environment(Session(), target)
        assert {f"the-{name}" for name in names} <= set(found.values())
        stub.add_client_error("list_stack_resources", "ValidationError", "does not exist")
        with pytest.raises(Refused, match="no stack creditmesh-test"):
            index_key.environment(Session(), target)


def test_the_secrets_text_is_read_as_it_was_written(world: World, rotation: Rotation) -> None:
    rotation.begin()
    keys = wired.blind_index().keys()
    text = index_key.document(keys)
    assert iso(keys[0].since) in text
    rotation.store(text)
    assert wired.blind_index().keys() == keys
