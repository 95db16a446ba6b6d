"""A training run on the running platform: made-up rows, the real process, the real Spark job, a candidate (M08)."""

from __future__ import annotations

import io
import uuid
from typing import Any

import numpy as np
import polars as pl
import pytest

from run.platform import LocalPlatform
from tests.integration.conftest import Target
from tests.support.executions import output

HERE = "/v1/models/origination"
ROWS = 4_000
PATIENCE = 400.0


def rows(seed: int = 4) -> pl.DataFrame:
    """Made-up firms: two features tell, the others are noise; outcomes are simulated, two years of months."""
    chance = np.random.default_rng(seed)

    def whole(low: int, high: int) -> Any:
        return chance.integers(low, high, ROWS)

    age, late = whole(12, 240), np.minimum(chance.poisson(0.8, ROWS), 9)
    bad = chance.random(ROWS) < 1 / (1 + np.exp(3.0 + 0.012 * (age - 100) - 0.55 * late))
    months = np.datetime64("2023-01") + np.sort(whole(0, 24))
    noise = {
        "revenue_12m_minor": whole(10**8, 3 * 10**9), "revenue_growth_bps": whole(-4_000, 5_000),
        "profit_margin_bps": whole(-500, 2_000), "debt_ratio_bps": whole(1_000, 9_500),
        "current_ratio_bps": whole(5_000, 30_000), "tax_burden_bps": whole(0, 600),
        "invoice_volatility_bps": whole(500, 8_000), "invoice_trend_bps": whole(-4_000, 4_000),
        "invoice_void_rate_bps": whole(0, 1_200), "invoice_months_active_12m": whole(6, 13),
        "top_customer_share_bps": whole(500, 9_000), "legal_rep_changes_24m": whole(0, 3),
        "penalty_count_24m": whole(0, 3), "pledge_active_count": whole(0, 4), "overdue_months_24m": whole(0, 5),
        "credit_utilisation_bps": whole(0, 10_000), "debt_service_to_revenue_bps": whole(0, 3_000),
        "enquiry_count_6m": whole(0, 8), "fraud_score": whole(0, 900), "employee_count": whole(0, 80),
    }  # fmt: skip
    return pl.DataFrame(
        {
            **noise,
            "company_age_months": age,
            "tax_late_count_24m": late,
            "tax_credit_rating": chance.choice(["A", "B", "M", "C"], ROWS),
            "industry": chance.choice(["C34", "F51", "I65"], ROWS),
            "bad": bad.astype(np.int64),
            "observed": months.astype("datetime64[D]").astype("datetime64[ms]"),
            "label_source": "import",
        }
    ).with_columns(pl.col("observed").cast(pl.Date))


def put(local: LocalPlatform, mark: str, frame: pl.DataFrame) -> str:
    """Lay rows down as a training set; its folder."""
    body = io.BytesIO()
    frame.write_parquet(body)
    folder = f"training-sets/{mark}"
    bucket = local.outputs["DataBucket"]
    local.aws("s3").put_object(Bucket=bucket, Key=f"{folder}/part-0.parquet", Body=body.getvalue())
    return f"{folder}/"


def run(target: Target, local: LocalPlatform, mark: str, folder: str) -> dict[str, Any]:
    """Start a run through the API; what the process says at its end."""
    officer = target.api("risk_officer", f"risk-{mark}")
    started = officer.call("POST", f"{HERE}/trainings", {"training_set": folder}, key=mark)
    arn = f"{local.outputs['TrainingArn'].replace(':stateMachine:', ':execution:')}:{started['run']}"
    return output(local.aws("stepfunctions"), arn, PATIENCE)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_rows_become_a_candidate_that_a_person_may_approve(target: Target, local: LocalPlatform) -> None:
    mark = uuid.uuid4().hex[:12]
    told = run(target, local, mark, put(local, mark, rows()))
    assert told["outcome"] in ("proposed", "gates_failed"), told
    auditor = target.api("auditor", "platform")
    version = auditor.call("GET", f"{HERE}/versions/{told['content_hash']}")
    assert (version["state"], version["kind"], version["version"]) == ("proposed", "training", told["version"])
    gates = {gate["id"]: gate["passed"] for gate in version["gates"]["gates"]}
    assert {"auc_gain", "calibration_error", "score_psi", "label_jump", "label_source", "grade_order"} <= set(gates)
    # The model in force knows nothing of these rows, so what was learnt from them is better on the youngest of them.
    assert gates["auc_gain"]
    assert gates["label_jump"]
    document = auditor.call("GET", f"{HERE}/versions/{told['content_hash']}/document")
    used = {axis["feature"] for card in document["scorecard"]["segments"] for item in card["characteristics"]
            for axis in item["axes"]}  # fmt: skip
    assert {"company_age_months", "tax_late_count_24m"} <= used
    card = local.aws("s3").get_object(Bucket=local.outputs["DataBucket"], Key=version["evidence"]["card"])["Body"]
    assert b"<svg" in card.read()
