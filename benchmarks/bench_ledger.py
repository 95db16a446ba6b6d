"""What a transfer costs: one after the other, and 500 at once on one account, which each of them changes.

Starts an instance of its own (own state, own ports) and enters in this process, as a function does, against the
embedded cloud's tables. Writes build/bench/ledger.json; ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from benchmarks.bench_gateway import _become_a_function
from benchmarks.measures import judged, quantiles
from run.display import Display, console
from run.places import ROOT, Ports
from run.platform import LocalPlatform

FIRST_PORT = 4880
AMOUNT = 100_00
TARGETS = {
    "one_by_one_ms": (("one_by_one", "post", "median"), 25.0),
    "at_once_s": (("at_once", "seconds"), 60.0),
    "lost": (("at_once", "lost"), 0.0),
    "difference": (("at_once", "debits_less_credits"), 0.0),
}


class Calls:
    """Counts what is asked of DynamoDB."""

    def __init__(self) -> None:
        from creditmesh.platform.bootstrap import platform

        self.made: Counter[str] = Counter()
        platform().client("dynamodb").meta.events.register("before-send.dynamodb", self._count)

    def _count(self, request: Any, event_name: str, **_: Any) -> None:
        self.made[event_name.rpartition(".")[2]] += 1


def _disbursement(lender: str, number: int) -> tuple[str, Sequence[Any]]:
    from creditmesh.kernel.money import Money
    from creditmesh.ledger.postings import disbursement

    lines = disbursement(lender, f"loan_{number}", Money(AMOUNT, "CNY"), Money(1_00, "CNY"))
    return f"{lender}-{number}", lines


def one_by_one(count: int) -> dict[str, Any]:
    """Milliseconds of a reservation, of its posting and of a repeat."""
    from creditmesh.ledger.bootstrap import ledger
    from creditmesh.ledger.transfers import Post, Reserve
    from creditmesh.platform.bootstrap import platform

    day, calls = platform().clock.today(), Calls()
    taken: dict[str, list[float]] = {"reserve": [], "post": [], "repeat": []}
    for number in range(count):
        name, lines = _disbursement("one-by-one", number)
        steps = {"reserve": Reserve(name, "disbursement", lines), "post": Post(name, day), "repeat": Post(name, day)}
        for step, command in steps.items():
            taken[step].append(_milliseconds(lambda command=command: ledger().enter(command, by="platform")))  # type: ignore[misc]
    return {
        **{step: quantiles(values, 1) for step, values in taken.items()},
        "calls_each": {name: round(made / count, 2) for name, made in calls.made.items()},
    }


def at_once(count: int) -> dict[str, Any]:
    """Transfers that begin together, all of one lender's cash: seconds until the last, attempts, sums."""
    from creditmesh.kernel.caller import Caller, Role
    from creditmesh.ledger.books import SETTLED_SECONDS
    from creditmesh.ledger.bootstrap import books, ledger
    from creditmesh.ledger.transfers import Record
    from creditmesh.platform.bootstrap import platform
    from creditmesh.platform.paging import Window

    day, calls, together, lender = platform().clock.today(), Calls(), Barrier(count), f"crowd-{count}"

    def enter(number: int) -> float:
        name, lines = _disbursement(lender, number)
        together.wait()
        return _milliseconds(lambda: ledger().enter(Record(name, "disbursement", lines, day), by="platform"))

    with ThreadPoolExecutor(count) as pool:
        began = time.monotonic()
        taken = list(pool.map(enter, range(count)))
        seconds = time.monotonic() - began
    made = dict(calls.made)
    time.sleep(SETTLED_SECONDS + 1)
    caller, mark, rows = Caller("bench", Role.LENDER, lender), None, 0
    while True:
        page = books().trial_balance(caller, None, "CNY", None, Window(100, mark))
        rows, mark = rows + len(page.rows.items), page.rows.mark
        if mark is None:
            break
    cash = books().statement(caller, f"{lender}:CNY:cash", None, None, Window(1))
    return {
        "transfers": count, "seconds": round(seconds, 1), "per_s": round(count / seconds, 1),
        "each_ms": quantiles(taken, 0), "transactions_each": round(made["TransactWriteItems"] / count, 2),
        "calls": made, "accounts": rows, "lost": count - cash.account.entries,
        "debits_less_credits": page.debits_minor - page.credits_minor,
        "cash_off_by": cash.account.balance_minor + count * (AMOUNT - 1_00),
    }  # fmt: skip


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--transfers", type=int, default=500)
    options = arguments.parse_args()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with Display(console(to_stderr=True)) as display:
        platform = LocalPlatform(folder / "ledger", Ports(FIRST_PORT), steps=display, population=100)
        platform.start()
        try:
            _become_a_function(platform)
            result: dict[str, Any] = {"one_by_one": one_by_one(100), "twenty": at_once(20)}
            result["at_once"] = at_once(options.transfers)
        finally:
            platform.stop()
    result["targets"] = judged(result, TARGETS)
    text = json.dumps(result, indent=1)
    (folder / "ledger.json").write_text(text + "\n", "utf-8")
    print(text)
    return 0 if all(one["met"] for one in result["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
