"""Schemathesis against a running platform: the gateway, functions, tables and processes of `make run` (S20)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from client import Api
from creditmesh.kernel.caller import STAFF
from run import cases, scenario
from run.places import Ports
from run.platform import LocalPlatform
from tests.fuzz.runner import CALLERS, INSTITUTION, NOBODY, Known, Signer, bearer, configuration, explore, may, told

FIRST_PORT = int(os.environ.get("CREDITMESH_FUZZ_PORT", "4620"))
CASES = cases.read()[:7]
"""A firm that gets its loan, one that a list stops, one whose first code has expired, and others."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform after a few applications."""
    made = LocalPlatform(tmp_path_factory.mktemp("platform"), Ports(FIRST_PORT))
    made.start()
    try:
        scenario.run(made, CASES)
        made.api("borrower", CASES[0].tenant).apply(CASES[0].request())
        yield made
    finally:
        made.stop()


GUEST_PACE = {"rate-limit": "15/s"}
"""Below the stage's own rate for guests (infrastructure/api.yaml), above which it answers 429."""
LISTED = {
    "application_id": ("/v1/applications", "applications", "application_id"),
    "task_id": ("/v1/operator-tasks", "tasks", "task_id"),
    "entry_id": ("/v1/lists/changes", "changes", "entry_id"),
    "model_id": ("/v1/models", "models", "model_id"),
    "content_hash": ("/v1/models", "models", "champion"),
    "channel_id": ("/v1/channels", "channels", "channel_id"),
    "plan_id": ("/v1/collection-plans", "plans", "plan_id"),
    "product_id": ("/v1/products", "products", "product_id"),
    "scope": ("/v1/consent-scopes", "scopes", "scope"),
    "message_id": ("/v1/outbox", "messages", "message_id"),
    "failed_event_id": ("/v1/failed-events", "events", "failed_event_id"),
    "webhook_id": ("/v1/received-webhooks", "webhooks", "id"),
}
"""Path parameters: the list that has their values, the list's field, the item's."""


def known(auditor: Api) -> dict[str, list[str]]:
    """What the platform has."""
    return {
        name: sorted({str(one[field]) for one in auditor.listed(path, items)})
        for name, (path, items, field) in LISTED.items()
    }


def settings(caller: str, platform: LocalPlatform, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Schemathesis's settings: who calls, and what there is."""
    lender = platform.estate.lenders[0]
    found = Known({**known(platform.api("auditor", "platform")), "institution_id": list(secrets), "version": ["1"]})
    url = {"base-url": platform.api_url}
    if caller == INSTITUTION:
        return {**url, **found.settings(institution_id=lender)}
    if caller == NOBODY:
        return {**url, **GUEST_PACE, **found.settings()}
    tenant = "platform" if caller in STAFF else lender if caller == "lender" else CASES[0].tenant
    return {**url, **bearer(platform.users.token(caller, tenant)()), **found.settings()}


@pytest.mark.thorough
@pytest.mark.timeout(1200)
def test_a_running_platform_answers_each_caller_as_described(platform: LocalPlatform) -> None:
    keys = json.loads(platform.estate.keys())
    secrets = {name: one["webhook_secrets"][0] for name, one in keys.items() if one["webhook_secrets"]}
    found = {}
    for caller in CALLERS:
        config = configuration(2, {"stateful": {"max-steps": 5}}, **settings(caller, platform, secrets))
        mine, signer = partial(may, caller), Signer(secrets, lambda: datetime.now(UTC))
        found[caller] = told(explore(platform.api_url, config, mine, signer))
    assert not any(found.values()), "\n\n".join(f"as {caller}: {text}" for caller, text in found.items() if text)
