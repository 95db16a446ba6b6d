"""House rules over the template (research aws.md 10): one test per rule."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from aws import template as generator
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.platform.settings import Settings, Table
from tests.support import template
from tests.support.aws import STAGE, table_name
from tests.support.environment import read_by
from tests.support.template import ROOT, of_type, walk

Template = dict[str, Any]
# Read by Powertools or by the functions themselves, not through Settings.
OTHER_VARIABLES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
READ_BY_ISSUER = {f"{whose}_{what}" for whose in ("OIDC", "STAFF") for what in ("ISSUER", "AUDIENCE", "JWKS_URL")}


def test_the_committed_template_is_what_the_parts_make() -> None:
    made = generator.template(generator.read(ROOT / "infrastructure"))
    assert generator.PATH.read_text(encoding="utf-8") == generator.written(made), "run `make template`"


def test_the_definition_of_the_api_is_the_made_one(transformed: Template) -> None:
    """tests/unit/aws/test_api_definition.py says what is in it; SAM must add and lose nothing."""
    (api,) = of_type(transformed, "AWS::ApiGateway::RestApi").values()
    assert api["Body"] == yaml.safe_load(
        (ROOT / "infrastructure" / "generated" / "api.yaml").read_text(encoding="utf-8")
    )


def test_the_included_definition_is_taken_by_sam_as_it_stands(source: Template) -> None:
    """`sam deploy` leaves the include to CloudFormation, where SAM refuses properties that change the definition."""
    api = source["Resources"]["Api"]["Properties"]
    assert api["DefinitionBody"]["Fn::Transform"]["Name"] == "AWS::Include"
    assert not {"Auth", "Cors", "GatewayResponses", "Models", "BinaryMediaTypes"} & set(api)


def test_api_gateway_may_invoke_each_function_by_one_permission(transformed: Template) -> None:
    """A permission for each route made a resource policy of 32 KB; Lambda takes 20 KB."""
    execute = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}"
    granted = [
        (permission["FunctionName"]["Ref"], permission["SourceArn"])
        for permission in of_type(transformed, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    ]
    assert sorted(granted, key=str) == [
        ("ApiFunction", {"Fn::Sub": f"{execute}/*"}),
        ("AuthorizerFunction", {"Fn::Sub": f"{execute}/authorizers/*"}),
        ("ReceiveWebhookFunction", {"Fn::Sub": f"{execute}/*/POST/webhooks/*"}),
    ]


def test_a_change_of_the_definition_reaches_the_one_stage(source: Template, transformed: Template) -> None:
    """PagesOrigin is in the definition, and SAM's hash of it does not see parameters."""
    assert source["Resources"]["Api"]["Properties"]["AlwaysDeploy"] is True
    (stage,) = of_type(transformed, "AWS::ApiGateway::Stage").values()
    ((name, deployment),) = of_type(transformed, "AWS::ApiGateway::Deployment").items()
    assert stage["DeploymentId"] == {"Ref": name}
    assert "StageName" not in deployment


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("", True), ("https://pages.example", True), ("https://pages.example:8443", True),
        ("http://localhost:5173", True), ("http://127.0.0.1", True), ("http://pages.example", False),
        ("https://pages.example/", False), ("*", False), ("null", False), ("https://*.example", False),
        ("https://a.example,https://b.example", False), ("http://localhost.evil.example", False),
        ("https://a.example'", False),
    ],
)  # fmt: skip
def test_pages_are_of_one_safe_origin(source: Template, origin: str, taken: bool) -> None:
    parameter = source["Parameters"]["PagesOrigin"]
    assert parameter["Default"] == ""
    assert bool(re.fullmatch(parameter["AllowedPattern"], origin)) is taken


def test_limits_by_address_are_an_option(source: Template, transformed: Template) -> None:
    assert source["Parameters"]["WebAcl"]["Default"] == "off"
    for kind in ("AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"):
        ((name, _),) = of_type(transformed, kind).items()
        assert transformed["Resources"][name]["Condition"] == "HasWebAcl"
    (acl,) = of_type(transformed, "AWS::WAFv2::WebACL").values()
    limited = {}
    for rule in acl["Rules"]:
        statement = rule["Statement"]["RateBasedStatement"]
        assert (rule["Action"], statement["AggregateKeyType"]) == ({"Block": {}}, "IP")
        limited[statement["ScopeDownStatement"]["ByteMatchStatement"]["SearchString"]] = statement["Limit"]
    assert set(limited) == {"/v1/guest/", "/webhooks/"}
    (association,) = of_type(transformed, "AWS::WAFv2::WebACLAssociation").values()
    (stage,) = (name for name in transformed["Resources"] if name in json.dumps(association) and "Stage" in name)
    assert transformed["Resources"][stage]["Type"] == "AWS::ApiGateway::Stage"


