"""What a look-up in lists of a million entries costs, and what importing them does.

Starts an instance of its own (own state, own ports), imports a made-up third party's file through the API and the
process, then looks subjects up in this process, as a function does, against the embedded cloud's tables and buckets.
Writes build/bench/lists.json; ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.bench_gateway import _become_a_function
from benchmarks.list_data import Line, Maker, lines
from benchmarks.measures import judged, quantiles
from run.display import Display, console
from run.places import ROOT, Ports
from run.platform import LocalPlatform

FIRST_PORT = 4840
SOURCE = "third-party"
KNOWN_SECONDS = 3600.0
"""What a process knows counts as new: look-ups ask nobody."""
THRESHOLDS = (8_500, 9_000, 9_500, 9_800)
TARGETS = {
    **{
        f"{case}_p99_ms": (("lookups", case, "own_cpu_ms", "p99"), 5.0)
        for case in ("request", "name_unknown", "name_misspelt", "taxpayer_id_listed", "taxpayer_id_unknown")
    },
    "queries_each": (("lookups", "request", "queries_each"), 1.0),
}
"""Own work is processor time: on a busy machine the wall's clock tells of others; both are in the result.
What the one query takes is DynamoDB's."""


def imported(platform: LocalPlatform, count: int) -> dict[str, Any]:
    """Import the list; what it took."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["kind", "value", "reason_code", "text"])
    writer.writerows((*one, "listed", f"case {number}") for number, one in enumerate(lines(count)))
    body, key = text.getvalue().encode(), "lists/incoming/bench/list.csv"
    platform.aws("s3").put_object(Bucket=platform.outputs["DataBucket"], Key=key, Body=body)
    officer = platform.api("risk_officer", "platform")
    asked = {"source": SOURCE, "format": "csv", "list_name": "black", "object_key": key}
    began = time.monotonic()
    one = officer.call("POST", "/v1/lists/imports", asked)
    read_after = None
    while one["state"] in ("reading", "read"):
        time.sleep(0.5)
        one = officer.call("GET", f"/v1/lists/imports/{one['import_id']}")
        if one["state"] != "reading" and read_after is None:
            read_after = time.monotonic() - began
    seconds = time.monotonic() - began
    if one["state"] != "published":
        raise SystemExit(f"the import ended {one['state']}: {one['problem']}")
    return {
        "lines": count, "file_mb": round(len(body) / 1e6, 1), "accepted": one["accepted"], "rejected": one["rejected"],
        "entries": one["entries"], "read_s": round(read_after or seconds, 1), "seconds": round(seconds, 1),
        "lines_per_s": round(count / seconds),
    }  # fmt: skip


def loaded() -> dict[str, Any]:
    """A fresh process's first look-up: the journal, and the index from S3."""
    from creditmesh.platform import bootstrap
    from creditmesh.screening import bootstrap as screening

    bootstrap.platform().blind_index, screening.list_keeper()
    began = time.perf_counter()
    found = screening.lists().screen([])
    seconds = time.perf_counter() - began
    data = bootstrap.platform().data
    (index,) = data.keys(f"lists/generations/{found.imports[SOURCE]}/index-")
    size = data.stat(index)[0]
    return {"first_lookup_s": round(seconds, 2), "index_mb": round(size / 1e6, 1)}


