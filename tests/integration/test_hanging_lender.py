"""A lender that takes connections and never answers holds up no other, and loses and repeats nothing (C24)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from client import Borrower
from client.borrower import Journey
from client.views import ApplicationView
from creditmesh.platform.tables import decode
from run import many
from run.cases import Case
from run.crowds import paid
from run.platform import LocalPlatform
from tests.contract.cloud.clouds import eventually

HANGS = "northgate-bank"
DELAY_MS = 12_000
"""Longer than the platform waits for an answer; then the lender acts on the message after all, beside its repeat."""
FIRMS = [*many.cases(4, skip=155), *many.cases(2, skip=240)]
PATIENCE = 60.0


class Choosy(Borrower):
    """Takes the best offer of the lender that hangs, or of any other."""

    def __init__(self, local: LocalPlatform, case: Case, *, hanging: bool) -> None:
        self.api, self.hanging, self.application_id = local.api("borrower", case.tenant), hanging, ""
        super().__init__(self.api, local.bureau, case.request(), password=case.password)

    def choose(self, application_id: str) -> ApplicationView:
        offers = self.api.matches(application_id)
        best = next((one for one in offers if (one.lender_id == HANGS) is self.hanging), offers[0])
        return self.api.choose(application_id, best)

    def live(self) -> Journey:
        return self.live_through(uuid.uuid4().hex, PATIENCE)


@pytest.fixture
def lender(local: LocalPlatform) -> Iterator[httpx.Client]:
    """The lender, which hangs until its faults are cleared."""
    with httpx.Client(base_url=local.estate.url(HANGS), trust_env=False) as client:
        order = {"kind": "delay", "delay_ms": DELAY_MS, "count": 1_000}
        assert client.post("/_faults", json=order).status_code == 201
        client.delete("/_calls")
        try:
            yield client
        finally:
            client.delete("/_faults")


def messages(local: LocalPlatform) -> list[dict[str, Any]]:
    """What the platform has for the lender that hangs, of this test's firms or of others."""
    pages = local.aws("dynamodb").get_paginator("scan").paginate(TableName="creditmesh-local-outbox")
    found = (decode(item) for page in pages for item in page["Items"])
    return [one for one in found if one["institution_id"] == HANGS]


@pytest.mark.timeout(120)
def test_a_hanging_lender_holds_up_no_other(local: LocalPlatform, lender: httpx.Client) -> None:
    """The others' applications end while it hangs; its own end once it answers, each paid at most once."""
    before = {one["message_id"] for one in messages(local)}

    def own() -> list[dict[str, Any]]:
        return [one for one in messages(local) if one["message_id"] not in before]

    with ThreadPoolExecutor(len(FIRMS)) as pool:
        hanging = [pool.submit(Choosy(local, case, hanging=True).live) for case in FIRMS[:4]]
        assert eventually(lambda: lender.get("/_calls").json()["calls"].get("POST /v1/applications"), 30)
        others = [pool.submit(Choosy(local, case, hanging=False).live) for case in FIRMS[4:]]
        meanwhile = [one.result().application for one in others]
        assert {one["state"] for one in own()} == {"pending"}
        lender.delete("/_faults")
        later = [one.result().application for one in hanging]
    assert "disbursed" in {view.outcome for view in meanwhile}
    assert sum(view.outcome == "disbursed" for view in later) > 1
    books = paid(local)
    assert all(books[view.application_id] == (view.outcome == "disbursed") for view in [*meanwhile, *later])
    sent = own()
    assert {one["state"] for one in sent} == {"sent"}
    assert max(one["attempts"] for one in sent) > 0, "the first attempt met no answer"
    assert len(sent) == len({(one["about"], one["path"]) for one in sent}), "each is one message"
