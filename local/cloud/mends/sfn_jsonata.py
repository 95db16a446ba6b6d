"""JSONata states: time-outs as expressions, Parallel with Arguments, Output and Assign, and expressions parsed once.

Upstream hands ``TimeoutSeconds`` and ``HeartbeatSeconds`` on as text (TypeError), ignores ``Arguments``, ``Output`` and
``Assign`` of a Parallel, lets its branches share one context, so that variables assigned in one branch are seen in the
others and afterwards, and parses every expression again at every evaluation.

We evaluate both limits first, run each branch on a copy of the context (AWS: inner scopes read outer variables, what
they assign ends with them), apply Arguments, Output and Assign, and keep parsed expressions.
"""

from __future__ import annotations

import contextvars
import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloud.config import Config
from cloud.upstream import stepfunctions as sf

_KEPT_EXPRESSIONS = 2000
# Upstream's limit is AWS's, one second of wall time. Hundreds of executions share one interpreter here, so a harmless
# expression may have to wait that long for its turn.
_EVALUATION_MS = 20_000


def is_jsonata(state: dict[str, Any], ctx: dict[str, Any]) -> bool:
    """Whether this state speaks JSONata."""
    return bool(sf._state_query_language(state, ctx) == "JSONata")


def apply(_config: Config) -> None:
    """Wrap the task and Parallel states and the parser."""
    _limits()
    _parallel()
    _keep_parsed()


def _limits() -> None:
    upstream = sf._execute_task

    def execute(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        if is_jsonata(state, ctx):
            for name in ("TimeoutSeconds", "HeartbeatSeconds"):
                if isinstance(state.get(name), str):
                    state = {**state, name: sf._jsonata_state_field(state, name, "number", raw_input, ctx)}
        return upstream(state, raw_input, execution, ctx)

    sf._execute_task = execute


def _parallel() -> None:
    upstream = sf._run_parallel_branches

    def run(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        if not is_jsonata(state, ctx):
            return upstream(state, raw_input, execution, ctx)
        arguments = sf._apply_jsonata_arguments(state, raw_input, ctx)
        branches = state["Branches"]
        with ThreadPoolExecutor(len(branches)) as pool:
            futures = [
                pool.submit(
                    contextvars.copy_context().run, sf._run_sub_machine,
                    branch["States"], branch["StartAt"], arguments, execution, copy.deepcopy(ctx),
                )
                for branch in branches
            ]  # fmt: skip
        results = [future.result() for future in futures]
        output = sf._apply_jsonata_output(state, raw_input, ctx, result=results, default=results)
        sf._apply_state_assign(state, raw_input, ctx, result=results)
        return output, sf._next_or_end(state)

    sf._run_parallel_branches = run


class _Parsed:
    """Stands for ``jsonata.Jsonata``: the same, but a parsed expression is lent out again when it is given back."""

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream
        self._free: dict[str, list[Any]] = {}

    def jsonata(self, expression: str, timeout: int | None = None) -> _Lent:
        """A parsed expression; never the same object to two threads at once."""
        free = self._free.get(expression)
        try:
            parsed = free.pop() if free else None
        except IndexError:
            parsed = None
        if parsed is None:
            parsed = self._upstream.Jsonata.jsonata(expression, timeout=_EVALUATION_MS)
        else:
            parsed.environment.set_runtime_bounds(_EVALUATION_MS, None)  # the limit counts from here, not from parsing
        return _Lent(self, expression, parsed)

    def give_back(self, expression: str, parsed: Any) -> None:
        """Keep it for the next evaluation."""
        if expression in self._free or len(self._free) < _KEPT_EXPRESSIONS:
            self._free.setdefault(expression, []).append(parsed)


class _Lent:
    def __init__(self, owner: _Parsed, expression: str, parsed: Any) -> None:
        self._owner, self._expression, self._parsed = owner, expression, parsed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parsed, name)

    def evaluate(self, document: Any, bindings: Any) -> Any:
        value = self._parsed.evaluate(document, bindings)
        self._owner.give_back(self._expression, self._parsed)
        return value


class _Module:
    """The ``jsonata`` module with the keeping parser."""

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream
        self.Jsonata = _Parsed(upstream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._upstream, name)


def _keep_parsed() -> None:
    sf.jsonata = _Module(sf.jsonata)
