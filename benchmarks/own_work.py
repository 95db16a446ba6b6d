"""The gateway's own work on a call: fields, request, signature, reading, structure; without network and storage."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measures import quantiles
from creditmesh.gateway import bootstrap as gateway
from creditmesh.gateway.channels import fields as request_fields
from creditmesh.gateway.channels.authentication import Authenticator
from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.exchange import Exchanger
from creditmesh.gateway.channels.source import Source
from creditmesh.platform import bootstrap
from creditmesh.platform.http import Answer, HttpClient


class TimedHttp(HttpClient):
    """A client that knows how long it waited."""

    waited = 0.0

    def call(self, *arguments: Any, **named: Any) -> Answer:
        """As `HttpClient.call`."""
        began = time.perf_counter()
        try:
            return super().call(*arguments, **named)
        finally:
            self.waited += time.perf_counter() - began


def own_work(asked: Sequence[tuple[Channel, Mapping[str, Any]]]) -> dict[str, Any]:
    """Milliseconds of own work per call and channel.

    Args:
        asked: channels with the values of a request each; every source is really asked.
    """
    http = TimedHttp()
    exchanger = Exchanger(http, Authenticator(http, bootstrap.platform().clock))
    files = BatchFiles(bootstrap.platform().data, bootstrap.platform().clock)
    source = Source(bootstrap.platform().directory, exchanger, files, list)
    answers, taken = gateway.answers(), defaultdict(list)
    for channel, values in asked:
        http.waited = 0.0
        began = time.perf_counter()
        request_fields.complete(channel, values, lambda _record, _key: None)
        came = source.ask(channel, values)
        answers.read(channel, came)
        taken[channel.channel_id].append((time.perf_counter() - began - http.waited) * 1000)
    medians = {name: round(statistics.median(values), 3) for name, values in taken.items()}
    return {
        "median_ms": medians,
        "all_ms": quantiles([value for values in taken.values() for value in values], 3),
        "slowest_median_ms": max(medians.values()),
    }
