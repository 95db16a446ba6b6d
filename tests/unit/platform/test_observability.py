"""What a step lets out: names and places, never what others wrote (DESIGN 9)."""

from __future__ import annotations

import io
import json
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pydantic import BaseModel

from creditmesh.kernel.errors import Conflict, DomainError
from creditmesh.platform.observability import AwsCallFailed, count, observed

SECRET = "whsec_c2VjcmV0"


class Strict(BaseModel):
    number: int


def raised_by(error: Exception | None = None, **event: Any) -> Exception:
    @observed
    def step(event: dict[str, Any], context: Any) -> None:
        if error:
            raise error
        Strict.model_validate({"number": SECRET})

    with pytest.raises(Exception, match=".") as caught:
        step(event, None)  # type: ignore[arg-type]  # no context is read
    return caught.value


def test_an_error_of_ours_passes_as_it_is() -> None:
    error = Conflict("said by us")
    assert raised_by(error) is error


@pytest.mark.parametrize(("error", "level"), [(Conflict("said by us"), "WARNING"), (None, "ERROR")])
def test_only_what_no_rule_foresees_counts_as_an_error(
    log_output: io.StringIO, error: Exception | None, level: str
) -> None:
    """Lambda counts every raised error, also those that a state machine asks for; the alarm counts log lines."""
    raised_by(error)
    *_, line = [json.loads(one) for one in log_output.getvalue().splitlines() if "step failed" in one]
    assert line["level"] == level


@pytest.mark.parametrize(
    "error",
    [ClientError({"Error": {"Code": "ThrottlingException", "Message": SECRET}}, "PutItem"),
     ReadTimeoutError(endpoint_url=SECRET)],
)  # fmt: skip
def test_an_error_of_aws_has_one_name(error: Exception) -> None:
    told = raised_by(error)
    assert isinstance(told, AwsCallFailed)
    assert isinstance(told, DomainError)
    assert SECRET not in str(told)


def test_any_other_error_keeps_its_name_and_loses_its_words(log_output: io.StringIO) -> None:
    told = raised_by(application_id="app_1")
    assert type(told).__name__ == "ValidationError"
    assert str(told).startswith("unexpected, in pydantic")
    printed = log_output.getvalue() + "".join(traceback.format_exception(told))
    assert SECRET not in printed
    assert '"correlation_id":"app_1"' in printed


def test_counts_with_different_dimensions_stay_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "creditmesh/test")
    count("Deliveries", result="sent")
    count("Deliveries", 2, result="later")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["result"], line["Deliveries"]) for line in lines] == [("sent", [1.0]), ("later", [2.0])]
    (directive,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "creditmesh/test"
    assert "result" in directive["Dimensions"][0]
