"""Loan flows: registered by a manager, approved by a second person, named by loan requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from creditmesh.intake.flow_document import LoanFlow
from creditmesh.intake.model import FlowTaken, FlowUnknown
from creditmesh.kernel.caller import Caller
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.documents import CheckedDocuments, Stored

CACHE_SECONDS = 30


class Flows:
    """The loan flows.

    Args:
        models: ids of the models that decide here.
        has_plan: whether there is a collection plan with that id.
        monotonic: clock in seconds, for the cache's age.
    """

    def __init__(
        self,
        documents: CheckedDocuments,
        models: Collection[str],
        has_plan: Callable[[str], bool],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents, self._models, self._has_plan = documents, models, has_plan
        self._clock, self._monotonic = clock, monotonic
        self._known: dict[str, tuple[float, int, LoanFlow]] = {}

    def taken(self, flow_id: str, assigned_by: str | None = None) -> FlowTaken:
        """What an application takes of a flow; a newly approved version counts within `CACHE_SECONDS`.

        Args:
            assigned_by: the manager, if the request did not name the flow.

        Raises:
            FlowUnknown: there is none in force.
        """
        version, flow = self._in_force(flow_id)
        if not flow.is_in_force(self._clock.today()):
            raise FlowUnknown("must be a loan flow in force", field="flow_id")
        return FlowTaken(
            flow_id=flow_id, version=version, collection_plan=flow.collection_plan, model_id=flow.model_id,
            ranking=flow.ranking, assigned_by=assigned_by,
        )  # fmt: skip

    def register(self, caller: Caller, flow: LoanFlow, based_on: int | None) -> Stored:
        """Write a flow's next version; it takes effect once a second person approves it.

        Args:
            based_on: the newest version that the manager has seen; 0 for a new flow.

        Raises:
            InvalidInput: it names something that does not exist, or has ended.
            VersionConflict: changed concurrently.
        """
        self._check(flow)
        return self._documents.propose(flow.flow_id, flow.document(), caller.subject, based_on)

    def approve(self, caller: Caller, flow_id: str, version: int) -> Stored:
        """Put a version in force for new applications; idempotent.

        Raises:
            NotFound: unknown id or version.
            InvalidInput: what it names does not exist any more, or it has ended.
            SamePerson: who registered it cannot approve it.
            VersionConflict: a newer version is in force.
        """
        self._check(LoanFlow.model_validate(self._documents.get(flow_id, version).document))
        approved = self._documents.approve(flow_id, version, caller.subject)
        self._known.pop(flow_id, None)
        return approved

    def stored(self, flow_id: str, version: int | None = None) -> Stored:
        """A version, the one in force by default.

        Raises:
            NotFound: unknown id or version.
        """
        return self._documents.get(flow_id, version)

    def versions(self, flow_id: str) -> Iterable[Stored]:
        """Every version, newest first, approved or not."""
        return self._documents.versions(flow_id)

    def listed(self) -> Iterable[Stored]:
        """The versions in force, by id."""
        return self._documents.all()

    def _in_force(self, flow_id: str) -> tuple[int, LoanFlow]:
        known = self._known.get(flow_id)
        if known is None or self._monotonic() - known[0] > CACHE_SECONDS:
            try:
                stored = self._documents.get(flow_id)
            except NotFound:
                raise FlowUnknown("must be a loan flow in force", field="flow_id") from None
            known = self._monotonic(), stored.version, LoanFlow.model_validate(stored.document)
            self._known[flow_id] = known
        return known[1:]

    def _check(self, flow: LoanFlow) -> None:
        if flow.model_id not in self._models:
            raise InvalidInput(
                "must be one of {allowed}", field="model_id", fault="no_such_model", allowed=list(self._models)
            )
        if not self._has_plan(flow.collection_plan):
            raise InvalidInput("must be a collection plan", field="collection_plan", fault="no_such_plan")
        if not flow.is_in_force(self._clock.today()):
            raise InvalidInput("must not be in the past", field="valid_until", fault="in_the_past")
