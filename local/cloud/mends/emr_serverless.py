"""EMR Serverless, which upstream lacks: REST API, CloudFormation resource, Step Functions integration.

Applications and job runs for boto3's ``emr-serverless``; ``AWS::EMRServerless::Application``;
``emr-serverless:startJobRun`` and ``.sync`` in state machines; ``aws-sdk:emrserverless:startJobRun`` for them and the
scheduler. Runs are local Spark processes (``cloud.emr_jobs``).

Refusals as on AWS: a started application can be neither changed (nor its tags, which stack tags reach) nor deleted; one
with unfinished runs cannot be stopped. A run starts its application unless ``autoStartConfiguration`` disables that.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from cloud.config import Config
from cloud.emr_jobs import FINAL, JobRuns, Run
from cloud.executions import Running, current
from cloud.upstream import app, provisioners, responses, router, s3
from cloud.upstream import stepfunctions as sf

Answer = tuple[int, dict[str, str], bytes]
_APPLICATION_FIELDS = (
    "name", "releaseLabel", "type", "initialCapacity", "maximumCapacity", "autoStartConfiguration",
    "autoStopConfiguration", "architecture", "networkConfiguration", "runtimeConfiguration", "monitoringConfiguration",
    "schedulerConfiguration", "tags",
)  # fmt: skip
_RESTING = ("CREATED", "STOPPED")
_CHANGED_WHILE_STARTED = ("schedulerConfiguration", "imageConfiguration", "maximumCapacity")
_PRIVATE = ("clientToken", "failures")
_services: list[EmrServerless] = []


class NotFound(Exception):
    """No such application or run."""


class Refused(Exception):
    """EMR answers ValidationException."""


class EmrServerless:
    """EMR Serverless: applications and job runs."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.jobs = JobRuns(config, fetch)
        self.applications: dict[str, dict[str, Any]] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        number = f"00{uuid.uuid4().hex[:14]}"
        arn = f"arn:aws:emr-serverless:{responses.get_region()}:{responses.get_account_id()}:/applications/{number}"
        now = time.time()
        application = {
            "applicationId": number, "arn": arn, "state": "CREATED", "createdAt": now, "updatedAt": now,
            **{field: request[field] for field in _APPLICATION_FIELDS if field in request},
        }  # fmt: skip
        self.applications[number] = application
        return application

    def update(self, number: str, request: dict[str, Any]) -> dict[str, Any]:
        """UpdateApplication; raises Refused if the application is started."""
        if self.application(number)["state"] not in _RESTING and not request.keys() <= set(_CHANGED_WHILE_STARTED):
            raise Refused(
                "Only the following configurations can be updated when an application is in STARTED state: "
                "schedulerConfiguration.maxConcurrentRuns, extendedSupportConfiguration, imageConfiguration, "
                "workerTypeSpecifications.imageConfiguration, maximumCapacity."
            )
        return self._change(number, request)

    def _change(self, number: str, fields: dict[str, Any]) -> dict[str, Any]:
        application = {**self.application(number), **fields, "updatedAt": time.time()}
        self.applications[number] = application
        return application

    def start(self, number: str) -> None:
        self._change(number, {"state": "STARTED"})

    def stop(self, number: str) -> None:
        """StopApplication; raises Refused while runs are unfinished."""
        if self._unfinished(number):
            raise Refused(f"Application {number} cannot be stopped while it has scheduled or running jobs.")
        self._change(number, {"state": "STOPPED"})

    def _unfinished(self, number: str) -> list[Run]:
        runs = self.jobs.runs.values()
        return [run for run in runs if run["applicationId"] == number and run["state"] not in FINAL]

    def delete(self, number: str) -> None:
        """DeleteApplication; raises Refused if the application is started."""
        state = self.application(number)["state"]
        if state not in _RESTING:
            raise Refused(
                f"Application {number} must be in one of the following statuses [CREATED, STOPPED]. "
                f"Current status: {state}"
            )
        del self.applications[number]

    def application(self, number: str) -> dict[str, Any]:
        if number not in self.applications:
            raise NotFound(f"Application {number} does not exist")
        return self.applications[number]

    def run(self, application: str, number: str) -> Run:
        run = self.jobs.runs.get(number)
        if run is None or run["applicationId"] != application:
            raise NotFound(f"Job run {number} does not exist")
        return run

    def start_run(self, application: str, request: dict[str, Any]) -> Run:
        """StartJobRun; raises NotFound, or Refused if the application is stopped without automatic start."""
        found = self.application(application)
        if found["state"] in _RESTING:
            if not (found.get("autoStartConfiguration") or {}).get("enabled", True):
                raise Refused(f"Application {application} is in {found['state']} state and autoStart is disabled.")
            self.start(application)
        return self.jobs.start(found, request)


