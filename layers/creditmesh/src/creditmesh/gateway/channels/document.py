"""The channel document: everything the platform knows about a source.

Its JSON Schema is published (`schema`); one document is one version of one channel. What its texts must be, `rules`
says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from creditmesh.gateway.channels.rules import (
    Charset,
    Expression,
    Identifier,
    Name,
    Path,
    Pattern,
    PlainHeader,
    SchemaDocument,
    SecretHeader,
    Template,
    placeholders,
)
from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.money import Money

MAX_ANSWER_BYTES = 64 * 1024 * 1024
CONSENT_FIELDS = frozenset({"authorization_code", "authorization_id"})
RESERVED_FIELDS = CONSENT_FIELDS | {"request_id", "today", "now"}
"""What the platform itself puts into a request; neither a field nor a fill rule can set it."""
_RETURNED = frozenset({"state", "iss", "code", "expires_at", "taxpayer_id", "error", "error_description"})
"""Parameters that a redirect carries by itself."""
SIGNED_FIELDS = frozenset({"timestamp", "nonce", "method", "path", "body", "body_sha256"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RequiredField(_Part):
    """What a request needs; checked before any call is made."""

    pattern: Pattern | None = None
    optional: bool = False


class FillRule(_Part):
    """Where a missing field is taken from."""

    field: Name
    record: Identifier = Field(description="collection of stored records, see PUT /v1/reference-records")
    key: Name = Field(description="the field whose value is the record's key")
    path: Expression


class ApiKey(_Part):
    """A fixed key in a header."""

    type: Literal["api_key"]
    header: SecretHeader = "x-api-key"
    prefix: str = Field(default="", max_length=20)
    secret: Name = "api_key"


class HmacSignature(_Part):
    """A signature over what is sent."""

    type: Literal["hmac"]
    secret: Name = "signing_secret"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    over: Template = Field(description="placeholders timestamp, nonce, method, path, body, body_sha256")
    header: SecretHeader = "x-signature"
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: PlainHeader | None = "x-timestamp"
    nonce_header: PlainHeader | None = None
    client_header: PlainHeader | None = None

    @model_validator(mode="after")
    def _signs_what_is_known(self) -> Self:
        unknown = placeholders(self.over) - SIGNED_FIELDS
        if unknown:
            raise ValueError(f"over uses {{{{{min(unknown)}}}}}, which is none of {', '.join(sorted(SIGNED_FIELDS))}")
        return self


class OAuth2(_Part):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); the token is kept until shortly before it ends."""

    type: Literal["oauth2"]
    token_path: Path
    scope: str | None = Field(default=None, max_length=200)
    secret: Name = "client_secret"


class MutualTls(_Part):
    """The platform shows a certificate of its own."""

    type: Literal["mtls"]
    certificate: Name = "certificate"
    private_key: Name = "private_key"
    authority: Name | None = Field(default=None, description="secret with the CA that signed the institution's own")


class NoAuthentication(_Part):
    """No authentication."""

    type: Literal["none"]


Authentication = Annotated[ApiKey | HmacSignature | OAuth2 | MutualTls | NoAuthentication, Field(discriminator="type")]


class Paging(_Part):
    """An answer in several pages; their items are joined under the place of the first page's."""

    items: Name
    next: Expression = Field(description="gives the next page's mark, or null at the end")
    parameter: Name = "cursor"
    pages: int = Field(default=20, ge=1, le=100)


class Http(_Part):
    """A call over HTTP; `body` is sent as JSON, form or XML by the transport's type."""

    type: Literal["rest", "form", "xml"]
    method: Literal["GET", "POST"] = "POST"
    path: Path
    query: dict[Name, Template] = {}
    headers: dict[PlainHeader, Template] = {}
    body: dict[str, Any] | Template | None = None
    charset: Charset = "utf-8"
    paging: Paging | None = None

    @model_validator(mode="after")
    def _body_fits(self) -> Self:
        if self.type == "xml" and not isinstance(self.body, str):
            raise ValueError("an xml transport needs a body template of text")
        if self.type == "form" and not isinstance(self.body, dict):
            raise ValueError("a form transport needs a body of names and templates")
        if self.type == "rest" and isinstance(self.body, str):
            # In a text, a value with a quotation mark could change the document's structure.
            raise ValueError("a rest transport needs a body of JSON, not of text")
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET carries no body")
        return self


