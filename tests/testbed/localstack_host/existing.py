"""A LocalStack that runs already, usually the real image from compose.yaml; nothing is substituted there.

Functions run in containers, so the institutions of this machine must be reachable from there
(docs/how-to/localstack.md):
``CREDITMESH_HOST_FROM_LAMBDA`` is this machine's name inside a container, ``CREDITMESH_RELAY_ADDRESS`` an address of
the container network on which the institutions' ports are relayed to 127.0.0.1.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cloud.supervisor import require_free_port
from localstack_host.config import PYTHONPATH
from run import spark, stack
from run.errors import RunError
from run.many import POPULATION
from run.places import INSTITUTIONS, Ports
from run.platform import LocalPlatform
from run.users import Pool, Users

_ROLES = ("borrower", "manager", "lender", "bank", "risk_officer", "operator", "auditor")
_STACK = "creditmesh-localstack"


def endpoint_from(environment: Mapping[str, str]) -> str:
    """Where a LocalStack is expected: ``AWS_ENDPOINT_URL``, or ``LOCALSTACK_HOST`` as ``host[:port]``."""
    if environment.get("AWS_ENDPOINT_URL"):
        return environment["AWS_ENDPOINT_URL"].rstrip("/")
    host, _, port = environment.get("LOCALSTACK_HOST", "localhost:4566").partition(":")
    return f"http://{host}:{port or 4566}"


def identity(endpoint: str, timeout: float = 2.0) -> str | None:
    """What LocalStack says it is, or None if no LocalStack answers there."""
    document = _document(f"{endpoint}/_localstack/health", timeout)
    if "version" not in document or _document(f"{endpoint}/_ministack/health", timeout):
        return None  # MiniStack answers under LocalStack's path too
    return f"LocalStack {document['version']} (edition {document.get('edition', 'unknown')})"


def _document(url: str, timeout: float) -> dict[str, Any]:
    """The JSON object at a URL; empty where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            found = json.loads(answer.read())
    except (urllib.error.URLError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def issuer_of(token: str) -> str:
    """The ``iss`` claim of a JWT whose signature nobody checks here."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["iss"])


class ExistingLocalStack(LocalPlatform):
    """Stack, institutions and users on a LocalStack that somebody else started, and that stays when this ends."""

    def __init__(self, state_dir: Path, endpoint: str, ports: Ports | None = None) -> None:
        super().__init__(
            state_dir, ports or Ports(int(os.environ.get("CREDITMESH_TEST_PORT", "4700"))), population=POPULATION
        )
        self._endpoint = endpoint
        self._host = os.environ.get("CREDITMESH_HOST_FROM_LAMBDA", "host.docker.internal")
        self._relay = os.environ.get("CREDITMESH_RELAY_ADDRESS")

    @property
    def endpoint(self) -> str:
        """Where AWS clients of this machine reach LocalStack."""
        return self._endpoint

    def _start(self) -> None:
        for port in range(self.ports.institutions, self.ports.institutions + INSTITUTIONS):
            require_free_port(port, "An institution")
        self._pool = pool = ThreadPoolExecutor(16, thread_name_prefix="platform")
        with self._step("users' pool"):
            pool_id, client_id, issuer = self._make_pool()
        with self._step("stack"):
            self.outputs = self._deploy(self._parameters(pool_id, client_id, issuer))
            self.outputs |= {f"{kind}PoolId": pool_id for kind in ("User", "Staff")}
            self.outputs |= {f"{kind}PoolClientId": client_id for kind in ("User", "Staff")}
            secret = self.outputs["InstitutionsSecret"]
            self.aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=self.estate.keys())
        if self._relay:
            self._start_relay(self._relay)
        self._open_for_business(pool)
        with self._step("Spark") as note:
            note.append(self._ask_for_spark())

    def _make_pool(self) -> tuple[str, str, str]:
        """A Cognito pool beside the stack; who issues its tokens is read from one, since LocalStack's names vary."""
        cognito = self.aws("cognito-idp")
        attribute = {"Name": "tenant", "AttributeDataType": "String", "Mutable": True}
        made = cognito.create_user_pool(
            PoolName=_STACK, Schema=[attribute], AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}
        )
        pool_id = made["UserPool"]["Id"]
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName=_STACK, ExplicitAuthFlows=flows)
        client_id = client["UserPoolClient"]["ClientId"]
        for role in _ROLES:
            cognito.create_group(UserPoolId=pool_id, GroupName=role)
        pool = Pool(pool_id, client_id)
        users = Users(cognito, pool, pool, self.places.user_key)
        return pool_id, client_id, issuer_of(users.token("auditor", "platform")())

    def _parameters(self, pool_id: str, client_id: str, issuer: str) -> dict[str, str]:
        inside = self._inside(self.endpoint.replace("localhost", "127.0.0.1"))
        values = stack.parameters(self.endpoint, self.ports.guest, stack.LENDER_SECONDS)
        del values["JwksUrlPrefix"]
        keys = f"{inside}/{pool_id}/.well-known/jwks.json"
        return {**values, "OidcIssuer": issuer, "OidcAudience": client_id, "OidcJwksUrl": keys}

    def _inside(self, text: str) -> str:
        """Addresses of this machine as functions in containers reach them."""
        return text.replace("http://127.0.0.1:", f"http://{self._host}:")

    def _deploy(self, values: Mapping[str, str]) -> dict[str, str]:
        """Built for the containers' platform unless functions run on this machine."""
        institutions, folder = self._inside(self.estate.addresses()), self.places.state_dir
        on_aws = self._host != "127.0.0.1"
        return stack.deploy(self.endpoint, values, institutions, folder, name=_STACK, on_aws=on_aws)

    def _start_relay(self, address: str) -> None:
        ports = [str(self.ports.institutions + offset) for offset in range(INSTITUTIONS)]
        command = [sys.executable, "-m", "localstack_host.relay", "--address", address, "--ports", *ports]
        self.supervisor.start("relay", command, {"PYTHONPATH": PYTHONPATH})

    def _ask_for_spark(self) -> str:
        try:
            return f"job run {spark.ensure(self.aws('lambda'), self.outputs['EnsureScoringJobFunction'])}"
        except RunError as problem:
            return f"not to be had here, so the plain evaluator scores: {problem}"
