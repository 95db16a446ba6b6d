"""A third party's list uploaded, imported and acted upon on the running platform; an entry of it removed (M04, M05)."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import httpx
import pytest

from client import Api
from client.api import ProblemError
from run import many
from run.platform import LocalPlatform
from tests.integration.conftest import Target

PATIENCE = 180.0
LISTED, SPARED = many.cases(2, skip=160)


def awaited(api: Api, import_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while (one := api.call("GET", f"/v1/lists/imports/{import_id}"))["state"] in ("reading", "read"):
        assert time.monotonic() < deadline, one
        time.sleep(0.3)
    return dict(one)


def uploaded(api: Api, lines: list[str], source: str) -> dict[str, Any]:
    """Import lines as a client does: ask for a place, put the file there, run it, wait."""
    asked = {"source": source, "format": "csv", "list_name": "black"}
    one = api.call("POST", "/v1/lists/imports", asked, key=uuid.uuid4().hex)
    assert one["state"] == "awaiting_file"
    put = httpx.put(one["upload_url"], content="\n".join(lines).encode(), timeout=30.0, trust_env=False)
    assert put.status_code == 200, put.text
    api.call("POST", f"/v1/lists/imports/{one['import_id']}/run", {})
    return awaited(api, one["import_id"])


def screened(api: Api, kind: str, value: str) -> dict[str, Any]:
    return dict(api.call("POST", "/v1/lists/screenings", {"subjects": [{"kind": kind, "value": value}]}))


def test_a_list_is_imported_acted_upon_and_corrected(target: Target, local: LocalPlatform) -> None:
    officer, manager = target.api("risk_officer", "platform"), target.api("manager", "platform")
    source = f"court-{uuid.uuid4().hex[:8]}"
    ids = [LISTED.firm.taxpayer_id, SPARED.firm.taxpayer_id]
    lines = ["kind,value,reason_code,text", *(f"taxpayer_id,{one},enforcement,made up" for one in ids)]
    lines += [f"phone,13800{number:06d},enforcement,made up" for number in range(3_000)]
    lines[7] = "phone,none,enforcement,made up"

    one = uploaded(officer, lines, source)
    assert (one["state"], one["accepted"], one["rejected"], one["entries"]) == ("published", 3_001, 1, 3_001), one
    told = officer.call("GET", f"/v1/lists/imports/{one['import_id']}/rejected")
    assert told["rejected"] == [{"line": 8, "field": "value", "rule": "no_phone"}]

    (hit,) = screened(officer, "taxpayer_id", ids[1])["hits"]
    assert (hit["source"], hit["origin"]) == (source, "imported")
    removal = f"/v1/lists/entries/{hit['entry_id']}/removal"
    officer.call("POST", removal, {"note": "another firm"})
    with pytest.raises(ProblemError) as refused:
        officer.call("POST", f"{removal}/decision", {"action": "confirm", "note": "alone"})
    assert (refused.value.status, refused.value.code) == (403, "four_eyes")
    assert manager.call("POST", f"{removal}/decision", {"action": "confirm", "note": "seen"})["state"] == "removed"
    assert screened(officer, "taxpayer_id", ids[1])["hits"] == []

    declined = target.borrower(LISTED).live_through(uuid.uuid4().hex).application
    assert declined.outcome == "declined_blacklist"
    key_data = local.aws("s3").get_object(
        Bucket=local.outputs["DataBucket"], Key=f"key-data/{declined.application_id}.json"
    )
    document = json.loads(key_data["Body"].read())
    assert document["features"]["blacklist_hits"] == 1
    assert [found["source"] for found in document["screening"]["hits"]] == [source]
    assert document["screening"]["imports"][source] == one["import_id"]

    bad = uploaded(officer, ["kind,value", *lines[1:]], source)
    assert (bad["state"], bad["problem"]["rule"]) == ("refused", "column_missing")
    assert len(screened(officer, "taxpayer_id", ids[0])["hits"]) == 1, "a bad file changes nothing"
