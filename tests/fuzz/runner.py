"""Runs Schemathesis over the served OpenAPI document, and collects what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response, engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import NonFatalError, ScenarioFinished

from tests.support.described import undescribed

SEED = 20261121
DOCUMENT = "/v1/openapi.json"
OFF = (
    # Not every rule of a value is one of JSON Schema: check digits, order of days, states of an application.
    "positive_data_acceptance",
    # API Gateway answers a method that no path has by 404, as it does an unknown path.
    "unsupported_method",
)

REFUSED = ["400", "401", "403", "404", "409", "413", "415", "422"]
TRANSPORT = {"connection", "date", "keep-alive", "server", "transfer-encoding"}

Operation = dict[str, Any]


@schemathesis.check
def as_described(ctx: CheckContext, response: Response, case: Case) -> None:
    """Headers and codes of problems too, which Schemathesis has no check for."""
    headers = {name: texts[0] for name, texts in response.headers.items() if name not in TRANSPORT}
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

    def __str__(self) -> str:
        return f"{self.operation}: {self.title}\n{self.message}\n{self.request}"


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


def told(findings: Iterator[Finding]) -> str:
    """The findings as one text, each kind of an operation's once."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.operation, finding.title), finding)
    return "\n\n".join(map(str, first.values()))


def explore(url: str, config: SchemathesisConfig, chosen: Callable[[str, Operation], bool]) -> Iterator[Finding]:
    """Try the chosen operations."""
    schema = schemathesis.openapi.from_url(f"{url}{DOCUMENT}", config=config)
    schema = schema.include(lambda ctx: chosen(ctx.operation.label, dict(ctx.operation.definition.raw)))
    for event in engine.from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            yield Finding(str(event.label), "error", str(event.info), "")
        if isinstance(event, ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                sent = event.recorder.cases[case_id].value
                for check in checks:
                    if check.failure_info:
                        found = check.failure_info.failure
                        yield Finding(str(found.operation), found.title, found.message, sent.as_curl_command())
