"""Runs Schemathesis over the served OpenAPI document, and collects what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import Case, CheckContext, Response, engine
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine.events import NonFatalError, ScenarioFinished
from schemathesis.openapi.checks import UseAfterFree

from creditmesh.kernel.caller import Role
from creditmesh.platform.signing import signed_headers
from tests.support.described import undescribed

SEED = 20261121
DOCUMENT = "/v1/openapi.json"
KEPT = ("/versions", "/speed")
"""What of a product stays after it was taken out of the catalogue (docs/reference/api.md)."""
OFF = (
    # Not every rule of a value is one of JSON Schema: check digits, order of days, states of an application.
    "positive_data_acceptance",
    # API Gateway answers a method that no path has by 404, as it does an unknown path.
    "unsupported_method",
)

NOBODY, INSTITUTION = "nobody", "institution"
CALLERS = (NOBODY, INSTITUTION, *(role.value for role in Role))
SHARE = 0.7
"""Of requests that name something that exists."""
REFUSED = ["400", "401", "403", "404", "409", "413", "415", "422"]
TRANSPORT = ("connection", "date", "keep-alive", "server", "transfer-encoding", "x-amz")
"""Headers, by their beginning, that the server and API Gateway (`x-amzn-requestid`) add to every answer."""

Operation = dict[str, Any]


@schemathesis.check
def as_described(ctx: CheckContext, response: Response, case: Case) -> None:
    """Headers and codes of problems too, which Schemathesis has no check for."""
    headers = {name: texts[0] for name, texts in response.headers.items() if not name.startswith(TRANSPORT)}
    method = str(response.request.method)
    lacking = undescribed(method, case.operation.path, response.status_code, headers, response.text)
    assert lacking is None, f"the description lacks {lacking}"


@dataclass(frozen=True)
class Finding:
    """One failed check."""

    operation: str
    title: str
    message: str
    request: str
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.operation}: {self.title}\n{self.message}\n{self.request}\n{self.status}"


def _stays(failure: Failure, path: str) -> bool:
    """Whether it is only that a product's history is still there after the product was taken out of the catalogue."""
    return isinstance(failure, UseAfterFree) and path.endswith(KEPT)


def configuration(examples: int, phases: dict[str, Any], **more: Any) -> SchemathesisConfig:
    """Bounded, with a seed, so that each run is the same.

    Args:
        examples: how many of each kind are tried per operation and phase.
        phases: Schemathesis's settings of its phases.
        more: further settings.
    """
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
            "phases": phases,
            "checks": {
                **{name: {"enabled": False} for name in OFF},
                "negative_data_rejection": {"expected-statuses": REFUSED},
            },
            "continue-on-failure": True,
            **more,
        }
    )


def may(caller: str, label: str, operation: Operation) -> bool:
    """Whether an operation is this caller's."""
    if label.startswith("POST /webhooks/"):
        return caller == INSTITUTION
    return caller in operation["x-roles"] if operation["security"] else caller == NOBODY


@dataclass
class Known:
    """Values of path parameters that lead somewhere."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def settings(self, **always: str) -> dict[str, Any]:
        """Schemathesis's, so that most requests name one of them, and all requests what is in `always`."""
        found = {name: values for name, values in self.values.items() if values}
        parameters = {name: {"dictionary": name, "probability": SHARE} for name in found}
        return {
            "dictionaries": {name: {"values": values} for name, values in found.items()},
            "parameters": {f"path.{name}": value for name, value in {**parameters, **always}.items()},
        }


def bearer(token: str | None) -> dict[str, Any]:
    """Schemathesis's settings for a caller with this token; None for one without."""
    return {"headers": {"Authorization": f"Bearer {token}"}} if token else {}


SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Signer(AuthBase):
    """Signs webhooks as the institution that the path names, unless the secret is unknown or a header left out.

    Args:
        secrets: by institution.
        now: the platform's time.
    """

    def __init__(self, secrets: Mapping[str, str], now: Callable[[], datetime]) -> None:
        self._secrets, self._now, self._numbers = secrets, now, count(1)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        _, _, target = str(request.url).partition("/webhooks/")
        secret = self._secrets.get(target)
        if secret and all(name in request.headers for name in SIGNED):
            body = request.body.encode() if isinstance(request.body, str) else request.body or b""
            seconds = int(self._now().timestamp())
            given = signed_headers(secret, f"msg-{next(self._numbers)}", seconds, body)
            request.headers.update({name: given[name] for name in SIGNED})
        return request


def told(findings: Iterator[Finding]) -> str:
    """The findings as one text, each kind of an operation's once."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.operation, finding.title), finding)
    return "\n\n".join(map(str, first.values()))


def explore(
    url: str, config: SchemathesisConfig, chosen: Callable[[str, Operation], bool], signer: Signer
) -> Iterator[Finding]:
    """Try the chosen operations."""
    schema = schemathesis.openapi.from_url(f"{url}{DOCUMENT}", config=config)
    schema = schema.include(lambda ctx: chosen(ctx.operation.label, dict(ctx.operation.definition.raw)))
    schema.auth.set_from_requests(signer)
    for event in engine.from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            yield Finding(str(event.label), "error", str(event.info), "")
        if isinstance(event, ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                sent, answer = event.recorder.cases[case_id].value, event.recorder.interactions[case_id].response
                status = answer.status_code if answer else None
                for check in checks:
                    if check.failure_info and not _stays(check.failure_info.failure, sent.path):
                        found = check.failure_info.failure
                        curl = sent.as_curl_command()
                        yield Finding(str(found.operation), found.title, found.message, curl, status)
