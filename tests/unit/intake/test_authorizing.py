"""Asking the borrower for an authorisation and going on with his answer (C04-C08)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.authorization.flow import Flow
from creditmesh.authorization.scopes import SCOPES
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.intake.model import Actor, Application, ApplicationClosed, AuthorizationExhausted, NotAwaited, Outcome
from creditmesh.intake.service import Brought, Intake
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from tests.support import wired
from tests.support.world import BORROWER, CODE, FIRM, LENDER, NOW, STRANGER, World

UNTIL = iso(NOW + timedelta(days=30))


def ask(world: World, token: str = "t-1", allowed: int = 3) -> None:
    wired.intake().await_authorization(world.application_id, token, "none_stored", allowed)


def bring(world: World, code: str = CODE) -> None:
    wired.intake().authorize(BORROWER, world.application_id, code, UNTIL)


def test_asked_answered_and_gone_on(world: World) -> None:
    ask(world)
    assert world.application().status == "authorization_required"
    assert world.application().authorization_problem == "none_stored"
    bring(world)
    assert world.steps.succeeded == {"t-1": {}}
    assert world.application().status == "authorized"
    assert wired.authorizations().usable(FIRM.taxpayer_id).code == CODE


def test_asked_as_often_as_allowed(world: World) -> None:
    for number in range(3):
        ask(world, f"t-{number}")
        bring(world, f"refused-code-000{number}")
        wired.authorizations().refuse(wired.authorizations().usable(FIRM.taxpayer_id), "code_unknown")
    with pytest.raises(AuthorizationExhausted):
        ask(world, "t-4")
    assert world.application().outcome == Outcome.AUTHORIZATION_FAILED


def test_the_step_run_again_asks_no_second_time(world: World) -> None:
    for token in ("t-1", "t-2", "t-3", "t-4"):
        ask(world, token, allowed=1)
    assert world.application().authorization_requests == 1
    bring(world)
    assert world.steps.succeeded == {"t-4": {}}


def test_the_step_run_again_after_the_answer_goes_on(world: World) -> None:
    ask(world)
    bring(world)
    ask(world, "t-2")
    assert world.steps.succeeded == {"t-1": {}, "t-2": {}}
    assert world.application().status == "authorized"


def test_another_right_granted_on_the_platform_answers_nothing(world: World) -> None:
    ask(world)
    wired.authorizations().consent(
        FIRM.taxpayer_id, "credit_bureau", "borrower:user-1", tenant=BORROWER.tenant,
        text_version=SCOPES["credit_bureau"].text_version, language="en", valid_days=30,
    )  # fmt: skip
    assert wired.intake().consented(BORROWER, world.application_id).status == "authorization_required"
    assert world.steps.succeeded == {}


def test_nobody_is_asked_where_no_request_is_allowed(world: World) -> None:
    with pytest.raises(AuthorizationExhausted):
        wired.intake().await_authorization(world.application_id, "t-1", "none_stored", 0)
    assert world.application().outcome == Outcome.AUTHORIZATION_FAILED


@pytest.mark.parametrize("reason", ["superseded", "none_stored"])
def test_asked_without_a_plans_need_it_is_for_tax_data(world: World, reason: str) -> None:
    document = {"plan_id": "standard", "channels": [{"channel_id": "tax-bureau", "required": False}]}
    wired.channels().put_plan(CollectionPlan.model_validate(document), "operator-1", None)
    wired.intake().await_authorization(world.application_id, "t-1", reason, 3)
    assert (world.application().status, world.steps.succeeded) == ("authorization_required", {})
    bring(world)
    assert world.steps.succeeded == {"t-1": {}}


class AnsweredOnceRead:
    """A store of applications in which something happens right after the first reading."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._store, self._happens = wired.applications(), [happens]

    def get(self, application_id: str) -> Application:
        found = self._store.get(application_id)
        if self._happens:
            self._happens.pop()()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_an_answer_while_the_step_runs_again_is_not_written_over(world: World) -> None:
    ask(world)
    store: Any = AnsweredOnceRead(lambda: bring(world))
    parts = (
        wired.authorizations(), wired.tasks(), wired.waits(), wired.blind_index(), wired.clock(),
        wired.channels().requires, wired.flows().taken,
    )  # fmt: skip
    Intake(store, *parts).await_authorization(world.application_id, "t-2", "none_stored", 3)
    assert world.steps.succeeded == {"t-1": {}, "t-2": {}}
    assert world.application().status == "authorized"


