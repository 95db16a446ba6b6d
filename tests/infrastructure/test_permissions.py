"""What functions may do, and what they need for their work: neither less nor more.

Every function runs here, and what it asks of AWS is compared with its role: actions, resources and conditions. A task's
token belongs to the machine that issued it, so the function that answers it needs the right on that machine. A read of
a missing object is answered 403 to a role that may not list the bucket; functions know a missing object by its 404.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from client import flows
from cloud.iam import allowed
from creditmesh.authorization.scopes import SCOPES
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.decisions.serving.heartbeat import BELIEVED_SECONDS
from creditmesh.gateway.model import AnswersPending
from creditmesh.kernel.clock import iso
from creditmesh.kernel.money import Money
from creditmesh.ledger.postings import disbursement
from creditmesh.ledger.transfers import Record
from creditmesh.platform import signing
from creditmesh.platform.deliveries import GRACE_SECONDS, Ticket
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.institutions import AddressBook
from creditmesh.platform.tables import Put, Update
from creditmesh.platform.tokens import guest_token
from tests.infrastructure.test_access import told
from tests.infrastructure.test_limits import definition
from tests.support import template, wired
from tests.support.aws import SERVICES, STAGE, Stack, table_name
from tests.support.candidates import candidate
from tests.support.dead_letters import dead_letter, failed_batch, stored_at
from tests.support.functions import invoke, stream_event
from tests.support.rendered import Place, Rendered, listed, rendered
from tests.support.template import ACCOUNT, REGION, of_type
from tests.support.world import (
    APPROVAL,
    BUREAU,
    CODE,
    CONTRACT,
    DISBURSEMENT,
    EDUCATION,
    FIRM,
    KEYS,
    LENDER_A,
    LENDER_B,
    REJECTION,
    SECRET_A,
    SECRET_BUREAU,
    TAX,
    TERMS,
    World,
    running,
)

# An authorisation that ends takes its cached answers along, and lets go on who waits for a late one: seldom by these.
SELDOM = {
    "CollectCreditDataFunction": {"states"},
    "PublishConsentsFunction": {"s3", "states"},
    "SweepAuthorizationsFunction": {"s3", "states"},
}
NEWER_KEY = {"id": "2", "key": "n" * 64}
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
    kinds = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::IAM::Role")
    owners = [one for kind in kinds for one in of_type(source, kind).values()]
    attached = json.dumps([[one.get("Policies", []), one.get("ManagedPolicyArns", [])] for one in owners])
    for name in of_type(source, "AWS::IAM::ManagedPolicy"):
        assert f'{{"Ref": "{name}"}}' in attached, name


Call = tuple[str, str, tuple[tuple[str, str | tuple[str, ...]], ...]]
"""Action, resource, and the condition keys of the request."""


class Watch:
    """What each function called, as IAM sees it."""

    def __init__(self, world: World) -> None:
        self.world, self.function, self.task_id, self.number = world, "", "", 0
        self.parts: dict[str, str] = {}
        self.calls: dict[str, set[Call]] = {}
        refs = world.stack.refs
        for bucket in ("DataBucket", "ArtefactBucket", "FailedRecords"):
            refs[f"{bucket}.Arn"] = f"arn:aws:s3:::{refs[bucket]}"
        for queue in template.of_type(template.source(), "AWS::SQS::Queue"):
            refs[f"{queue}.Arn"] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{refs[queue].rpartition('/')[2]}"
        refs["Bus.Arn"] = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{refs['Bus']}"
        self.deployed = Rendered(Place(REGION), STAGE, known=refs)
        self.machines = waiting(self.deployed)
        self.tokens: dict[str, str] = {}

    def token(self, function: str) -> str:
        """A task token that the machine issues in the state which waits for the function."""
        machine, state = self.machines[function]
        token = f"{machine}/{state}/{len(self.tokens)}"
        self.tokens[token] = self.deployed.arn(machine)
        return token

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self.function = function
        try:
            return invoke(function, event, self.environment(function))
        finally:
            self.function = ""

    def environment(self, function: str) -> dict[str, str]:
        """The variables that a function is given, of services too that are not made here."""
        given = self.deployed.of_type("AWS::Lambda::Function")[function]["Environment"]["Variables"]
        return {name: str(value) for name, value in given.items()}

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.function:
            seen = self.calls.setdefault(self.function, set())
            seen.update(needs(model.service_model.service_name, model.name, params, self.deployed))

    def steps(self, call: str, resource: str) -> None:
        """A call of Step Functions."""
        if self.function:
            resource = self.tokens.get(resource, resource)
            assert resource.startswith("arn:"), f"{self.function} answers a token that no machine issued: {resource}"
            if call == "DescribeExecution":
                resource = resource.replace(":stateMachine:", ":execution:")
            self.calls.setdefault(self.function, set()).add((f"states:{call}", resource, ()))


def waiting(deployed: Rendered) -> dict[str, tuple[str, str]]:
    """Function -> the machine and state that hand it a token."""
    found = {}
    for machine, given in deployed.of_type("AWS::StepFunctions::StateMachine").items():
        for path, state in template.walk(json.loads(definition(given))):
            if isinstance(state, dict) and str(state.get("Resource", "")).endswith(".waitForTaskToken"):
                function = deployed.by_arn[state["Arguments"]["FunctionName"]]
                assert found.setdefault(function, (machine, path))[0] == machine, f"two machines wait for {function}"
    return found


def needs(service: str, call: str, params: dict[str, Any], deployed: Rendered) -> Iterator[Call]:
    """The permissions one call needs."""
    refs = deployed.refs
    if call == "TransactWriteItems":
        for one in params["TransactItems"]:
            ((kind, inner),) = one.items()
            yield from needs(service, f"{kind}Item", inner, deployed)
    elif call in ("BatchGetItem", "BatchWriteItem"):
        for table in params["RequestItems"]:
            yield f"dynamodb:{call}", table_arn(table, deployed), ()
    elif service == "dynamodb":
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        # A condition of a transaction alone is a right of its own (DynamoDB, IAM and transactions).
        action = "ConditionCheckItem" if call == "ConditionCheckItem" else call
        yield f"dynamodb:{action}", table_arn(params["TableName"], deployed) + index, ()
    elif call == "ListObjectsV2":
        prefix = (("s3:prefix", params["Prefix"]),) if "Prefix" in params else ()
        yield "s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}", prefix
    elif service == "s3":
        action = "GetObject" if call == "HeadObject" else call
        yield f"s3:{action}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}", ()
    elif service == "sqs":
        queue = params["QueueUrl"].rpartition("/")[2]
        yield f"sqs:{call.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", ()
    elif service == "ssm":
        yield f"ssm:{call}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{params['Name']}", ()
    elif service == "events":
        yield f"events:{call}", refs["Bus.Arn"], ()
    elif service == "kms":
        yield f"kms:{call}", params["KeyId"], (("kms:ResourceAliases", aliases(params["KeyId"], deployed)),)
    elif service == "emr-serverless":
        application = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{params['applicationId']}"
        run = f"/jobruns/{params['jobRunId']}" if "jobRunId" in params else ""
        yield f"emr-serverless:{call}", application + run, ()
        if "executionRoleArn" in params:
            passed = (("iam:PassedToService", "emr-serverless.amazonaws.com"),)
            yield "iam:PassRole", params["executionRoleArn"], passed
    else:
        yield f"{service}:{call}", params["SecretId"], ()


def table_arn(table: str, deployed: Rendered) -> str:
    return f"arn:aws:dynamodb:{deployed.place.region}:{ACCOUNT}:table/{table}"


def aliases(key: str, deployed: Rendered) -> tuple[str, ...]:
    """A key's aliases, of those that the template gives."""
    given = template.of_type(deployed.document, "AWS::KMS::Alias")
    mine = {name for name, one in given.items() if deployed.refs[f"{one['TargetKeyId']['Ref']}.Arn"] == key}
    return tuple(deployed.physical(name) for name in mine)


