"""The consent texts: files of the package, one per scope, version and language; published ones never change."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import get_args

from pydantic import BaseModel, ConfigDict

from creditmesh.authorization.model import Consent, Language
from creditmesh.authorization.scopes import Scope
from creditmesh.kernel.errors import InvalidInput

LANGUAGES: tuple[Language, ...] = get_args(Language)


class ConsentText(BaseModel):
    """One consent text."""

    model_config = ConfigDict(frozen=True)

    text_key: str
    version: str
    language: Language
    title: str
    body: str
    sha256: str


@cache
def text_of(scope: Scope, language: Language) -> ConsentText:
    """The current text; its first line is the title, the hash covers the whole file."""
    name = f"{scope.text_key}.{scope.text_version}.{language}.txt"
    content = resources.files(__package__).joinpath("texts").joinpath(name).read_bytes()
    title, _, body = content.decode().partition("\n")
    return ConsentText(
        text_key=scope.text_key,
        version=scope.text_version,
        language=language,
        title=title,
        body=body.strip(),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def consent_to(scope: Scope, language: Language) -> Consent:
    """The consent to the current text, for the record."""
    text = text_of(scope, language)
    return Consent(
        purposes=tuple(purpose.value for purpose in scope.purposes),
        text_key=text.text_key,
        text_version=text.version,
        text_sha256=text.sha256,
        language=language,
    )


def require_current(scope: Scope, version: str) -> None:
    """Require that the consent is for the current text.

    Raises:
        InvalidInput: the borrower was shown another version.
    """
    if version != scope.text_version:
        raise InvalidInput(
            "must be the current version, {current}", field="text_version", fault="outdated", current=scope.text_version
        )
