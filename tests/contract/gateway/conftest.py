"""The engine with its shipped documents against real institutions; whatever is printed or logged is searched."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.results import CallResult
from creditmesh.kernel.clock import SystemClock
from creditmesh.platform.http import HttpClient
from creditmesh.platform.institutions import Keys
from creditmesh.platform.observability import logger
from institutions.config import Config, default_document, parse
from institutions.education_figures import verification_code
from institutions.grant import obtain_code
from institutions.population import Firm, Population
from institutions.registry_figures import legal_representative
from institutions.shop_figures import shop_data
from tests.contract.gateway.servers import Hooks, hooks, institutions
from tests.support import aws
from tests.support.template import ROOT
from tests.unit.gateway.channels.engine import Engine

AS_OF = date(2026, 11, 21)
SOURCES = [
    "tax-bureau", "company-registry", "court-register", "credit-bureau", "market-square", "education-register",
    "fraud-shield", "registry-mirror",
]  # fmt: skip
HTTP = httpx.Client(verify=False, trust_env=False)
"""All is plain HTTP here: reading the authorities' certificates for each call would cost more than the call."""
SCOPES = ("tax", "credit_bureau", "shop", "education", "anti_fraud")


def shipped(name: str, **changes: Any) -> Channel:
    """A shipped channel, parts of it changed; a changed part is merged into what it was."""
    document = yaml.safe_load((ROOT / "channels" / f"{name}.yaml").read_text("utf-8"))
    for part, value in changes.items():
        old = document.get(part)
        document[part] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return Channel.model_validate(document)


@dataclass
class World:
    """The engine, the institutions, and firms of which each is used once."""

    engine: Engine
    config: Config
    urls: dict[str, str]
    hooks: Hooks
    known: set[str] = field(default_factory=set)
    """What must not be told to anybody: keys, codes, ids, names."""

    def firm(self) -> Firm:
        """A firm that no test has used, with a shop, and all its consents."""
        population = Population(self.config.seed)
        return self.consenting(
            next(firm for firm in (population.firm(n, AS_OF) for n in _FIRMS) if shop_data(firm, AS_OF))
        )

    def consenting(self, firm: Firm) -> Firm:
        """Store all consents of a firm."""
        for scope in SCOPES:
            self.engine.consents.grant(firm.taxpayer_id, scope, verification_code=verification_code(firm.taxpayer_id))
        code = obtain_code(self.urls["tax-bureau"], firm.taxpayer_id).code
        self.engine.consents.grant(firm.taxpayer_id, "tax", code=code)
        self.engine.records["firm-profiles", firm.taxpayer_id] = {"legal_representative": legal_representative(firm)}
        self.known |= {
            firm.taxpayer_id,
            firm.name,
            legal_representative(firm),
            code,
            verification_code(firm.taxpayer_id),
        }
        return firm

    def collect(self, channel: Channel, firm: Firm, by: str = "app-1") -> CallResult:
        return self.engine.collect(channel, firm.taxpayer_id, by=by)

    def fault(self, name: str, kind: str, **more: Any) -> None:
        """Order a fault."""
        assert HTTP.post(f"{self.urls[name]}/_faults", json={"kind": kind, **more}).status_code == 201

    def calls(self, name: str) -> int:
        """How many calls reached an institution."""
        return int(HTTP.get(f"{self.urls[name]}/_calls").json()["count"])

    def charges(self, name: str, firm: Firm) -> int:
        """How often an institution charged for a firm."""
        ledger = HTTP.get(f"{self.urls[name]}/_ledger").json()["charges"]
        return sum(charge["taxpayer_id"] == firm.taxpayer_id for charge in ledger)


_FIRMS = itertools.count(8)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Config, dict[str, str], Hooks]]:
    """The institutions, once per file; the credit bureau's callbacks are kept: tests deliver them."""
    folder: Path = tmp_path_factory.mktemp("institutions")
    with hooks() as taken:
        document = default_document(callback_url=taken.url, state_dir=str(folder), as_of=AS_OF.isoformat())
        document["institutions"]["credit-bureau"]["delay_ms"] = 0
        config = parse(document)
        with institutions(SOURCES, config) as urls:
            yield config, urls, taken


@pytest.fixture
def world(running: tuple[Config, dict[str, str], Hooks], aws_stack: aws.Stack) -> World:
    config, urls, taken = running
    aws_stack.empty()
    for url in urls.values():
        HTTP.delete(f"{url}/_faults")
        HTTP.delete(f"{url}/_calls")
    engine = Engine(aws_stack, SystemClock(), HttpClient())
    world = World(engine, config, urls, taken)
    engine.book.addresses.update(urls)
    for name in SOURCES:
        settings = config.institutions[name]
        secrets = {"signing_secret": settings.signing_secret, "client_secret": settings.client_secret}
        engine.book.keys[name] = Keys(
            api_key=settings.api_key, client_id=settings.client_id, secrets=secrets,
            webhook_secrets=settings.webhook_secret.split(),
        )  # fmt: skip
        world.known |= {settings.api_key, settings.webhook_secret, *secrets.values()} - {""}
    return world


@pytest.fixture(autouse=True)
def nothing_told(world: World, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test has printed or logged, at the level a function logs at, names no secret and nobody."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setLevel(logging.INFO)
    handler.setFormatter(logger.registered_formatter)
    everything = logging.getLogger()
    level = everything.level
    everything.setLevel(logging.INFO)
    everything.addHandler(handler)
    yield
    everything.removeHandler(handler)
    everything.setLevel(level)
    captured = capfd.readouterr()
    told = written.getvalue() + captured.out + captured.err
    tokens = {token for token, _ in _tokens(world)}
    assert not [secret for secret in world.known | tokens if secret in told]


def _tokens(world: World) -> list[tuple[str, float]]:
    exchanger = world.engine.source._exchanger
    return list(exchanger._authenticator._tokens.values())
