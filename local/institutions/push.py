"""Pushes lenders' products to the platform."""

from __future__ import annotations

import argparse
import json
import os
import time

import urllib3

from institutions.catalogue import products_of
from institutions.config import Config, load

ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.5


class PushFailed(Exception):
    """The platform refused a product; names it and the status."""


def push_catalogue(api_url: str, token: str, lender_id: str, config: Config) -> list[str]:
    """Write every product of a lender to the platform's catalogue; idempotent.

    Args:
        api_url: The platform's API, without ``/v1``.
        token: A bearer token of role ``lender`` and the lender's tenant.
        lender_id: One of the configuration's lenders.
        config: The institutions' configuration.

    Returns:
        The ids of the products.

    Raises:
        KeyError: the configuration has no such lender.
        PushFailed: a product was refused, or the platform could not be reached in six attempts.
    """
    if config.institutions[lender_id].kind != "lender":
        raise KeyError(lender_id)
    http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5.0, read=30.0))
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    pushed = []
    for product in products_of(lender_id):
        url = f"{api_url.rstrip('/')}/v1/products/{product.product_id}"
        _put(http, url, json.dumps(product.terms()).encode(), headers)
        pushed.append(product.product_id)
    return pushed


def _put(http: urllib3.PoolManager, url: str, body: bytes, headers: dict[str, str]) -> None:
    status: int | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
        try:
            status = http.request("PUT", url, body=body, headers=headers).status
        except urllib3.exceptions.HTTPError:
            continue
        if 200 <= status < 300:
            return
        if status < 500 and status != 429:
            break
    raise PushFailed(f"{url}: {status if status is not None else 'no answer'}")


def main() -> None:
    """Push one lender's catalogue; the token comes from the environment, so that process lists do not show it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--id", required=True, help="the lender's institution id")
    parser.add_argument("--api-url", required=True)
    arguments = parser.parse_args()
    token = os.environ["CREDITMESH_TOKEN"]
    print("\n".join(push_catalogue(arguments.api_url, token, arguments.id, load(arguments.config))))


if __name__ == "__main__":
    main()
