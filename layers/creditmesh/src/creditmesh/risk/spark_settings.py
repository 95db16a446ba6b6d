"""How Spark is to be started: for the resident job, and for scans over many rows."""

from __future__ import annotations

import shlex

#: One small batch at a time: generating and compiling code costs more than it saves, and so do the helpers around it.
#: To look for what several expressions have in common takes longer than to reckon it twice, where layers are few rows.
#: Keeping call sites for error messages would double the calls that build the plan.
RESIDENT: dict[str, str] = {
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.subexpressionElimination.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.cleaner.periodicGC.interval": "5min",
}

#: On top of RESIDENT on a developer's machine: half the processor time until ready and a quarter less memory, for some
#: 10 ms more per batch once warm. Not for EMR, which has Java options of its own under this name.
SMALL_MACHINE: dict[str, str] = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

#: Millions of rows: whole-stage code, but no method beyond the 8,000 bytes up to which HotSpot compiles.
SCAN: dict[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.codegen.hugeMethodLimit": "8000",
}

#: Splits handed to Python workers that read and score by themselves: one thread each, as there is one for each core.
KERNEL: dict[str, str] = {**SCAN, "spark.executorEnv.POLARS_MAX_THREADS": "1"}


def spark_submit_parameters(settings: dict[str, str]) -> str:
    """Return ``settings`` as the ``--conf`` arguments of spark-submit, quoted as a shell wants them."""
    return " ".join(f"--conf {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
