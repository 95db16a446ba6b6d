"""Scoring a portfolio against reading it: rows a second and processor time, side by side in one run.

``python -m benchmarks.bench_scoring [--rows 1000000 5000000] [--repeats 3] [--no-peers]``. 20
characteristics, 10 rules, grades, price and limit, from Parquet. Every round runs each engine once, one after the
other, in one Spark session; ratios are taken within a round, and the median of the rounds is given. All engines that
score must come to the same sums, else the benchmark fails. First come single applications and batches of up to 500
on a session as the resident job has it. JSON, also in build/bench/scoring.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import SparkSession

from benchmarks import scoring_engines as engines
from benchmarks.measures import MemoryPeak, cpu_seconds
from benchmarks.scoring_data import generate
from benchmarks.scoring_model import bins, document
from benchmarks.scoring_work import Sums
from cloud.java import java_home
from creditmesh.decisions.serving.spark_settings import KERNEL

ROOT = Path(__file__).parents[1]
CORES = 2
WORK = ROOT / "build" / "bench" / "scoring"
PEER_PYTHON = ROOT / ".venvs" / "peers" / "bin" / "python"
Engine = Callable[[engines.Bench], Sums]
SCANS: tuple[Engine, ...] = (
    engines.spark_scan,
    engines.spark_scan_to_noop,
    engines.polars_scan,
    engines.arrow_scan,
)
SCORERS: tuple[Engine, ...] = (engines.kernel_on_splits, engines.kernel_on_splits_written, engines.kernel_alone)
CORE: tuple[Engine, ...] = (engines.spark_scan, engines.spark_scan_to_noop, engines.kernel_on_splits)
"""What the target is about."""
_PEER_ROWS = 1_000_000


def main() -> None:
    """Measure, print the figures as JSON and keep them."""
    arguments = parse_arguments()
    model = json.dumps(document())
    data = {rows: generate(WORK, rows) for rows in arguments.rows}
    report: dict[str, Any] = {"cores": CORES, "load_average_before": os.getloadavg()[0], "portfolios": {}}
    report["resident"] = resident()
    spark = session()
    try:
        for rows, folder in data.items():
            bench = engines.Bench(spark, folder, model, WORK / "out")
            chosen = CORE if arguments.core else (*SCANS, *SCORERS)
            report["portfolios"][str(rows)] = portfolio(bench, rows, chosen, arguments.repeats)
            shutil.rmtree(bench.output, ignore_errors=True)
        if arguments.peers:
            smallest = engines.Bench(spark, data[min(data)], model, WORK / "out")
            report["in_memory"] = in_memory(smallest, min(_PEER_ROWS, min(data)))
    finally:
        spark.stop()
    report["load_average_after"] = os.getloadavg()[0]
    text = json.dumps(report, indent=2)
    (WORK.parent / "scoring.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000], help="sizes of the portfolio")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--core", action="store_true", help="Spark's scans and the kernel on splits only")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without optbinning and scorecardpy")
    return parser.parse_args()


def resident() -> dict[str, Any]:
    """Single applications and small batches on the resident job's session."""
    command = [sys.executable, "-m", "benchmarks.scoring_resident"]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def session() -> SparkSession:
    """A local session as a scan has it; one thread in each of its Python workers."""
    os.environ["JAVA_HOME"] = str(java_home(ROOT / ".venvs" / "spark", ROOT / "build" / "java"))
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    builder = SparkSession.builder.master(f"local[{CORES}]").appName("bench-scoring")
    local = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "2g"}
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    spark = builder.config(map={**KERNEL, **local, **quiet}).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def portfolio(bench: engines.Bench, rows: int, names: Iterable[Engine], repeats: int) -> dict[str, Any]:
    """Every engine on one portfolio: a round to warm up, in which memory is watched, then the rounds that count."""
    chosen = list(names)
    runs: dict[str, list[dict[str, float]]] = {engine.__name__: [] for engine in chosen}
    sums: dict[str, Sums] = {}
    peaks: dict[str, float] = {}
    for number in range(repeats + 1):
        for engine in chosen:
            if number:
                found, figures = measured(bench, engine)
                runs[engine.__name__].append(figures)
            else:
                found, peaks[engine.__name__] = watched(bench, engine)
            check(engine, found, sums, rows)
            last = runs[engine.__name__][-1:]
            print(json.dumps([rows, number, engine.__name__, *last]), file=sys.stderr, flush=True)
    return {
        "engines": {name: {**summary(rows, found), "workers_peak_mib": peaks[name]} for name, found in runs.items()},
        "share_of_spark_scan": {name: shares(runs, name) for name in runs if name != "spark_scan_to_noop"},
        "sums": sums["kernel_on_splits"],
    }


