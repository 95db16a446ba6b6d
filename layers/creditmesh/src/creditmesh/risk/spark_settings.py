"""How Spark is to be started: for the resident job, and for scans over many rows (measured in docs/risk-model.md)."""

from __future__ import annotations

#: One small batch at a time: generating and compiling code costs more than it saves, and so do the helpers around it.
#: Keeping call sites for error messages would double the calls that build the plan.
RESIDENT: dict[str, str] = {
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.cleaner.periodicGC.interval": "5min",
}

#: Millions of rows: whole-stage code, but no method beyond the 8,000 bytes up to which HotSpot compiles.
SCAN: dict[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.codegen.hugeMethodLimit": "8000",
}


def spark_submit_parameters(settings: dict[str, str]) -> str:
    """Return ``settings`` as the ``--conf`` arguments of spark-submit."""
    return " ".join(f"--conf {name}={value}" for name, value in settings.items())
