"""What the functions of authorisations leave in the log: ids and counts, nothing personal or secret (S09)."""

from __future__ import annotations

import io

import pytest

from creditmesh.platform import wiring
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.tables import Update
from tests.support.aws import table_name
from tests.support.functions import invoke, stream_event
from tests.support.world import BORROWER, CODE, FIRM, KEYS, TAX, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant


def test_neither_success_nor_failure_tells_anything(
    world: World, log_output: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    world.authorize()
    wiring.authorizations().watch(TAXPAYER, "tax", "loan_1", tenant=TENANT)
    world.clock.advance(355 * 86400)
    invoke("SweepAuthorizationsFunction", {})
    wiring.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    world.http.fail("POST", f"{TAX}/oauth/revoke", InstitutionUnavailable("answered 503"))
    invoke("RevokeCodesFunction", stream_event(world, "Revocations"))
    (item,) = world.items("Revocations")
    key = {"authorization_id": item["authorization_id"]}
    wiring.tables().write(Update(table_name("Revocations"), key, {"body": CODE}))  # opens under no key
    world.clock.advance(86400)
    invoke("RevokeCodesFunction", {})
    records = stream_event(world, "ConsentRecords")
    records["Records"][0]["dynamodb"]["NewImage"]["kind"] = {"S": TAXPAYER}  # pydantic's message would quote it
    assert len(invoke("PublishConsentsFunction", records)["batchItemFailures"]) == 1
    said = log_output.getvalue() + "".join(capsys.readouterr())
    assert "not revoked" in said
    assert "consent record not handled" in said
    index = wiring.blind_index().of("taxpayer_id", TAXPAYER)
    for secret in (CODE, TAXPAYER, index, "user-1", KEYS["tax-bureau"]["api_key"], item["body"]):
        assert secret not in said
