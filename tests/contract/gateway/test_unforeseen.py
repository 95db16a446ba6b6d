"""An institution that nobody foresaw, of a kind nobody knows: one document, and no line of code (G02)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from creditmesh.gateway.channels.document import Channel
from creditmesh.kernel.errors import InvalidInput

from .conftest import World

DOCUMENT = """
channel_id: water-works
kind: utility_bills
title: Water works, bills of a firm
institution: water-works
base_url: {url}
transport: {{type: rest, method: GET, path: "/v2/customers/{{{{taxpayer_id}}}}/bills", query: {{months: "12"}}}}
authentication: {{type: api_key, header: authorization, prefix: "Key "}}
cost: {{amount: "0.10"}}
response:
  schema: {{type: object, required: [bills], properties: {{bills: {{type: array, maxItems: 100}}}}}}
  refusals: [{{status: 404, outcome: no_data}}]
structure:
  rule: "{{paid: length(bills[?paid]), unpaid: length(bills[?!paid]), cubic_metres: sum(bills[].m3)}}"
  complete: ["to_string(paid)"]
cache_seconds: 60
"""


@contextmanager
def water_works() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """A real server; what it was asked."""
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            bills = [{"paid": True, "m3": 4}, {"paid": True, "m3": 5}, {"paid": False, "m3": 6}]
            known = "91990000600000001X" in self.path
            body = json.dumps({"bills": bills} if known else {"error": "unknown"}).encode()
            self.send_response(200 if known else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_one_document_and_no_line_of_code(world: World) -> None:
    from creditmesh.platform.institutions import Keys

    world.engine.book.keys["water-works"] = Keys(api_key="water-key-0001")
    world.known |= {"water-key-0001", "91990000600000001X"}
    with water_works() as (url, asked):
        written = Channel.model_validate(yaml.safe_load(DOCUMENT.format(url=url)))
        with pytest.raises(InvalidInput, match="allow-listed"):
            world.engine.catalogue.put(written, "operator-1", 0)
        world.engine.origins.append(url)
        world.engine.catalogue.put(written, "operator-1", 0)
        channel = world.engine.catalogue.channel("water-works").channel
        result = world.engine.collect(channel)
        assert (result.outcome, result.kind) == ("complete", "utility_bills")
        assert world.engine.third(result) == {"paid": 2, "unpaid": 1, "cubic_metres": 15}
        assert world.engine.collect(channel, "91990000600000002A").outcome == "no_data"
        assert world.engine.collect(channel).cached
    (path, key), *_ = asked
    assert (urlsplit(path).path, key) == ("/v2/customers/91990000600000001X/bills", "Key water-key-0001")
    assert parse_qs(urlsplit(path).query) == {"months": ["12"]}
    assert len(asked) == 2
    assert world.engine.health_of(channel).cost == "0.10"