class BatchFile(_Part):
    """A file the institution drops in S3 from time to time; the newest by name is read."""

    type: Literal["batch_file"]
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,200}$")] = Field(
        description="below incoming/{institution}/"
    )
    format: Literal["csv", "jsonl"]
    key_column: Annotated[str, Field(min_length=1, max_length=100)]
    key: Name = "taxpayer_id"
    oldest_days: int = Field(default=35, ge=1, le=400, description="an older file counts as unavailable")


Transport = Annotated[Http | BatchFile, Field(discriminator="type")]


class Limits(_Part):
    """Limits of time, size and rate."""

    connect_seconds: float = Field(default=2.0, gt=0, le=10)
    total_seconds: float = Field(default=10.0, gt=0, le=25)
    answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1_000, le=MAX_ANSWER_BYTES)
    calls_per_second: int | None = Field(default=None, ge=1, le=10_000)


class Retry(_Part):
    """When a call is tried again within `total_seconds`.

    A call that may have been charged is repeated only where the institution knows a request again (`idempotent`).
    """

    attempts: int = Field(default=3, ge=1, le=5)
    pause_seconds: float = Field(default=0.2, ge=0, le=5)


class Breaker(_Part):
    """After this many failures in a row the channel is not called for a while."""

    failures: int = Field(default=5, ge=1, le=1000)
    open_seconds: int = Field(default=30, ge=1, le=3600)


class Refusal(_Part):
    """An answer that is a final refusal."""

    status: int = Field(ge=200, le=599)
    path: Expression | None = Field(default=None, description="gives the reason's code")
    reasons: list[str] = Field(default=[], max_length=50, description="the codes that count; all if empty")
    outcome: Literal["refused", "no_data"] = "refused"


class Response(_Part):
    """How an answer is read."""

    format: Literal["json", "xml", "csv"] = "json"
    charset: Charset = "utf-8"
    lists: list[str] = Field(default=[], max_length=50, description="XML elements that may repeat")
    schema_: SchemaDocument = Field(default={}, alias="schema")
    refusals: list[Refusal] = Field(default=[], max_length=20)
    accepted: list[int] = Field(default=[200], min_length=1, max_length=5)
    open_end: bool = Field(
        default=False, description="the last row of CSV may lack its line break, so that a cut in it stays unnoticed"
    )


class Callback(_Part):
    """A late answer by signed webhook."""

    message: Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,80}$")]
    request_id: Expression
    content: Expression
    acknowledged: list[int] = Field(default=[202], min_length=1, max_length=5, description="statuses that promise it")
    seconds: int = Field(default=600, ge=1, le=86_400)


class Structure(_Part):
    """How second information becomes third."""

    rule: Expression
    complete: list[Expression] = Field(default=[], max_length=50, description="each must give something")
    fallback: Expression | None = None


class ConsentField(_Part):
    """A value that the borrower brings with the consent; stored encrypted, and never shown again."""

    name: Name
    label: str = Field(min_length=2, max_length=120, description="what people read where it is asked for")
    pattern: Pattern | None = None
    max_length: int = Field(default=200, ge=1, le=500)
    required: bool = True


class ConsentExtras(_Part):
    """What the source wants of the borrower besides the consent, or besides code and expiry."""

    fields: list[ConsentField] = Field(default=[], max_length=10)


class Cost(_Part):
    """What one call costs the platform."""

    amount: str
    currency: str = "CNY"

    @model_validator(mode="after")
    def _is_money(self) -> Self:
        try:
            Money.parse(self.amount, self.currency)
        except InvalidInput as error:
            raise PydanticCustomError(error.fault, error.message, {"field": error.field, **error.parameters}) from None
        return self


