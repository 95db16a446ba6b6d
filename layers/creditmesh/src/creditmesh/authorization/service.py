"""Use cases of authorisations: reuse, ask, take, refuse."""

from __future__ import annotations

from urllib.parse import urlencode

from creditmesh.authorization.model import (
    Authorization,
    AuthorizationRequired,
    Standing,
    check_code,
    check_expiry,
    read_state,
    state_token,
)
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.crypto import BlindIndex
from creditmesh.platform.institutions import Directory
from creditmesh.platform.tables import ConditionFailed

SOURCE = "tax"
STATE_SECONDS = 3600


class Authorizations:
    """Keeps the borrowers' authorisations.

    Args:
        state_key: signs the `state` of the redirect to a source.
        return_url: where the source sends the borrower back.
    """

    def __init__(
        self,
        store: AuthorizationStore,
        index: BlindIndex,
        directory: Directory,
        clock: Clock,
        state_key: bytes,
        return_url: str,
    ) -> None:
        self._store, self._index, self._directory, self._clock = store, index, directory, clock
        self._state_key, self._return_url = state_key, return_url

    def usable(self, taxpayer_id: str) -> Authorization:
        """The stored authorisation, if it can be used now (C03).

        Raises:
            AuthorizationRequired: none is stored, or it has run out or was refused.
        """
        found = self._store.get(self._index.of("taxpayer_id", taxpayer_id), SOURCE)
        problem = "none_stored" if found is None else found.problem(self._clock.now())
        if found is None or problem:
            raise AuthorizationRequired(problem or "none_stored")
        return found

    def has_usable(self, taxpayer_id: str) -> bool:
        """Whether a stored authorisation can be used now."""
        try:
            self.usable(taxpayer_id)
        except AuthorizationRequired:
            return False
        return True

    def take(self, taxpayer_id: str, code: str, expires_at: str, granted_by: str) -> None:
        """Store what the borrower brought back, in place of what was there (C04, C08).

        An expiry that has passed is stored too: the source has the last word, and collection will ask again.

        Raises:
            InvalidInput: the code or the expiry is malformed.
        """
        now = self._clock.now()
        self._store.put(
            Authorization(
                taxpayer_index=self._index.of("taxpayer_id", taxpayer_id),
                source=SOURCE,
                code=check_code(code),
                expires_at=check_expiry(expires_at, now),
                standing=Standing.ACTIVE,
                granted_at=iso(now),
                granted_by=granted_by,
            )
        )

    def refuse(self, authorization: Authorization, reason: str) -> None:
        """Remember that the source refused this one, so that it is not tried again."""
        try:
            self._store.reject(authorization, reason)
        except ConditionFailed:
            return  # the borrower has brought a newer one in the meantime

    def login_link(self, application_id: str, taxpayer_id: str) -> str:
        """Where the borrower logs in and grants access (C05)."""
        bureau = self._directory.of_kind(SOURCE)[0]
        until = int(self._clock.now().timestamp()) + STATE_SECONDS
        query = {
            "client_id": bureau.keys.client_id,
            "redirect_uri": self._return_url,
            "state": state_token(self._state_key, application_id, until),
            "taxpayer_id": taxpayer_id,
        }
        return f"{bureau.address.login_url or bureau.address.base_url}/oauth/authorize?{urlencode(query)}"

    def returning(self, state: str) -> str:
        """The application a borrower returns to.

        Raises:
            InvalidInput: the state is not ours or has run out.
        """
        return read_state(self._state_key, state, int(self._clock.now().timestamp()))
