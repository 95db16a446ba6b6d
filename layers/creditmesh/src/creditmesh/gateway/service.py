"""Collection: fetch the sources side by side, keep the raw answers, extract key data (C07-C10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.gateway.key_data import SourceDataInvalid, extract
from creditmesh.gateway.model import (
    AuthorizationRejected,
    KeyDataDocument,
    RawAnswer,
    SourceUnavailable,
)
from creditmesh.gateway.store import KeyDataStore, RawAnswerStore
from creditmesh.kernel.clock import Clock, iso

if TYPE_CHECKING:
    from creditmesh.authorization.service import Authorizations
    from creditmesh.gateway.clients import CompanyRegistry, TaxBureau


class Collection:
    """Collects one firm's data for one application."""

    def __init__(
        self,
        authorizations: Authorizations,
        tax: TaxBureau,
        registry: CompanyRegistry,
        raw: RawAnswerStore,
        key_data: KeyDataStore,
        clock: Clock,
    ) -> None:
        self._authorizations, self._tax, self._registry = authorizations, tax, registry
        self._raw, self._key_data, self._clock = raw, key_data, clock

    def collect(
        self,
        application_id: str,
        taxpayer_id: str,
        *,
        blacklist_hits: int,
        requested_amount_minor: int,
        requested_term_months: int,
    ) -> str:
        """Collect, keep and extract; the S3 key of the key data is the answer.

        Raises:
            AuthorizationRequired: none is usable, or the source refused it (C04, C08).
            SourceUnavailable: a source gave no usable answer.
        """
        authorization = self._authorizations.usable(taxpayer_id)
        with ThreadPoolExecutor(max_workers=2) as pool:
            registry_call = pool.submit(self._registry.fetch, taxpayer_id)
            try:
                tax = self._tax.fetch(taxpayer_id, authorization.code)
            except AuthorizationRejected as refusal:
                self._authorizations.refuse(authorization, refusal.message)
                raise AuthorizationRequired(refusal.message) from None
            registry = registry_call.result()
        now = self._clock.now()
        try:
            key_data = extract(
                _document(tax),
                _document(registry),
                blacklist_hits=blacklist_hits,
                requested_amount_minor=requested_amount_minor,
                requested_term_months=requested_term_months,
                as_of=now.date(),
            )
        except SourceDataInvalid as error:
            raise SourceUnavailable(f"{error.source}: {error.path}: {error.rule}") from None
        finally:
            records = [self._raw.put(application_id, answer) for answer in (tax, registry)]
        document = KeyDataDocument(
            application_id=application_id,
            as_of=iso(now),
            sources=records,
            features=key_data.features,
            quality=[finding.model_dump(mode="json") for finding in key_data.quality],
        )
        return self._key_data.put(document)


def _document(answer: RawAnswer) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        raise SourceUnavailable(f"{answer.channel}: the answer is not JSON") from None
    if not isinstance(document, dict):
        raise SourceUnavailable(f"{answer.channel}: the answer is no JSON object")
    return document
