"""Accounts, transfers and entries in DynamoDB, a table each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from creditmesh.ledger.journal import Journal
from creditmesh.ledger.model import Account, AccountId, Entry
from creditmesh.ledger.transfers import State, Transfer
from creditmesh.platform.tables import Item, Put, Ref, Tables, Update, Write

_NEVER_LATER = "~"
"""Sorts after every number of an entry."""


@dataclass(frozen=True)
class Names:
    """The tables' names."""

    accounts: str
    transfers: str
    entries: str


class LedgerStore:
    """Every read is strongly consistent."""

    def __init__(self, tables: Tables, names: Names) -> None:
        self._tables, self._names = tables, names

    def read(self, transfers: Iterable[str], accounts: Iterable[str]) -> tuple[dict[str, Transfer], dict[str, Account]]:
        """The existing transfers and all accounts, by id; accounts without an item are new."""
        names, known = list(dict.fromkeys(transfers)), {one: Account(account_id=one) for one in accounts}
        wanted = [Ref(self._names.transfers, {"transfer_id": one}) for one in names]
        wanted += [Ref(self._names.accounts, _key(one.id)) for one in known.values()]
        items = self._tables.get_each(*wanted)
        found = {item["transfer_id"]: Transfer.model_validate(item) for item in items[: len(names)] if item}
        stored = {item["account_id"]: Account.model_validate(item) for item in items[len(names) :] if item}
        return found, known | stored

    def account(self, account_id: AccountId) -> Account | None:
        item = self._tables.get(self._names.accounts, _key(account_id))
        return Account.model_validate(item) if item else None

    def book(self, book: str, limit: int, after: str | None = None, loan_id: str | None = None) -> list[Account]:
        """Accounts of a lender in a currency by their places, at most `limit`.

        Args:
            after: place to begin behind.
            loan_id: its accounts only.
        """
        found = self._tables.query(
            self._names.accounts, "book", book, consistent=True, limit=limit,
            between=("place", f"{loan_id}:", f"{loan_id}:{_NEVER_LATER}") if loan_id else None,
            start={"book": book, "place": after} if after else None,
        )  # fmt: skip
        return [Account.model_validate(item) for item in found]

    def entries(
        self, account_id: AccountId, since: str, until: str, limit: int, after: str | None = None
    ) -> list[Entry]:
        """Entries booked from the day `since` to the day `until`, in their order, at most `limit`.

        Args:
            after: place (see `place`) of the entry to begin behind.
        """
        found = self._tables.query(
            self._names.entries, "account_id", str(account_id), consistent=True, limit=limit,
            between=("place", since, f"{until}#{_NEVER_LATER}"),
            start={"account_id": str(account_id), "place": after} if after else None,
        )  # fmt: skip
        return [Entry.model_validate(item) for item in found]

    def newest_first(self, account_id: AccountId, until: str) -> Iterator[Entry]:
        """Entries booked up to and including the day `until`, last first."""
        found = self._tables.query(
            self._names.entries, "account_id", str(account_id), consistent=True, newest_first=True,
            until=("place", f"{until}#{_NEVER_LATER}"),
        )  # fmt: skip
        return map(Entry.model_validate, found)

    def before(self, account_id: AccountId, day: str) -> Entry | None:
        """The last entry booked before a day."""
        found = self._tables.query(
            self._names.entries, "account_id", str(account_id), consistent=True, newest_first=True, limit=1,
            until=("place", day),
        )  # fmt: skip
        return next(map(Entry.model_validate, found), None)

    def writes(
        self, accounts: Mapping[str, Account], transfers: Mapping[str, Transfer], journal: Journal
    ) -> list[Write]:
        """The writes of what a journal changed; they fail if an account or transfer is not as it was read."""
        changed = [one for one in journal.accounts.values() if one != accounts[one.account_id]]
        ended = [one for one in journal.transfers.values() if one != transfers.get(one.transfer_id)]
        return [
            *(self._transfer(transfers.get(one.transfer_id), one) for one in ended),
            *map(self._account, changed),
            *(Put(self._names.entries, _entry(one), "account_id") for one in journal.entries),
        ]

    def transact(self, writes: Sequence[Write], token: str) -> None:
        """Execute the writes; see `Tables.transact`."""
        self._tables.transact(writes, token, versioned=True)

    def _transfer(self, before: Transfer | None, now: Transfer) -> Write:
        item = now.model_dump(mode="json")
        if before is None:
            return Put(self._names.transfers, item, "transfer_id")
        known = before.model_dump(mode="json")
        change = {name: value for name, value in item.items() if value != known[name]}
        key = {"transfer_id": now.transfer_id}
        return Update(self._names.transfers, key, change, where={"state": str(State(known["state"]))})

    def _account(self, now: Account) -> Write:
        item = {**now.model_dump(), "version": now.version + 1}
        if now.version == 0:
            return Put(self._names.accounts, {**_key(now.id), **item}, "book")
        return Update(self._names.accounts, _key(now.id), item, where={"version": now.version})


def place(entry: Entry) -> str:
    """Where an entry stands in its account: by day, then by number."""
    return f"{entry.booked_on}#{entry.number:012d}"


def _key(account_id: AccountId) -> dict[str, str]:
    return {"book": account_id.book, "place": account_id.place}


def _entry(entry: Entry) -> Item:
    return {**entry.model_dump(mode="json"), "place": place(entry)}