def own_services(function: Mapping[str, Any], policies: Mapping[str, Any]) -> set[str]:
    """Services that a function's own policies name; what SAM adds for its event sources is not among them."""
    statements: list[dict[str, Any]] = []
    for policy in function.get("Policies", []):
        document = policies[policy["Ref"]]["PolicyDocument"] if "Ref" in policy else policy
        statements += document["Statement"]
    return {action.partition(":")[0] for one in statements for action in listed(one["Action"])}


def emr() -> Any:
    """EMR Serverless without a job, which takes every call."""
    client = boto3.client("emr-serverless", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    answers = {"ListJobRuns": {"jobRuns": []}, "StartJobRun": {"jobRunId": "run-1"}}

    def answer(model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=200), answers[model.name]

    client.meta.events.register("before-call.emr-serverless", answer)
    return client


@pytest.fixture(scope="module")
def aws_clients() -> dict[str, Any]:
    """All of moto, DynamoDB and S3 too: here every store works on it once."""
    keys: Any = {"region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {name: boto3.client(name, **keys) for name in ("dynamodb", "s3", "ssm", *SERVICES)}


@pytest.fixture(scope="module")
def watch(aws_stack: Stack) -> Iterator[Watch]:
    """A loan has gone its whole way under our eyes."""
    aws_stack.clients = {**aws_stack.clients, "emr-serverless": emr()}
    with pytest.MonkeyPatch.context() as patch, running(aws_stack, patch) as world:
        watching = Watch(world)
        for client in aws_stack.clients.values():
            client.meta.events.register("before-parameter-build", watching)
        world.steps.listener = watching.steps
        with world.index_keys(NEWER_KEY, {"id": "1"}):  # it asks for more while a key is rotated
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


def webhook(
    watch: Watch, kind: str, number: int, data: Mapping[str, Any], *, secret: str = SECRET_A, status: int = 200,
    lender: str = "lender-a",
) -> None:  # fmt: skip
    world = watch.world
    body = json.dumps({"type": kind, "data": {"application_id": world.application_id, **data}})
    headers = signing.signed_headers(secret, f"w-{number}", int(world.clock.now().timestamp()), body.encode())
    event = {"pathParameters": {"institution_id": lender}, "headers": headers, "body": body}
    assert watch.invoke("ReceiveWebhookFunction", event)["statusCode"] == status


def approvals(watch: Watch) -> None:
    """Versions of products and a lender's grade that a second person decides on."""
    known = wired.addresses().all()
    careful = known["lender-b"].model_copy(update={"products_need_approval": True})
    version = "/v1/products/{product_id}/versions/{version}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AddressBook, "all", lambda _: {**known, "lender-b": careful})
        for name in ("First", "Second"):
            api(watch, "PUT", "/v1/products/{product_id}", {**TERMS, "name": name}, "lender", "lender-b")
        api(watch, "GET", "/v1/products", None, "lender", "lender-b", query={"state": "proposed"})
        watch.parts["version"] = "2"
        api(watch, "POST", f"{version}/approval", {}, "lender", "lender-b", "user-2")
    api(watch, "DELETE", "/v1/products/{product_id}", None, "lender", "lender-b")
    watch.parts.pop("version")
    watch.parts["lender_id"] = "lender-a"
    grade = "/v1/lenders/{lender_id}/grade"
    api(watch, "POST", grade, {"grade": "B", "note": "review"}, "risk_officer", "platform", "user-1")
    api(watch, "POST", f"{grade}/decision", {"action": "confirm"}, "risk_officer", "platform", "user-2")
    api(watch, "GET", "/v1/lenders")
    api(watch, "GET", "/v1/products/{product_id}/speed", None, "lender", "lender-a")


def flow(watch: Watch, step: Callable[..., None]) -> None:
    """A loan flow from its registration to an application, with an operator in between."""
    watch.parts |= {"flow_id": "swift", "version": "1"}
    document = {**next(one for one in flows.documents() if one["flow_id"] == "tax"), "flow_id": "swift"}
    api(watch, "PUT", "/v1/flows/{flow_id}", document, "manager", "platform")
    api(
        watch, "POST", "/v1/flows/{flow_id}/versions/{version}/approval", {}, "risk_officer", "platform", "officer-1"
    )  # fmt: skip
    for route in ("", "/{flow_id}", "/{flow_id}/versions", "/{flow_id}/versions/{version}"):
        api(watch, "GET", f"/v1/flows{route}", None, "auditor", "platform")
    for _ in range(2):
        step("AwaitFlowFunction")
    step("QueueForOperatorFunction", stage="AwaitFlow", reason="X")
    api(watch, "POST", "/v1/applications/{application_id}/flow", {"flow_id": "swift"}, "manager", "platform")
    step("AwaitFlowFunction")
    watch.world.clock.advance(1)


def everything(watch: Watch) -> None:
    """A loan from request to disbursement, an operator's task, a parked message: every function at work."""
    world = watch.world
    request = {"taxpayer_id": FIRM.taxpayer_id, "firm_name": FIRM.name, "amount": "100000.00", "currency": "CNY",
               "term_months": 12, "purpose": "working capital"}  # fmt: skip
    world.__dict__["application_id"] = api(watch, "POST", "/v1/applications", request)["application_id"]
    here = "/v1/applications/{application_id}"

    def step(name: str, **more: Any) -> None:
        token = {"task_token": watch.token(name)} if name in watch.machines else {}
        watch.invoke(name, {"application_id": world.application_id, **token, **more})

    condition = {"code": "any", "when": {"!": {"missing": "revenue_12m_minor"}}, "text": "known revenue"}
    terms = {**TERMS, "capacity": "900000000.00", "eligibility": [condition]}
    for product in (TERMS, terms):
        api(watch, "PUT", "/v1/products/{product_id}", product, "lender", "lender-a")
    api(watch, "GET", "/v1/products/{product_id}/versions", None, "lender", "lender-a")
    approvals(watch)
    api(watch, "PUT", "/v1/products/{product_id}", TERMS, "lender", "lender-b")
    api(
        watch,
        "PUT",
        "/v1/blacklist",
        {"taxpayer_id": "91350100M000100Y43", "source": "court", "reason": "fraud"},
        "risk_officer",
    )
    flow(watch, step)
    step("AwaitAuthorizationFunction", reason="none_stored")
    api(watch, "GET", f"{here}/authorization-link")
    api(watch, "POST", f"{here}/authorization", {"authorization_code": CODE, "expires_at": "2027-01-01T00:00:00Z"})
    step("AwaitAuthorizationFunction", reason="none_stored")
    step("QueueForOperatorFunction", stage="CollectCreditData", reason="X")
    watch.task_id = api(watch, "GET", "/v1/operator-tasks", None, "operator")["tasks"][0]["task_id"]
    api(watch, "POST", "/v1/operator-tasks/{task_id}/resolution", {"action": "retry", "note": "again"}, "operator")
    world.sources_answer()
    lists(watch)
    collect(watch)
    asked(watch)
    for name in ("RequestScoringFunction", "ScoreInProcessFunction", "WriteReportFunction", "OfferProductsFunction"):
        step(name)
    step("RequestScoringFunction")
    for route in ("/v1/applications", here, f"{here}/timeline", f"{here}/report", f"{here}/matches", "/v1/products"):
        api(watch, "GET", route)
    assert api(watch, "GET", f"{here}/matches/replay", None, "auditor", "platform")["equal"] is True
    api(watch, "POST", f"{here}/choice", {"lender_id": "lender-b", "product_id": "p-1"})
    step("SubmitToLenderFunction")
    other = {"lender": "lender-b", "secret": KEYS["lender-b"]["webhook_secrets"][0]}
    question = {"decision": "information_required", "lender_reference": "ref-b", "question": "Who are your customers?"}
    webhook(watch, "loan.decision", 11, question, **other)
    step("AwaitReplyFunction")
    api(watch, "GET", f"{here}/lender")
    api(watch, "POST", f"{here}/information", {"answer": "Three supermarkets."})
    step("AwaitReplyFunction")
    step("SubmitToLenderFunction")
    costly = {**APPROVAL, "decision": "countered", "annual_rate_bps": 3600}
    webhook(watch, "loan.decision", 12, costly, status=422, **other)
    webhook(watch, "loan.decision", 13, REJECTION, **other)
    api(watch, "POST", f"{here}/choice", {"lender_id": "lender-a", "product_id": "p-1"})
    step("OfferProductsFunction")
    step("SubmitToLenderFunction")
    step("SubmitToLenderFunction")
    watch.invoke("EnqueueMessagesFunction", stream_event(world, "Outbox"))
    world.http.answer("POST", LENDER_B, 202)
    for attempt, status in enumerate((503, 422)):
        if status == 503:
            world.http.fail("POST", LENDER_A, InstitutionUnavailable("answered", status=503))
        else:
            world.http.answer("POST", LENDER_A, status)
        for item in world.items("Outbox"):
            body = json.dumps({**vars(Ticket.of(item)), "attempt": attempt})
            watch.invoke("DeliverMessagesFunction", {"Records": [{"body": body}]})
    stuck = api(watch, "GET", "/v1/outbox", None, "operator", "platform")["messages"]
    watch.parts["message_id"] = max(one["message_id"] for one in stuck)
    api(watch, "GET", "/v1/outbox/{message_id}", None, "operator", "platform")
    api(watch, "GET", "/v1/received-webhooks", None, "lender", "lender-a")
    api(watch, "POST", "/v1/lender-messages/test", None, "lender", "lender-a")
    api(watch, "POST", "/v1/outbox/{message_id}/replay", {"note": "again"}, "operator", "platform")
    webhook(watch, "loan.contract.ready", 2, CONTRACT, status=409)
    webhook(watch, "loan.decision", 1, APPROVAL, secret=SECRET_BUREAU, status=401)
    world.clock.advance(1)
    step("QueueForOperatorFunction", stage="SubmitToLender", reason="X")
    webhook(watch, "loan.decision", 1, APPROVAL)
    world.clock.advance(1)
    step("QueueForOperatorFunction", stage="SubmitToLender", reason="X")
    step("SubmitToLenderFunction")
    step("RequestContractFunction")
    early = {"state": "rejected", "type": "loan.contract.ready"}
    (found,) = api(watch, "GET", "/v1/received-webhooks", None, "operator", "platform", query=early)["webhooks"]
    watch.parts["webhook_id"] = found["id"]
    api(watch, "POST", "/v1/received-webhooks/{webhook_id}/replay", {"note": "again"}, "operator", "platform")
    step("RequestContractFunction")
    step("AwaitSignatureFunction")
    api(watch, "GET", f"{here}/contract")
    api(watch, "POST", f"{here}/signature",
        {"document_sha256": CONTRACT["document_sha256"], "signer_name": "Test Signer", "consent": True})  # fmt: skip
    step("AwaitSignatureFunction")
    step("OrderDisbursementFunction")
    api(watch, "POST", f"{here}/payment-order/cancellation", {}, "operator", "platform")
    world.clock.advance(GRACE_SECONDS + 1)
    watch.invoke("EnqueueMessagesFunction", {})
    world.steps.executions.clear()
    watch.invoke("CountApplicationsFunction", {})
    api(watch, "GET", "/v1/application-counts", None, "operator", "platform")
    for sweep in ("transit", "lost"):
        watch.invoke("ResumeApplicationsFunction", {"sweep": sweep})
    anti_fraud = {
        "tenant": "firm-1",
        "text_version": SCOPES["anti_fraud"].text_version,
        "language": "en",
        "valid_days": 1,
    }
    wired.authorizations().consent(FIRM.taxpayer_id, "anti_fraud", "borrower:user-1", **anti_fraud)
    wired.authorizations().withdraw(FIRM.taxpayer_id, "anti_fraud", "borrower:user-1", tenant="firm-1")
    webhook(watch, "loan.disbursed", 3, DISBURSEMENT)  # a blind spot from the start
    step("OrderDisbursementFunction")
    watch.invoke("PublishEventsFunction", stream_event(world, "Applications"))
    assert watch.invoke("SettleCommitmentsFunction", stream_event(world, "Applications")) == {"batchItemFailures": []}
    step("RecordOutcomeFunction", outcome="choice_expired")
    api(watch, "DELETE", "/v1/products/{product_id}", None, "lender", "lender-a")
    guest(watch)
    assert watch.invoke("EnsureScoringJobFunction", {})["started"] is True
    rights(watch)
    across_keys(watch)
    rules(watch)
    models(watch)
    learning(watch)
    failures(watch)
    retention(watch)
    ledger(watch)


STREAMS = {
    "EnqueueMessagesFunction": "Outbox",
    "PublishEventsFunction": "Applications",
    "SettleCommitmentsFunction": "Applications",
    "PublishConsentsFunction": "ConsentRecords",
    "PublishModelsFunction": "Models",
    "CompleteScoringFunction": "ScoringRequests",
}


def failures(watch: Watch) -> None:
    """Each reader of a stream is given a failed record; dead letters are recorded twice, listed and replayed."""
    world = watch.world
    for function, table in STREAMS.items():
        batch = stream_event(world, table)
        found = failed_batch(watch.deployed.arn(function), table, batch["Records"])
        key = f"aws/lambda/{function}/1"
        wired.failed_records().put_json(key, found)
        watch.invoke(function, {"failed_record": {"key": key, "position": 0}})
        for sent in (1, 2):
            letter = dead_letter(stored_at(key), sent_ms=int(world.clock.now().timestamp() * 1000) + sent)
            assert watch.invoke("RecordFailedEventsFunction", letter) == {"batchItemFailures": []}
    listed_ = api(watch, "GET", "/v1/failed-events", None, "operator", "platform")["events"]
    watch.parts["failed_event_id"] = next(one["failed_event_id"] for one in listed_ if one["source"] == "Outbox")
    here = "/v1/failed-events/{failed_event_id}"
    api(watch, "GET", here, None, "operator", "platform")
    asked_ = api(watch, "POST", f"{here}/replay", {"note": "again"}, "operator", "platform")
    if asked_["state"] == "open":
        decision = {"action": "confirm", "note": "checked"}
        api(watch, "POST", f"{here}/replay/decision", decision, "manager", "platform", "user-2")


def asked(watch: Watch) -> None:
    """Spark is asked while a job is ready, and its answer reaches the process."""
    watch.world.spark_ready()
    token = {"task_token": watch.token("RequestScoringFunction")}
    watch.invoke("RequestScoringFunction", {"application_id": watch.world.application_id, **token})
    event = stream_event(watch.world, "ScoringRequests")
    event["Records"] = [one for one in event["Records"] if "state" in one["dynamodb"]["NewImage"]]  # as the filter does
    for record in event["Records"]:
        record["dynamodb"]["NewImage"]["state"] = {"S": "done"}
    watch.invoke("CompleteScoringFunction", event)
    watch.world.clock.advance(BELIEVED_SECONDS)


def guest(watch: Watch) -> None:
    """The authoriser knows a guest by the token that an application without an account brought."""
    world = watch.world
    token = guest_token(
        wired.guest_keys().current, tenant="guest-1", application_id=world.application_id, issued_at=datetime.now(UTC)
    )
    arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:api/{STAGE}/GET/v1/applications"
    event = {"type": "REQUEST", "methodArn": arn, "headers": {"Authorization": f"Bearer {token}"}}
    assert watch.invoke("AuthorizerFunction", event)["context"]["tenant"] == "guest-1"


def rules(watch: Watch) -> None:
    """Rules read, changed, and tried on what was decided."""
    watch.parts["model_id"] = "origination"
    model, days = "/v1/models/{model_id}", {"from": "2026-11-01", "until": "2027-01-01"}
    change = {"remove": ["tax_rating_d"], "note": "the score knows"}
    proposed = api(watch, "POST", f"{model}/rule-changes", change, "risk_officer")
    watch.parts["content_hash"] = proposed["content_hash"]
    for route in ("/features", "/rules", "/rule-statistics"):
        api(watch, "GET", model + route, None, "risk_officer")
    simulations = f"{model}/versions/{{content_hash}}/simulations"
    begun = api(watch, "POST", simulations, days, "risk_officer")
    watch.parts["simulation_id"] = begun["simulation_id"]
    assert begun["scored"] == 1
    for method, route in (("GET", ""), ("GET", "/{simulation_id}"), ("POST", "/{simulation_id}/run")):
        api(watch, method, simulations + route, {} if method == "POST" else None, "risk_officer")


def lists(watch: Watch) -> None:
    """Entries and a whole list, both removed from; an import that fails."""
    entry = {"list_name": "grey", "kind": "name", "value": f"{FIRM.name}厂", "source": "court", "reason_code": "x"}
    watch.parts["entry_id"] = api(watch, "POST", "/v1/lists/entries", entry, "risk_officer")["entry_id"]
    watch.parts["import_id"] = api(
        watch, "POST", "/v1/lists/imports", {"source": "court-2", "format": "csv", "list_name": "grey"}, "risk_officer"
    )["import_id"]
    text = f"kind,value,reason_code\ntaxpayer_id,{FIRM.taxpayer_id},x\nphone,none,x\n" + "phone,13800138000,x\n" * 98
    wired.data().put(f"lists/incoming/uploads/{watch.parts['import_id']}", text.encode(), "text/csv")
    api(watch, "POST", "/v1/lists/imports/{import_id}/run", {}, "risk_officer")
    event = {"import_id": watch.parts["import_id"]}
    watch.invoke("FailListImportFunction", {**event, "error": "Lambda.Unknown"})
    api(watch, "POST", "/v1/lists/imports/{import_id}/run", {}, "risk_officer")
    assert watch.invoke("ReadListPartFunction", event)["state"] == "read"
    assert watch.invoke("PublishListFunction", event)["state"] == "published"
    for route in ("/v1/lists/imports/{import_id}", "/v1/lists/imports/{import_id}/rejected"):
        api(watch, "GET", route, None, "risk_officer")
    subjects = {"subjects": [{"kind": "taxpayer_id", "value": FIRM.taxpayer_id}]}
    (hit,) = api(watch, "POST", "/v1/lists/screenings", subjects, "risk_officer")["hits"]
    watch.parts["entry_id"] = hit["entry_id"]
    removal = "/v1/lists/entries/{entry_id}/removal"
    api(watch, "POST", removal, {"note": "a mistake"}, "risk_officer")
    api(watch, "POST", f"{removal}/decision", {"action": "refuse", "note": "none"}, "manager")
    for route in ("/v1/lists/entries/{entry_id}", "/v1/lists/removals", "/v1/lists/changes"):
        api(watch, "GET", route, None, "risk_officer")


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
    wired.data().put("incoming/file-source/daily-1.csv", b"id,x\n1,2\n", "text/csv")
    for scope in ("credit_bureau", "education"):
        world.clock.advance(1)
        consent = {"scope": scope, "valid_days": 90, "text_version": SCOPES[scope].text_version, "agreed": True}
        consent |= {"fields": {"verification_code": "AB12CD34EF56AB78"}} if scope == "education" else {}
        api(watch, "POST", f"{here}/consents", consent)
    world.http.answer("POST", BUREAU, 202, {"enquiry_id": "e-1"})
    world.http.answer("POST", EDUCATION, 200, {"nsrsbh": FIRM.taxpayer_id, "xm": "Made Up", "xlxx": []})
    event = {"application_id": world.application_id}
    with pytest.raises(AnswersPending) as raised:
        watch.invoke("CollectCreditDataFunction", event)
    pending = json.loads(raised.value.message)
    late_token = watch.token("AwaitAnswersFunction")
    watch.invoke("AwaitAnswersFunction", {**event, "pending": pending, "task_token": late_token})
    report = {"subject": {"id": FIRM.taxpayer_id}, "credit": {"facilities": []}, "searches": [], "currency": "CNY"}
    (call,) = (one for one in world.items("ChannelCalls") if one["channel_id"] == "credit-bureau")
    data = {"request_id": call["request_id"], "report": report}
    body = json.dumps({"type": "credit.report.ready", "data": data}).encode()
    headers = signing.signed_headers(SECRET_BUREAU, "w-late", int(world.clock.now().timestamp()), body)
    webhook = {"pathParameters": {"institution_id": "credit-bureau"}, "headers": headers, "body": body.decode()}
    assert watch.invoke("ReceiveWebhookFunction", webhook)["statusCode"] == 200
    assert late_token in world.steps.succeeded
    later = watch.token("AwaitAnswersFunction")
    watch.invoke("AwaitAnswersFunction", {**event, "pending": pending, "task_token": later})
    assert watch.invoke("CollectCreditDataFunction", {**event, "last_word": True}) == {}


def ledger(watch: Watch) -> None:
    """Balances, a statement of some days, a trial balance of an earlier one, a transfer."""
    lines = disbursement("lender-a", "app_1", Money(100_00, "CNY"), Money(1_00, "CNY"))
    wired.ledger().enter(Record("paid-1", "disbursement", lines, watch.world.clock.today()), by="platform")
    watch.parts |= {"account_id": "lender-a:CNY:cash", "transfer_id": "paid-1"}
    book, day = {"currency": "CNY"}, {"since": "2026-11-01"}
    for route, query in (
        ("accounts", book), ("accounts/{account_id}/entries", day), ("trial-balance", {**book, "on": "2026-11-01"}),
        ("transfers/{transfer_id}", None),
    ):  # fmt: skip
        api(watch, "GET", f"/v1/ledger/{route}", None, "lender", "lender-a", query=query)


def rights(watch: Watch) -> None:
    """Consents given, looked up, reminded of, ended under monitoring, withdrawn and given back to their source."""
    world, here = watch.world, "/v1/applications/{application_id}/consents"
    consent = {"scope": "shop", "valid_days": 10, "text_version": SCOPES["shop"].text_version, "agreed": True}
    for _ in range(2):
        api(watch, "POST", here, consent)
    for subject in ("loan-1", "loan-2"):
        wired.authorizations().watch(FIRM.taxpayer_id, "shop", subject, tenant="firm-1", lender_id="lender-a")
    held = wired.authorizations().usable(FIRM.taxpayer_id, tenant="firm-1")
    wired.authorizations().use(held, purpose="loan_assessment", by=world.application_id, channel="tax-bureau")
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
    (revoked,) = (item for item in world.items("Outbox") if item["type"] == "authorization.revoked")
    watch.invoke("DeliverMessagesFunction", {"Records": [{"body": json.dumps(vars(Ticket.of(revoked)))}]})
    index = wired.blind_index().of("taxpayer_id", FIRM.taxpayer_id)
    for stored in world.items("Watches"):
        key = {"taxpayer_index": index, "watch": stored["watch"]}
        wired.tables().write(Update(table_name("Watches"), key, remove=("blind_since", "blind_spot")))
    world.clock.advance(1)
    watch.invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords"))


def across_keys(watch: Watch) -> None:
    """A consent that was given under the earlier index key is replaced by one under the newer."""
    world, here = watch.world, "/v1/applications/{application_id}/consents"
    consent = {"scope": "anti_fraud", "valid_days": 10, "text_version": SCOPES["anti_fraud"].text_version}
    later = iso(world.clock.now() + timedelta(days=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuthorizationStore, "holds", lambda *_: False)
        with world.index_keys({**NEWER_KEY, "from": later}, {"id": "1"}):
            api(watch, "POST", here, {**consent, "agreed": True})
        api(watch, "POST", here, {**consent, "agreed": True})


def models(watch: Watch) -> None:
    """A version of the model proposed, approved, compared, promoted and rolled back."""
    here = "/v1/models/{model_id}"
    version = f"{here}/versions/{{content_hash}}"

    def officer(name: str, route: str, body: Any = None, method: str = "POST") -> Any:
        return api(
            watch, method, route, {} if body is None and method == "POST" else body, "risk_officer", "platform", name
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
    api(watch, "POST", f"{model}/trainings", {}, "risk_officer")
    mine = wired.labels().get(world.application_id)
    assert mine is not None
    for number in range(200):  # loans that hold, and more that fail than were foretold
        other = {"application_id": f"loan-{number}", "value": "bad" if number < 150 else "good"}
        item = {**mine.model_dump(mode="json"), **other, "model_hash": wired.champions()["origination"]().content_hash}
        wired.tables().write(Put(table_name("OutcomeLabels"), item, "application_id"))
    run = {"run": "run-1", "model_id": "origination", "by": "training"}
    assert watch.invoke("PrepareTrainingFunction", run)["outcome"] == "prepared"
    wired.data().put_json("training-runs/run-1/candidate.json", candidate("4.0.0"))
    gate = {"id": "auc_gain", "passed": True, "value": 1, "threshold": 0, "note": ""}
    report = {"passed": True, "gates": [gate], "made_at": "2026-11-22T00:00:00.000Z"}
    wired.data().put_json("training-runs/run-1/gates.json", report)
    assert watch.invoke("ProposeCandidateFunction", run)["outcome"] == "proposed"
    assert watch.invoke("WatchDriftFunction", {})["origination"]["alarms"] == ["calibration"]
    api(watch, "GET", f"{model}/drift", None, "operator")


def retention(watch: Watch) -> None:
    """All that an application without a loan left is deleted, years later; another stands for it."""
    world = watch.world
    application = world.application()
    other = {**application.model_dump(mode="json", exclude_none=True), "application_id": "app_ended"}
    other |= {"outcome": "withdrawn", "status_at": application.updated_at, "report_key": "reports/on=x/app_ended.json"}
    other["taxpayer_id"] = wired.cipher().seal(FIRM.taxpayer_id, table_name("Applications"), "app_ended", "taxpayer_id")
    wired.tables().write(Put(table_name("Applications"), other, "application_id"))
    for place in ("raw/app_ended/x.json", "raw/app_ended.s/x.json", "key-data/app_ended.json", "contracts/app_ended-x"):
        wired.data().put(place, b"{}", "application/json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.clock, "at", world.clock.at + timedelta(days=4_000))
        assert set(watch.invoke("EraseExpiredFunction", {}).values()) == {1}
        watch.invoke("EraseExpiredFunction", {})  # by its marks


def test_each_function_may_do_what_it_does(watch: Watch) -> None:
    assert wired.applications().get(watch.world.application_id).outcome == "disbursed"
    functions = of_type(template.source(), "AWS::Serverless::Function")
    assert set(functions) - set(watch.calls) == set()
    lacking = []
    for function, calls in watch.calls.items():
        held = watch.deployed.statements(f"{function}Role")
        for action, resource, context in calls:
            if not allowed(held, action, resource, dict(context)):
                lacking.append(f"{function}: {action} on {resource} with {dict(context)}")
    assert not lacking, told(lacking)


def test_no_object_that_is_missing_looks_forbidden() -> None:
    """S3 says 404 only to who may list the bucket, whose request then carries no prefix; to others it says 403."""
    r = rendered()
    blind = []
    for role in r.of_type("AWS::IAM::Role"):
        held = r.statements(role)
        for bucket in r.of_type("AWS::S3::Bucket"):
            reads = [
                pattern
                for one in held
                if "s3:GetObject" in listed(one["Action"])
                for pattern in listed(one["Resource"])
                if pattern.startswith(f"{r.arn(bucket)}/")
            ]
            if reads and not allowed(held, "s3:ListBucket", r.arn(bucket)):
                blind.append(f"{role} reads {sorted(reads)} and is told 403 where one is missing")
    assert not blind, told(blind)


def test_tokens_are_answered_by_who_may(watch: Watch) -> None:
    """Every machine that waits has had a token answered in this walk."""
    answered = {
        resource
        for calls in watch.calls.values()
        for action, resource, _ in calls
        if action in ("states:SendTaskSuccess", "states:SendTaskFailure")
    }
    assert answered == {watch.deployed.arn(machine) for machine, _ in watch.machines.values()}


def test_no_function_may_use_a_service_it_never_calls(watch: Watch) -> None:
    document = template.source()
    policies = of_type(document, "AWS::IAM::ManagedPolicy")
    needless = {}
    for name, function in of_type(document, "AWS::Serverless::Function").items():
        used = {action.partition(":")[0] for action, _, _ in watch.calls[name]} | {"kms"}
        needless[name] = sorted(own_services(function, policies) - used - SELDOM.get(name, set()))
    assert {function: services for function, services in needless.items() if services} == {}
