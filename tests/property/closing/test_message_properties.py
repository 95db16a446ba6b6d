"""Lenders' messages: whatever arrives is one of ours or refused; signatures fit one message only (DESIGN 7)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from creditmesh.closing.model import LENDER_MESSAGE, Closing, OrderState, PaymentOrder, Question
from creditmesh.intake.terms import ChosenTerms
from creditmesh.platform.signing import SignatureRefused, signed_headers, verify

secrets = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
ids = st.from_regex(r"[A-Za-z0-9_]{1,30}", fullmatch=True)
times = st.integers(0, 4_000_000_000)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KINDS = ["loan.decision", "loan.contract.ready", "loan.disbursed", "loan.disbursement.failed"]


@given(secrets, ids, times, st.binary(max_size=200))
def test_what_is_signed_is_verified(secret: str, message: str, at: int, body: bytes) -> None:
    assert verify([secret], signed_headers(secret, message, at, body), body, at) == message


@given(secrets, secrets, ids, ids, times, st.binary(max_size=50), st.binary(max_size=50))
def test_a_signature_fits_one_secret_id_and_body(
    secret: str, other_secret: str, message: str, other_message: str, at: int, body: bytes, other_body: bytes
) -> None:
    assume((secret, message, body) != (other_secret, other_message, other_body))
    headers = signed_headers(secret, message, at, body) | {"webhook-id": other_message}
    with pytest.raises(SignatureRefused):
        verify([other_secret], headers, other_body, at)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=40)))
def test_no_headers_whatever_break_the_verifier(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        verify(["whsec_bWFkZS11cC1zZWNyZXQtb2YtMjQtYnl0ZXM="], headers, b"{}", 0)


@given(st.sampled_from(KINDS) | st.text(max_size=10), documents)
def test_a_message_is_one_of_ours_or_refused(kind: str, data: Any) -> None:
    with pytest.raises(ValidationError):
        LENDER_MESSAGE.validate_python({"type": kind, "data": data})


answers = st.none() | st.just({"decision": "approved"})


@given(
    answers, answers, answers, st.dictionaries(st.sampled_from(list(Question)), st.integers(1, 3)),
    st.lists(st.sampled_from(list(OrderState)), max_size=3),
)  # fmt: skip
def test_a_closing_comes_back_from_the_table_as_it_went(
    decision: Any, contract: Any, disbursement: Any, asked: dict[Question, int], states: list[OrderState]
) -> None:
    terms = ChosenTerms.freeze(
        lender_id="l", product_id="p", version=1, amount="1.00", currency="CNY", annual_rate_bps=700, term_months=12,
        repayment_method="annuity", day_count="ACT/365F", cost={},
    )  # fmt: skip
    orders = [
        PaymentOrder(order_id=f"a.{number}", state=state, ordered_at="x", expires_at="y")
        for number, state in enumerate(states, 1)
    ]
    closing = Closing(
        application_id="a", lender_id="l", product_id="p", terms=terms, created_at="x", decision=decision,
        contract=contract, disbursement=disbursement, orders=orders,
        asked={key.value: value for key, value in asked.items()},
    )  # fmt: skip
    assert Closing.model_validate(closing.model_dump(mode="json", exclude_none=True)) == closing
    for question, answer in zip(Question, (decision, contract, disbursement), strict=True):
        assert closing.answered(question) == (answer is not None)
    last = orders[-1] if orders else None
    assert closing.order(None) == last
    assert closing.open_order == (last if last and last.state is OrderState.ORDERED else None)
