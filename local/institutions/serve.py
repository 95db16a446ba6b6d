"""Run one institution: ``python -m institutions.serve --config build/institutions.json --id tax-bureau``."""

from __future__ import annotations

import argparse
import logging

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from institutions.config import Config, load
from institutions.faults import FaultMiddleware, Faults, fault_routes


def build(name: str, config: Config) -> Starlette:
    """The institution's application.

    Raises:
        KeyError: the configuration has no such institution.
        ValueError: its kind is unknown.
    """
    kind = config.institutions[name].kind
    faults = Faults()
    # Each process loads its own kind only, to stay small.
    if kind == "tax":
        from institutions.tax import TaxBureau

        routes, lifespan = TaxBureau(name, config).routes(), None
    elif kind == "registry":
        from institutions.registry import CompanyRegistry

        routes, lifespan = CompanyRegistry(name, config).routes(), None
    elif kind == "lender":
        from institutions.lender import Lender

        lender = Lender(name, config, faults)
        routes, lifespan = lender.routes(), lender.lifespan
    else:
        raise ValueError(f"unknown kind of institution: {kind}")
    return Starlette(
        routes=[*routes, *fault_routes(faults)],
        middleware=[Middleware(FaultMiddleware, faults=faults)],
        lifespan=lifespan,
    )


def main() -> None:
    """Serve on 127.0.0.1 until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the shared configuration file")
    parser.add_argument("--id", required=True, help="which institution to be")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {arguments.id} %(levelname)s %(message)s")
    config = load(arguments.config)
    uvicorn.run(
        build(arguments.id, config),
        host="127.0.0.1",
        port=config.institutions[arguments.id].port,
        access_log=False,
        log_level="warning",
        loop="asyncio",
        http="h11",
        server_header=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
