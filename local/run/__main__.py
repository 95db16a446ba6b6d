"""Start the platform on this machine, run the example applications, and keep it up until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from run import cases, scenario
from run.display import Display, console, table
from run.errors import RunError
from run.guide import guide
from run.places import DEFAULT_PORT, ROOT, Ports
from run.platform import LocalPlatform
from run.results import Row, summary


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the applications (for CI)")
    parser.add_argument("--no-applications", action="store_true", help="only start the platform")
    parser.add_argument("--json", action="store_true", help="write the results as one JSON document to standard output")
    parser.add_argument("--applications", type=Path, default=cases.EXAMPLES, help="file of applications, one a line")
    parser.add_argument("--state-dir", type=Path, default=ROOT / ".local", help="where logs, keys and books lie")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="first of the eleven ports used on 127.0.0.1")
    return parser.parse_args()


def main() -> int:
    """Run; returns 0 if every application ended as expected."""
    options, began = arguments(), time.monotonic()
    out = console(to_stderr=options.json)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: shells start background jobs with it ignored
        signal.signal(number, _interrupt)
    rows: list[Row] = []
    try:
        with Display(out) as display:
            wanted = [] if options.no_applications else cases.read(options.applications)
            platform = LocalPlatform(options.state_dir, Ports(options.port), steps=display)
            platform.start()
            ready = time.monotonic() - began
            try:
                rows, wall = _applications(platform, wanted, display)
            except BaseException:
                platform.stop()
                raise
    except RunError as problem:
        out.print(f"\n{problem}", style="bold red")
        return 2
    except KeyboardInterrupt:
        out.print("\nstopped")
        return 130
    try:
        if options.json:
            print(json.dumps(_document(platform, rows, ready, wall), ensure_ascii=False), flush=True)
        _tell(out, platform, rows, ready, wall)
        if not options.once:
            _stay_up(out, platform)
    finally:
        platform.stop()
    return 0 if all(row.as_expected for row in rows) else 1


def _applications(platform: LocalPlatform, wanted: list[cases.Case], display: Display) -> tuple[list[Row], float]:
    if not wanted:
        return [], 0.0
    display.expect(len(wanted))
    return scenario.run(platform, wanted, display.stage, display.row)


def _document(platform: LocalPlatform, rows: list[Row], ready: float, wall: float) -> dict[str, object]:
    return {
        "ready_seconds": round(ready, 2),
        "api_url": platform.api_url,
        "outputs": platform.outputs,
        "summary": summary(rows, wall),
        "applications": [row.model_dump() for row in rows],
    }


def _tell(out: Console, platform: LocalPlatform, rows: list[Row], ready: float, wall: float) -> None:
    if rows:
        out.print()
        out.print(table(rows, out.width))
        figures = summary(rows, wall)
        out.print(
            f"\n{figures['ended']} of {figures['applications']} applications ended in {figures['wall_seconds']} s, "
            f"{figures['as_expected']} as expected. Median seconds: to the report {figures['to_report_seconds']}, "
            f"to the money {figures['to_disbursement_seconds']}. Ready after {ready:.1f} s."
        )
        for row in rows:
            if not row.as_expected:
                note = row.error or row.note or ""
                out.print(
                    f"Not as expected: {row.firm} ({row.persona}): {row.outcome}, not {row.expected}. {note}",
                    style="red",
                )
    out.print(guide(platform, rows), soft_wrap=True)


def _stay_up(out: Console, platform: LocalPlatform) -> None:
    out.print("\nThe platform stays up; press Ctrl-C to stop it.")
    try:
        while platform.supervisor.alive("cloud"):
            time.sleep(1)
    except KeyboardInterrupt:
        out.print("\nstopping …")
    else:
        out.print(f"\nThe embedded cloud has ended and lost its data; see {platform.places.log('cloud')}.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
