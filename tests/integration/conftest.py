"""One running platform for all integration tests: started as `make run` starts it, or one that runs elsewhere.

``CREDITMESH_API_URL`` names a platform that runs already, on LocalStack or AWS; then ``CREDITMESH_USER_POOL_ID``,
``CREDITMESH_STAFF_POOL_ID`` and their clients' (``…_POOL_CLIENT_ID``) tell the rest, and `localstack-client` or the
AWS SDK's own settings find the services: ``CREDITMESH_TARGET=localstack|aws``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import localstack_client.session
import pytest

from client import Api, Borrower, Bureau
from client.borrower import Code
from run import cases, many
from run.cases import Case
from run.platform import LocalPlatform
from run.users import Pool, Users

FIRST_PORT = int(os.environ.get("CREDITMESH_TEST_PORT", "4640"))
MINUTE_SECONDS = "10"
"""Of the embedded cloud's rates: what a kill has stopped waits for the next sweep, and the tests with it."""


@dataclass(frozen=True)
class Target:
    """A platform under test."""

    anybody: Api
    """The API without a token."""
    api: Callable[[str, str], Api]
    """Gives the API as a user of a role in a tenant."""
    bureau: Bureau
    local: LocalPlatform | None
    """The instance, where these tests started it; None where it runs elsewhere."""

    def borrower(self, case: Case, first_code: Code | None = None) -> Borrower:
        """A borrower who plays a case."""
        api = self.api("borrower", case.tenant)
        return Borrower(api, self.bureau, case.request(), password=case.password, first_code=first_code)


def _elsewhere(url: str, keys: Path) -> Target:
    sessions: Any = localstack_client.session if os.environ.get("CREDITMESH_TARGET") == "localstack" else boto3
    members, staff = (
        Pool(os.environ[f"CREDITMESH_{kind}_POOL_ID"], os.environ[f"CREDITMESH_{kind}_POOL_CLIENT_ID"])
        for kind in ("USER", "STAFF")
    )
    session = sessions.Session(region_name=os.environ.get("AWS_DEFAULT_REGION", "eu-west-1"))
    users = Users(session.client("cognito-idp"), members, staff, keys)
    anybody = Api(url)
    return Target(anybody, lambda role, tenant: anybody.as_caller(users.token(role, tenant)), Bureau(), None)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The platform under test."""
    folder = tmp_path_factory.mktemp("platform")
    if url := os.environ.get("CREDITMESH_API_URL"):
        yield _elsewhere(url, folder / "users.key")
        return
    platform = many.platform(folder, FIRST_PORT)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CREDITMESH_MINUTE_SECONDS", MINUTE_SECONDS)
        platform.start()
    try:
        yield Target(Api(platform.api_url), platform.api, platform.bureau, platform)
    finally:
        platform.stop()


@pytest.fixture(scope="session")
def local(target: Target) -> LocalPlatform:
    """The instance these tests started; tests that need its processes are skipped where there is none."""
    if target.local is None:
        pytest.skip("needs the processes of a platform on this machine")
    return target.local


@pytest.fixture(scope="session")
def personas() -> dict[str, Case]:
    """The personas of the examples."""
    return {case.persona: case for case in cases.read() if case.persona != "ordinary"}
