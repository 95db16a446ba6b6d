"""A borrower who reacts to an application's state until it has ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from client.api import Api, ProblemError
from client.bureau import Bureau
from client.views import ApplicationView, Offer, TimelineEntry

Watch = Callable[[ApplicationView], None]
Pick = Callable[[Sequence[Offer]], Offer]
_LIMIT = "limit_exhausted"
_NOT_AWAITED = {"not_awaited", "application_closed", "conflict"}


class ContractMismatch(Exception):
    """The contract's text does not match its hash, so it must not be signed."""


class TooSlow(Exception):
    """The application did not end in time."""


@dataclass(frozen=True)
class Code:
    """An authorisation code that the borrower already has."""

    code: str = field(repr=False)
    expires_at: str


@dataclass(frozen=True)
class Journey:
    """The history of a borrower's application."""

    application: ApplicationView
    timeline: list[TimelineEntry]
    logins: int
    """Logins at the tax bureau; 0 if a stored authorisation was reused."""
    report: dict[str, Any] | None
    refusals: list[str]
    """Codes of choices that came too late for what is left of the limit."""


class Borrower:
    """One borrower with one request.

    Args:
        api: the platform, with the borrower's token.
        password: his password at the tax bureau.
        first_code: a code used instead of the first login.
        validity_days: validity of the granted access.
        consents: further rights granted when first asked, by scope.
        fields: what he tells the rights' sources, by name.
        watch: called with each new state of the application.
        pick: which offer he chooses, and of which amount; the best as it stands by default.
        poll_seconds: minimum and maximum pause between polls.
    """

    def __init__(
        self,
        api: Api,
        bureau: Bureau,
        request: Mapping[str, Any],
        *,
        password: str,
        signer_name: str = "张晓明",
        first_code: Code | None = None,
        validity_days: int = 365,
        consents: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        watch: Watch = lambda _: None,
        pick: Pick = lambda offers: offers[0],
        poll_seconds: tuple[float, float] = (0.15, 1.5),
    ) -> None:
        self._api, self._bureau, self._request = api, bureau, dict(request)
        self._password, self._signer_name, self._first_code = password, signer_name, first_code
        self._validity_days, self._watch, self._poll = validity_days, watch, poll_seconds
        self._consents, self._fields = list(consents), fields or {}
        self._pick = pick
        self._logins = 0
        self._refusals: list[str] = []
        self._left: str | None = None
        self._report: dict[str, Any] | None = None

    def live_through(self, key: str, seconds: float = 120.0) -> Journey:
        """Apply and react until the application has ended.

        Args:
            key: idempotency key of the application.
            seconds: time limit.

        Raises:
            TooSlow: not ended within ``seconds``, or an operator must help.
            ContractMismatch: the contract does not match its hash.
        """
        view = self.apply(key)
        deadline, (pause, longest) = time.monotonic() + seconds, self._poll
        while not view.ended:
            if time.monotonic() > deadline:
                raise TooSlow(f"{view.application_id} still {view.status} after {seconds:.0f} s")
            newer = self._answer(view)
            if newer is None:
                time.sleep(pause)
                newer = self._api.application(view.application_id)
            pause = self._poll[0] if newer.status != view.status else min(pause * 1.5, longest)
            if newer.status != view.status:
                self._watch(newer)
            view = newer
        timeline, report = self._api.timeline(view.application_id), self._read_report(view)
        return Journey(view, timeline, self._logins, report, self._refusals)

    def apply(self, key: str) -> ApplicationView:
        view = self._api.apply(self._request, key)
        self._watch(view)
        return view

    def _answer(self, view: ApplicationView) -> ApplicationView | None:
        """Do what the application waits for; None if it waits for nothing, or was answered concurrently."""
        acts = {
            "authorization": self.authorize, "choice": self.choose, "reply": self.reply, "signature": self.sign,
        }  # fmt: skip
        act = acts.get(view.awaits or "")
        if act is None:
            return None
        try:
            return act(view.application_id)
        except ProblemError as problem:
            if problem.status == 409 and problem.code in _NOT_AWAITED:
                return None
            raise

    def authorize(self, application_id: str) -> ApplicationView:
        """Grant further rights; submit a code: the existing one, or a new one from the bureau's pages."""
        self._agree(application_id)
        if self._first_code is not None:
            code, self._first_code = self._first_code, None
            return self._api.authorize(application_id, code.code, code.expires_at)
        link = self._api.authorization_link(application_id)
        grant = self._bureau.grant(link, self._password, validity_days=self._validity_days)
        self._logins += 1
        return self._api.authorize(application_id, grant.code, grant.expires_at)

    def _agree(self, application_id: str) -> None:
        wanted, self._consents = self._consents, []
        scopes = self._api.scopes() if wanted else {}
        for name in wanted:
            days = min(self._validity_days, scopes[name]["longest_days"])
            asked = {field["name"] for field in scopes[name]["fields"]}
            fields = {one: value for one, value in self._fields.items() if one in asked}
            self._api.give_consent(application_id, scopes[name], days, fields)

    def choose(self, application_id: str) -> ApplicationView | None:
        """Read report and offers, choose one.

        None if the limit has meanwhile been taken by another application of the firm: the next time he chooses what is
        left of it, or withdraws if no offer is as small.
        """
        self._report = self._api.report(application_id)
        offers = self._api.matches(application_id)
        if self._left is not None:
            offers = [less for one in offers if (less := one.at_most(self._left))]
            if not offers:
                return self._api.withdraw(application_id)
        try:
            return self._api.choose(application_id, self._pick(offers))
        except ProblemError as problem:
            if problem.code != _LIMIT:
                raise
            self._refusals.append(problem.code)
            self._left = str(problem.parameters["left"])
            return None

    def reply(self, application_id: str) -> ApplicationView:
        """Accept the lender's counter-offer, or answer its question."""
        standing = self._api.lender(application_id)
        if standing.counter_offer is not None:
            return self._api.accept_counter_offer(application_id, standing.counter_offer.terms_sha256)
        return self._api.inform(application_id, "Three wholesalers of our province, for years.")

    def sign(self, application_id: str) -> ApplicationView:
        """Read the contract, verify its hash, sign it."""
        contract = self._api.contract(application_id)
        if hashlib.sha256(contract.document.encode()).hexdigest() != contract.document_sha256:
            raise ContractMismatch(f"{application_id}: the document does not have the hash {contract.document_sha256}")
        return self._api.sign(application_id, contract.document_sha256, self._signer_name)

    def _read_report(self, view: ApplicationView) -> dict[str, Any] | None:
        """The report, if risk control has written one."""
        return self._report or (self._api.report(view.application_id) if view.decision else None)