def test_an_answer_nobody_asked_for(world: World) -> None:
    with pytest.raises(NotAwaited):
        bring(world)
    ask(world)
    bring(world)
    with pytest.raises(NotAwaited):
        bring(world, "another-code-0001")
    assert wired.authorizations().usable(FIRM.taxpayer_id).code == CODE


def test_the_same_code_once_more_changes_nothing(world: World) -> None:
    ask(world)
    bring(world)
    before = world.items("Applications"), world.items("Authorizations")
    world.clock.advance(5)
    bring(world)
    assert (world.items("Applications"), world.items("Authorizations")) == before


def test_a_code_whose_first_taking_died_half_way_is_taken_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(world)
    back = flow(world)
    state = back.state(wired.guest_keys().current)
    with monkeypatch.context() as patch:
        patch.setattr(wired.waits(), "answering", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            wired.intake().authorize(BORROWER, world.application_id, CODE, UNTIL, state)
    assert world.application().status == "authorization_required"
    assert wired.intake().authorize(BORROWER, world.application_id, CODE, UNTIL, state).status == "authorized"
    assert world.steps.succeeded == {"t-1": {}}


def test_a_malformed_code_leaves_him_asked(world: World) -> None:
    ask(world)
    with pytest.raises(InvalidInput):
        bring(world, "short")
    assert world.application().status == "authorization_required"
    assert world.steps.succeeded == {}


def test_others_do_not_answer_for_him(world: World) -> None:
    ask(world)
    with pytest.raises(Forbidden):
        wired.intake().authorize(LENDER, world.application_id, CODE, UNTIL)
    with pytest.raises(NotFound):
        wired.intake().authorize(STRANGER, world.application_id, CODE, UNTIL)


def flow(world: World) -> Flow:
    link = wired.intake().login_link(BORROWER, world.application_id)
    return wired.authorizations().redirects.named_by(parse_qs(urlsplit(link.url).query)["state"][0])


def test_a_return_serves_the_application_that_it_began_for(world: World) -> None:
    ask(world)
    state = flow(world).state(wired.guest_keys().current)
    other = world.apply("key-00000002").application_id
    wired.intake().await_authorization(other, "t-2", "none_stored", 3)
    with pytest.raises(InvalidInput) as refused:
        wired.intake().authorize(BORROWER, other, CODE, UNTIL, state)
    assert refused.value.field == "state"
    assert world.steps.succeeded == {}


def test_the_bureau_sends_him_back(world: World) -> None:
    ask(world)
    wired.intake().authorize_on_return(flow(world), FIRM.taxpayer_id, CODE, UNTIL)
    assert world.steps.succeeded == {"t-1": {}}


def test_the_bureau_sends_another_firm_back(world: World) -> None:
    ask(world)
    with pytest.raises(InvalidInput) as refused:
        wired.intake().authorize_on_return(flow(world), "91350100M000100Y43", CODE, UNTIL)
    assert refused.value.field == "taxpayer_id"
    assert wired.authorizations().problem(FIRM.taxpayer_id, tenant=world.application().tenant)


def test_a_closed_application_asks_nothing(world: World) -> None:
    world.end(Outcome.WITHDRAWN)
    for act in (lambda: ask(world), lambda: bring(world), lambda: flow(world)):
        with pytest.raises(ApplicationClosed):
            act()


def test_withdrawn_while_the_code_came(world: World) -> None:
    ask(world)
    before, waited = world.application(), wired.waits().read(world.application_id, "authorization")
    wired.intake().withdraw(BORROWER, world.application_id)
    with pytest.raises(ApplicationClosed):
        wired.intake()._authorized(before, waited, Actor.of(BORROWER), Brought(CODE, UNTIL, "user-1"))
    assert world.application().outcome == Outcome.WITHDRAWN
