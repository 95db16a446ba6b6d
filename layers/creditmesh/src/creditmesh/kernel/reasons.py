"""Reasons that are stored and shown: a stable code with parameters, and the sentence that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.errors import Parameter, Unavailable, said

UNCODED = "uncoded"
"""Code of a sentence that was stored before reasons had codes."""


class Reason(BaseModel):
    """Base of reasons; each context has its table of sentences."""

    model_config = ConfigDict(frozen=True)

    SENTENCES: ClassVar[Mapping[str, str]] = {}
    """By code; names the parameters in braces."""

    code: str
    parameters: dict[str, Parameter] = {}

    @classmethod
    def of(cls, code: str, **parameters: Parameter) -> Self:
        return cls(code=code, parameters=parameters)

    @classmethod
    def parsed(cls, item: Any) -> Any:
        """A reason as stored, for a validator: a sentence, if it is older than the codes."""
        return cls.of(UNCODED, text=item) if isinstance(item, str) else item

    @classmethod
    def enum(cls) -> Any:
        """The annotation of a field with one of the codes, for the API's document."""
        return Field(json_schema_extra={"enum": [*sorted(cls.SENTENCES)]})

    @property
    def told(self) -> dict[str, Any]:
        """Code and parameters as answers have them; empty for a sentence without a code."""
        return {} if self.code == UNCODED else {"code": self.code, "parameters": self.parameters}

    @property
    def text(self) -> str:
        """The sentence, in English."""
        return said("{text}" if self.code == UNCODED else self.SENTENCES.get(self.code, self.code), self.parameters)


class Unusable(Unavailable):
    """Unavailable for one of the reasons in a table."""

    SENTENCES: ClassVar[Mapping[str, str]] = {}
    """By code; names the parameters in braces."""

    def __init__(self, fault: str, **parameters: Parameter) -> None:
        """Take the code of the reason and what its sentence names."""
        super().__init__(said(self.SENTENCES[fault], parameters))
        self.fault, self.parameters = fault, parameters