class Channel(_Part):
    """One source of credit data; see docs/reference/channels.md."""

    channel_id: Identifier
    kind: Name
    title: str = Field(min_length=2, max_length=120)
    enabled: bool = True
    institution: Identifier
    base_url: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="origin of an institution that is not in the address book; must be allow-listed"
    )
    consent_scope: Name | None = Field(default=None, description="the consent it needs; null for public data")
    authorization: ConsentExtras = ConsentExtras()
    fields: dict[Name, RequiredField] = Field(default={"taxpayer_id": RequiredField()}, max_length=40)
    fill: list[FillRule] = Field(default=[], max_length=40)
    transport: Transport
    authentication: Authentication
    limits: Limits = Limits()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    fallback_channel: Identifier | None = None
    cost: Cost | None = None
    idempotent: bool = Field(default=False, description="the institution charges one request_id once")
    response: Response = Response()
    callback: Callback | None = None
    structure: Structure
    cache_seconds: int = Field(
        default=0, ge=0, le=90 * 86_400, description="also the window in which a call is not repeated"
    )

    @property
    def charged(self) -> bool:
        """Whether a call costs something."""
        return self.cost is not None and Money.parse(self.cost.amount, self.cost.currency).minor > 0

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        used, brought = placeholders(self.transport), [field.name for field in self.authorization.fields]
        for name in sorted(used - set(self.fields) - RESERVED_FIELDS - set(brought)):
            raise ValueError(f"the transport uses {{{{{name}}}}}, which is not among fields")
        for name in brought:
            if name in RESERVED_FIELDS | _RETURNED | set(self.fields) or brought.count(name) > 1:
                raise ValueError(f"authorization: the name {name} is taken")
        if brought and not self.consent_scope:
            raise ValueError("authorization: fields are brought with a consent, so a consent_scope is needed")
        for name in sorted(RESERVED_FIELDS & set(self.fields)):
            raise ValueError(f"fields: {name} is set by the platform")
        for rule in self.fill:
            if rule.field not in self.fields:
                raise ValueError(f"fill: {rule.field} is not among fields")
        if used & CONSENT_FIELDS and not self.consent_scope:
            raise ValueError(f"the transport uses {{{{{min(used & CONSENT_FIELDS)}}}}} without a consent_scope")
        if self.fallback_channel == self.channel_id:
            raise ValueError("fallback_channel must be another channel")
        return self

    @model_validator(mode="after")
    def _transport_fits(self) -> Self:
        if isinstance(self.transport, Http):
            for name in sorted(placeholders(self.transport.path) & set(self.fields)):
                if self.fields[name].optional:
                    raise ValueError(f"the path uses {{{{{name}}}}}, which must not be optional: routes would differ")
            for field in self.authorization.fields:
                if field.name in placeholders(self.transport.path):
                    raise ValueError(f"the path uses {{{{{field.name}}}}}, which would be written into logs on the way")
            return self
        key = self.fields.get(self.transport.key)
        if key is None or key.optional:
            raise ValueError(f"transport: key {self.transport.key} must be a required field")
        if self.callback or self.authentication.type != "none":
            raise ValueError("a batch_file transport takes neither callback nor authentication")
        return self


class Outcome(StrEnum):
    """How the collection from one channel ended; each is named in reports and health."""

    COMPLETE = "complete"
    FILLED = "filled"
    """Complete, with fields of the request filled from stored records."""
    INCOMPLETE = "incomplete"
    """Fields of the request or of the answer are missing; they are named."""
    REFUSED = "refused"
    NO_DATA = "no_data"
    """The source knows nothing of the firm."""
    NO_CONSENT = "no_consent"
    UNAVAILABLE = "unavailable"
    PENDING = "pending"
    """The answer comes later."""


def schema() -> dict[str, Any]:
    """The published JSON Schema of a channel document."""
    document = Channel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
