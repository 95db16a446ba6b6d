"""JSONata states: time-outs as expressions, Parallel with Arguments, Output and Assign, and time for expressions.

Upstream passes ``TimeoutSeconds`` and ``HeartbeatSeconds`` on as text (TypeError), ignores ``Arguments``, ``Output``
and ``Assign`` of a Parallel, lets its branches share one context, so that variables assigned in one branch are visible
in the others and afterwards, and gives an expression a second of wall time.

We evaluate both limits first, run each branch on a copy of the context (AWS: inner scopes read outer variables, and
their own assignments end with them), apply Arguments, Output and Assign, and give an expression twenty seconds.
"""

from __future__ import annotations

import contextvars
import copy
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from cloud.config import Config
from cloud.upstream import stepfunctions as sf

# AWS's limit, and upstream's, is one second of wall time. Here hundreds of executions share one interpreter, so a
# harmless expression may wait that long.
_EVALUATION_MS = 20_000


def is_jsonata(state: dict[str, Any], ctx: dict[str, Any]) -> bool:
    return bool(sf._state_query_language(state, ctx) == "JSONata")


def apply(_config: Config) -> None:
    """Wrap the task and Parallel states and the parser."""
    _limits()
    _parallel()
    _patience()


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


def _patience() -> None:
    upstream = sf.jsonata
    parse = upstream.Jsonata.jsonata
    parser = SimpleNamespace(jsonata=lambda expression, timeout=0: parse(expression, timeout=_EVALUATION_MS))
    sf.jsonata = SimpleNamespace(**{**vars(upstream), "Jsonata": parser})
