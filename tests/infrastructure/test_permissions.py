"""Least privilege: no function may do more than is listed here, and each may do what it does (research aws.md 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from creditmesh.authorization.scopes import SCOPES
from creditmesh.platform import signing, wiring
from creditmesh.platform.tables import Put, Update
from tests.support import template
from tests.support.aws import Stack, table_name
from tests.support.candidates import candidate
from tests.support.functions import invoke, stream_event
from tests.support.template import of_type
from tests.support.world import (
    APPROVAL,
    BUREAU,
    CODE,
    CONTRACT,
    DISBURSEMENT,
    EDUCATION,
    FIRM,
    LENDER_A,
    SECRET_A,
    SECRET_BUREAU,
    TAX,
    TERMS,
    World,
    running,
)

# An authorisation that ends takes its cached answers along, and lets go on who waits for a late one: seldom by these.
SELDOM = {
    "CallChannelsFunction": {"states"},
    "PublishConsentsFunction": {"s3", "states"},
    "SweepAuthorizationsFunction": {"s3", "states"},
}
# Statement with `*` -> why it cannot be narrower.
WILD = {
    '{"Action": ["logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", '
    '"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"], '
    '"Resource": "*"}': "CloudWatch Logs offers no resource level for the delivery calls",
    '{"Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", '
    '"xray:GetSamplingTargets"], "Resource": ["*"]}': "X-Ray offers no resource level",
}
AWS_MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole": "writes logs",
    "AWSXrayWriteOnlyAccess": "X-Ray offers no resource level",
    "AWSXRayDaemonWriteAccess": "X-Ray offers no resource level",
    "service-role/AWSLambdaDynamoDBExecutionRole": "SAM attaches it to readers of a stream",
    "service-role/AWSLambdaSQSQueueExecutionRole": "SAM attaches it to readers of a queue",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def documents(transformed: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that an identity holds, with where it stands."""
    for name, role in of_type(transformed, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield name, statement
    for name, policy in of_type(transformed, "AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def test_nothing_is_allowed_wholesale(transformed: dict[str, Any]) -> None:
    seen = set()
    for where, statement in documents(transformed):
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        assert statement["Effect"] == "Allow", where
        wild = "*" in resources or any("*" in action for action in actions)
        if wild:
            key = json.dumps({"Action": statement["Action"], "Resource": statement["Resource"]})
            assert key in WILD, f"{where}: {key}"
            seen.add(key)
    assert seen


def test_aws_policies_that_come_along_are_known(transformed: dict[str, Any]) -> None:
    for name, role in of_type(transformed, "AWS::IAM::Role").items():
        for arn in role.get("ManagedPolicyArns", []):
            text = arn if isinstance(arn, str) else json.dumps(arn)
            assert isinstance(arn, dict) and "Ref" in arn or any(text.endswith(one) or f"{one}\"" in text for one in AWS_MANAGED), f"{name}: {arn}"  # fmt: skip  # noqa: E501


def test_every_policy_is_used(source: dict[str, Any]) -> None:
    attached = json.dumps([one.get("Policies", []) for one in of_type(source, "AWS::Serverless::Function").values()])
    for name in of_type(source, "AWS::IAM::ManagedPolicy"):
        assert f'{{"Ref": "{name}"}}' in attached, name


class Watch:
    """What each function called, as IAM sees it: (action, resource)."""

    def __init__(self, world: World) -> None:
        self.world, self.function, self.task_id, self.number = world, "", "", 0
        self.parts: dict[str, str] = {}
        self.calls: dict[str, set[tuple[str, str]]] = {}
        refs = world.stack.refs
        for bucket in ("DataBucket", "ArtefactBucket"):
            refs[f"{bucket}.Arn"] = f"arn:aws:s3:::{refs[bucket]}"
        for queue in ("RetryQueue", "ParkedMessages", "FailedEvents"):
            refs[f"{queue}.Arn"] = f"arn:aws:sqs:eu-west-1:123456789012:{queue}"
        refs["Bus.Arn"] = f"arn:aws:events:eu-west-1:123456789012:event-bus/{refs['Bus']}"

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self.function = function
        try:
            return invoke(function, event, self.world.stack.environment_of(function))
        finally:
            self.function = ""

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.function:
            seen = self.calls.setdefault(self.function, set())
            seen.update(needs(model.service_model.service_name, model.name, params, self.world.stack.refs))

    def steps(self, call: str, started: str | None) -> None:
        if self.function:
            arn = started or self.world.stack.refs["LoanOrigination"]
            resource = arn if call != "DescribeExecution" else f"{arn.replace(':stateMachine:', ':execution:')}:x"
            self.calls.setdefault(self.function, set()).add((f"states:{call}", resource))


def needs(service: str, call: str, params: dict[str, Any], refs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The permissions one call needs."""
    if call == "TransactWriteItems":
        for one in params["TransactItems"]:
            ((kind, inner),) = one.items()
            yield from needs(service, f"{kind}Item", inner, refs)
    elif call == "BatchGetItem":
        yield from ((f"dynamodb:{call}", refs[f"{table}.Arn"]) for table in params["RequestItems"])
    elif service == "dynamodb":
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield f"dynamodb:{call}", refs[f"{params['TableName']}.Arn"] + index
    elif call == "HeadObject":
        yield "s3:GetObject", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"
    elif call == "ListObjectsV2":
        yield "s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}"
    elif service == "s3":
        yield f"s3:{call}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"
    elif service == "sqs":
        yield f"sqs:{call}", f"arn:aws:sqs:eu-west-1:123456789012:{params['QueueUrl'].rpartition('/')[2]}"
    elif service == "ssm":
        yield f"ssm:{call}", f"arn:aws:ssm:eu-west-1:123456789012:parameter{params['Name']}"
    elif service == "events":
        yield f"events:{call}", refs["Bus.Arn"]
    else:
        yield f"{service}:{call}", params.get("KeyId") or params.get("SecretId") or ""


@pytest.fixture(scope="module")
def granted() -> dict[str, list[dict[str, Any]]]:
    """Statements that each function's role holds."""
    document = template.source()
    policies = of_type(document, "AWS::IAM::ManagedPolicy")
    found = {}
    for name, function in of_type(document, "AWS::Serverless::Function").items():
        statements = []
        for policy in function.get("Policies", []):
            statements += (
                policies[policy["Ref"]]["PolicyDocument"]["Statement"] if "Ref" in policy else policy["Statement"]
            )
        found[name] = statements
    return found


def allowed(statements: list[dict[str, Any]], call: tuple[str, str], refs: Mapping[str, str]) -> bool:
    action, resource = call
    for one in statements:
        patterns = [template.resolve(arn, refs) for arn in listed(one["Resource"]) if known(arn, refs)]
        if action in listed(one["Action"]) and any(fnmatchcase(resource, pattern) for pattern in patterns):
            return True
    return False


def known(arn: Any, refs: Mapping[str, str]) -> bool:
    try:
        template.resolve(arn, refs)
    except KeyError:
        return False
    return True


@pytest.fixture(scope="module")
def watch(aws_stack: Stack) -> Iterator[Watch]:
    """A loan has gone its whole way under our eyes."""
    with pytest.MonkeyPatch.context() as patch, running(aws_stack, patch) as world:
        watching = Watch(world)
        for client in aws_stack.clients.values():
            client.meta.events.register("before-parameter-build", watching)
        world.steps.listener = watching.steps
        everything(watching)
        yield watching
        for client in aws_stack.clients.values():
            client.meta.events.unregister("before-parameter-build", watching)


def api(
    watch: Watch,
    method: str,
    route: str,
    body: Any = None,
    role: str = "borrower",
    tenant: str = "firm-1",
    subject: str = "user-1",
    query: dict[str, str] | None = None,
) -> Any:
    world = watch.world
    parts = {"application_id": world.__dict__.get("application_id", ""), "product_id": "p-1", "task_id": watch.task_id,
             "scope": "tax", "channel_id": "file-source", "version": "1", "plan_id": "standard",
             "record": "firm-profiles", "key": FIRM.taxpayer_id, **watch.parts}  # fmt: skip
    used = {name: value for name, value in parts.items() if f"{{{name}}}" in route}
    watch.number += 1
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-{watch.number:04}-{method}-0001"}
    event = {
        "resource": route, "path": route.format(**used), "httpMethod": method, "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()}, "stageVariables": None,
        "queryStringParameters": query, "pathParameters": used or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "requestContext": {
            "resourcePath": route, "httpMethod": method, "path": route, "requestId": "request-1",
            "identity": {"sourceIp": "192.0.2.1"}, "authorizer": {"subject": subject, "role": role, "tenant": tenant},
        },
        "body": json.dumps(body) if body is not None else None, "isBase64Encoded": False,
    }  # fmt: skip
    answer = watch.invoke("ApiFunction", event)
    assert answer["statusCode"] < 300, (route, answer["body"])
    return json.loads(answer["body"]) if answer["body"] else None


def webhook(watch: Watch, kind: str, number: int, data: Mapping[str, Any]) -> None:
    world = watch.world
    body = json.dumps({"type": kind, "data": {"application_id": world.application_id, **data}})
    headers = signing.signed_headers(SECRET_A, f"w-{number}", int(world.clock.now().timestamp()), body.encode())
    event = {"pathParameters": {"institution_id": "lender-a"}, "headers": headers, "body": body}
    assert watch.invoke("ReceiveWebhookFunction", event)["statusCode"] == 200


def everything(watch: Watch) -> None:
    """A loan from request to disbursement, an operator's task, a parked message: every function at work."""
    world = watch.world
    request = {"taxpayer_id": FIRM.taxpayer_id, "firm_name": "Good Firm Test", "amount": "100000.00", "currency": "CNY",
               "term_months": 12, "purpose": "working capital"}  # fmt: skip
    world.__dict__["application_id"] = api(watch, "POST", "/v1/applications", request)["application_id"]
    here = "/v1/applications/{application_id}"

    def step(name: str, token: str | None = None, **more: Any) -> None:
        event = {"application_id": world.application_id, **more} | ({"task_token": token} if token else {})
        watch.invoke(name, event)

    api(watch, "PUT", "/v1/products/{product_id}", TERMS, "lender", "lender-a")
    api(
        watch,
        "PUT",
        "/v1/blacklist",
        {"taxpayer_id": "91350100M000100Y43", "source": "court", "reason": "fraud"},
        "operator",
    )
    step("AwaitAuthorizationFunction", "t", reason="none_stored")
    api(watch, "GET", f"{here}/authorization-link")
    api(watch, "POST", f"{here}/authorization", {"authorization_code": CODE, "expires_at": "2027-01-01T00:00:00Z"})
    step("AwaitAuthorizationFunction", "t", reason="none_stored")
    step("QueueForOperatorFunction", "t-operator", stage="CollectCreditData", reason="X")
    watch.task_id = api(watch, "GET", "/v1/operator-tasks", None, "operator")["tasks"][0]["task_id"]
    api(watch, "POST", "/v1/operator-tasks/{task_id}/resolution", {"action": "retry", "note": "again"}, "operator")
    world.sources_answer()
    lists(watch)
    collect(watch)
    for name, token in (("RequestScoringFunction", "t-score"),
                        ("ScoreInProcessFunction", None), ("WriteReportFunction", None), ("OfferProductsFunction", "t-o")):  # fmt: skip  # noqa: E501
        step(name, token)
    step("RequestScoringFunction", "t-score-2")
    watch.invoke("CompleteScoringFunction", stream_event(world, "ScoringRequests"))
    for route in ("/v1/applications", here, f"{here}/timeline", f"{here}/report", f"{here}/matches", "/v1/products"):
        api(watch, "GET", route)
    api(watch, "POST", f"{here}/choice", {"lender_id": "lender-a", "product_id": "p-1"})
    step("OfferProductsFunction", "t-again")
    step("SubmitToLenderFunction", "t-decision")
    step("SubmitToLenderFunction", "t-decision-2")
    world.http.answer("POST", LENDER_A, 422)
    watch.invoke("DispatchMessagesFunction", stream_event(world, "Outbox"))
    world.clock.advance(1)
    step("QueueForOperatorFunction", "t-operator-2", stage="SubmitToLender", reason="X")
    webhook(watch, "loan.decision", 1, APPROVAL)
    world.clock.advance(1)
    step("QueueForOperatorFunction", "t-operator-3", stage="SubmitToLender", reason="X")
    step("SubmitToLenderFunction", "t-decision-3")
    step("RequestContractFunction", "t-contract")
    webhook(watch, "loan.contract.ready", 2, CONTRACT)
    step("RequestContractFunction", "t-contract-2")
    step("AwaitSignatureFunction", "t-signature")
    api(watch, "GET", f"{here}/contract")
    api(watch, "POST", f"{here}/signature",
        {"document_sha256": CONTRACT["document_sha256"], "signer_name": "Test Signer", "consent": True})  # fmt: skip
    step("AwaitSignatureFunction", "t-signature-2")
    step("OrderDisbursementFunction", "t-pay")
    world.clock.advance(120)
    watch.invoke("SweepMessagesFunction", {})
    world.steps.executions.clear()
    watch.invoke("ResumeApplicationsFunction", {})
    webhook(watch, "loan.disbursed", 3, DISBURSEMENT)
    step("OrderDisbursementFunction", "t-pay-2")
    watch.invoke("PublishEventsFunction", stream_event(world, "Applications"))
    step("RecordOutcomeFunction", outcome="withdrawn")
    api(watch, "DELETE", "/v1/products/{product_id}", None, "lender", "lender-a")
    rights(watch)
    rules(watch)
    models(watch)
    learning(watch)


def rules(watch: Watch) -> None:
    """Rules read, changed, and tried on what was decided."""
    watch.parts["model_id"] = "origination"
    model, days = "/v1/models/{model_id}", {"from": "2026-11-01", "until": "2027-01-01"}
    change = {"remove": ["tax_rating_d"], "note": "the score knows"}
    proposed = api(watch, "POST", f"{model}/rule-changes", change, "operator")
    watch.parts["content_hash"] = proposed["content_hash"]
    for route in ("/features", "/rules", "/rule-statistics"):
        api(watch, "GET", model + route, None, "operator")
    simulations = f"{model}/versions/{{content_hash}}/simulations"
    begun = api(watch, "POST", simulations, days, "operator")
    watch.parts["simulation_id"] = begun["simulation_id"]
    assert begun["scored"] == 1
    for method, route in (("GET", ""), ("GET", "/{simulation_id}"), ("POST", "/{simulation_id}/run")):
        api(watch, method, simulations + route, {} if method == "POST" else None, "operator")


def lists(watch: Watch) -> None:
    """Entries and a whole list, both removed from; an import that fails."""
    entry = {"list_name": "grey", "kind": "name", "value": "Good Firm Testing", "source": "court", "reason_code": "x"}
    watch.parts["entry_id"] = api(watch, "POST", "/v1/lists/entries", entry, "operator")["entry_id"]
    watch.parts["import_id"] = api(
        watch, "POST", "/v1/lists/imports", {"source": "court-2", "format": "csv", "list_name": "grey"}, "operator"
    )["import_id"]
    text = f"kind,value,reason_code\ntaxpayer_id,{FIRM.taxpayer_id},x\nphone,none,x\n" + "phone,13800138000,x\n" * 98
    wiring.data().put(f"lists/incoming/uploads/{watch.parts['import_id']}", text.encode(), "text/csv")
    api(watch, "POST", "/v1/lists/imports/{import_id}/run", {}, "operator")
    event = {"import_id": watch.parts["import_id"]}
    watch.invoke("FailListImportFunction", {**event, "error": "Lambda.Unknown"})
    api(watch, "POST", "/v1/lists/imports/{import_id}/run", {}, "operator")
    assert watch.invoke("ReadListPartFunction", event)["state"] == "read"
    assert watch.invoke("PublishListFunction", event)["state"] == "published"
    for route in ("/v1/lists/imports/{import_id}", "/v1/lists/imports/{import_id}/rejected"):
        api(watch, "GET", route, None, "operator")
    subjects = {"subjects": [{"kind": "taxpayer_id", "value": FIRM.taxpayer_id}]}
    (hit,) = api(watch, "POST", "/v1/lists/screenings", subjects, "operator")["hits"]
    watch.parts["entry_id"] = hit["entry_id"]
    removal = "/v1/lists/entries/{entry_id}/removal"
    api(watch, "POST", removal, {"note": "a mistake"}, "operator")
    api(watch, "POST", f"{removal}/decision", {"action": "refuse", "note": "none"}, "manager")
    for route in ("/v1/lists/entries/{entry_id}", "/v1/lists/removals", "/v1/lists/changes"):
        api(watch, "GET", route, None, "operator")


def collect(watch: Watch) -> None:
    """Channels configured and tried; a collection with a source that answers late, a filled field and a file."""
    world, here = watch.world, "/v1/applications/{application_id}"
    file = {
        "channel_id": "file-source", "kind": "file", "title": "Files", "institution": "file-source",
        "base_url": "https://source.test", "transport": {
            "type": "batch_file", "prefix": "daily", "format": "csv", "key_column": "id"
        }, "authentication": {"type": "none"}, "structure": {"rule": "{rows: rows}"},
    }  # fmt: skip
    api(watch, "PUT", "/v1/channels/{channel_id}", file, "operator")
    for route in ("/v1/channels", "/v1/channels/{channel_id}", "/v1/channels/{channel_id}/versions/{version}",
                  "/v1/channels-health", "/v1/schemas/channel.json", "/v1/collection-plans/{plan_id}"):  # fmt: skip
        api(watch, "GET", route, None, "operator")
    api(watch, "POST", "/v1/channel-dry-runs", {"channel": file, "sample": {}}, "operator")
    plan = ["tax-bureau", "company-registry", "credit-bureau", "education-register", "file-source"]
    document = {"plan_id": "standard", "channels": [{"channel_id": name} for name in plan]}
    api(watch, "PUT", "/v1/collection-plans/{plan_id}", document, "operator")
    api(watch, "PUT", "/v1/reference-records/{record}/{key}", {"legal_representative": "Made Up"}, "operator")
    wiring.data().put("incoming/file-source/daily-1.csv", b"id,x\n1,2\n", "text/csv")
    for scope in ("credit_bureau", "education"):
        world.clock.advance(1)
        consent = {"scope": scope, "valid_days": 90, "text_version": SCOPES[scope].text_version, "agreed": True}
        api(watch, "POST", f"{here}/consents", consent)
    world.http.answer("POST", BUREAU, 202, {"enquiry_id": "e-1"})
    world.http.answer("POST", EDUCATION, 200, {"nsrsbh": FIRM.taxpayer_id, "xm": "Made Up", "xlxx": []})
    event = {"application_id": world.application_id}
    called = watch.invoke("CallChannelsFunction", event)
    (late,) = called["pending"]
    watch.invoke("AwaitAnswerFunction", {**event, "call_key": late["call_key"], "task_token": "t-late"})
    report = {"subject": {"id": FIRM.taxpayer_id}, "credit": {"facilities": []}, "searches": [], "currency": "CNY"}
    request_id = next(one["request_id"] for one in called["results"]["credit-bureau"])
    body = json.dumps({"type": "credit.report.ready", "data": {"request_id": request_id, "report": report}}).encode()
    headers = signing.signed_headers(SECRET_BUREAU, "w-late", int(world.clock.now().timestamp()), body)
    event |= {"pathParameters": {"institution_id": "credit-bureau"}, "headers": headers, "body": body.decode()}
    assert watch.invoke("ReceiveWebhookFunction", event)["statusCode"] == 200
    assert "t-late" in world.steps.succeeded
    watch.invoke("AwaitAnswerFunction", {**event, "call_key": late["call_key"], "task_token": "t-later"})
    finished = watch.invoke("FinishCollectionFunction", {**event, "results": called["results"]})
    assert finished["outcome"] == "collected"


def rights(watch: Watch) -> None:
    """Consents given, looked up, reminded of, ended under monitoring, withdrawn and given back to their source."""
    world, here = watch.world, "/v1/applications/{application_id}/consents"
    consent = {"scope": "shop", "valid_days": 10, "text_version": SCOPES["shop"].text_version, "agreed": True}
    for _ in range(2):
        api(watch, "POST", here, consent)
    for subject in ("loan-1", "loan-2"):
        wiring.authorizations().watch(FIRM.taxpayer_id, "shop", subject, tenant="firm-1", lender_id="lender-a")
    held = wiring.authorizations().usable(FIRM.taxpayer_id, tenant="firm-1")
    wiring.authorizations().use(held, purpose="loan_assessment", by=world.application_id, channel="tax-bureau")
    for days in (8, 2):
        world.clock.advance(days * 86400)
        watch.invoke("SweepAuthorizationsFunction", {})
    for part in ("", "/history", "/uses"):
        api(watch, "GET", here + part)
    api(watch, "GET", "/v1/consent-scopes")
    api(watch, "GET", "/v1/blind-spots", None, "operator")
    api(watch, "DELETE", f"{here}/{{scope}}")
    api(watch, "POST", f"{here}/erasure", {})
    world.http.answer("POST", f"{TAX}/oauth/revoke", 204)
    watch.invoke("RevokeCodesFunction", {})
    watch.invoke("RevokeCodesFunction", stream_event(world, "Revocations"))
    index = wiring.blind_index().of("taxpayer_id", FIRM.taxpayer_id)
    for stored in world.items("Watches"):
        key = {"taxpayer_index": index, "watch": stored["watch"]}
        wiring.tables().write(Update(table_name("Watches"), key, remove=("blind_since", "blind_spot")))
    world.clock.advance(1)
    watch.invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords"))


def models(watch: Watch) -> None:
    """A version of the model proposed, approved, compared, promoted and rolled back."""
    here = "/v1/models/{model_id}"
    version = f"{here}/versions/{{content_hash}}"

    def officer(name: str, route: str, body: Any = None, method: str = "POST") -> Any:
        return api(
            watch, method, route, {} if body is None and method == "POST" else body, "operator", "platform", name
        )

    body = {"kind": "policy", "document": candidate("3.0.0")}
    watch.parts["content_hash"] = officer("ann", f"{here}/versions", body)["content_hash"]
    officer("bob", f"{version}/approval")
    officer("bob", f"{version}/challenge")
    officer("bob", f"{here}/comparison", method="GET")
    officer("bob", f"{here}/challenger", method="DELETE")
    officer("bob", f"{version}/promotion")
    officer("cid", f"{version}/promotion/confirmation")
    officer("cid", f"{here}/rollback", {"reason": "a test"})
    for route in (here, f"{here}/versions", version, f"{version}/document"):
        officer("cid", route, method="GET")
    officer("cid", "/v1/applications/{application_id}/replay", method="GET")
    watch.invoke("PublishModelsFunction", stream_event(watch.world, "Models"))


def learning(watch: Watch) -> None:
    """What became of the loan recorded, a training run's steps, a candidate proposed, the watch over the model."""
    world, model = watch.world, "/v1/models/{model_id}"
    until = world.clock.now().date().isoformat()
    seen = {"application_id": world.application_id, "days_past_due": 0, "observed_until": until}
    for days in (0, 95):
        api(watch, "POST", "/v1/outcomes", {**seen, "days_past_due": days}, "operator")
    api(watch, "GET", "/v1/outcomes", None, "operator", query={"month": until[:7]})
    api(watch, "POST", f"{model}/trainings", {}, "operator")
    mine = wiring.labels().get(world.application_id)
    assert mine is not None
    for number in range(200):  # loans that hold, and more that fail than were foretold
        other = {"application_id": f"loan-{number}", "value": "bad" if number < 150 else "good"}
        item = {**mine.model_dump(mode="json"), **other, "model_hash": wiring.artefact().content_hash}
        wiring.tables().write(Put(table_name("OutcomeLabels"), item, "application_id"))
    run = {"run": "run-1", "model_id": "origination", "by": "training"}
    assert watch.invoke("PrepareTrainingFunction", run)["outcome"] == "prepared"
    wiring.data().put_json("training-runs/run-1/candidate.json", candidate("4.0.0"))
    gate = {"id": "auc_gain", "passed": True, "value": 1, "threshold": 0, "note": ""}
    report = {"passed": True, "gates": [gate], "made_at": "2026-11-22T00:00:00.000Z"}
    wiring.data().put_json("training-runs/run-1/gates.json", report)
    assert watch.invoke("ProposeCandidateFunction", run)["outcome"] == "proposed"
    assert watch.invoke("WatchDriftFunction", {})["alarms"] == ["calibration"]
    api(watch, "GET", f"{model}/drift", None, "operator")


def test_each_function_may_do_what_it_does(watch: Watch, granted: dict[str, list[dict[str, Any]]]) -> None:
    assert wiring.applications().get(watch.world.application_id).outcome == "disbursed"
    # These two need EMR and an issuer of tokens; tests of their own put them to work.
    assert set(granted) - set(watch.calls) == {"EnsureScoringJobFunction", "AuthorizerFunction"}
    refs = watch.world.stack.refs
    lacking = {
        function: sorted(call for call in calls if not allowed(granted[function], call, refs))
        for function, calls in watch.calls.items()
    }
    assert {function: calls for function, calls in lacking.items() if calls} == {}


def test_no_function_may_use_a_service_it_never_calls(watch: Watch, granted: dict[str, list[dict[str, Any]]]) -> None:
    needless = {}
    for function, calls in watch.calls.items():
        used = {action.partition(":")[0] for action, _ in calls} | {"kms"}
        given = {action.partition(":")[0] for one in granted[function] for action in listed(one["Action"])}
        needless[function] = sorted(given - used - SELDOM.get(function, set()))
    assert {function: services for function, services in needless.items() if services} == {}
