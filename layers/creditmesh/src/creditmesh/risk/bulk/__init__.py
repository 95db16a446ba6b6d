"""Batch scoring at the speed of the disk: the artefact as a numpy kernel over Arrow columns.

For Spark jobs and benchmarks; it needs numpy and pyarrow, reading portfolios polars too, which a Lambda's layer lacks.
"""

from creditmesh.risk.bulk.results import RESULT_FIELDS
from creditmesh.risk.bulk.scoring import Kernel, compile_kernel

__all__ = ["RESULT_FIELDS", "Kernel", "compile_kernel"]