def measured(bench: engines.Bench, engine: Engine) -> tuple[Sums, dict[str, float]]:
    """Run an engine once: seconds, and processor seconds of all processes.

    Python workers are started before, as the session was: Spark ends them when they have been idle for a minute.
    """
    engines.start_workers(bench)
    myself = psutil.Process()
    before, started = processor(myself), time.perf_counter()
    found = engine(bench)
    seconds = time.perf_counter() - started
    return found, {"seconds": round(seconds, 3), "cpu_seconds": round(processor(myself) - before, 2)}


def watched(bench: engines.Bench, engine: Engine) -> tuple[Sums, float]:
    """Run an engine once: the peak of the memory of Spark's Python workers, in MiB; looking costs processor time."""
    jvm = next(child for child in psutil.Process().children() if "java" in child.name())
    with MemoryPeak(jvm, every_seconds=0.2) as memory:
        found = engine(bench)
    return found, float(memory.peak["pss_mib"])


def processor(root: psutil.Process) -> float:
    """Processor seconds of this process and all below."""
    own = root.cpu_times()
    return own.user + own.system + cpu_seconds(root)


def check(engine: Engine, found: Sums, sums: dict[str, Sums], rows: int) -> None:
    """All engines that score come to the same, all that scan see every row.

    Raises:
        SystemExit: they do not.
    """
    if engine in SCANS:
        if found.get("rows", rows) != rows:
            raise SystemExit(f"{engine.__name__} saw {found} instead of {rows} rows")
        return
    sums[engine.__name__] = found
    for name, other in sums.items():
        common = found.keys() & other.keys()
        if {key: found[key] for key in common} != {key: other[key] for key in common}:
            raise SystemExit(f"{engine.__name__} says {found}, but {name} {other}")


def summary(rows: int, runs: list[dict[str, float]]) -> dict[str, float]:
    """Medians of the rounds."""
    seconds = statistics.median(run["seconds"] for run in runs)
    used = statistics.median(run["cpu_seconds"] for run in runs)
    return {
        "rows_per_second": round(rows / seconds),
        "fastest_rows_per_second": round(rows / min(run["seconds"] for run in runs)),
        "cpu_seconds_per_million_rows": round(used / rows * 1_000_000, 3),
    }


def shares(runs: Mapping[str, list[dict[str, float]]], name: str) -> dict[str, float]:
    """How fast an engine is in terms of Spark's quicker scan of the same round; by the clock and by processor time."""
    found = {}
    for figure in ("seconds", "cpu_seconds"):
        pairs = zip(runs["spark_scan"], runs["spark_scan_to_noop"], runs[name], strict=True)
        ratios = [min(scan[figure], noop[figure]) / run[figure] for scan, noop, run in pairs]
        found[f"by_{figure}"] = round(statistics.median(ratios), 2)
    return found


def in_memory(bench: engines.Bench, rows: int) -> dict[str, Any]:
    """Rows in memory, by processor time: the kernel, and the peers, who compute a score alone."""
    figures: dict[str, Any] = {"rows": rows}
    for name, work in engines.in_memory(bench, rows).items():
        work()
        figures[f"kernel_{name}_rows_per_cpu_second"] = round(rows / min(_seconds(work) for _ in range(5)))
    if not PEER_PYTHON.exists():
        return {**figures, "peers": "not installed: python3 local/setup.py --with peers"}
    command = [str(PEER_PYTHON), str(ROOT / "benchmarks" / "scoring_peers.py"), str(bench.data), str(rows)]
    ran = subprocess.run(command, input=json.dumps(bins()), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"the peers failed: {ran.stderr[-2_000:]}")
    peers: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    for name, peer in peers.items():
        of_peer = peer["in_memory_rows_per_cpu_second"]
        times = {
            f"kernel_{work}_is_times_as_fast": round(figures[f"kernel_{work}_rows_per_cpu_second"] / of_peer, 1)
            for work in ("whole_result", "score_alone")
        }
        figures[name] = {**peer, **times}
    return figures


def _seconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
