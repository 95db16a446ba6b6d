"""Every move of an application: from which statuses, to which, by whom, with which attributes.

Nothing else changes a status. docs/reference/origination.md has the diagram; `tests/unit/intake/test_moves.py` compares
the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from creditmesh.intake.model import WAITS, Actor, Outcome, Status
from creditmesh.kernel.caller import Role

PLATFORM = Actor("platform")
_APPLICANT = (Role.BORROWER, Role.BANK)
_RESOLVERS = (Role.OPERATOR, Role.RISK_OFFICER)


@dataclass(frozen=True)
class Move:
    """A row of the table."""

    name: str
    of: tuple[Status, ...]
    """Statuses that it may start from."""
    to: Status | None
    """The new status; None: back to the status before a person examined it."""
    by: tuple[str, ...] = (PLATFORM.role,)
    """Roles that may cause it."""
    sets: tuple[str, ...] = ()
    """Attributes that must be set with it."""
    may_set: tuple[str, ...] = ()
    """Attributes that may be set with it."""
    clears: tuple[str, ...] = ()
    """Attributes that are removed with it."""
    outcomes: tuple[Outcome, ...] = ()
    """Outcomes that it may end the application with."""

    def check(self, by: Actor, sets: set[str], outcome: Outcome | None) -> None:
        """Check a use of the move against the table.

        Raises:
            ValueError: not allowed; a programming error, not a caller's.
        """
        complete = set(self.sets) <= sets <= {*self.sets, *self.may_set}
        ends = outcome in self.outcomes if self.outcomes else outcome is None
        if by.role not in self.by or not complete or not ends:
            raise ValueError(f"{self.name} by {by.role} with {sorted(sets)} and outcome {outcome}")


def _process(*of: Status) -> tuple[Status, ...]:
    """Statuses in which a step of the process may find an application.

    A lost execution is restarted and repeats its steps, also while a person examines the application.
    """
    return (*of, Status.WITH_OPERATOR)


_S = Status
_UNCOLLECTED = (_S.RECEIVED, _S.AUTHORIZED, _S.AUTHORIZATION_REQUIRED)
ASK_FOR_FLOW = Move("ask for a flow", _process(_S.RECEIVED, _S.FLOW_REQUIRED), _S.FLOW_REQUIRED)
ASSIGN = Move("assign a flow", (_S.FLOW_REQUIRED,), _S.RECEIVED, by=(Role.MANAGER,), sets=("flow",))
ASK = Move(
    "ask", _process(*_UNCOLLECTED), _S.AUTHORIZATION_REQUIRED,
    sets=("authorization_requests", "authorization_problem"),
)  # fmt: skip
# By the platform where the firm has authorised another of its applications.
AUTHORIZE = Move("authorize", (_S.AUTHORIZATION_REQUIRED,), _S.AUTHORIZED, by=(*_APPLICANT, PLATFORM.role))
COLLECT = Move(
    "collect", _process(*_UNCOLLECTED), _S.COLLECTED, sets=("key_data_key", "industry"),
    may_set=("registered_name", "name_match", "representative"),
)  # fmt: skip
ASSESS = Move("assess", _process(_S.COLLECTED), _S.ASSESSED, sets=("risk", "report_key"))
DECLINE = Move(
    "decline", _process(_S.COLLECTED), _S.CLOSED, sets=("risk", "report_key"),
    outcomes=(
        Outcome.DECLINED_BLACKLIST, Outcome.DECLINED_ADMISSION, Outcome.DECLINED_SCORE, Outcome.DECLINED_PRICE,
        Outcome.DECLINED_RISK_INDEX, Outcome.DECLINED_LIMIT,
    ),
)  # fmt: skip
OFFER = Move("offer", _process(_S.ASSESSED, _S.OFFERED), _S.OFFERED)
MATCH_NOTHING = Move(
    "match nothing", _process(_S.ASSESSED, _S.OFFERED), _S.CLOSED, sets=("nearest",), outcomes=(Outcome.NO_MATCH,)
)
CHOOSE = Move(
    "choose", (_S.OFFERED,), _S.CHOSEN, by=_APPLICANT,
    sets=("chosen_product_id", "chosen_lender_id", "chosen_terms"),
)  # fmt: skip
SUBMIT = Move("submit", _process(_S.CHOSEN), _S.SUBMITTED)
APPROVE = Move("approve", _process(_S.SUBMITTED), _S.APPROVED, by=(Role.LENDER,), may_set=("chosen_terms",))
COUNTER = Move("counter", _process(_S.SUBMITTED, _S.COUNTERED), _S.COUNTERED, by=(Role.LENDER,))
ACCEPT = Move("accept the counter-offer", (_S.COUNTERED,), _S.APPROVED, by=_APPLICANT, sets=("chosen_terms",))
DECLINE_COUNTER = Move(
    "decline the counter-offer", (_S.COUNTERED,), _S.CLOSED, by=_APPLICANT, outcomes=(Outcome.COUNTER_DECLINED,)
)
INQUIRE = Move(
    "inquire", _process(_S.SUBMITTED, _S.INFORMATION_REQUIRED), _S.INFORMATION_REQUIRED, by=(Role.LENDER,)
)  # fmt: skip
INFORM = Move("inform", (_S.INFORMATION_REQUIRED,), _S.SUBMITTED, by=_APPLICANT)
# Where other lenders' offers stand after a rejection, or after the borrower has declined a counter-offer.
REOPEN = Move(
    "reopen the choice", _process(_S.SUBMITTED, _S.COUNTERED), _S.OFFERED, by=(Role.LENDER, *_APPLICANT),
    sets=("refused",), clears=("chosen_product_id", "chosen_lender_id", "chosen_terms"),
)  # fmt: skip
REJECT = Move("reject", _process(_S.SUBMITTED), _S.CLOSED, by=(Role.LENDER,), outcomes=(Outcome.LENDER_REJECTED,))
DRAW_UP = Move("draw up the contract", _process(_S.APPROVED), _S.CONTRACT_READY, by=(Role.LENDER,))
SIGN = Move("sign", (_S.CONTRACT_READY,), _S.SIGNED, by=(Role.BORROWER,))
# A failed or cancelled order to pay; the process hands over to a person.
MISS_PAYMENT = Move("miss the payment", (_S.SIGNED,), _S.SIGNED, by=(Role.LENDER,))
DISBURSE = Move("disburse", _process(_S.SIGNED), _S.CLOSED, by=(Role.LENDER,), outcomes=(Outcome.DISBURSED,))
HAND_OVER = Move(
    "hand over", tuple(one for one in Status if one not in (_S.WITH_OPERATOR, _S.CLOSED)), _S.WITH_OPERATOR,
    sets=("stood",),
)  # fmt: skip
HAND_OVER_AGAIN = Move("hand over again", (_S.WITH_OPERATOR,), _S.WITH_OPERATOR)
RESUME = Move("resume", (_S.WITH_OPERATOR,), None, by=(*_RESOLVERS, Role.LENDER, Role.MANAGER), may_set=("referral",))
SETTLE = Move(
    "settle", (_S.WITH_OPERATOR,), _S.CLOSED, by=_RESOLVERS, may_set=("referral",),
    outcomes=(Outcome.CLOSED_BY_OPERATOR, Outcome.DECLINED_REFERRAL),
)  # fmt: skip
WITHDRAW = Move("withdraw", tuple(WAITS), _S.CLOSED, by=_APPLICANT, outcomes=(Outcome.WITHDRAWN,))
GIVE_UP = Move(
    "give up", _process(*_UNCOLLECTED), _S.CLOSED, outcomes=(Outcome.AUTHORIZATION_FAILED,)
)  # fmt: skip
# An answer just before the time-out stands; its process is restarted.
EXPIRE = Move(
    "expire", tuple(WAITS), _S.CLOSED,
    outcomes=(
        Outcome.FLOW_EXPIRED, Outcome.AUTHORIZATION_EXPIRED, Outcome.CHOICE_EXPIRED, Outcome.REPLY_EXPIRED,
        Outcome.SIGNATURE_EXPIRED,
        Outcome.CLOSED_BY_OPERATOR,
    ),
)  # fmt: skip

TABLE = (
    ASK_FOR_FLOW, ASSIGN, ASK, AUTHORIZE, GIVE_UP, COLLECT, ASSESS, DECLINE, OFFER, MATCH_NOTHING, CHOOSE, SUBMIT,
    APPROVE, COUNTER, ACCEPT, DECLINE_COUNTER, INQUIRE, INFORM, REOPEN, REJECT, DRAW_UP, SIGN, MISS_PAYMENT, DISBURSE,
    HAND_OVER, HAND_OVER_AGAIN, RESUME, SETTLE, WITHDRAW, EXPIRE,
)  # fmt: skip
