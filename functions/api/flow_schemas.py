"""What the API takes and gives about loan flows."""

from __future__ import annotations

from pydantic import Field

from api.channel_schemas import DocumentVersion
from api.routing import Headed
from api.schemas import In, Listed
from creditmesh.intake.model import Identifier
from creditmesh.platform.documents import Stored


class FlowView(DocumentVersion):
    """A version of a loan flow."""

    flow_id: str
    approved_at: str | None = Field(description="null: not in force yet")
    approved_by: str | None

    @classmethod
    def of(cls, stored: Stored) -> FlowView:
        named = {name: getattr(stored, name) for name in cls.model_fields if name != "flow_id"}
        return cls(flow_id=stored.document_id, **named)

    def tagged(self) -> Headed:
        return Headed(self, {"etag": f'"{self.version}"'})


class FlowList(Listed):
    """Loan flows, or the versions of one."""

    flows: list[FlowView]


class FlowAssignment(In):
    """The flow that an application is to take."""

    flow_id: Identifier
    version: int | None = Field(default=None, ge=1, description="the version you have seen; null: the one in force")
