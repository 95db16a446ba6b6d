"""DynamoDB: nothing that was acknowledged is lost when the emulator is killed, and operations do not interleave.

Upstream keeps tables in memory and writes them once, at an orderly end; a kill loses all. Its operations also run on
the HTTP loop and on Step Functions threads at once, so that a condition can be checked and its write done with another
write between them.

We append the items that each operation left (whole images, one journal record for one operation, so a transaction is
replayed whole or not at all) before its answer leaves, replay them over the last base at start, and write a new base in
small steps beside the running requests once the journal is large. One lock makes operations follow one another.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cloud.config import Config
from cloud.journal import Journal, Record
from cloud.stream_mapping import operations
from cloud.upstream import app, dynamodb, provisioners

logger = logging.getLogger("cloud.dynamodb")

_WRITES = (
    "_put_item", "_update_item", "_delete_item", "_transact_write_items", "_batch_write_item", "_execute_statement",
    "_batch_execute_statement", "_execute_transaction",
)  # fmt: skip
_READS = ("_get_item", "_query", "_scan", "_batch_get_item", "_transact_get_items")
_DEFINITIONS = ("_create_table", "_update_table", "_delete_table")
_COMPACT_BYTES = 16 * 1024 * 1024
_PAUSE_EVERY = 50  # items written to the base between two pauses
_NOT_STORED = ("items", dynamodb._INDEX_MEMBERS)


class _Durability:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.lock = operations
        self.depth = 0
        self.changes: list[Record] = []
        self.compacting = threading.Lock()

    def operation(self, upstream: Any) -> Any:
        """Run alone; journal what it changed before it returns."""

        @functools.wraps(upstream)
        def run(*arguments: Any, **named: Any) -> Any:
            with self.lock:
                self.depth += 1
                try:
                    return upstream(*arguments, **named)
                finally:
                    self.depth -= 1
                    self._flush()

        return run

    def changed(self, *change: Any) -> None:
        """Note one change of a table; outside an operation (expiry, import) it is journalled at once."""
        with self.lock:
            self.changes.append(list(change))
            self._flush()

    def _flush(self) -> None:
        if self.depth == 0 and self.changes:
            changes, self.changes = self.changes, []
            self.journal.append(changes)
            if self.journal.size > _COMPACT_BYTES and not self.compacting.locked():
                threading.Thread(target=self.compact, name="cloud-dynamodb-base", daemon=True).start()

    def compact(self) -> None:
        """Write a new base while requests go on: what changes meanwhile stands in the new segment."""
        with self.compacting:
            with self.lock:
                through = self.journal.rotate()
                tables = dynamodb._tables.all_items()
            self.journal.replace_base(_base_records(tables), through)

    def tables_changed(self, before: dict[Any, str]) -> None:
        """Journal the definitions that differ from ``before``."""
        after = _definitions()
        for key in before.keys() - after.keys():
            self.changed("drop", *key)
        for key, text in after.items():
            if before.get(key) != text:
                self.changed("table", *key, json.loads(text))


def apply(config: Config) -> None:
    """Wrap storage, operations, state and restore."""
    durability = _Durability(Journal(config.state_dir / "dynamodb", "items", config.journal_segments))
    _wrap_storage(durability)
    for name in _WRITES + _READS:
        setattr(dynamodb, name, durability.operation(getattr(dynamodb, name)))
    for name in _DEFINITIONS:
        setattr(dynamodb, name, _definition(durability, getattr(dynamodb, name)))
    # CloudFormation puts its tables into the store itself.
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    handlers["create"] = _keeping_items(handlers["create"])
    for action in ("create", "update", "delete"):
        handlers[action] = _definition(durability, handlers[action])
    _wrap_state(durability)


def _wrap_storage(durability: _Durability) -> None:
    upstream_set, upstream_remove = dynamodb._set_item, dynamodb._remove_item
    upstream_replaced, upstream_token = dynamodb._items_replaced, dynamodb._txn_token_store

    def set_item(table: dict[str, Any], pk: Any, sk: Any, item: dict[str, Any]) -> Any:
        old = upstream_set(table, pk, sk, item)
        durability.changed("put", *_key(table), pk, sk, item)
        return old

    def remove_item(table: dict[str, Any], pk: Any, sk: Any) -> Any:
        old = upstream_remove(table, pk, sk)
        if old is not None:
            durability.changed("delete", *_key(table), pk, sk)
        return old

    def items_replaced(table: dict[str, Any]) -> None:
        upstream_replaced(table)
        durability.changed("replace", *_key(table), [[pk, sk, item] for pk, sk, item in _items(table)])

    def token_store(token: str, entry: dict[str, Any]) -> None:
        upstream_token(token, entry)
        durability.changed("token", *dynamodb._txn_idempotency._scoped(token), entry)

    dynamodb._set_item, dynamodb._remove_item = set_item, remove_item
    dynamodb._items_replaced, dynamodb._txn_token_store = items_replaced, token_store


def _definition(durability: _Durability, upstream: Any) -> Any:
    @functools.wraps(upstream)
    def run(*arguments: Any, **named: Any) -> Any:
        with durability.lock:
            before = _definitions()
            answer = upstream(*arguments, **named)
            durability.tables_changed(before)
            return answer

    return run


def _keeping_items(upstream: Any) -> Any:
    """Names of tables are derived from the stack's, so a stack made anew meets the tables it had.

    That is so after a kill that came before the stack was written down, and where a deleted stack's tables were to be
    retained. AWS would make tables of other names and leave these alone; to empty them is what must not happen.
    """

    @functools.wraps(upstream)
    def create(*arguments: Any, **named: Any) -> Any:
        known = dict(dynamodb._tables.items())
        made = upstream(*arguments, **named)
        old, new = known.get(made[0]), dynamodb._tables[made[0]]
        if old is not None and old["KeySchema"] == new["KeySchema"]:
            new["items"] = old["items"]
            dynamodb._update_counts(new)
        return made

    return create


def _definitions() -> dict[Any, str]:
    return {key: json.dumps(_without_items(table), default=str) for key, table in dynamodb._tables.all_items()}


def _without_items(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in _NOT_STORED}


def _key(table: dict[str, Any]) -> tuple[str, str, str]:
    _, _, _, region, account, resource = table["TableArn"].split(":", 5)
    return account, region, resource.removeprefix("table/")


def _items(table: dict[str, Any]) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    for pk, bucket in list(table["items"].items()):
        for sk, item in list(bucket.items()):
            yield pk, sk, item


def _base_records(tables: list[tuple[Any, dict[str, Any]]]) -> Iterator[Record]:
    written = 0
    for key, table in tables:
        yield [["table", *key, json.loads(json.dumps(_without_items(table), default=str))]]
        for pk, sk, item in _items(table):
            yield [["put", *key, pk, sk, item]]
            written += 1
            if written % _PAUSE_EVERY == 0:
                time.sleep(0.001)  # let requests have the interpreter
    for key, entry in dynamodb._txn_idempotency.all_items():
        yield [["token", *key, entry]]


def _wrap_state(durability: _Durability) -> None:
    upstream_state, upstream_load = dynamodb.get_state, app._load_persisted_state

    def get_state() -> Any:
        """Everything but items and definitions, which the journal holds."""
        with durability.lock:
            held = {key: table["items"] for key, table in dynamodb._tables.all_items()}
            try:
                for _, table in dynamodb._tables.all_items():
                    table["items"] = defaultdict(dict)
                state = upstream_state()
            finally:
                for key, table in dynamodb._tables.all_items():
                    table["items"] = held[key]
        state.pop("tables")
        return state

    def load() -> None:
        upstream_load()
        with durability.lock:
            for changes in durability.journal.replay():
                for change in changes:
                    _replay(change)
            for _, table in dynamodb._tables.all_items():
                dynamodb._update_counts(table)
        if durability.journal.wants_compaction(_COMPACT_BYTES):
            threading.Thread(target=durability.compact, name="cloud-dynamodb-base", daemon=True).start()

    upstream_reset = app._reset_all_state

    def reset() -> None:
        upstream_reset()
        durability.compact()  # of no tables: the journal forgets as well

    dynamodb.get_state, app._load_persisted_state, app._reset_all_state = get_state, load, reset


def _replay(change: Record) -> None:
    kind, account, region, name, *rest = change
    key = (account, region, name)
    stored = dynamodb._tables._data
    if kind == "table":
        items = stored[key]["items"] if key in stored else defaultdict(dict)
        stored[key] = {**rest[0], "items": items}
    elif kind == "drop":
        stored.pop(key, None)
    elif kind == "token":
        dynamodb._txn_idempotency._data[key] = rest[0]
    elif key in stored:
        _replay_item(stored[key]["items"], kind, rest)


def _replay_item(items: Any, kind: str, rest: list[Any]) -> None:
    if kind == "put":
        items[rest[0]][rest[1]] = rest[2]
    elif kind == "delete":
        items[rest[0]].pop(rest[1], None)
        if not items[rest[0]]:
            del items[rest[0]]
    else:
        items.clear()
        for pk, sk, item in rest[0]:
            items[pk][sk] = item
