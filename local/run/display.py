"""Output of `make run`: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Literal, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from run.cases import Case
from run.results import STAGES, Row

_PLAIN_WIDTH = 230
_HEADINGS = dict(zip(STAGES, ("", "auth.", "data", "report", "offers", "sent", "appr.", "signed", "end"), strict=True))
_SHOWN_UNDER = {
    "authorization_required": "received",
    "chosen": "offered",
    "countered": "submitted",
    "information_required": "submitted",
    "contract_ready": "approved",
}


def console(*, to_stderr: bool = False) -> Console:
    """The console; wide if its output is not a terminal."""
    made = Console(stderr=to_stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=to_stderr, highlight=False, width=_PLAIN_WIDTH)


class _Column(NamedTuple):
    name: str
    cell: Callable[[Row], str | None]
    least_width: int = 0
    """Of the terminal; on narrower ones the column is left out."""
    justify: Literal["left", "right"] = "right"


def _amount(text: str | None) -> str | None:
    return text and text.removesuffix(".00")


def _seconds(stage: str) -> Callable[[Row], str | None]:
    return lambda row: f"{row.stages[stage]:.1f}" if stage in row.stages else None


_COLUMNS = (
    _Column("firm", lambda row: row.firm, 200, "left"),
    _Column("persona", lambda row: row.persona, 0, "left"),
    _Column("outcome", lambda row: row.outcome or "none", 0, "left"),
    _Column("score", lambda row: str(row.score) if row.score else None, 110),
    _Column("limit", lambda row: _amount(row.limit), 90),
    _Column("asked", lambda row: _amount(row.asked)),
    _Column("chosen", lambda row: _amount(row.chosen)),
    _Column("% p.a.", lambda row: row.apr),
    _Column("product", lambda row: row.product, 130, "left"),
    _Column("lender", lambda row: row.lender, 230, "left"),
    *(
        _Column(_HEADINGS[stage], _seconds(stage), {"assessed": 100, "ended": 0}.get(stage, 200))
        for stage in STAGES[1:]
    ),
    _Column("expected", lambda row: "yes" if row.as_expected else f"no: {row.expected}", 0, "left"),
)


class Display:
    """Shows the steps of the start and the stages of applications; thread-safe."""

    def __init__(self, out: Console) -> None:
        self._out, self._lock = out, threading.Lock()
        self._began: dict[str, float] = {}
        self._steps: dict[str, RenderableType] = {}
        self._bars = Progress(
            TextColumn("{task.description:<12}"), BarColumn(bar_width=40), MofNCompleteColumn(), console=out
        )
        self._stages: dict[str, TaskID] = {}
        self._reached: dict[str, set[tuple[str, str]]] = {}
        self._live = Live(console=out, refresh_per_second=8, transient=False) if out.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the last frame."""
        if self._live:
            self._draw()
            self._live.stop()

    def begin(self, step: str) -> None:
        with self._lock:
            self._began[step] = time.monotonic()
            self._steps[step] = Spinner("dots", text=step)
            self._draw()

    def end(self, step: str, note: str = "") -> None:
        self._close(step, "✓", note)

    def fail(self, step: str) -> None:
        self._close(step, "✗", "failed")

    def expect(self, count: int) -> None:
        """Number of applications to come."""
        with self._lock:
            self._stages = {stage: self._bars.add_task(stage, total=count) for stage in STAGES}
            self._reached = {stage: set() for stage in STAGES}
            self._draw()

    def stage(self, case: Case, stage: str) -> None:
        """An application reached a stage, and so has passed the earlier ones."""
        stage = _SHOWN_UNDER.get(stage, stage)
        passed = STAGES[: STAGES.index(stage) + 1] if stage in STAGES[:-1] else [stage]
        self._count((case.persona, case.firm.taxpayer_id), passed)

    def _count(self, who: tuple[str, str], stages: Iterable[str]) -> None:
        with self._lock:
            for stage in self._stages.keys() & set(stages):
                self._reached[stage].add(who)
                self._bars.update(self._stages[stage], completed=len(self._reached[stage]))
            self._draw()

    def row(self, row: Row) -> None:
        """An application has ended; its stages are now final."""
        self._count((row.persona, row.taxpayer_id), row.stages)
        if self._live:
            return
        mark = "✓" if row.as_expected else "✗"
        seconds = row.stages.get("ended")
        took = f"{seconds:6.1f} s" if seconds is not None else "      –"
        with self._lock:
            self._out.print(f"  {mark} {took}  {row.persona:<18} {row.outcome or row.error}  {row.firm}")

    def _close(self, step: str, mark: str, note: str) -> None:
        with self._lock:
            seconds = time.monotonic() - self._began.get(step, time.monotonic())
            line = f"{mark} {step:<16} {seconds:5.1f} s  {note}".rstrip()
            self._steps[step] = Text(line)
            if self._live:
                self._draw()
            else:
                self._out.print(line)

    def _draw(self) -> None:
        if self._live:
            shown: list[RenderableType] = list(self._steps.values())
            self._live.update(Group(*shown, self._bars) if self._stages else Group(*shown))


def table(rows: Sequence[Row], width: int) -> Table:
    """The result of every application; seconds count from its receipt. Narrow terminals get fewer columns."""
    shown = Table(title="Applications (seconds since receipt)", title_justify="left", pad_edge=False, box=None)
    columns = [column for column in _COLUMNS if width >= column.least_width]
    for column in columns:
        shown.add_column(column.name, justify=column.justify, no_wrap=True)
    for row in rows:
        shown.add_row(*(column.cell(row) or "–" for column in columns), style=None if row.as_expected else "red")
    return shown
