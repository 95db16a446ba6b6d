"""Contract of ``mends/cognito_mfa``."""

from __future__ import annotations

from pathlib import Path

import jwt

from run.users import Pool, Users, one_time_code

from .clouds import Cloud, refused


def pool(cloud: Cloud, name: str, mfa: str) -> Pool:
    """A user pool with one group."""
    users = cloud.client("cognito-idp")
    made = users.create_user_pool(
        PoolName=name, Schema=[{"Name": "tenant", "AttributeDataType": "String", "Mutable": True}]
    )["UserPool"]["Id"]
    users.set_user_pool_mfa_config(
        UserPoolId=made, MfaConfiguration=mfa, SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    users.create_group(UserPoolId=made, GroupName="operator")
    client = users.create_user_pool_client(
        UserPoolId=made, ClientName="desk", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )
    return Pool(made, client["UserPoolClient"]["ClientId"])


def test_a_pool_may_demand_a_second_factor(cloud: Cloud, name: str) -> None:
    """A password alone gives no token: the first time an app is registered, then its code is asked for."""
    staff, cognito = pool(cloud, name, "ON"), cloud.client("cognito-idp")
    cognito.admin_create_user(UserPoolId=staff.pool_id, Username="ann", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=staff.pool_id, Username="ann", Password="Passw0rd!x", Permanent=True)
    password = {
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": staff.client_id,
        "AuthParameters": {"USERNAME": "ann", "PASSWORD": "Passw0rd!x"},
    }  # fmt: skip
    asked = cognito.initiate_auth(**password)
    cloud.verdict("cognito_mfa", asked.get("ChallengeName") == "MFA_SETUP")
    if not cloud.mended:
        return
    setup = {"ClientId": staff.client_id, "ChallengeName": "MFA_SETUP", "ChallengeResponses": {"USERNAME": "ann"}}
    code, _ = refused(lambda: cognito.respond_to_auth_challenge(**setup, Session=asked["Session"]))
    assert code == "NotAuthorizedException"
    begun = cognito.associate_software_token(Session=asked["Session"])
    wrong = one_time_code(begun["SecretCode"], 0)
    code, _ = refused(lambda: cognito.verify_software_token(Session=begun["Session"], UserCode=wrong))
    assert code == "EnableSoftwareTokenMFAException"
    assert cognito.initiate_auth(**password)["ChallengeName"] == "MFA_SETUP"


def test_users_register_an_app_and_use_it(mended: Cloud, name: str, tmp_path: Path) -> None:
    """`run.users`: at the first login, at the next, by another process, and where another machine has the app."""
    members, staff = pool(mended, f"{name}-members", "OPTIONAL"), pool(mended, name, "ON")
    key, cognito = tmp_path / "users.key", mended.client("cognito-idp")
    users = Users(cognito, members, staff, key)
    for _ in range(2):
        assert users._log_in("operator-platform", "operator", "platform")
    first = subject(users.token("operator", "platform")())
    assert subject(Users(cognito, members, staff, key).token("operator", "platform")()) == first
    other_machine = Users(cognito, members, staff, tmp_path / "elsewhere" / "users.key")
    assert subject(other_machine.token("operator", "platform")()) != first
    assert [user["Username"] for user in cognito.list_users(UserPoolId=staff.pool_id)["Users"]] == ["operator-platform"]
    assert cognito.list_users(UserPoolId=members.pool_id)["Users"] == []


def subject(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["sub"])


def test_each_person_is_a_user_of_its_own(mended: Cloud, name: str, tmp_path: Path) -> None:
    staff = pool(mended, name, "ON")
    users = Users(mended.client("cognito-idp"), staff, staff, tmp_path / "users.key")
    tokens = [users.token("operator", "platform", person)() for person in ("ann", "bob")]
    assert len({subject(token) for token in tokens}) == 2
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert [(one["cognito:groups"], one["custom:tenant"]) for one in claims] == [(["operator"], "platform")] * 2
    for secret in (tmp_path / "authenticators").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600


def test_a_published_code() -> None:
    """RFC 6238, appendix B, cut to six digits."""
    assert one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1111111109) == "081804"