def lookups(count: int, entries: int) -> dict[str, Any]:
    """Look-ups by what is asked: milliseconds with nobody asked, and with the one query for what is new."""
    listed = list(itertools.islice(lines(entries), 0, entries, max(entries // (count * 4), 1)))
    names = [one for one in listed if one.kind == "name"]
    numbers = [one for one in listed if one.kind == "taxpayer_id"]
    others = [one for one in listed if one.kind not in ("name", "taxpayer_id")]
    maker = Maker(2)
    cases: dict[str, Callable[[int], Sequence[Line]]] = {
        "taxpayer_id_listed": lambda number: [numbers[number % len(numbers)]],
        "taxpayer_id_unknown": lambda _: [Line("taxpayer_id", maker.number("taxpayer_id"))],
        "other_kinds_listed": lambda number: [others[number % len(others)]],
        "name_listed": lambda number: [names[number % len(names)]],
        "name_misspelt": lambda number: [Line("name", maker.misspelt(names[number % len(names)].value))],
        "name_unknown": lambda _: [Line("name", maker.name())],
        "request": lambda _: _request(maker),
    }
    return {name: _measured(case, count) for name, case in cases.items()}


def _request(maker: Maker) -> list[Line]:
    """What a collection looks up: number, name, the registry's name and address."""
    return [Line("taxpayer_id", maker.number("taxpayer_id")), Line("name", maker.name()), Line("name", maker.name()),
            Line("address", maker.number("address"))]  # fmt: skip


def _measured(case: Callable[[int], Sequence[Line]], count: int) -> dict[str, Any]:
    from creditmesh.platform import bootstrap
    from creditmesh.screening import bootstrap as screening
    from creditmesh.screening.model import Kind, Subject

    lists, asked = screening.lists(), 0

    def subjects(number: int) -> list[Subject]:
        return [Subject(kind=Kind(one.kind), value=one.value) for one in case(number)]

    def count_call(**_: Any) -> None:
        nonlocal asked
        asked += 1

    own, cpu, with_query, scores, incomplete = [], [], [], [], 0
    for number in range(count):
        given = subjects(number)
        began, began_cpu = time.perf_counter(), time.thread_time()
        found = lists.screen(given, max_age_seconds=KNOWN_SECONDS)
        cpu.append((time.thread_time() - began_cpu) * 1000)
        own.append((time.perf_counter() - began) * 1000)
        scores.append(max((hit.score_bps for hit in found.hits), default=0))
        incomplete += bool(found.incomplete)
    events = bootstrap.platform().client("dynamodb").meta.events
    events.register("before-send.dynamodb", count_call)
    for number in range(count):
        given = subjects(number)
        began = time.perf_counter()
        lists.screen(given)
        with_query.append((time.perf_counter() - began) * 1000)
    events.unregister("before-send.dynamodb", count_call)
    return {
        "own_ms": quantiles(own),
        "own_cpu_ms": quantiles(cpu),
        "with_query_ms": quantiles(with_query),
        "queries_each": asked / count,
        "share_with_score": {str(least): round(sum(one >= least for one in scores) / count, 4) for least in THRESHOLDS},
        "incomplete": incomplete,
    }


def round_trip(count: int) -> dict[str, Any]:
    """The query for what is new alone, and the least that any DynamoDB call costs here."""
    from creditmesh.platform import bootstrap
    from creditmesh.platform.paging import Window
    from creditmesh.platform.settings import settings
    from creditmesh.screening import bootstrap as screening

    table = settings().list_imports_table
    journal, last = screening.list_journal(), screening.list_journal().newest(Window(1)).items[0]["number"]

    def taken(act: Callable[[], object]) -> Iterator[float]:
        for _ in range(count):
            began = time.perf_counter()
            act()
            yield (time.perf_counter() - began) * 1000

    return {
        "journal_query_ms": quantiles(list(taken(lambda: list(journal.after(last))))),
        "get_item_ms": quantiles(list(taken(lambda: bootstrap.platform().tables.get(table, {"import_id": "x"})))),
    }


def main() -> int:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--entries", type=int, default=1_000_000)
    arguments.add_argument("--lookups", type=int, default=3_000)
    options = arguments.parse_args()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {}
    with Display(console(to_stderr=True)) as display:
        platform = LocalPlatform(folder / "lists", Ports(FIRST_PORT), steps=display, population=100)
        platform.start()
        try:
            result["import"] = imported(platform, options.entries)
            _become_a_function(platform)
            result["load"] = loaded()
            result["lookups"] = lookups(options.lookups, options.entries)
            result["embedded_cloud"] = round_trip(min(options.lookups, 1_000))
        finally:
            platform.stop()
    result["targets"] = judged(result, TARGETS)
    text = json.dumps(result, indent=1)
    (folder / "lists.json").write_text(text + "\n", "utf-8")
    print(text)
    return 0 if all(one["met"] for one in result["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
