"""Spark settings of the resident job, scans and training."""

from __future__ import annotations

import shlex

RESIDENT: dict[str, str] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.default.parallelism": "1",
    "spark.python.daemon.module": "creditmesh.decisions.serving.worker_daemon",
    "spark.cleaner.periodicGC.interval": "5min",
}
"""Small batches in Python workers. The workers' daemon module is in the archive of --py-files, which Spark puts into an
executor's working directory; the job adds it to the workers' PYTHONPATH."""

SMALL_MACHINE: dict[str, str] = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Additional settings on a developer's machine: half the processor time until ready and a quarter less memory, for some
10 ms more per batch once warm. Not for EMR, which sets its own Java options under this name."""
SMALL_RESIDENT: dict[str, str] = {**SMALL_MACHINE, "spark.driver.memory": "512m"}

SCAN: dict[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.codegen.hugeMethodLimit": "8000",
}
"""Millions of rows: whole-stage code, but no method above the 8,000 bytes that HotSpot compiles."""

KERNEL: dict[str, str] = {**SCAN, "spark.executorEnv.POLARS_MAX_THREADS": "1"}
"""Splits read and scored by Python workers: one thread each, as there is one worker per core."""


PYTHON = "python3.11"
"""An interpreter that emr-spark-8.0.0 has, for which the archives of libraries are built."""
INTERPRETER: dict[str, str] = {
    "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
    "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
    "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
}

RESIDENT_WORKERS: dict[str, str] = {
    "spark.dynamicAllocation.enabled": "false",
    "spark.executor.instances": "1",
    "spark.driver.cores": "1",
    "spark.driver.memory": "1g",
    "spark.driver.memoryOverhead": "1g",
    "spark.executor.cores": "1",
    "spark.executor.memory": "1g",
    "spark.executor.memoryOverhead": "1g",
}
"""Two workers of 1 vCPU and 2 GB, the smallest of EMR Serverless (heap and overhead together). Fixed: with dynamic
allocation an idle job loses its executor, and the next request waits for a new one. The overhead holds Python: the
job's own process beside the driver, the scoring workers beside the executor."""

SCAN_WORKERS: dict[str, str] = {
    "spark.driver.cores": "2",
    "spark.driver.memory": "6g",
    "spark.driver.memoryOverhead": "2g",
    "spark.executor.cores": "4",
    "spark.executor.memory": "12g",
    "spark.executor.memoryOverhead": "4g",
}
"""Workers of a scan: a driver of 2 vCPU and 8 GB, executors of 4 vCPU and 16 GB, up to the application's maximum
capacity. The overhead holds the Python workers."""

TRAINING_WORKERS: dict[str, str] = {
    **SCAN_WORKERS,
    "spark.driver.cores": "4",
    "spark.driver.memory": "6g",
    "spark.driver.memoryOverhead": "24g",
}
"""Workers of training, which runs in the driver's Python: a driver of 4 vCPU and 30 GB, mostly outside the heap."""


def libraries(archive: str) -> dict[str, str]:
    """Settings that put the archive at ``archive`` (s3://…) on the path of driver and executors."""
    return {
        "spark.archives": f"{archive}#libraries",
        "spark.emr-serverless.driverEnv.PYTHONPATH": "./libraries",
        "spark.executorEnv.PYTHONPATH": "./libraries",
    }


def spark_submit_parameters(settings: dict[str, str]) -> str:
    """Return ``settings`` as ``--conf`` arguments of spark-submit, quoted for a shell."""
    return " ".join(f"--conf {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
