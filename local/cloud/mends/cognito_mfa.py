"""Mandatory second factor of a Cognito pool.

Upstream gives tokens to a user without an authenticator app although the pool's MFA is ON. Like Cognito, we answer
MFA_SETUP, and give tokens once the user has registered an app in that session.
"""

from __future__ import annotations

import json
from typing import Any

from cloud.config import Config
from cloud.upstream import cognito

_setting_up: dict[str, Any] = {}
"""Session -> the user who is registering an app."""
_set_up: set[str] = set()
"""Sessions in which an app was registered."""


def apply(_config: Config) -> None:
    """Wrap the step after the password, the registration of an app, and the answer to the challenge."""
    challenge, associate = cognito._mfa_challenge_for_user, cognito._associate_software_token
    verify, respond = cognito._verify_software_token, cognito._respond_to_auth_challenge

    def challenged(pool: Any, user: Any, pool_id: str, username: str) -> Any:
        found = challenge(pool, user, pool_id, username)
        if found or pool.get("MfaConfiguration") != "ON":
            return found
        session = cognito.secrets.token_urlsafe(32)
        _setting_up[session] = user
        parameters = {"USER_ID_FOR_SRP": username, "MFAS_CAN_SETUP": '["SOFTWARE_TOKEN_MFA"]'}
        return {"ChallengeName": "MFA_SETUP", "Session": session, "ChallengeParameters": parameters}

    def associated(data: dict[str, Any]) -> Any:
        user = _setting_up.pop(data.get("Session", ""), None)
        answer = associate(data)
        if user is not None:
            _setting_up[_session(answer)] = user
        return answer

    def verified(data: dict[str, Any]) -> Any:
        session = data.get("Session", "")
        secret = cognito._totp_session_secrets.get(session)
        answer = verify(data)
        if answer[0] == 200 and (user := _setting_up.pop(session, None)) is not None:
            user |= {"_totp_secret": secret, "_mfa_enabled": ["SOFTWARE_TOKEN_MFA"]}
            _set_up.add(_session(answer))
        return answer

    def responded(data: dict[str, Any]) -> Any:
        if data.get("ChallengeName") == "MFA_SETUP" and data.get("Session") not in _set_up:
            return cognito.error_response_json("NotAuthorizedException", "Invalid session for the user.", 400)
        _set_up.discard(data.get("Session", ""))
        return respond(data)

    cognito._mfa_challenge_for_user, cognito._associate_software_token = challenged, associated
    cognito._verify_software_token, cognito._respond_to_auth_challenge = verified, responded


def _session(answer: Any) -> str:
    return str(json.loads(answer[2])["Session"])
