"""Distributed Map in JSONata: Items, ItemReader, ItemSelector, ItemBatcher, ResultWriter, Output and Assign.

Upstream treats a DISTRIBUTED Map as JSONPath: ``Items``, ``ItemBatcher``, ``ResultWriter``, ``Output`` and ``Assign``
are ignored, and expressions in ItemReader and ItemSelector reach the children as text.

We evaluate those fields, pass the finished items to upstream's runner, write the result files and the manifest as AWS
does, and apply Output and Assign. Children do not see the parent's variables (on AWS a distributed child is an
execution of its own).
"""

from __future__ import annotations

import json
from typing import Any

from cloud.config import Config
from cloud.mends.sfn_jsonata import is_jsonata
from cloud.upstream import s3
from cloud.upstream import stepfunctions as sf

_OURS = ("ItemReader", "Items", "ItemSelector", "Parameters", "ItemBatcher", "ResultWriter", "Output", "Assign")
_NUMBERS = ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")


def apply(_config: Config) -> None:
    """Wrap the runner of distributed Maps."""
    upstream = sf._run_distributed_map

    def run(
        state: dict[str, Any],
        raw_input: Any,
        effective: Any,
        iterator: Any,
        execution: dict[str, Any],
        ctx: dict[str, Any],
    ) -> Any:
        if not is_jsonata(state, ctx):
            return upstream(state, raw_input, effective, iterator, execution, ctx)
        items = _batched(state, _items(state, raw_input, ctx), raw_input, ctx)
        plain = {name: value for name, value in state.items() if name not in _OURS}
        for name in _NUMBERS:
            if name in plain:
                plain[name] = sf._jsonata_state_field(state, name, "number", raw_input, ctx)
        results, following = upstream(plain, items, items, iterator, execution, {**ctx, "variables": {}})
        if "ResultWriter" in state:
            results = _written(state["ResultWriter"], raw_input, ctx, execution)
        output = sf._apply_jsonata_output(state, raw_input, ctx, result=results, default=results)
        sf._apply_state_assign(state, raw_input, ctx, result=results)
        return output, following

    sf._run_distributed_map = run


def _items(state: dict[str, Any], raw_input: Any, ctx: dict[str, Any]) -> list[Any]:
    if reader := state.get("ItemReader"):
        evaluated = {name: sf._apply_jsonata_template(value, raw_input, ctx) for name, value in reader.items()}
        items = sf._read_map_items(evaluated, raw_input, ctx)
    else:
        items = sf._jsonata_state_field(state, "Items", "array", raw_input, ctx) if "Items" in state else raw_input
    if not isinstance(items, list):
        items = [items]
    selector = state.get("ItemSelector")
    if not selector:
        return list(items)
    return [
        sf._apply_jsonata_template(selector, raw_input, {**ctx, "Map": {"Item": {"Index": index, "Value": item}}})
        for index, item in enumerate(items)
    ]


def _batched(state: dict[str, Any], items: list[Any], raw_input: Any, ctx: dict[str, Any]) -> list[Any]:
    batcher = state.get("ItemBatcher")
    if not batcher:
        return items
    fields = sf._apply_jsonata_template(batcher, raw_input, ctx)
    most_items = int(fields.get("MaxItemsPerBatch") or len(items) or 1)
    most_bytes = int(fields.get("MaxInputBytesPerBatch") or 256 * 1024)
    shared = {"BatchInput": fields["BatchInput"]} if "BatchInput" in fields else {}
    batches: list[list[Any]] = []
    room = -1
    for item in items:
        size = len(json.dumps(item)) + 1
        if not batches or len(batches[-1]) >= most_items or size > room:
            batches.append([])
            room = most_bytes - len(json.dumps(shared))
        batches[-1].append(item)
        room -= size
    return [{**shared, "Items": batch} for batch in batches]


def _written(writer: dict[str, Any], raw_input: Any, ctx: dict[str, Any], execution: dict[str, Any]) -> dict[str, Any]:
    """Write one result file per outcome and the manifest; returns the state's result as on AWS."""
    target = sf._apply_jsonata_template(writer.get("Arguments") or {}, raw_input, ctx)
    run = [run for run in sf._map_runs.values() if run["executionArn"] == execution["executionArn"]][-1]["mapRunArn"]
    children = [child for child in sf._executions.values() if child.get("mapRunArn") == run]
    prefix = "/".join(filter(None, [target.get("Prefix", "").strip("/"), run.rsplit(":", 1)[-1]]))
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status in ("FAILED", "SUCCEEDED"):
        found = [_described(child) for child in children if child["status"] == status]
        if found:
            body = json.dumps(found).encode()
            key = f"{prefix}/{status}_0.json"
            _put(target["Bucket"], key, body)
            files[status].append({"Key": key, "Size": len(body)})
    manifest = {"DestinationBucket": target["Bucket"], "MapRunArn": run, "ResultFiles": files}
    _put(target["Bucket"], f"{prefix}/manifest.json", json.dumps(manifest).encode())
    return {"MapRunArn": run, "ResultWriterDetails": {"Bucket": target["Bucket"], "Key": f"{prefix}/manifest.json"}}


def _described(child: dict[str, Any]) -> dict[str, Any]:
    names = {
        "ExecutionArn": "executionArn", "Input": "input", "Name": "name", "Output": "output", "StartDate": "startDate",
        "StateMachineArn": "stateMachineArn", "Status": "status", "StopDate": "stopDate",
        "Error": "error", "Cause": "cause",
    }  # fmt: skip
    return {name: child[key] for name, key in names.items() if child.get(key) is not None}


def _put(bucket: str, key: str, body: bytes) -> None:
    status, _, answer = s3._put_object(bucket, key, body, {})
    if status >= 300:
        raise sf._ExecutionError("States.ResultWriterFailed", f"s3://{bucket}/{key}: {answer!r}")
