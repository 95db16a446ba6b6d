"""What sources want of the borrower besides a consent: declared by channel documents, checked where it is brought."""

from __future__ import annotations

from collections.abc import Mapping

from creditmesh.gateway.channels.catalogue import ChannelCatalogue
from creditmesh.gateway.channels.document import ConsentField
from creditmesh.gateway.channels.rules import matches
from creditmesh.kernel.errors import InvalidInput


class ConsentFields:
    """The fields that the enabled channels declare for a right."""

    def __init__(self, catalogue: ChannelCatalogue) -> None:
        self._catalogue = catalogue

    def declared(self, scope: str) -> list[ConsentField]:
        """All declarations; several channels may declare the same name."""
        channels = (one.channel for one in self._catalogue.all())
        return [
            field
            for channel in channels
            if channel.enabled and channel.consent_scope == scope
            for field in channel.authorization.fields
        ]

    def required(self, scope: str) -> set[str]:
        return {field.name for field in self.declared(scope) if field.required}

    def check(self, scope: str, given: Mapping[str, str]) -> dict[str, str]:
        """The values to store.

        Raises:
            InvalidInput: names the field and the rule, never the value.
        """
        declared = self.declared(scope)
        for name in given.keys() - {field.name for field in declared}:
            raise InvalidInput("is not asked for", field=f"fields.{name}", fault="unknown_field")
        for field in declared:
            _check(field, given.get(field.name, ""))
        return {name: value for name, value in given.items() if value}


def _check(field: ConsentField, value: str) -> None:
    place = f"fields.{field.name}"
    if not value:
        if field.required:
            raise InvalidInput("is required", field=place, fault="required")
        return
    if len(value) > field.max_length:
        raise InvalidInput("must have at most {max} characters", field=place, fault="too_long", max=field.max_length)
    if not value.isprintable():
        raise InvalidInput("must be printable", field=place, fault="wrong_form")
    if field.pattern and not matches(field.pattern, value):
        raise InvalidInput("must match {pattern}", field=place, fault="wrong_form", pattern=field.pattern)
