"""What one application asked of AWS, counted as AWS bills it, from the records of the embedded cloud. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.units import Table, item_size, read_units, search_units

Record = Mapping[str, Any]
RESIDENT = "ResidentJob"
API_PATH = "/_user_request_/"
_ONE_BY_ONE = ("GetItem", "BatchGetItem", "TransactGetItems")
_SEARCHES = ("Query", "Scan")
_STORING = ("PUT", "POST", "LIST")
"""Requests to S3 of the dearer class; a GET of the bucket itself lists it."""


@dataclass
class Usage:
    """Counts of everything that is billed by use."""

    calls: Counter[str] = field(default_factory=Counter)
    """What functions ask of AWS, by service and operation."""
    transitions: int = 0
    write_units: float = 0
    read_units: float = 0
    puts: int = 0
    gets: int = 0
    invocations: int = 0
    gb_seconds: float = 0
    api_requests: int = 0
    events: int = 0
    """Entries put on the event bus, in units of 64 KB."""
    log_bytes: int = 0
    """What functions, API and event bus write into logs."""
    stored_bytes: int = 0
    """Growth of the tables."""
    writes_by_table: Counter[str] = field(default_factory=Counter)

    def row(self) -> dict[str, Any]:
        """The figures that a later change must not raise unnoticed."""
        return {
            "calls": self.calls.total(), "transitions": self.transitions, "write_units": self.write_units,
            "read_units": self.read_units, "puts": self.puts, "gets": self.gets, "invocations": self.invocations,
            "api_requests": self.api_requests,
        }  # fmt: skip

    def add(self, other: Usage) -> None:
        """Count another's use too."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)


@dataclass(frozen=True)
class Counted:
    """Usage by function, and by API Gateway (``Api``), Step Functions and the resident job."""

    by_function: Mapping[str, Usage]

    @property
    def whole(self) -> Usage:
        """All of it."""
        total = Usage()
        for one in self.by_function.values():
            total.add(one)
        return total


def vcpu_seconds_factor(memory_mb: int) -> float:
    """How much longer a second of processor time takes in a function of that memory: 1,769 MB are one processor."""
    return max(1.0, 1769 / memory_mb)


def tally(
    records: Iterable[Record],
    tables: Mapping[str, Table],
    names: Mapping[str, str],
    background: Iterable[str] = (),
    transitions: int = 0,
) -> Counted:
    """Count.

    Args:
        tables: by name.
        names: function or EMR application -> what it is called here; calls of others are not the platform's.
        background: those that run by the clock, not for an application.
        transitions: of all executions.
    """
    found: dict[str, Usage] = {}
    skipped = set(background)
    for record in records:
        caller = "Api" if API_PATH in record.get("path", "") else names.get(record["caller"], "")
        if caller and caller not in skipped and not (caller == RESIDENT and record["action"] in _SEARCHES):
            _count(found.setdefault(caller, Usage()), record, tables)
    found["StepFunctions"] = Usage(transitions=transitions)
    if RESIDENT in found:
        found[RESIDENT].calls.clear()  # only functions' calls are compared
    return Counted(found)


def _count(usage: Usage, record: Record, tables: Mapping[str, Table]) -> None:
    service, action = record["service"], record["action"]
    if API_PATH in record.get("path", ""):
        usage.api_requests += 1
        usage.log_bytes += 250  # a line of the access log
        return
    if action == "Invocation":
        busy = record["cpu_ms"] * vcpu_seconds_factor(record["memory_mb"])
        waited = max(0.0, record["wall_ms"] - record["cpu_ms"])
        usage.invocations += 1
        usage.gb_seconds += (busy + waited) / 1000 * record["memory_mb"] / 1024
        usage.log_bytes += record["log_bytes"] + 300  # START, END, REPORT
        return
    usage.calls[f"{service}:{action}"] += 1
    if service == "dynamodb":
        _count_items(usage, record, tables)
    elif service == "s3":
        listed = action == "GET" and len(record["path"].split("?")[0].strip("/").split("/")) == 1
        usage.puts += action in _STORING or listed
        usage.gets += action in ("GET", "HEAD") and not listed
    elif action == "PutEvents":
        usage.events += record["entries"]
        usage.log_bytes += record["bytes"]  # a rule copies each event into a log


def _count_items(usage: Usage, record: Record, tables: Mapping[str, Table]) -> None:
    action, items = record["action"], record["items"]
    if action in _SEARCHES:
        usage.read_units += _searched(record, tables)
    elif action in _ONE_BY_ONE:
        together = action == "TransactGetItems"
        usage.read_units += sum(
            read_units(item_size(one["before"]), consistent=record["consistent"], transaction=together)
            for one in items
        )  # fmt: skip
    else:
        for one in items:
            written = tables[one["table"]].written(
                one["before"], one["after"], transaction=action == "TransactWriteItems"
            )
            usage.write_units += sum(written.values())
            usage.stored_bytes += item_size(one["after"]) - item_size(one["before"])
            for index, units in written.items():
                usage.writes_by_table[f"{one['table']}{'/' if index else ''}{index}"] += units


def _searched(record: Record, tables: Mapping[str, Table]) -> float:
    items: Sequence[Any] = [one["before"] for one in record["items"]]
    if record["index"]:
        index = tables[record["table"]].index(record["index"])
        items = [index.entry(item) for item in items]
    return search_units([item_size(item) for item in items], consistent=record["consistent"])
