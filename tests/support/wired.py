"""Every context's wiring and the platform's parts by one name, for tests that cross contexts."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from creditmesh.platform.bootstrap import Platform, platform, replace

BOOTSTRAPS = tuple(
    importlib.import_module(f"creditmesh.{context}.bootstrap")
    for context in (
        "authorization", "gateway", "intake", "screening", "decisions", "governance", "offers", "closing", "outbox",
        "failures", "ledger", "retention",
    )
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """`wired.applications()` is `intake.bootstrap.applications()`, `wired.tables()` the platform's tables."""
    if name in ("client", "secret", "parameter"):
        return getattr(platform(), name)
    if hasattr(Platform, name) or name in vars(platform()):
        return partial(getattr, platform(), name)
    for module in BOOTSTRAPS:
        found = getattr(module, name, None)
        if getattr(found, "__module__", None) == module.__name__:
            return found
    raise AttributeError(name)


class Given(Platform):
    """A platform some of whose parts are given."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.given = parts
        vars(self).update(parts)


def use(**parts: Any) -> None:
    """Start afresh, with these parts of the platform given."""
    replace(Given(**parts))


def renew(**parts: Any) -> None:
    """Start afresh, as a new process would, with the same parts given, and these."""
    use(**getattr(platform(), "given", {}) | parts)


def forget(*names: str) -> None:
    """Have these made again when they are asked for."""
    for name in names:
        platform().made.pop(__getattr__(name), None)


def instead(name: str, part: Any) -> None:
    """Use `part` until the platform is replaced."""
    platform().made[__getattr__(name)] = part
