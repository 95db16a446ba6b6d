"""A consent's life in any order of events: what has ended is never used, what happened is never changed (S09, C28)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from creditmesh.authorization.model import Authorization, AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import NotFound
from tests.support import wired
from tests.support.aws import Stack
from tests.support.world import FIRM, World, running

TAXPAYER = FIRM.taxpayer_id
TENANTS, RIGHTS = ("firm-1", "firm-2"), ("tax", "shop")
TABLES = ("Authorizations", "ConsentRecords", "AuthorizationFlows", "Outbox", "Watches")
PURPOSE = "loan_assessment"
tenants, rights = st.sampled_from(TENANTS), st.sampled_from(RIGHTS)
Key = tuple[str, str]
Items = list[dict[str, Any]]


class ConsentMachine(RuleBasedStateMachine):
    """The platform beside a model of it: per (right, tenant) until when it may be used, None once it may not."""

    stack: Stack

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.stack.empty()
        self.running = running(self.stack, self.patch)
        self.world: World = self.running.__enter__()
        self.until: dict[Key, float | None] = {}
        self.newest: dict[Key, Authorization] = {}
        self.seen: dict[Key, list[Authorization]] = {}
        self.codes: list[str] = []
        self.records: Items = []

    def teardown(self) -> None:
        self.running.__exit__(None, None, None)

    def now(self) -> float:
        return self.world.clock.now().timestamp()

    def may_use(self, key: Key) -> bool:
        until = self.until.get(key)
        return until is not None and until > self.now()

    def read(self) -> st.SearchStrategy[Authorization]:
        """One that some process has read, newer ones more often."""
        newest = [self.newest[key] for key in sorted(self.newest)]
        return st.sampled_from(newest) | st.sampled_from([one for key in sorted(self.seen) for one in self.seen[key]])

    def is_newest(self, one: Authorization) -> bool:
        return one.authorization_id == self.newest[one.scope, one.tenant].authorization_id

    @initialize(watch=st.booleans())
    def monitoring(self, watch: bool) -> None:
        if watch:
            for tenant in TENANTS:
                wired.authorizations().watch(TAXPAYER, "tax", "loan_1", tenant=tenant)

    @rule(right=rights, tenant=tenants, days=st.integers(1, 40))
    def grant(self, right: str, tenant: str, days: int) -> None:
        held = wired.authorizations()
        end = self.world.clock.now() + timedelta(days=days)
        if right == "tax":
            self.codes.append(f"code-number-{len(self.codes):04}")
            new = held.take(TAXPAYER, self.codes[-1], iso(end), "borrower:u", tenant=tenant)
        else:
            new = held.consent(
                TAXPAYER, right, "borrower:u", tenant=tenant, text_version=SCOPES[right].text_version, language="en",
                valid_days=days,
            )  # fmt: skip
        wired.watches().reconcile(new.taxpayer_index, right, tenant)  # as the records' stream does
        self.until[right, tenant] = end.timestamp()
        self.newest[right, tenant] = new
        self.seen.setdefault((right, tenant), []).append(new)

    @rule(right=rights, tenant=tenants)
    def withdraw(self, right: str, tenant: str) -> None:
        if (right, tenant) not in self.newest:
            with pytest.raises(NotFound):
                wired.authorizations().withdraw(TAXPAYER, right, "borrower:u", tenant=tenant)
            return
        wired.authorizations().withdraw(TAXPAYER, right, "borrower:u", tenant=tenant)
        self.until[right, tenant] = None

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        """The source refuses one that was in use, be it an old one."""
        refused = data.draw(self.read())
        wired.authorizations().refuse(refused, "code_revoked")
        if self.is_newest(refused):
            self.until[refused.scope, refused.tenant] = None

    @rule(days=st.sampled_from([0.5, 1, 3, 14, 40]), sweep=st.booleans())
    def time_passes(self, days: float, sweep: bool) -> None:
        self.world.clock.advance(days * 86400)
        if sweep:
            wired.expiry_sweep().run()

    @rule(tenant=tenants)
    def erase(self, tenant: str) -> None:
        wired.authorizations().erase(TAXPAYER, "borrower:u", tenant=tenant)
        for key in self.until:
            if key[1] == tenant:
                self.until[key] = None

    @rule(right=rights, tenant=tenants)
    def use(self, right: str, tenant: str) -> None:
        self.world.clock.advance(0.001)
        held = wired.authorizations()
        if not self.may_use((right, tenant)):
            with pytest.raises(AuthorizationRequired):
                held.usable(TAXPAYER, right, tenant=tenant)
            return
        found = held.usable(TAXPAYER, right, tenant=tenant)
        assert found.authorization_id == self.newest[right, tenant].authorization_id
        held.use(found, purpose=PURPOSE, by="app_1", channel="c")

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def use_what_was_read_long_ago(self, data: st.DataObject) -> None:
        """A process that read an authorisation before it ended, and uses it only now."""
        self.world.clock.advance(0.001)
        old, held = data.draw(self.read()), wired.authorizations()
        if self.is_newest(old) and self.may_use((old.scope, old.tenant)):
            held.use(old, purpose=PURPOSE, by="app_1", channel="c")
            return
        with pytest.raises(AuthorizationRequired):
            held.use(old, purpose=PURPOSE, by="app_1", channel="c")

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        stored = {table: self.world.items(table) for table in TABLES}
        self.what_stands_is_what_the_model_says()
        self.history_is_only_added_to(stored["ConsentRecords"])
        self.no_code_lies_open(str(stored), stored["Authorizations"])
        self.what_cannot_be_seen_is_marked(stored["Watches"])

    def what_stands_is_what_the_model_says(self) -> None:
        for tenant in TENANTS:
            for one in wired.authorizations().standing_of(TAXPAYER, tenant=tenant):
                assert (one.problem is None) == self.may_use((one.scope.name, tenant))

    def history_is_only_added_to(self, records: Items) -> None:
        assert all(old in records for old in self.records)
        granted = {one.authorization_id: one for seen in self.seen.values() for one in seen}
        for use in records[len(self.records) :]:
            if use["entry"] == "use" and use["outcome"] == "allowed":
                right = granted[use["authorization_id"]]
                assert right.granted_at <= use["at"] < right.expires_at
        self.records = records

    def no_code_lies_open(self, everything: str, authorizations: Items) -> None:
        assert TAXPAYER not in everything
        assert not any(code in everything for code in self.codes)
        for item in authorizations:
            if self.until[item["scope"], item["tenant"]] is None:
                assert {"code", "code_verifier", "due_at", "due_queue"}.isdisjoint(item)

    def what_cannot_be_seen_is_marked(self, watches: Items) -> None:
        """What has run out is marked by the next sweep; everything else at once."""
        for item in watches:
            key = (item["scope"], item["tenant"])
            if "blind_since" in item:
                assert not self.may_use(key)
            else:
                assert self.until.get(key) is not None


def test_a_consents_life_in_any_order(aws_stack: Stack) -> None:
    machine = type("Machine", (ConsentMachine,), {"stack": aws_stack})
    # A failing run is told as it was: to shrink one takes minutes and says little more.
    phases = [Phase.generate]
    checks = list(HealthCheck)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, phases=phases, suppress_health_check=checks
        ),
    )