def fetch(url: str) -> bytes:
    """An object of the emulator's S3; raises KeyError."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    status, _, body = s3._get_object(bucket, key, {}, {})
    if status != 200:
        raise KeyError(f"no object {url}")
    return body if isinstance(body, bytes) else bytes(body.encode())


def apply(config: Config) -> None:
    """Register the service with MiniStack."""
    service = EmrServerless(config)
    _services.append(service)
    _register_api(service)
    _register_resource(service)
    _register_integration(service)


def close() -> None:
    """End all jobs."""
    for service in _services:
        service.jobs.close()


def _register_api(service: EmrServerless) -> None:
    upstream_detect = router.detect_service

    def detect(method: str, path: str, headers: dict[str, str], query: Any) -> Any:
        if "/emr-serverless/aws4_request" in headers.get("authorization", ""):
            return "emr-serverless"
        return upstream_detect(method, path, headers, query)

    async def handle(method: str, path: str, _headers: Any, body: bytes, query: dict[str, list[str]]) -> Answer:
        try:
            return _ok(_route(service, method, [unquote(part) for part in path.strip("/").split("/")], body, query))
        except NotFound as missing:
            return _error(404, "ResourceNotFoundException", str(missing))
        except Refused as refusal:
            return _error(400, "ValidationException", str(refusal))
        except (KeyError, ValueError) as odd:
            return _error(400, "ValidationException", f"missing or malformed: {odd}")

    router.detect_service = app.detect_service = detect
    app.SERVICE_HANDLERS["emr-serverless"] = handle


def _route(
    service: EmrServerless, method: str, path: list[str], body: bytes, query: dict[str, list[str]]
) -> dict[str, Any]:
    request = json.loads(body or b"{}")
    match method, path:
        case "POST", ["applications"]:
            made = service.create({**request, "releaseLabel": request["releaseLabel"], "type": request["type"]})
            return {name: made.get(name) for name in ("applicationId", "name", "arn")}
        case "GET", ["applications"]:
            wanted = query.get("states")
            found = (
                application
                for application in service.applications.values()
                if not wanted or application["state"] in wanted
            )
            return {"applications": [{**one, "id": one["applicationId"]} for one in found]}
        case "GET", ["applications", number]:
            return {"application": service.application(number)}
        case "PATCH", ["applications", number]:
            fields = {field: request[field] for field in _APPLICATION_FIELDS if field in request}
            return {"application": service.update(number, fields)}
        case "DELETE", ["applications", number]:
            service.delete(number)
            return {}
        case "POST", ["applications", number, "start"]:
            service.start(number)
            return {}
        case "POST", ["applications", number, "stop"]:
            service.stop(number)
            return {}
        case _, ["applications", number, "jobruns", *rest]:
            return _route_runs(service, method, number, rest, request, query)
    raise NotFound(f"no operation {method} /{'/'.join(path)}")


def _route_runs(
    service: EmrServerless,
    method: str,
    number: str,
    rest: list[str],
    request: dict[str, Any],
    query: dict[str, list[str]],
) -> dict[str, Any]:
    if method == "POST" and not rest:
        run = service.start_run(number, {**request, "jobDriver": request["jobDriver"]})
        return {name: run[name] for name in ("applicationId", "jobRunId", "arn")}
    if method == "GET" and not rest:
        service.application(number)
        wanted, mode = query.get("states"), query.get("mode")
        found = [
            _public(run)
            for run in service.jobs.runs.values()
            if run["applicationId"] == number
            and (not wanted or run["state"] in wanted)
            and (not mode or run["mode"] in mode)
        ]
        summaries = [{name: value for name, value in run.items() if name != "jobDriver"} for run in found]
        return {"jobRuns": [{**run, "id": run["jobRunId"]} for run in reversed(summaries)]}
    run = service.run(number, rest[0])
    if method == "DELETE":
        service.jobs.cancel(run)
        return {"applicationId": number, "jobRunId": run["jobRunId"]}
    return {"jobRun": _public(run)}


def _public(run: Run) -> Run:
    return {name: value for name, value in run.items() if name not in _PRIVATE}


def _ok(document: dict[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()


def _error(status: int, kind: str, message: str) -> Answer:
    return (
        status,
        {"Content-Type": "application/json", "x-amzn-ErrorType": kind},
        json.dumps({"message": message}).encode(),
    )


def _renamed(value: Any, change: Callable[[str], str]) -> Any:
    """Member names in the other case; keys of free-form maps (tags, properties) are kept."""
    if isinstance(value, list):
        return [_renamed(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    free = ("tags", "properties")
    return {
        change(key[0]) + key[1:]: item if key.lower() in free else _renamed(item, change) for key, item in value.items()
    }


def _register_resource(service: EmrServerless) -> None:
    def attributes(application: dict[str, Any]) -> tuple[str, dict[str, str]]:
        number = application["applicationId"]
        return number, {"Arn": application["arn"], "ApplicationId": number}

    def request(properties: dict[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = _renamed({**properties}, str.lower)
        tags = fields.get("tags")
        if isinstance(tags, list):
            fields["tags"] = {tag["Key"]: tag["Value"] for tag in tags}
        return fields

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
        return attributes(service.create({"name": f"{stack}-{logical_id}", **request(properties)}))

    def update(number: str, _old: Any, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        return attributes(service.update(number, request(properties)))

    def delete(number: str, _properties: Any) -> None:
        if number in service.applications:
            service.delete(number)

    handlers = {"create": create, "update": update, "delete": delete}
    provisioners._RESOURCE_HANDLERS["AWS::EMRServerless::Application"] = handlers
    provisioners._STACK_TAG_PROPERTY["AWS::EMRServerless::Application"] = ("Tags", "list")


def _register_integration(service: EmrServerless) -> None:
    def start(arguments: dict[str, Any]) -> Run:
        request = _renamed(arguments, str.lower)
        try:
            return service.start_run(request["applicationId"], {"jobDriver": {}, **request})
        except (KeyError, NotFound) as problem:
            raise sf._ExecutionError("EmrServerless.ResourceNotFoundException", str(problem)) from problem
        except Refused as problem:
            raise sf._ExecutionError("EmrServerless.ValidationException", str(problem)) from problem

    def integration(resource: str, arguments: dict[str, Any]) -> Any:
        run = start(arguments)
        if ".sync" not in resource:
            return _renamed({name: run[name] for name in ("applicationId", "jobRunId", "arn")}, str.upper)
        execution = current.get() or Running("")
        service.jobs.wait(run, execution.ended.is_set)
        if run["state"] not in FINAL:
            service.jobs.cancel(run)  # like AWS, cancel the job of a stopped execution
        outcome = _renamed(_public(run), str.upper)
        if run["state"] != "SUCCESS":
            raise sf._ExecutionError("States.TaskFailed", json.dumps(outcome))
        return outcome

    sf._SERVICE_DISPATCH["arn:aws:states:::emr-serverless:startJobRun"] = integration
    sf._SERVICE_DISPATCH["arn:aws:states:::aws-sdk:emrserverless:startJobRun"] = integration
