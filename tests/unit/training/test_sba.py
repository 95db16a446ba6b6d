"""Loans of the Small Business Administration: reading, cleaning, what is a feature and what a leak."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from training.config import TrainingConfig
from training.data import columns, sba
from training.errors import TrainingSetInvalid
from training.frame import validate

SAMPLE = Path(__file__).parents[2] / "data" / "sba_sample.csv.gz"
HEADER = (
    "LoanNr_ChkDgt,Name,City,State,Zip,Bank,BankState,NAICS,ApprovalDate,ApprovalFY,Term,NoEmp,NewExist,CreateJob,"
    "RetainedJob,FranchiseCode,UrbanRural,RevLineCr,LowDoc,ChgOffDate,DisbursementDate,DisbursementGross,BalanceGross,"
    "MIS_Status,ChgOffPrinGr,GrAppv,SBA_Appv\n"
)
PAID = (
    '1,MADE UP LTD,NOWHERE,OH,1,BANK,OH,339999,28-Feb-97,1997,84,4,2,0,3,1,1,N,Y,,28-Mar-97,"$60,000.50 ",$0.00 ,P I F,'
    '$0.00 ,"$60,000.00 ","$48,000.00 "\n'
)
FAILED = (
    "2,MADE UP INC,NOWHERE,OH,1,BANK,NC,0,15-Jun-68,1968,17,0,0,0,0,78760,0,`,1,3-Jan-70,,$0.00 ,$0.00 ,CHGOFF,"
    '"$1,000.00 ",$300.00 ,$100.00 \n'
)
OPEN = PAID.replace("P I F", "")


@pytest.fixture(scope="module")
def cleaned():
    return sba.clean(sba.read(SAMPLE))


def made_up(tmp_path, *lines):
    path = tmp_path / "loans.csv"
    path.write_text(HEADER + "".join(lines))
    return sba.clean(sba.read(path))


def test_text_becomes_whole_numbers_and_days(tmp_path):
    paid = made_up(tmp_path, PAID).row(0, named=True)
    assert paid["defaulted"] is False
    assert paid["approved_on"] == date(1997, 2, 28)
    assert paid["disbursed_minor"] == 6_000_050
    assert paid["approved_minor"] == 6_000_000
    assert paid["guaranteed_bps"] == 8_000
    assert (paid["industry_sector"], paid["industry_group"]) == ("31", "339")  # 31 to 33 are one sector
    assert (paid["new_business"], paid["franchise"], paid["bank_same_state"]) == (True, False, True)
    assert (paid["urban_rural"], paid["revolving"], paid["low_doc"]) == ("urban", False, True)


def test_codes_that_no_documentation_knows_are_unknown(tmp_path):
    failed = made_up(tmp_path, FAILED).row(0, named=True)
    for name in ("industry_sector", "industry_group", "new_business", "urban_rural", "revolving", "low_doc"):
        assert failed[name] is None, name
    assert (failed["franchise"], failed["bank_same_state"]) == (True, False)
    assert failed["approved_on"] == date(1968, 6, 15)  # not 2068
    assert failed["charged_off_months"] == 19
    assert failed["guaranteed_bps"] == 3_333  # rounded down


def test_loans_without_outcome_are_left_out(tmp_path):
    assert made_up(tmp_path, PAID, OPEN, FAILED)["defaulted"].to_list() == [False, True]


def test_sample_holds_nothing_that_names_anybody():
    with gzip.open(SAMPLE, "rt") as file:
        header = file.readline().strip().split(",")
    assert not {"LoanNr_ChkDgt", "Name", "City", "Zip", "Bank"} & set(header)
    assert set(pl.read_csv(SAMPLE, infer_schema=False)["FranchiseCode"].unique()) <= {"0", "1", "2"}


def test_sample_is_like_the_whole(cleaned):
    assert cleaned.height == 15_001
    assert cleaned["defaulted"].mean() == pytest.approx(0.1756, abs=0.001)  # 0.17562 of all loans
    assert cleaned["approved_minor"].min() > 0


def test_window_is_closed_before_loans_without_time_to_fail(cleaned):
    within = sba.approved_within(cleaned)
    assert within["approved_on"].min() >= date(2001, 1, 1)
    assert within["approved_on"].max() < date(2008, 1, 1)
    assert 0 < within.filter(pl.col("approved_on") >= sba.OUT_OF_TIME_FROM).height < within.height


def test_loans_guaranteed_in_full_have_no_failure_on_record(cleaned):
    """None of 24,000 in the window failed: the records differ, not the risk (docs/explanation/training-data.md)."""
    within = sba.approved_within(cleaned)
    kept = sba.guaranteed_in_part(within)
    full = within.filter(pl.col("guaranteed_bps") >= 10_000)
    assert (kept.height + full.height, full["defaulted"].sum()) == (within.height, 0)
    assert full.height > 300
    assert kept["guaranteed_bps"].max() < 10_000


def test_training_set_has_the_named_columns_and_unknowns(cleaned):
    training_set = sba.training_set(cleaned, sba.ORIGINATION)
    features = training_set.features
    assert tuple(features.columns) == sba.ORIGINATION
    assert str(features["employees"].dtype) == "Int64"
    assert str(features["revolving"].dtype) == "boolean"
    assert features["state"].dtype == object
    assert features["revolving"].isna().sum() == cleaned["revolving"].null_count() > 0
    assert training_set.bad.sum() == cleaned["defaulted"].sum()
    assert training_set.outcome_kind == "observed"


def test_shipped_features_hold_no_leak():
    assert not set(sba.LEAKS) & set(sba.ORIGINATION)
    known_later, tell_the_year = {"disbursed_minor"}, {"urban_rural", "jobs_retained", "jobs_created", "low_doc"}
    assert not (known_later | tell_the_year) & set(sba.ORIGINATION)


def test_configuration_of_a_feature_tells_kind_and_unit(cleaned):
    configs = {config.name: config for config in columns.feature_configs(cleaned, sba.ORIGINATION)}
    assert (configs["approved_minor"].kind, configs["approved_minor"].unit) == ("integer", "minor")
    assert (configs["guaranteed_bps"].unit, configs["state"].unit) == ("bps", "none")
    assert configs["revolving"].kind == "boolean"


def test_hash_does_not_depend_on_the_order_of_rows(cleaned):
    training_set = sba.training_set(cleaned, sba.ORIGINATION)
    backwards = sba.training_set(cleaned.reverse(), sba.ORIGINATION)
    changed = sba.training_set(cleaned.with_columns(revolving=pl.lit(None, pl.Boolean)), sba.ORIGINATION)
    assert training_set.content_hash() == backwards.content_hash() != changed.content_hash()


@pytest.mark.parametrize("leak", sba.LEAKS)
def test_every_leak_is_found_by_the_trainer(cleaned, leak):
    names = (*sba.ORIGINATION, leak)
    config = TrainingConfig(features=columns.feature_configs(cleaned, names))
    with pytest.raises(TrainingSetInvalid, match=leak) as refused:
        validate(sba.training_set(cleaned, names), config)
    assert (refused.value.code, refused.value.columns) == ("leaked_target", (leak,))


def test_without_the_leaks_the_trainer_takes_the_rows(cleaned):
    for names in (sba.PEERS, sba.ORIGINATION):
        config = TrainingConfig(features=columns.feature_configs(cleaned, names))
        assert validate(sba.training_set(cleaned, names), config) == {}
