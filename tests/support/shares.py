"""How tests are shared out among parallel processes: what stays together, and what is begun first.

Only under pytest-xdist's ``--dist loadgroup --no-loadscope-reorder``: alone, tests run as they are written. A file
stays in one process, since its fixtures are made once; so does a group of files that shares something costly.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

# The start of a path -> what its tests share.
GROUPS = {
    "tests/integration/": "one platform on its ports",
    "tests/conformance/": "one stack in an embedded cloud",
    "tests/e2e/": "one platform after the other on their ports",
    "tests/spark/test_features_agree.py": "one Spark session",
    "tests/spark/test_resident.py": "one Spark session",
}
# What takes longest, so that no process is left alone with it at the end; the rest follows as it is collected.
LONGEST_FIRST = (
    "tests/e2e/",
    "tests/integration/",
    "tests/conformance/",
    "tests/contract/cloud/test_emr_serverless.py",
    "tests/spark/test_features_job.py",
    "tests/spark/",
    "tests/fuzz/",
    "tests/contract/cloud/test_deploy.py",
    "tests/contract/cloud/",
    "tests/stepfunctions/",
    "tests/property/test_evaluators_agree.py",
    "tests/unit/functions/test_cold_start.py",
    "tests/unit/training/",
    "tests/contract/",
    "tests/property/",
)


def share_out(items: list[pytest.Item]) -> None:
    """Put the tests into groups and the longest groups first; within a group the order stays."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(_file(item))))
    items.sort(key=lambda item: _rank(_file(item), LONGEST_FIRST))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _group(file: str) -> str:
    return next((name for start, name in GROUPS.items() if file.startswith(start)), file)


def _rank(file: str, order: Sequence[str]) -> int:
    return next((place for place, start in enumerate(order) if file.startswith(start)), len(order))
