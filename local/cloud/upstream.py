"""MiniStack's modules, named in this one place.

MiniStack lives in an environment of its own and carries no types, so its modules are held as ``Any``; each mend takes
them from here. Importing this module imports MiniStack, so the environment must be complete before that.
"""

from __future__ import annotations

import importlib
from typing import Any

app: Any = importlib.import_module("ministack.app")
apigateway_v1: Any = importlib.import_module("ministack.services.apigateway_v1")
concurrency: Any = importlib.import_module("ministack.core.concurrency")
dynamodb: Any = importlib.import_module("ministack.services.dynamodb")
eventbridge: Any = importlib.import_module("ministack.services.eventbridge")
lambda_runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
lambda_svc: Any = importlib.import_module("ministack.services.lambda_svc")
persistence: Any = importlib.import_module("ministack.core.persistence")
provisioners: Any = importlib.import_module("ministack.services.cloudformation.provisioners")
responses: Any = importlib.import_module("ministack.core.responses")
router: Any = importlib.import_module("ministack.core.router")
s3: Any = importlib.import_module("ministack.services.s3")
scheduler: Any = importlib.import_module("ministack.services.scheduler")
stepfunctions: Any = importlib.import_module("ministack.services.stepfunctions")
sqs: Any = importlib.import_module("ministack.services.sqs")
