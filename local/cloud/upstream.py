"""MiniStack's modules, imported in this one place.

MiniStack has its own environment and no types, so its modules are ``Any``; mends import them from here. Importing this
module imports MiniStack, so the environment must be set before.
"""

from __future__ import annotations

import importlib
from typing import Any

app: Any = importlib.import_module("ministack.app")
apigateway_v1: Any = importlib.import_module("ministack.services.apigateway_v1")
cfn_handlers: Any = importlib.import_module("ministack.services.cloudformation.handlers")
cfn_helpers: Any = importlib.import_module("ministack.services.cloudformation.helpers")
cloudformation: Any = importlib.import_module("ministack.services.cloudformation")
cloudwatch: Any = importlib.import_module("ministack.services.cloudwatch")
cloudwatch_logs: Any = importlib.import_module("ministack.services.cloudwatch_logs")
cognito: Any = importlib.import_module("ministack.services.cognito")
concurrency: Any = importlib.import_module("ministack.core.concurrency")
dynamodb: Any = importlib.import_module("ministack.services.dynamodb")
eventbridge: Any = importlib.import_module("ministack.services.eventbridge")
iam: Any = importlib.import_module("ministack.services.iam")
iam_actions: Any = importlib.import_module("ministack.core.iam_actions")
iam_evaluator: Any = importlib.import_module("ministack.core.iam_evaluator")
kms: Any = importlib.import_module("ministack.services.kms")
lambda_runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
lambda_svc: Any = importlib.import_module("ministack.services.lambda_svc")
provisioners: Any = importlib.import_module("ministack.services.cloudformation.provisioners")
responses: Any = importlib.import_module("ministack.core.responses")
router: Any = importlib.import_module("ministack.core.router")
s3: Any = importlib.import_module("ministack.services.s3")
secretsmanager: Any = importlib.import_module("ministack.services.secretsmanager")
scheduler: Any = importlib.import_module("ministack.services.scheduler")
sns: Any = importlib.import_module("ministack.services.sns")
stacks: Any = importlib.import_module("ministack.services.cloudformation.stacks")
stepfunctions: Any = importlib.import_module("ministack.services.stepfunctions")
sqs: Any = importlib.import_module("ministack.services.sqs")
