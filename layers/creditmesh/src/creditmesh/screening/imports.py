"""Import of a source's whole list: read in parts, indexed, and published by one write.

Every step is idempotent: a part is written under its own names, progress is conditional on the position read from, and
the index becomes visible with the journal's entry. After any failure the source's earlier import stays in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.kernel.ids import new_id
from creditmesh.platform.blind_index import BlindIndex, IndexKey
from creditmesh.platform.objects import ObjectChanged, Objects
from creditmesh.platform.paging import FIRST, Page, Window, numbered
from creditmesh.platform.tables import ConditionFailed, Update
from creditmesh.platform.tasks import Process
from creditmesh.screening.generations import Generations
from creditmesh.screening.import_lines import FileRefused, LineReader, Taken, columns_of
from creditmesh.screening.import_model import (
    INCOMING,
    MAX_BYTES,
    Import,
    ImportProblem,
    ImportState,
    ImportStateConflict,
    NewImport,
    Rejected,
)
from creditmesh.screening.import_store import ImportStore
from creditmesh.screening.journal import Journal
from creditmesh.screening.normalise import NORMAL_FORM, normalise
from creditmesh.screening.segment_builder import SegmentBuilder
from creditmesh.screening.service import fingerprint, index_name
from creditmesh.screening.state import Keeper

PART_BYTES = 8 * 1024**2
UPLOAD_SECONDS = 3600
KEPT_REJECTED = 10_000
_BOM = b"\xef\xbb\xbf"
_UNDER_WAY = (ImportState.READING, ImportState.READ)


class Imports:
    """Creates, runs and publishes imports.

    Args:
        index: the blind index, needed for publishing only; so its secret is read only then.
    """

    def __init__(
        self,
        store: ImportStore,
        generations: Generations,
        objects: Objects,
        journal: Journal,
        keeper: Keeper,
        index: Callable[[], BlindIndex],
        process: Process,
        clock: Clock,
    ) -> None:
        self._store, self._generations, self._objects = store, generations, objects
        self._journal, self._keeper, self._index = journal, keeper, index
        self._process, self._clock = process, clock

    def create(self, new: NewImport, by: str) -> tuple[Import, str | None]:
        """Record an import; start it if its file exists, else return a URL to upload the file to.

        Raises:
            InvalidInput: the file does not exist or is too large.
        """
        now = self._clock.now()
        import_id = new_id("imp", now)
        key = new.object_key or f"{INCOMING}uploads/{import_id}"
        if new.object_key:
            self._stat(key)
        one = Import(
            import_id=import_id, state=ImportState.AWAITING_FILE, created_by=by, created_at=iso(now),
            updated_at=iso(now), normal_form=NORMAL_FORM, **new.model_dump() | {"object_key": key},
        )  # fmt: skip
        self._store.put(one, self._generations.new_key().wrapped)
        if new.object_key:
            return self.run(import_id, by), None
        return one, self._objects.upload_url(key, UPLOAD_SECONDS)

    def run(self, import_id: str, by: str) -> Import:
        """Start reading the file, or resume a failed import; no effect on a running one.

        Raises:
            NotFound: no such import.
            ImportStateConflict: it has ended.
            InvalidInput: the file does not exist or is too large.
        """
        one = self._store.get(import_id)
        if one.state in (ImportState.AWAITING_FILE, ImportState.FAILED):
            one = self._begun(one, by)
        elif one.state not in _UNDER_WAY:
            raise ImportStateConflict("the import is {state}", field="import_id", state=str(one.state))
        self._process.start(f"{import_id}-{one.attempt}", {"import_id": import_id})
        return one

    def get(self, import_id: str) -> Import:
        return self._store.get(import_id)

    def of_source(self, source: str, window: Window = FIRST) -> Page[Import]:
        return self._store.of_source(source, window)

    def rejected(self, import_id: str, window: Window = FIRST) -> Page[Rejected]:
        """Rejected lines; at most 10,000 are kept."""
        begun = 0 if window.after is None else window.after + 1
        known = self._generations.rejected(self._store.get(import_id).import_id, begun + window.limit + 1)
        return numbered(known, window)

    def read_part(self, import_id: str) -> Import:
        """Read the next part of the file; returns the updated import."""
        one, wrapped = self._store.with_key(import_id)
        if one.state is not ImportState.READING:
            return one
        try:
            content = self._objects.get_range(one.object_key, one.read_bytes, PART_BYTES, one.etag or "")
            last = one.read_bytes + len(content) >= (one.size_bytes or 0)
            end = len(content) if last else content.rfind(b"\n") + 1
            if not end:
                raise FileRefused("line", "too_long", one.lines + 1)
            lines = content[:end].removesuffix(b"\n").split(b"\n")
            columns, skipped = self._columns(one, lines)
        except FileRefused as refused:
            return self._refused(one, refused.field or "file", refused.rule, refused.line)
        except ObjectChanged:
            return self._refused(one, "file", "changed_while_it_was_read")
        taken, rejected = self._sorted(one, columns, lines[skipped:], one.lines + 1 + skipped)
        self._generations.put_lines(import_id, self._generations.key_of(wrapped), taken)
        if kept := rejected[: max(KEPT_REJECTED - one.rejected, 0)]:
            self._generations.put_rejected(import_id, kept)
        change = self._store.change(
            one, ImportState.READ if last else ImportState.READING, columns=columns,
            read_bytes=one.read_bytes + end, lines=one.lines + len(lines), accepted=one.accepted + len(taken),
            rejected=one.rejected + len(rejected),
        )  # fmt: skip
        return self._applied(one, change)

    def publish(self, import_id: str) -> Import:
        """Index a completely read file and replace the source's earlier import."""
        one, wrapped = self._store.with_key(import_id)
        if one.state is not ImportState.READ:
            return one
        if problem := self._not_to_be_relied_on(one):
            return self._refused(one, problem.field, problem.rule)
        index_key = self._index().current
        content, entries = self._built(one, index_key)
        earlier = self._in_force(one.source)
        if problem := _not_to_follow(one, entries, earlier):
            return self._refused(one, problem.field, problem.rule)
        self._generations.put_index(import_id, self._generations.key_of(wrapped), content, index_name(index_key))
        replaces = earlier.import_id if earlier else None
        record = {
            "source": one.source, "import_id": import_id, "entries": entries, "replaces": replaces,
            "index_key": index_name(index_key),
        }  # fmt: skip
        change = self._store.change(one, ImportState.PUBLISHED, entries=entries, replaces=replaces)
        with suppress(ConditionFailed):  # already done by a concurrent repeat
            self._journal.append("import_published", one.run_by or one.created_by, record, [change])
        return self._store.get(import_id)

    def rekey(self) -> int:
        """Rebuild the indexes made with an earlier index key or normal form; returns the number of sources."""
        state, _ = self._keeper.current()
        current, rekeyed = self._index().current, 0
        for source, import_id in list(state.imports.items()):
            if state.index_keys[source] == index_name(current):
                continue
            one, wrapped = self._store.with_key(import_id)
            content, _ = self._built(one, current)
            self._generations.put_index(import_id, self._generations.key_of(wrapped), content, index_name(current))
            record = {"source": source, "import_id": import_id, "index_key": index_name(current)}
            self._journal.append("import_rekeyed", "platform", record, [])
            rekeyed += 1
        return rekeyed

    def _built(self, one: Import, key: IndexKey) -> tuple[bytes, int]:
        """The index of all lines, and its number of entries."""
        builder = SegmentBuilder()
        for block in self._generations.lines(one.import_id):
            rows = (taken.row for taken in (block if one.normal_form == NORMAL_FORM else _normalised(block)))
            builder.add((row, int(fingerprint(key, row.kind, row.subject), 16)) for row in rows)
        return builder.build()

    def fail(self, import_id: str, error: str) -> Import:
        """Record that the process failed, unless the import has ended."""
        one = self._store.get(import_id)
        if one.state not in _UNDER_WAY:
            return one
        problem = ImportProblem(field="import", rule=error)
        return self._applied(one, self._store.change(one, ImportState.FAILED, problem=problem))

    def _begun(self, one: Import, by: str) -> Import:
        size, etag = self._stat(one.object_key)
        fresh = one.etag != etag
        start = {"read_bytes": 0, "lines": 0, "accepted": 0, "rejected": 0, "columns": None} if fresh else {}
        if fresh and one.attempt:
            raise ImportStateConflict("the file has changed; create a new import", field="object_key")
        read = not fresh and one.read_bytes == size
        change = self._store.change(
            one, ImportState.READ if read else ImportState.READING, etag=etag, size_bytes=size,
            attempt=one.attempt + 1, run_by=by, problem=None, **start,
        )  # fmt: skip
        return self._applied(one, change)

    def _stat(self, key: str) -> tuple[int, str]:
        try:
            size, etag = self._objects.stat(key)
        except NotFound:
            raise InvalidInput("the file does not exist yet", field="object_key", fault="no_such_file") from None
        if not 0 < size <= MAX_BYTES:
            raise InvalidInput("must have 1 to {max} bytes", field="object_key", fault="out_of_range", max=MAX_BYTES)
        return size, etag

    def _columns(self, one: Import, lines: list[bytes]) -> tuple[list[str] | None, int]:
        """The columns of a CSV file, and the number of header lines in this part."""
        if one.read_bytes == 0:
            lines[0] = lines[0].removeprefix(_BOM)
        if one.format != "csv" or one.columns is not None:
            return one.columns, 0
        try:
            return columns_of(lines[0].decode(one.encoding)), 1
        except UnicodeDecodeError:
            raise FileRefused("file", f"not_{one.encoding.replace('-', '')}", 1) from None

    def _sorted(
        self, one: Import, columns: list[str] | None, lines: Sequence[bytes], first: int
    ) -> tuple[list[Taken], list[Rejected]]:
        reader = LineReader(columns, one.encoding, one.list_name, self._clock.beginning)
        taken: list[Taken] = []
        rejected: list[Rejected] = []
        for found in reader.read(lines, first):
            if isinstance(found, Taken):
                taken.append(found)
            else:
                rejected.append(found)
        return taken, rejected

    def _not_to_be_relied_on(self, one: Import) -> ImportProblem | None:
        if not one.accepted:
            return ImportProblem(field="file", rule="no_line_accepted")
        if one.rejected * 10_000 > (one.accepted + one.rejected) * one.max_rejected_bps:
            return ImportProblem(field="file", rule="too_many_lines_rejected")
        return None

    def _in_force(self, source: str) -> Import | None:
        state, _ = self._keeper.current()
        found = state.imports.get(source)
        return self._store.get(found) if found else None

    def _refused(self, one: Import, field: str, rule: str, line: int | None = None) -> Import:
        problem = ImportProblem(field=field, rule=rule, line=line)
        return self._applied(one, self._store.change(one, ImportState.REFUSED, problem=problem))

    def _applied(self, one: Import, change: Update) -> Import:
        try:
            return self._store.apply(change)
        except ConditionFailed:
            return self._store.get(one.import_id)  # already done by a concurrent repeat


def _normalised(block: Sequence[Taken]) -> Iterator[Taken]:
    """Lines of an earlier normal form in today's; those whose value is not valid any more are left out."""
    for taken in block:
        with suppress(InvalidInput):
            yield taken._replace(row=taken.row._replace(subject=normalise(taken.row.kind, taken.value)))


def _not_to_follow(one: Import, entries: int, earlier: Import | None) -> ImportProblem | None:
    """Why an import must not replace the source's earlier one; None if it may."""
    if earlier is None:
        return None
    if earlier.created_at > one.created_at:
        return ImportProblem(field="import", rule="a_later_one_is_in_force")
    if entries * 2 < (earlier.entries or 0) and not one.allow_shrink:
        return ImportProblem(field="file", rule="less_than_half_of_the_earlier_one")
    return None
