"""Batch scoring: the artefact as a numpy kernel over Arrow columns, as fast as the disk is read.

For Spark jobs and benchmarks. It needs numpy, pyarrow and, for portfolios, polars, which a Lambda layer does not have.
"""

from creditmesh.risk.bulk.results import RESULT_FIELDS
from creditmesh.risk.bulk.scoring import Kernel, compile_kernel

__all__ = ["RESULT_FIELDS", "Kernel", "compile_kernel"]
