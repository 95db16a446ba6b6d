"""Redirects to sources: started by a link, each return accepted at most once."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from creditmesh.authorization.flow import FLOW_SECONDS, Flow, Link, challenge, fingerprint, flow_id_of, not_ours
from creditmesh.authorization.model import RedirectUsed
from creditmesh.authorization.scopes import Scope
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.platform.institutions import Directory
from creditmesh.platform.tables import Absent, ConditionFailed, Item, Put, Tables, Update

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import FieldCipher
    from creditmesh.platform.tokens import GuestKeys


class OtherBrowser(Forbidden):
    """The returning browser is not the one that asked for the link: the link was passed on."""

    code = "other_browser"


class Redirects:
    """Creates links and accepts returns.

    Args:
        keys: sign the `state`.
        return_url: where sources send the borrower back.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        cipher: FieldCipher,
        index: BlindIndex,
        directory: Directory,
        clock: Clock,
        keys: GuestKeys,
        return_url: str,
    ) -> None:
        self._tables, self._table, self._cipher, self._index = tables, table, cipher, index
        self._directory, self._clock = directory, clock
        self._keys, self._return_url = keys, return_url

    def begin(self, application_id: str, taxpayer_id: str, tenant: str, scope: Scope, *, in_browser: bool) -> Link:
        """Create the login link for the borrower.

        Args:
            in_browser: the borrower's own browser asks, so only this browser may return.
        """
        source = self._directory.of_kind(scope.institution_kind)[0]
        nonce = secrets.token_urlsafe(24) if in_browser else None
        flow = Flow(
            flow_id=secrets.token_urlsafe(16),
            application_id=application_id,
            taxpayer_index=self._index.of("taxpayer_id", taxpayer_id),
            tenant=tenant,
            scope=scope.name,
            institution_id=source.institution_id,
            verifier=secrets.token_urlsafe(32),
            nonce_sha256=fingerprint(nonce) if nonce else "",
            expires_at=self._now() + FLOW_SECONDS,
        )
        sealed = self._cipher.seal(flow.verifier, self._table, flow.flow_id, "verifier")
        item = {**flow.model_dump(mode="json", exclude_none=True), "verifier": sealed}
        self._tables.write(Put(self._table, item, "flow_id"))
        query = {
            "client_id": source.keys.client_id,
            "redirect_uri": self._return_url,
            "state": flow.state(self._keys.current),
            "taxpayer_id": taxpayer_id,
            "code_challenge": challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        address = source.address.login_url or source.address.base_url
        return Link(f"{address}/oauth/authorize?{urlencode(query)}", flow.flow_id, nonce)

    def named_by(self, state: str, *, issuer: str | None = None) -> Flow:
        """The unused flow that a `state` belongs to.

        Args:
            issuer: the institution that sends the borrower back (RFC 9207), if given.

        Raises:
            InvalidInput: forged, altered, too old, or of another institution.
            RedirectUsed: returned before.
        """
        flow_id = flow_id_of(state, self._now())
        item = self._tables.get(self._table, {"flow_id": flow_id})
        if item is None:
            raise not_ours()
        item["verifier"] = self._cipher.open(item["verifier"], self._table, flow_id, "verifier")
        flow = Flow.model_validate(item)
        if not self._keys.fitting(lambda key: hmac.compare_digest(flow.state(key).encode(), state.encode())):
            raise not_ours()
        if issuer is not None and issuer != flow.institution_id:
            raise InvalidInput("is not the institution this state was made for", field="iss", fault="other_issuer")
        if flow.used_at:
            raise RedirectUsed("this authorisation link has already been used")
        return flow

    def require_browser(self, flow: Flow, nonce: str | None) -> None:
        """Require that the returning browser is the one that started.

        Raises:
            OtherBrowser: the nonce is missing or another's.
        """
        if not flow.is_from(nonce):
            raise OtherBrowser("another browser asked for this link")

    def use(self, flow: Flow) -> None:
        """Mark the flow as used.

        Raises:
            RedirectUsed: by a concurrent return.
        """
        change = {"used_at": iso(self._clock.now())}
        try:
            self._tables.write(Update(self._table, {"flow_id": flow.flow_id}, change, absent=("used_at",)))
        except ConditionFailed:
            raise RedirectUsed("this authorisation link has already been used") from None

    def claim(self, code: str, taxpayer_indexes: Sequence[str], tenant: str, expires_at: str) -> None:
        """Bind a code to the first tenant and taxpayer that present it, so that nobody else can use it.

        Args:
            taxpayer_indexes: all indexes of the taxpayer.

        Raises:
            InvalidInput: bound to another.
        """
        ends = int(parse_instant(expires_at).timestamp())
        if ends <= self._now():
            return None  # expired, so useless to others
        own = {"flow_id": f"code-{self._index.of('authorization_code', code)}"}
        put = Put(self._table, {**own, "owner": f"{taxpayer_indexes[0]}#{tenant}", "expires_at": ends}, "flow_id")
        others = [Absent(self._table, key) for key in self._claims(code) if key != own]
        if others:
            try:
                return self._tables.transact([put, *others], own["flow_id"])
            except ConditionFailed:
                ours = self.is_claimed(code, taxpayer_indexes, tenant)
        else:
            held = self._tables.put_or_find(put)
            ours = held is None or _is_owner(held, taxpayer_indexes, tenant)
        if not ours:
            raise InvalidInput(
                "is already bound to another account or firm", field="authorization_code", fault="others_code"
            )
        return None

    def is_claimed(self, code: str, taxpayer_indexes: Sequence[str], tenant: str) -> bool:
        """Whether a code is bound to this tenant and taxpayer."""
        held = (self._tables.get(self._table, key) for key in self._claims(code))
        return any(item is not None and _is_owner(item, taxpayer_indexes, tenant) for item in held)

    def _claims(self, code: str) -> list[dict[str, str]]:
        """Keys under which a code may be recorded, one per index key, retired ones included."""
        return [{"flow_id": f"code-{index}"} for index in self._index.every("authorization_code", code)]

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _is_owner(claim: Item, taxpayer_indexes: Sequence[str], tenant: str) -> bool:
    return claim["owner"] in {f"{index}#{tenant}" for index in taxpayer_indexes}
