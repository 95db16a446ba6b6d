"""The borrower reads and signs (C22)."""

from __future__ import annotations

import pytest

from creditmesh.intake.model import ApplicationClosed, NotAwaited, Outcome
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from tests.support import wired
from tests.support.world import BORROWER, CONTRACT, World

HASH = CONTRACT["document_sha256"]


def wait(world: World, token: str = "t-1") -> None:
    wired.signatures().await_signature(world.application_id, token)


def sign(world: World, document_sha256: str = HASH, caller: Caller = BORROWER) -> None:
    wired.signatures().sign(caller, world.application_id, document_sha256, "Test Signer")


def test_signed_and_gone_on(world: World) -> None:
    world.to_contract()
    wait(world)
    sign(world)
    assert "t-1" in world.steps.succeeded
    assert world.application().status == "signed"
    (closing,) = world.items("Closings")
    assert closing["signature"]["signed_by"] == "user-1"


def test_signing_twice_changes_nothing(world: World) -> None:
    world.to_signed()
    before = world.items("Closings"), world.items("Applications")
    world.clock.advance(60)
    sign(world)
    assert (world.items("Closings"), world.items("Applications")) == before


def test_signed_before_the_process_waits(world: World) -> None:
    world.to_contract()
    sign(world)
    wait(world)
    assert "t-1" in world.steps.succeeded


def test_signed_while_the_process_began_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_contract()
    world.after_next_read(monkeypatch, lambda: wait(world))
    sign(world)
    assert "t-1" in world.steps.succeeded
    assert world.application().status == "signed"


def test_the_step_run_again_waits_with_the_newest_token(world: World) -> None:
    world.to_contract()
    wait(world, "t-1")
    wait(world, "t-2")
    sign(world)
    assert "t-2" in world.steps.succeeded
    assert "t-1" not in world.steps.succeeded


def test_the_step_run_again_while_they_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_contract()
    wait(world, "t-1")
    world.after_next_read(monkeypatch, lambda: wait(world, "t-2"))
    signed = wired.signatures().sign(BORROWER, world.application_id, HASH, "Test Signer")
    assert "t-2" in world.steps.succeeded
    assert (signed, signed.status) == (world.application(), "signed")


def test_the_signed_application_is_what_is_stored(world: World) -> None:
    world.to_contract()
    wait(world)
    assert wired.signatures().sign(BORROWER, world.application_id, HASH, "Test Signer") == world.application()


def test_another_document_than_the_contract(world: World) -> None:
    world.to_contract()
    wait(world)
    with pytest.raises(InvalidInput) as refused:
        sign(world, "0" * 64)
    assert refused.value.field == "document_sha256"
    assert world.application().status == "contract_ready"


def test_nothing_to_read_or_sign_yet(world: World) -> None:
    world.to_approved()
    with pytest.raises(NotAwaited):
        sign(world)
    with pytest.raises(NotFound):
        wired.signatures().contract(BORROWER, world.application_id)


@pytest.mark.parametrize("role", [Role.BANK, Role.LENDER, Role.OPERATOR])
def test_only_the_borrower_signs(world: World, role: Role) -> None:
    world.to_contract()
    with pytest.raises(Forbidden):
        sign(world, caller=Caller("x", role, "firm-1"))


def test_withdrawn_instead(world: World) -> None:
    world.to_contract()
    wait(world)
    wired.intake().withdraw(BORROWER, world.application_id)
    assert world.steps.failed == {"t-1": "ApplicationClosed"}
    with pytest.raises(ApplicationClosed):
        sign(world)
    wait(world, "t-2")
    assert world.steps.failed["t-2"] == "ApplicationClosed"
    assert world.application().outcome == Outcome.WITHDRAWN


def test_a_signature_repeated_while_a_person_looks_tells_their_process_nothing(world: World) -> None:
    world.to_signed()
    wired.operators().hand_over(world.application_id, "t-operator", "OrderDisbursement", "States.Timeout")
    sign(world)
    assert "t-operator" not in world.steps.succeeded
    assert world.application().status == "with_operator"


def test_not_signed_while_a_person_looks(world: World) -> None:
    world.to_contract()
    wired.operators().hand_over(world.application_id, "t-operator", "AwaitSignature", "States.Timeout")
    with pytest.raises(NotAwaited):
        sign(world)
    assert world.application().status == "with_operator"


def test_withdrawn_while_they_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_contract()
    world.after_next_read(monkeypatch, lambda: wired.intake().withdraw(BORROWER, world.application_id))
    with pytest.raises(ApplicationClosed):
        wired.signatures().sign(BORROWER, world.application_id, HASH, "Test Signer")
    (closing,) = world.items("Closings")
    assert "signature" not in closing