def test_a_second_factor_is_demanded_of_staff(transformed: Template) -> None:
    pools = of_type(transformed, "AWS::Cognito::UserPool")
    assert {name: pool["MfaConfiguration"] for name, pool in pools.items()} == {
        "UserPool": "OPTIONAL", "StaffPool": "ON"
    }  # fmt: skip
    assert all(pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"] for pool in pools.values())
    groups = {
        (group["UserPoolId"]["Ref"], group["GroupName"])
        for group in of_type(transformed, "AWS::Cognito::UserPoolGroup").values()
    }
    assert groups == {("StaffPool" if role in STAFF else "UserPool", role.value) for role in Role}
    verifies = transformed["Resources"]["AuthorizerFunction"]["Properties"]["Environment"]["Variables"]
    for whose, pool in (("OIDC", "UserPool"), ("STAFF", "StaffPool")):
        assert f"${{{pool}}}" in str(verifies[f"{whose}_ISSUER"])
        assert f"'Ref': '{pool}Client'" in str(verifies[f"{whose}_AUDIENCE"])
        assert f"${{{pool}}}" in str(verifies[f"{whose}_JWKS_URL"])


def test_every_handler_exists(source: Template) -> None:
    for name, function in of_type(source, "AWS::Serverless::Function").items():
        module, _, attribute = function["Handler"].rpartition(".")
        spec = importlib.util.find_spec(module)
        assert spec is not None, f"{name}: there is no module {module}"
        assert spec.origin is not None
        text = (ROOT / "functions" / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        assert re.search(rf"^(def {attribute}\(|{attribute} = )", text, re.MULTILINE), (
            f"{name}: no {attribute} in {module}"
        )


def test_every_function_module_is_deployed(source: Template) -> None:
    deployed = {
        function["Handler"].rpartition(".")[0] for function in of_type(source, "AWS::Serverless::Function").values()
    }
    handlers = {
        ".".join(path.relative_to(ROOT / "functions").with_suffix("").parts)
        for path in (ROOT / "functions").rglob("*.py")
        if re.search(r"^def handler\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert handlers <= deployed


def test_a_function_is_given_what_it_reads_and_no_more(source: Template) -> None:
    shared = dict.fromkeys(source["Globals"]["Function"]["Environment"]["Variables"], "")
    assert set(shared) == {"STAGE", "BUSINESS_ZONE", "COUNTRY"} | OTHER_VARIABLES
    for name, function in of_type(source, "AWS::Serverless::Function").items():
        given, read = set(function.get("Environment", {}).get("Variables", {})), read_by(function["Handler"])
        assert read <= given, f"{name} lacks {read - given}"
        assert given <= read | READ_BY_ISSUER, f"{name} never reads {given - read}"


def test_tables_are_named_as_the_settings_name_them(source: Template) -> None:
    for name, table in of_type(source, "AWS::DynamoDB::Table").items():
        assert template.resolve(table["TableName"], {"Stage": STAGE}) == table_name(name)
    known = {name: part for name, part in vars(Settings).items() if isinstance(part, Table)}
    assert len(known) == len(of_type(source, "AWS::DynamoDB::Table"))


def test_every_log_group_has_retention_and_a_key(transformed: Template) -> None:
    groups = of_type(transformed, "AWS::Logs::LogGroup")
    assert len(groups) >= 5
    for name, group in groups.items():
        assert "RetentionInDays" in group, name
        assert group["KmsKeyId"] == {"Fn::GetAtt": ["StorageKey", "Arn"]}, name


def test_every_function_logs_into_a_group_of_ours(transformed: Template) -> None:
    for name, function in of_type(transformed, "AWS::Lambda::Function").items():
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": "FunctionsLog"}, name


@pytest.mark.parametrize(
    ("kind", "encrypted"),
    [
        ("AWS::DynamoDB::Table", lambda one: one["SSESpecification"]["SSEType"] == "KMS"),
        ("AWS::S3::Bucket", lambda one: "aws:kms" in json.dumps(one["BucketEncryption"])),
        ("AWS::SQS::Queue", lambda one: "KmsMasterKeyId" in one),
        ("AWS::SNS::Topic", lambda one: "KmsMasterKeyId" in one),
        ("AWS::SecretsManager::Secret", lambda one: "KmsKeyId" in one),
    ],
)
def test_everything_at_rest_is_encrypted_under_our_key(transformed: Template, kind: str, encrypted: Any) -> None:
    found = of_type(transformed, kind)
    assert found
    for name, properties in found.items():
        assert encrypted(properties), name
        assert '{"Fn::GetAtt": ["StorageKey", "Arn"]}' in json.dumps(properties), name


def test_keys_are_rotated_and_kept(source: Template) -> None:
    """KMS itself rotates no key that signs; docs/explanation/models.md says how one is exchanged."""
    for name, key in of_type(source, "AWS::KMS::Key").items():
        assert key.get("EnableKeyRotation") is True or key["KeyUsage"] == "SIGN_VERIFY", name
        assert source["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate", name


def test_tables_can_be_recovered_and_are_not_deleted_by_mistake(source: Template) -> None:
    for name, table in of_type(source, "AWS::DynamoDB::Table").items():
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, name
        assert table["DeletionProtectionEnabled"] == {"Fn::If": ["IsProduction", True, False]}, name
        resource = source["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name


def test_buckets_are_closed_to_the_public_and_to_plain_http(source: Template) -> None:
    policies = [json.dumps(policy) for policy in of_type(source, "AWS::S3::BucketPolicy").values()]
    for name, bucket in of_type(source, "AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4, name
        assert bucket["VersioningConfiguration"]["Status"] == "Enabled", name
        assert any(f'"Bucket": {{"Ref": "{name}"}}' in one and "aws:SecureTransport" in one for one in policies), name


def test_whatever_a_source_cannot_hand_over_is_kept(source: Template) -> None:
    sources = 0
    for name, function in of_type(source, "AWS::Serverless::Function").items():
        for event, given in function.get("Events", {}).items():
            properties, where = given["Properties"], f"{name}.{event}"
            if given["Type"] == "DynamoDB":
                sources += 1
                assert "OnFailure" in properties["DestinationConfig"], where
                assert properties["MaximumRetryAttempts"] < 10000, where
            elif given["Type"] == "ScheduleV2":
                sources += 1
                assert "DeadLetterConfig" in properties, where
            elif given["Type"] == "SQS":
                sources += 1
                queue = source["Resources"][properties["Queue"]["Fn::GetAtt"][0]]["Properties"]
                timeout = function.get("Timeout", source["Globals"]["Function"]["Timeout"])
                assert queue["VisibilityTimeout"] >= 6 * timeout, where  # as Lambda's guide asks for
                if queue.get("FifoQueue"):  # a batch could mix groups, and one would wait for another
                    assert properties["BatchSize"] == 1, where
                if name == "RecordFailedEventsFunction":  # the last resort: what it cannot record stays, with an alarm
                    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], where
                    assert queue["MessageRetentionPeriod"] == 14 * 86400, where
                    continue
                dead = source["Resources"][queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
                assert dead["Properties"].get("FifoQueue") == queue.get("FifoQueue"), where
    assert sources >= 7
    for rule in of_type(source, "AWS::Events::Rule").values():
        assert all("DeadLetterConfig" in target for target in rule["Targets"])


def test_a_batch_is_not_failed_by_one_record(source: Template) -> None:
    for name in ("EnqueueMessagesFunction", "CompleteScoringFunction"):
        for event in source["Resources"][name]["Properties"]["Events"].values():
            if event["Type"] != "ScheduleV2":
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name


def test_no_account_region_or_partition_is_fixed(source: Template) -> None:
    """In what we write; SAM itself puts in the partition of the region it runs for."""
    service = re.compile(r"^[a-z-]+(\.[a-z]+)?\.amazonaws\.com$")
    for path, value in walk(source):
        if isinstance(value, str):
            assert not re.search(r"\barn:aws[a-z-]*:", value), path
            assert not re.search(r"\b[0-9]{12}\b", value), path
            assert not re.search(r"\b(eu|us|ap|cn)-[a-z]+-[0-9]\b", value), path
            principals = re.findall(r"[a-z.-]+\.amazonaws\.com", value)
            assert all(service.match(one) for one in principals), path


def test_every_alarm_tells_somebody(transformed: Template) -> None:
    alarms = of_type(transformed, "AWS::CloudWatch::Alarm")
    assert len(alarms) >= 5
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["AlarmDescription"], name
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_every_last_resort_raises_an_alarm(source: Template) -> None:
    watched = json.dumps(of_type(source, "AWS::CloudWatch::Alarm"))
    for queue in ("DeadLetters", "FailedDeliveries"):
        assert f'["{queue}", "QueueName"]' in watched
    assert '"MetricName": "FailedEvents"' in watched
    assert '"Name": "result", "Value": "parked"' in watched


def test_the_api_is_throttled_and_logs_no_query(transformed: Template) -> None:
    (stage,) = of_type(transformed, "AWS::ApiGateway::Stage").values()
    limits = {(one["HttpMethod"], one["ResourcePath"]): one for one in stage["MethodSettings"]}
    rates = {route: one["ThrottlingRateLimit"] for route, one in limits.items()}
    assert all(one["ThrottlingBurstLimit"] >= rates[route] > 0 for route, one in limits.items())
    assert all(one["MetricsEnabled"] is True for one in limits.values())
    # CloudFormation wants slashes inside a path as ~1.
    guests, webhooks = ("POST", "/~1v1~1guest~1applications"), ("POST", "/~1webhooks~1{institution_id}")
    assert rates[guests] < rates[webhooks] < rates["*", "/*"]
    routes = {path.replace("~1", "/").removeprefix("/") for _, path in limits} - {"*"}
    assert routes <= set(of_type(transformed, "AWS::ApiGateway::RestApi")["Api"]["Body"]["paths"])
    assert stage["TracingEnabled"] is True
    log = json.dumps(stage["AccessLogSetting"])
    for leak in ("identity", "path", "requestOverride", "querystring", "authorizer"):
        assert f"$context.{leak}\\" not in log
        assert f"$context.{leak}." not in log


def test_placeholders_of_the_process_are_those_the_template_fills(source: Template) -> None:
    machine = source["Resources"]["LoanOrigination"]["Properties"]
    text = (ROOT / machine["DefinitionUri"]).read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Za-z]+)\}", text)) == set(machine["DefinitionSubstitutions"])


def test_the_process_may_invoke_its_steps_and_nothing_else(source: Template) -> None:
    machine = source["Resources"]["LoanOrigination"]["Properties"]
    substitutions = machine["DefinitionSubstitutions"]
    functions = {name: value for name, value in substitutions.items() if name.endswith("Function")}
    assert all(value == {"Fn::GetAtt": [name, "Arn"]} for name, value in functions.items())
    statements = [one for policy in machine["Policies"] for one in policy["Statement"]]
    (invoke,) = [one for one in statements if one["Action"] == ["lambda:InvokeFunction"]]
    assert sorted(map(json.dumps, invoke["Resource"])) == sorted(map(json.dumps, functions.values()))


def test_steps_end_before_the_process_gives_them_up(source: Template) -> None:
    functions = of_type(source, "AWS::Serverless::Function")
    default = source["Globals"]["Function"]["Timeout"]
    for name, state in template.definition()["States"].items():
        if state["Type"] == "Task" and isinstance(state["TimeoutSeconds"], int):
            function = state["Arguments"]["FunctionName"].strip("${}")
            assert functions[function].get("Timeout", default) < state["TimeoutSeconds"], name


@pytest.mark.thorough
def test_cfn_lint_finds_nothing_in_what_sam_makes_of_it() -> None:
    """The source itself is looked at by `make check`."""
    path = ROOT / "build" / "transformed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(template.transformed(), indent=1), encoding="utf-8")
    # SAM joins a definition from its lines, and cfn-lint walks through them by recursion.
    deep = "import sys; sys.setrecursionlimit(10_000); from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", deep, "--regions", template.REGION]
    command += ["--ignore-checks", "W1020"]  # SAM resolves `!Sub creditmesh-${Stage}` and leaves the Sub around it
    found = subprocess.run([*command, "--", path], capture_output=True, text=True, check=False, cwd=ROOT)
    assert found.returncode == 0, found.stdout
