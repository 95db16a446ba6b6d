"""Tests a channel document on a sample, step by step, without calling a source."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.gateway.channels import fields as request_fields
from creditmesh.gateway.channels import reading as reader
from creditmesh.gateway.channels.answers import MESSAGE, Answers, Reading
from creditmesh.gateway.channels.document import Channel, Http
from creditmesh.gateway.channels.exchange import prepare
from creditmesh.gateway.channels.reasons import SENTENCES
from creditmesh.gateway.channels.source import Came
from creditmesh.kernel.charsets import decoder, encoder
from creditmesh.kernel.errors import InvalidInput, Parameter
from creditmesh.kernel.reasons import Reason

MAX_SAMPLE_CHARACTERS = 48_000
MAX_ANSWER_BYTES = 6_000_000
"""Lambda's limit is 6 MB for the whole answer."""
SHOWN = "***"


class Sample(BaseModel):
    """The input of a dry run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[str, str | int | bool | None] = {}
    records: dict[str, dict[str, Any]] = Field(default={}, description="record -> document, in place of stored ones")
    status: int = Field(default=200, ge=100, le=599)
    pages: list[str] = Field(default=[], max_length=20, description="the answer's pages as text")
    pages_base64: list[str] = Field(default=[], max_length=20, description="the same as bytes, for other charsets")
    message: str | None = Field(default=None, description="of a channel with a callback: the late answer's message")


class StepDetail(Reason):
    """What a step tells besides its result."""

    SENTENCES = {
        **SENTENCES, "authentication": "authentication: {type}", "fields_missing": "missing or malformed: {fields}",
        "parts_missing": "missing: {expressions}",
    }  # fmt: skip


StepCode = Annotated[str, StepDetail.enum()]


class Step(BaseModel):
    """One step's result."""

    name: str
    ok: bool
    detail: str | None = None
    code: StepCode | None = Field(default=None, description="of the detail")
    parameters: dict[str, Parameter] = {}
    result: Any = None


class DryRun(BaseModel):
    """How the document would work on the sample."""

    outcome: str | None
    steps: list[Step]


def dry_run(channel: Channel, sample: Sample, origin: str, answers: Answers) -> DryRun:
    """Run fields, fill, request and, if the sample has an answer, reading and structure.

    Raises:
        InvalidInput: the sample is malformed, or the rules make more of it than an answer holds.
    """
    made = _tried(channel, sample, origin, answers)
    # Lambda answers with the text inside another JSON text, in ASCII.
    if len(json.dumps(made.model_dump_json())) > MAX_ANSWER_BYTES:
        raise InvalidInput(
            "makes more of the sample than {max} bytes", field="channel.structure", fault="result_too_long",
            max=MAX_ANSWER_BYTES,
        )  # fmt: skip
    return made


def _tried(channel: Channel, sample: Sample, origin: str, answers: Answers) -> DryRun:
    steps: list[Step] = []
    asked = request_fields.complete(channel, sample.fields, lambda record, _: sample.records.get(record))
    missing = StepDetail.of("fields_missing", fields=[*asked.missing]) if asked.missing else None
    steps.append(_step("fields", missing, asked.values, ok=missing is None))
    if asked.filled:
        steps.append(Step(name="fill", ok=True, result={name: asked.values[name] for name in asked.filled}))
    if asked.missing:
        return DryRun(outcome="incomplete", steps=steps)
    steps.append(_request(channel, asked.values, origin))
    bodies = _bodies(channel, sample)
    filled = bool(asked.filled)
    if sample.message is not None:
        return _read_message(channel, sample.message, answers, steps, filled=filled)
    if not bodies:
        return DryRun(outcome=None, steps=steps)
    return _read(channel, sample.status, bodies, answers, steps, filled=filled)


def _request(channel: Channel, values: Mapping[str, Any], origin: str) -> Step:
    transport = channel.transport
    if not isinstance(transport, Http):
        place = f"incoming/{channel.institution}/{transport.prefix}"
        return Step(name="request", ok=True, result={"file": place, "key": values.get(transport.key)})
    # The platform's own values are shown as stars: a dry run reveals no secrets.
    shown = {"request_id": SHOWN, "authorization_code": SHOWN, "authorization_id": SHOWN, "now": SHOWN, "today": SHOWN}
    shown |= {field.name: SHOWN for field in channel.authorization.fields}
    request = prepare(transport, origin, {**shown, **values})
    written_in = "ascii" if transport.type == "form" else encoder(transport.charset)
    body = request.body.decode(written_in, "replace") if request.body is not None else None
    rendered = {"method": request.method, "url": request.url, "headers": request.headers, "body": body}
    return _step("request", StepDetail.of("authentication", type=channel.authentication.type), rendered, ok=True)


def _step(name: str, told: Reason | None, result: Any = None, *, ok: bool) -> Step:
    return Step(name=name, ok=ok, detail=told.text if told else None, **(told.told if told else {}), result=result)


def _bodies(channel: Channel, sample: Sample) -> list[bytes]:
    if sum(map(len, [*sample.pages, *sample.pages_base64, sample.message or ""])) > MAX_SAMPLE_CHARACTERS:
        raise InvalidInput(
            "may have at most {max} characters together",
            field="sample.pages",
            fault="too_long",
            max=MAX_SAMPLE_CHARACTERS,
        )
    try:
        codec, _ = decoder(channel.response.charset, b"")
        return [page.encode(codec) for page in sample.pages] + [
            base64.b64decode(one, validate=True) for one in sample.pages_base64
        ]
    except UnicodeEncodeError:
        raise InvalidInput(
            "cannot be written in {charset}",
            field="sample.pages",
            fault="not_in_charset",
            charset=channel.response.charset,
        ) from None
    except ValueError:
        raise InvalidInput("must be base64", field="sample.pages_base64", fault="not_base64") from None


def _read(
    channel: Channel, status: int, bodies: list[bytes], answers: Answers, steps: list[Step], *, filled: bool
) -> DryRun:
    try:
        for body in bodies:
            steps.append(Step(name="parse", ok=True, result=reader.parse(channel.response, body)))
    except reader.Unreadable as fault:
        steps.append(_step("parse", StepDetail(code=f"answer_{fault.fault}", parameters=fault.parameters), ok=False))
    reading = answers.read(channel, Came(status, bodies, 1))
    return _ended(reading, steps, filled=filled)


def _read_message(channel: Channel, message: str, answers: Answers, steps: list[Step], *, filled: bool) -> DryRun:
    if channel.callback is None:
        raise InvalidInput("is only for a channel with a callback", field="sample.message", fault="no_callback")
    body = message.encode("utf-8", "surrogatepass")
    try:
        steps.append(Step(name="parse", ok=True, result=reader.parse(MESSAGE, body)))
    except reader.Unreadable as fault:
        steps.append(_step("parse", StepDetail(code=f"answer_{fault.fault}", parameters=fault.parameters), ok=False))
    return _ended(answers.read_message(channel, body), steps, filled=filled)


def _ended(reading: Reading, steps: list[Step], *, filled: bool) -> DryRun:
    outcome = reading.outcome.value
    told: Reason | None = reading.cause
    if reading.missing:
        told = StepDetail.of("parts_missing", expressions=[*reading.missing])
    good = reading.third is not None and not reading.missing
    steps.append(_step("structure", told, reading.third, ok=good))
    return DryRun(outcome="filled" if filled and outcome == "complete" else outcome, steps=steps)
