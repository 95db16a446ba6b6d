"""The ledger as lenders, operators and auditors read it; nothing is entered by hand."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.ledger_schemas import (
    AccountEntries,
    AccountListing,
    LedgerAccount,
    LedgerAccounts,
    LedgerTransfer,
    StatementListing,
    TrialBalanceListing,
    TrialBalanceView,
)
from api.roles import LENDERS, OPERATORS
from api.routing import Call, route
from creditmesh.kernel.caller import Role
from creditmesh.ledger.bootstrap import books

blueprint = Blueprint(__name__)

READERS = LENDERS | OPERATORS | {Role.AUDITOR}


@route(blueprint, "GET", "/v1/ledger/accounts", roles=READERS)
def list_accounts(call: Call, query: AccountListing) -> LedgerAccounts:
    """List a lender's accounts in one currency with their balances; a lender sees its own."""
    found = books().accounts(call.caller, query.lender_id, query.currency, query.loan_id, window(call, query))
    return LedgerAccounts(accounts=[LedgerAccount.of(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/ledger/accounts/{account_id}/entries", roles=READERS)
def list_entries(call: Call, account_id: str, query: StatementListing) -> AccountEntries:
    """List an account's entries in the order of booking, with the balance after each."""
    found = books().statement(call.caller, account_id, query.since, query.until, window(call, query))
    return AccountEntries.of(found, following(call, query, found.entries))


@route(blueprint, "GET", "/v1/ledger/trial-balance", roles=READERS)
def read_trial_balance(call: Call, query: TrialBalanceListing) -> TrialBalanceView:
    """Read the balances of a lender's accounts in one currency; their debits equal their credits."""
    found = books().trial_balance(call.caller, query.lender_id, query.currency, query.on, window(call, query))
    return TrialBalanceView.of(found, following(call, query, found.rows))


@route(blueprint, "GET", "/v1/ledger/transfers/{transfer_id}", roles=READERS)
def read_transfer(call: Call, transfer_id: str) -> LedgerTransfer:
    """Read a transfer as it stands; a lender sees its own lines."""
    return LedgerTransfer.of(books().transfer(call.caller, transfer_id))
