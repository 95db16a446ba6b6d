"""The running platform as other programs on this machine find it: addresses, pools of users, lenders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.config import Config

from run import stack
from run.errors import RunError
from run.places import Places, write_private
from run.users import Pool, Users

_AWS = Config(
    connect_timeout=5, read_timeout=90, max_pool_connections=40, retries={"mode": "standard", "max_attempts": 3}
)


@dataclass(frozen=True)
class Running:
    """What a running platform tells of itself."""

    endpoint: str
    pools: Mapping[str, str]
    """The stack's outputs that name pools and their clients."""
    lenders: list[str]

    @classmethod
    def of(cls, endpoint: str, outputs: Mapping[str, str], lenders: list[str]) -> Running:
        return cls(endpoint, {name: one for name, one in outputs.items() if "Pool" in name}, lenders)

    @classmethod
    def found(cls, places: Places) -> Running:
        """The platform that runs from these places.

        Raises:
            RunError: none does.
        """
        if not places.is_locked() or not places.running.exists():
            raise RunError(f"No platform is ready in {places.state_dir}; start it with `make run`.")
        return cls(**json.loads(places.running.read_text()))

    def tell(self, places: Places) -> None:
        write_private(places.running, json.dumps(asdict(self)))

    def users(self, places: Places) -> Users:
        members, staff = (
            Pool(self.pools[f"{kind}PoolId"], self.pools[f"{kind}PoolClientId"]) for kind in ("User", "Staff")
        )
        return Users(aws_client(self.endpoint, "cognito-idp"), members, staff, places.user_key)


def aws_client(endpoint: str, service: str) -> Any:
    """A client of the embedded cloud."""
    return boto3.client(  # type: ignore[call-overload]
        service, endpoint_url=endpoint, region_name=stack.REGION, config=_AWS,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
