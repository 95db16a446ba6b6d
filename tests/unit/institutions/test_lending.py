"""What a lender decides, writes into its contract and signs."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from creditmesh.offers.model import ProductTerms
from creditmesh.platform.signing import signed_headers, verify
from institutions.catalogue import products_of
from institutions.config import LENDERS
from institutions.contract import annuity, contract_text
from institutions.messages import authentic_id, headers
from institutions.underwriting import MOST_FOR_ONE_FIRM_FEN, Submission, decide

PRODUCT = products_of("harbor-bank")[0]
ASKED = Submission(
    application_id="app-1",
    product_id=PRODUCT.product_id,
    amount_fen=30_000_000,
    currency="CNY",
    term_months=12,
    annual_rate_bps=PRODUCT.annual_rate_bps,
    firm_name="Test",
    taxpayer_id="91990901MAXDB23Y11",
    score=700,
    grade="B",
    limit_fen=30_000_000,
)


def test_a_sound_application_is_approved() -> None:
    assert decide(ASKED, PRODUCT, 0, unwanted=False).approved


@pytest.mark.parametrize(
    ("change", "owed", "unwanted", "reason"),
    [
        ({"amount_fen": 19_999_999}, 0, False, "amount_outside_product"),
        ({"amount_fen": 300_000_001, "limit_fen": 10**12}, 0, False, "amount_outside_product"),
        ({"term_months": 37}, 0, False, "term_outside_product"),
        ({"grade": "C"}, 0, False, "grade_too_low"),
        ({"grade": "Z"}, 0, False, "grade_too_low"),
        ({"annual_rate_bps": 519}, 0, False, "rate_not_ours"),
        ({"limit_fen": 29_999_999}, 0, False, "amount_above_limit"),
        ({}, MOST_FOR_ONE_FIRM_FEN - 29_999_999, False, "exposure_too_high"),
        ({}, 0, True, "internal_policy"),
    ],
)
def test_each_rule_rejects_by_its_name(change: dict[str, object], owed: int, unwanted: bool, reason: str) -> None:
    verdict = decide(replace(ASKED, **change), PRODUCT, owed, unwanted=unwanted)  # type: ignore[arg-type]
    assert (verdict.approved, verdict.reason_code) == (False, reason)
    assert verdict.reason


def test_an_unknown_product_is_rejected() -> None:
    assert decide(ASKED, None, 0, unwanted=False).reason_code == "product_unknown"


def test_instalments_by_hand() -> None:
    # 1,000.00 at 12 % over 3 months: 1 % a month, instalment 1000·0.01/(1 − 1.01⁻³) = 340.02.
    rows = annuity(100_000, 1_200, 3)
    assert [(row.principal, row.interest, row.outstanding) for row in rows] == [
        (33_002, 1_000, 66_998),
        (33_332, 670, 33_666),
        (33_666, 337, 0),
    ]


@pytest.mark.parametrize(
    ("amount", "bps", "term"), [(5_000_000, 450, 36), (300_000_000, 1_080, 24), (1, 900, 3), (100, 0, 7)]
)
def test_principal_adds_up(amount: int, bps: int, term: int) -> None:
    rows = annuity(amount, bps, term)
    assert sum(row.principal for row in rows) == amount
    assert rows[-1].outstanding == 0
    assert all(row.principal >= 0 and row.interest >= 0 for row in rows)


def test_the_contract_names_parties_terms_and_total() -> None:
    text = contract_text(
        contract_id="CON-1",
        lender_name="Harbor Bank",
        firm_name="云岭青达机械有限公司",
        taxpayer_id="91990901MAXDB23Y11",
        amount_fen=100_000,
        currency="CNY",
        annual_rate_bps=1_205,
        term_months=3,
        drawn_up_at="2026-11-21T00:00:00Z",
    )
    for part in (
        "CON-1",
        "Harbor Bank",
        "云岭青达机械有限公司",
        "91990901MAXDB23Y11",
        "1000.00 CNY",
        "12.05 %",
        "3 months",
    ):
        assert part in text
    assert f"{sum(row.amount for row in annuity(100_000, 1_205, 3)) / 100:.2f}" in text.splitlines()[-1]


def test_signatures_agree_with_the_published_example() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_signatures_agree_with_the_platforms_both_ways() -> None:
    old, new = ("whsec_" + base64.b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))
    body = b"{}"
    ours = {name.lower(): value for name, value in headers(f"{old} {new}", "m1", 1_000, body).items()}
    assert verify([new], ours, body, 1_100) == "m1"
    theirs = signed_headers(new, "m2", 1_000, body)
    assert authentic_id(f"{old} {new}", theirs, body, 1_100) == "m2"
    assert authentic_id(old, theirs, body, 1_100) is None
    assert authentic_id(new, theirs, body + b" ", 1_100) is None
    assert authentic_id(new, theirs, body, 1_301) is None
    assert authentic_id(new, {**theirs, "webhook-timestamp": "soon"}, body, 1_100) is None


def test_every_product_is_one_the_platform_takes() -> None:
    products = [product for lender in LENDERS for product in products_of(lender)]
    assert {product.product_id for product in products} == {
        product.product_id for product in products if ProductTerms.model_validate(product.terms())
    }
    assert min(product.min_amount for product in products) == 50_000
    assert max(product.max_amount for product in products) == 3_000_000
    assert all(len(products_of(lender)) in (2, 3) for lender in LENDERS)
    assert [product.product_id for product in products_of("new-lender")] == ["new-lender-general"]
