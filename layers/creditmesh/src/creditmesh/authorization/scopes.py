"""The rights that a firm may grant: purposes, longest validity, way of granting, text.

Registry and judicial data are public and need no consent, so they are not listed.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from creditmesh.kernel.errors import InvalidInput


class Way(StrEnum):
    """How a right is granted."""

    REDIRECT = "redirect"
    """At the source: the firm logs in there and returns with a code and its expiry."""
    PLATFORM = "platform"
    """On the platform: the firm accepts a published text and chooses the validity."""


class Purpose(StrEnum):
    """What a right may be used for; a use for anything else is refused."""

    ASSESSMENT = "loan_assessment"
    MONITORING = "loan_monitoring"
    COLLECTION = "debt_collection"


class Scope(BaseModel):
    """One right."""

    model_config = ConfigDict(frozen=True)

    name: str
    text_key: str
    """Key of the consent text; `authorization/texts/{text_key}.{text_version}.{language}.txt`."""
    text_version: str
    purposes: tuple[Purpose, ...]
    """The purposes that the text names."""
    longest_days: int
    """Maximum validity."""
    way: Way
    institution_kind: str
    """Kind of the sources that it opens, as in the directory."""
    revoke_path: str | None = None
    """Path at the source for revoking a code; None if there is no code."""
    required: bool = False
    """Whether a loan application needs it."""


TAX = "tax"
_VERSION = "2026-11"
_LENDING = (Purpose.ASSESSMENT, Purpose.MONITORING)
_ALL = (
    Scope(
        name=TAX, text_key="tax", text_version=_VERSION, purposes=_LENDING, longest_days=3650, way=Way.REDIRECT,
        institution_kind="tax", revoke_path="/oauth/revoke", required=True,
    ),
    Scope(
        name="credit_bureau", text_key="credit_bureau", text_version=_VERSION, purposes=(*_LENDING, Purpose.COLLECTION),
        longest_days=1825, way=Way.PLATFORM, institution_kind="credit_bureau",
    ),
    Scope(
        name="shop", text_key="shop", text_version=_VERSION, purposes=_LENDING, longest_days=730, way=Way.PLATFORM,
        institution_kind="shop",
    ),
    Scope(
        name="education", text_key="education", text_version=_VERSION, purposes=(Purpose.ASSESSMENT,),
        longest_days=180, way=Way.PLATFORM, institution_kind="education",
    ),
    Scope(
        name="anti_fraud", text_key="anti_fraud", text_version=_VERSION, purposes=_LENDING, longest_days=1825,
        way=Way.PLATFORM, institution_kind="anti_fraud",
    ),
)  # fmt: skip

SCOPES = MappingProxyType({scope.name: scope for scope in _ALL})


def scope_of(name: str) -> Scope:
    """The right with that name.

    Raises:
        InvalidInput: unknown name.
    """
    try:
        return SCOPES[name]
    except KeyError:
        raise InvalidInput(
            "must be one of {allowed}", field="scope", fault="not_allowed", allowed=list(SCOPES)
        ) from None
