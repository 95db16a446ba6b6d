"""What the API takes and gives about consents (docs/reference/api.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from api.schemas import BroughtFields, In, Instant, Listed, Out, _true
from creditmesh.authorization.model import Language, Problem
from creditmesh.authorization.records import ConsentNoteCode, ConsentRecord, RecordKind, Use
from creditmesh.authorization.scopes import Scope, Way
from creditmesh.authorization.service import ScopeStanding
from creditmesh.authorization.texts import text_of
from creditmesh.authorization.watches import Watch
from creditmesh.gateway.channels.document import ConsentField
from creditmesh.kernel.errors import Parameter
from creditmesh.platform.country import Kind
from creditmesh.retention.model import Kept


class FieldView(Out):
    """A value that a source wants of the borrower with a right."""

    name: str
    label: str
    pattern: str | None
    max_length: int
    required: bool


class ScopeView(Out):
    """A right a firm may grant, with the text it agrees to."""

    scope: str
    way: Way
    required: bool = Field(description="without it no application is assessed")
    purposes: list[str]
    longest_days: int
    institution_kind: str
    text_version: str
    language: Language
    title: str
    text: str
    text_sha256: str
    fields: list[FieldView] = Field(description="what the right's sources want besides; brought with it")

    @classmethod
    def of(cls, scope: Scope, language: Language, declared: Sequence[ConsentField]) -> ScopeView:
        text = text_of(scope, language)
        return cls(
            scope=scope.name,
            way=scope.way,
            required=scope.required,
            purposes=[purpose.value for purpose in scope.purposes],
            longest_days=scope.longest_days,
            institution_kind=scope.institution_kind,
            text_version=scope.text_version,
            language=language,
            title=text.title,
            text=text.body,
            text_sha256=text.sha256,
            fields=[FieldView.model_validate(one.model_dump()) for one in declared],
        )


class ConsentScopes(Listed):
    """The rights a firm may grant."""

    scopes: list[ScopeView]


class ConsentStanding(Out):
    """State of one right of an application's firm."""

    scope: str
    way: Way
    required: bool
    usable: bool
    problem: Problem | None
    authorization_id: str | None
    granted_at: str | None
    expires_at: str | None
    how: str | None
    text_version: str | None = Field(description="of the text that was agreed to")
    text_sha256: str | None
    last_used_at: str | None
    reminded_days: int | None = Field(description="the last reminder: so many days before its end")
    renewal_requested_at: str | None = Field(description="monitoring rests on it, and it ends or has ended")
    blind: list[str] = Field(description="loans or applications that cannot be monitored for lack of it")
    grant: str = Field(description="where it is granted or renewed")

    @classmethod
    def of(
        cls, standing: ScopeStanding, application_id: str, blind: list[Watch], requires: Callable[[str], bool]
    ) -> ConsentStanding:
        """Without code and index."""
        one, scope = standing.authorization, standing.scope
        here = f"/v1/applications/{application_id}"
        return cls(
            scope=scope.name,
            way=scope.way,
            required=scope.required or requires(scope.name),
            usable=standing.problem is None,
            problem=standing.problem,
            authorization_id=one.authorization_id if one else None,
            granted_at=one.granted_at if one else None,
            expires_at=one.expires_at if one else None,
            how=one.how if one else None,
            text_version=one.consent.text_version if one else None,
            text_sha256=one.consent.text_sha256 if one else None,
            last_used_at=one.last_used_at if one else None,
            reminded_days=one.reminded_days if one else None,
            renewal_requested_at=one.renewal_requested_at if one else None,
            blind=[watch.subject_id for watch in blind if watch.scope == scope.name],
            grant=f"{here}/authorization-link" if scope.way is Way.REDIRECT else f"{here}/consents",
        )


class Consents(Listed):
    """How every right stands."""

    consents: list[ConsentStanding]


class ConsentGiven(In):
    """A borrower's consent to a text he was shown. Either `valid_days` or `until`."""

    scope: str = Field(min_length=1, max_length=40)
    valid_days: int | None = Field(default=None, ge=1, strict=True)
    until: Instant | None = None
    text_version: str = Field(min_length=1, max_length=20)
    language: Language = Field(default="zh-CN", description="in which the text was shown")
    agreed: Annotated[Literal[True], BeforeValidator(_true)]
    fields: BroughtFields = {}


class ConsentEntry(Out):
    """One thing that happened to a right."""

    at: str
    kind: RecordKind
    scope: str
    authorization_id: str
    by: str = Field(description="role or part of the platform")
    note: str | None = Field(description="the sentence of the code")
    note_code: ConsentNoteCode | None
    note_parameters: dict[str, Parameter] | None
    subject_id: str | None
    expires_at: str | None
    how: str | None
    purposes: list[str] | None
    text_key: str | None
    text_version: str | None
    text_sha256: str | None
    language: Language | None
    renewal_of: str | None

    @classmethod
    def of(cls, record: ConsentRecord) -> ConsentEntry:
        """Names the actor's role only."""
        consent, said = record.consent, record.said
        return cls(
            at=record.at,
            kind=record.kind,
            scope=record.scope,
            authorization_id=record.authorization_id,
            by=record.by.partition(":")[0],
            note=record.note,
            note_code=said.code if said else None,
            note_parameters=said.parameters if said else None,
            subject_id=record.subject_id,
            expires_at=record.expires_at,
            how=record.how,
            purposes=list(consent.purposes) if consent else None,
            text_key=consent.text_key if consent else None,
            text_version=consent.text_version if consent else None,
            text_sha256=consent.text_sha256 if consent else None,
            language=consent.language if consent else None,
            renewal_of=record.renewal_of,
        )


class ConsentHistory(Listed):
    """What happened, newest first."""

    history: list[ConsentEntry]


class UseEntry(Out):
    """One use of a right, or an attempt that was refused."""

    at: str
    scope: str
    authorization_id: str
    purpose: str
    by: str = Field(description="application or monitoring run")
    channel: str
    outcome: Literal["allowed", "denied"]
    problem: Problem | None = None
    correlation_id: str | None

    @classmethod
    def of(cls, use: Use) -> UseEntry:
        return cls.model_validate(use.model_dump(include=set(cls.model_fields)))


class ConsentUses(Listed):
    """Uses, newest first."""

    uses: list[UseEntry]


class KeptData(Out):
    """Data that stays after an erasure."""

    kind: Kind
    days: int = Field(description="how long it is kept after that end")
    after: Literal["application_end", "loan_end", "consent_end"]
    until: date | None = Field(description="null while that end is open")
    reason: str

    @classmethod
    def of(cls, kept: Kept, language: Language) -> KeptData:
        return cls(kind=kept.kind, days=kept.days, after=kept.after, until=kept.until, reason=kept.reason[language])


class Erased(Out):
    """What an erasure did."""

    withdrawn: list[str] = Field(description="rights that stand withdrawn now, whatever was read under them erased")
    kept: list[KeptData] = Field(description="what is kept nevertheless, until when and why")


class BlindSpot(Out):
    """A loan or application whose monitoring lacks a right."""

    subject_id: str
    scope: str
    tenant: str
    lender_id: str | None
    since: str
    cause: Problem

    @classmethod
    def of(cls, watch: Watch) -> BlindSpot:
        return cls(
            subject_id=watch.subject_id,
            scope=watch.scope,
            tenant=watch.tenant,
            lender_id=watch.lender_id,
            since=watch.blind_since or "",
            cause=watch.blind_cause or "",
        )


class BlindSpots(Listed):
    """Blind spots, longest first."""

    blind_spots: list[BlindSpot]
