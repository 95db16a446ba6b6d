"""What the functions of authorisations leave in the log: ids and counts, nothing personal or secret (S09)."""

from __future__ import annotations

import io
import json

import pytest

from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.tables import Update
from tests.support import wired
from tests.support.aws import table_name
from tests.support.functions import invoke, stream_event
from tests.support.world import BORROWER, CODE, FIRM, KEYS, TAX, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant


def test_neither_success_nor_failure_tells_anything(
    world: World, log_output: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    world.authorize()
    wired.authorizations().watch(TAXPAYER, "tax", "loan_1", tenant=TENANT)
    world.clock.advance(355 * 86400)
    invoke("SweepAuthorizationsFunction", {})
    wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    world.http.fail("POST", f"{TAX}/oauth/revoke", InstitutionUnavailable("answered", status=503))
    (item,) = world.items("Outbox")
    for attempt, body in enumerate((item["body"], CODE)):  # the second opens under no key
        key = {"message_id": item["message_id"]}
        wired.tables().write(Update(table_name("Outbox"), key, {"body": body}))
        ticket = {"message_id": item["message_id"], "lane": "tax-bureau#0", "attempt": attempt}
        invoke("DeliverMessagesFunction", {"Records": [{"body": json.dumps(ticket)}]})
    records = stream_event(world, "ConsentRecords")
    records["Records"][0]["dynamodb"]["NewImage"]["kind"] = {"S": TAXPAYER}  # pydantic's message would quote it
    assert len(invoke("PublishConsentsFunction", records)["batchItemFailures"]) == 1
    said = log_output.getvalue() + "".join(capsys.readouterr())
    assert "consent record not handled" in said
    index = wired.blind_index().of("taxpayer_id", TAXPAYER)
    for secret in (CODE, TAXPAYER, index, "user-1", KEYS["tax-bureau"]["api_key"], item["body"]):
        assert secret not in said
