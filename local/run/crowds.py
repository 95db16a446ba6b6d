"""A crowd of borrowers on a running platform, and the proof from the lenders' ledgers that none was paid twice."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence

from client import Borrower, Crowd, Outcome
from run.cases import Case
from run.platform import LocalPlatform

_PER_TENANT = 50


def crowd(
    platform: LocalPlatform,
    cases: Sequence[Case],
    seconds: float,
    meanwhile: Callable[[int], None] = lambda _: None,
    *,
    retry_tasks: bool = False,
) -> Outcome:
    """Run all cases concurrently; see `client.crowd`.

    Args:
        platform: running.
        cases: the applications.
        seconds: how long to wait for all to end.
        meanwhile: called after each poll with the number of borrowers' actions so far.
        retry_tasks: whether an operator retries tasks.
    """
    batch, groups = uuid.uuid4().hex[:12], []
    for start in range(0, len(cases), _PER_TENANT):
        api = platform.api("borrower", f"crowd-{batch}-{start}")
        members = [
            Borrower(api, platform.bureau, case.request(), password=case.password)
            for case in cases[start : start + _PER_TENANT]
        ]
        groups.append((api, members))
    operator, officer = (platform.api(role, "platform") for role in ("operator", "risk_officer"))
    return Crowd(operator, officer, groups, retry_tasks=retry_tasks).live_through(batch, seconds, meanwhile)


def paid(platform: LocalPlatform) -> Counter[str]:
    """Number of disbursements per application, in the ledgers of all lenders."""
    return Counter(
        str(entry["application_id"]) for name in platform.estate.lenders for entry in platform.estate.ledger(name)
    )


def discrepancies(outcome: Outcome, books: Counter[str]) -> list[str]:
    """Differences of outcomes and ledgers: paid twice, paid without an outcome, an outcome without a payment."""
    found = []
    for application_id, view in outcome.ended.items():
        times, wanted = books[application_id], int(view.outcome == "disbursed")
        if times != wanted:
            found.append(f"{application_id}: {view.outcome}, but disbursed {times} times")
    return found + [f"{name}: open, but disbursed" for name in outcome.open if books[name]]
