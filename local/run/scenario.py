"""Runs the applications through the API concurrently, each by its own borrower."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx

from client import Borrower, BureauError, ProblemError
from client.borrower import ContractMismatch, Pick, TooSlow
from client.views import ApplicationView, Offer, OperatorTask
from run.cases import Case, NotOffered
from run.platform import LocalPlatform
from run.results import Row, failed_row, row_of

PATIENCE_SECONDS = 180.0
FLOW = "tax"
"""What the manager assigns."""
_LOOK_SECONDS = 2.0
_STEP = {"closed": "ended"}
_ABANDONED = (ProblemError, BureauError, ContractMismatch, TooSlow, NotOffered, httpx.HTTPError)


class Staff:
    """The people of the platform: operator, risk officer and manager.

    Approves referred firms, retries stages after the lender's approval (that lender answers), and closes the rest.
    Assigns loan flows, for some firms only once an operator has called the manager.

    Args:
        silent: names of these firms.
        cancelled: names of firms whose orders to pay the operator cancels.
    """

    def __init__(self, platform: LocalPlatform, silent: Collection[str] = (), cancelled: Collection[str] = ()) -> None:
        roles = ("operator", "risk_officer", "manager")
        self._operator, self._officer, self._manager = (platform.api(role, "platform") for role in roles)
        self._silent, self._cancelled = silent, cancelled
        self._seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="staff", daemon=True)

    def __enter__(self) -> Staff:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            try:
                for view in self._manager.applications("flow_required"):
                    if view.firm_name not in self._silent:
                        self._manager.assign_flow(view.application_id, FLOW)
                for view in self._operator.applications("signed") if self._cancelled else ():
                    if view.firm_name in self._cancelled:
                        self._operator.cancel_payment(view.application_id)
                for task in self._operator.operator_tasks():
                    self._settle(task)
            except (ProblemError, httpx.HTTPError):
                continue  # retry a second later; unresolved ones appear in the table

    def _settle(self, task: OperatorTask) -> None:
        """Wait one round, and resolve the task in the next."""
        if task.task_id not in self._seen:
            self._seen.add(task.task_id)
            return
        if task.stage == "AwaitFlow":
            self._manager.assign_flow(task.application_id, FLOW)
            return
        (self._officer if task.is_referral else self._operator).resolve(task.task_id, *self._word(task))

    def _word(self, task: OperatorTask) -> tuple[str, str]:
        """The action and its note."""
        if task.is_referral:
            return "approve", "the firm has explained it"
        if any(entry.status == "approved" for entry in self._operator.timeline(task.application_id)):
            return "retry", "the lender was late, or its payment failed"
        return "close", "the lender is silent"


class Appointments:
    """Who applies after whom, and who chooses together with whom."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._ended = {case.persona: threading.Event() for case in cases}
        groups = Counter(case.behaviour.together for case in cases if case.behaviour.together)
        self._groups = {name: threading.Barrier(size) for name, size in groups.items()}

    def await_turn(self, case: Case) -> None:
        """Wait until the application has ended that this one comes after."""
        if case.behaviour.after:
            self._ended[case.behaviour.after].wait(2 * PATIENCE_SECONDS)

    def ended(self, case: Case) -> None:
        self._ended[case.persona].set()

    def pick(self, case: Case) -> Pick:
        """How this case chooses: the first time once all of its group are about to."""
        first = True

        def picked(offers: Sequence[Offer]) -> Offer:
            nonlocal first
            if case.behaviour.together and first:
                first = False
                with contextlib.suppress(threading.BrokenBarrierError):  # another did not come so far
                    self._groups[case.behaviour.together].wait(PATIENCE_SECONDS / 2)
            return case.behaviour.pick(offers)

        return picked


def run(
    platform: LocalPlatform,
    cases: Sequence[Case],
    watch: Callable[[Case, str], None] = lambda _case, _stage: None,
    done: Callable[[Row], None] = lambda _: None,
) -> tuple[list[Row], float]:
    """Run every case to its end; returns the rows in the order of cases, and the total seconds.

    Args:
        platform: running.
        cases: the applications.
        watch: called with every stage that a case's application reaches.
        done: called with each row when its application has ended, or was given up.
    """
    batch, started = uuid.uuid4().hex[:12], time.monotonic()
    rows: dict[int, Row] = {}
    appointments = Appointments(cases)
    silent = {case.firm.name for case in cases if case.behaviour.manager == "silent"}
    cancelled = {case.firm.name for case in cases if case.behaviour.cancel_payment}
    with Staff(platform, silent, cancelled), ThreadPoolExecutor(len(cases) or 1, thread_name_prefix="borrower") as pool:
        lives = {
            pool.submit(_live, platform, case, f"{batch}-{number}", watch, appointments): number
            for number, case in enumerate(cases)
        }
        for life in as_completed(lives):
            rows[lives[life]] = life.result()
            done(rows[lives[life]])
    return [rows[number] for number in range(len(cases))], time.monotonic() - started


def _live(
    platform: LocalPlatform, case: Case, key: str, watch: Callable[[Case, str], None], appointments: Appointments
) -> Row:
    def seen(view: ApplicationView) -> None:
        watch(case, _STEP.get(view.status, view.status))

    borrower = Borrower(
        platform.api("borrower", case.tenant),
        platform.bureau,
        case.request(),
        password=case.password,
        first_code=case.first_code,
        validity_days=case.behaviour.validity_days,
        consents=case.behaviour.consents,
        fields=case.fields,
        watch=seen,
        pick=appointments.pick(case),
    )
    appointments.await_turn(case)
    try:
        journey = borrower.live_through(key, PATIENCE_SECONDS)
        operator, application_id = platform.api("operator", "platform"), journey.application.application_id
        payment = operator.lender(application_id).payment
        return row_of(case, journey, operator.application(application_id).engine, payment)
    except _ABANDONED as problem:
        return failed_row(case, problem)
    finally:
        appointments.ended(case)
