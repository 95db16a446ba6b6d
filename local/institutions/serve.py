"""Run institutions: ``python -m institutions.serve --config build/institutions.json --id tax-bureau [--id …]``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from institutions.config import Config, load
from institutions.faults import Faults
from institutions.middleware import CallCounter, FaultMiddleware
from institutions.testing_routes import testing_routes


def build(name: str, config: Config) -> Starlette:
    """The institution's ASGI application.

    Raises:
        KeyError: not in the configuration.
        ValueError: unknown kind.
    """
    settings = config.institutions[name]
    faults, calls = Faults(), Counter[str]()
    routes, lifespan = _institution(name, settings.kind, config, faults)
    return Starlette(
        routes=[*routes, *testing_routes(faults, calls)],
        middleware=[
            Middleware(CallCounter, calls=calls, latency_ms=settings.latency_ms),
            Middleware(FaultMiddleware, faults=faults),
        ],
        lifespan=lifespan,
    )


def _institution(name: str, kind: str, config: Config, faults: Faults) -> tuple[list[Route], Any]:
    """Routes and background task; each process imports its own kinds only, to stay small."""
    if kind == "tax":
        from institutions.tax import TaxBureau

        return TaxBureau(name, config).routes(), None
    if kind == "registry":
        from institutions.registry import CompanyRegistry

        return CompanyRegistry(name, config).routes(), None
    if kind == "lender":
        from institutions.lender import Lender

        lender = Lender(name, config, faults)
        return lender.routes(), lender.lifespan
    if kind == "judicial":
        from institutions.court import CourtRegister

        return CourtRegister(name, config).routes(), None
    if kind == "credit_bureau":
        from institutions.credit import CreditBureau

        bureau = CreditBureau(name, config, faults)
        return bureau.routes(), bureau.lifespan
    if kind == "shop":
        from institutions.market import MarketSquare

        return MarketSquare(name, config).routes(), None
    if kind == "education":
        from institutions.education import EducationRegister

        return EducationRegister(name, config).routes(), None
    if kind == "anti_fraud":
        from institutions.fraud import FraudShield

        return FraudShield(name, config).routes(), None
    if kind == "source":
        from institutions.mirror import RegistryMirror

        return RegistryMirror(name, config).routes(), None
    raise ValueError(f"unknown kind of institution: {kind}")


class _Server(uvicorn.Server):
    """One of several servers of a process, which handles signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


async def serve(names: Sequence[str], config: Config) -> None:
    """Serve all on their ports until stopped, or until one of them ends."""
    servers = [_Server(_server_settings(name, config)) for name in names]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.gather(*tasks)


def _server_settings(name: str, config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        build(name, config),
        host="127.0.0.1",
        port=config.institutions[name].port,
        access_log=False,
        log_level="warning",
        http="h11",
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the shared configuration file")
    parser.add_argument("--id", required=True, action="append", help="which institution to be; may be given again")
    arguments = parser.parse_args()
    names = list(dict.fromkeys(arguments.id))
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {','.join(names)} %(levelname)s %(message)s")
    asyncio.run(serve(names, load(arguments.config)))


if __name__ == "__main__":
    main()
