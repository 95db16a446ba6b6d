# creditmesh: every task a person or CI runs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
SETUP := $(PYTHON) local/setup.py
DEV := .venv/bin
LOCAL := cloud client institutions run aws
# Tests in several processes; tests/support/shares.py says what stays together and what comes first.
SHARED := -n 4 --dist loadgroup --no-loadscope-reorder
# Of tests/infrastructure what runs functions; the rest is part of `make check`.
WALK := tests/infrastructure/test_permissions.py
# Thorough tests are those that repeat, at length or with many, what others prove (docs/conventions.md).
QUICK := -m "not thorough"
export PYTHONPATH := local:functions:emr
# Many short processes import the same libraries: their byte-code is kept in one folder of ours, also where the
# environment or a system directory forbids it beside the sources.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venvs/pycache
unexport PYTHONDONTWRITEBYTECODE
# The little Java that puts spark-submit's command together: no second compiler, no second collector of garbage.
export SPARK_LAUNCHER_OPTS := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install everything a developer's machine needs (safe to repeat)
	@$(SETUP)

.PHONY: run
run: setup ## start the whole platform here and send 30 applications through it; ARGS="--once" ends after them
	@$(DEV)/python -m run $(ARGS)

.PHONY: token
token: ## print a token of the platform that `make run` keeps up: make token ROLE=operator [NAME=ann], ROLE=lender LENDER=harbor-bank
	@$(DEV)/python -m run.token --role "$(ROLE)" --lender "$(LENDER)" --name "$(NAME)" $(ARGS)

.PHONY: check
check: setup ## style, types, layers, template; what AWS would refuse of it
	@$(SETUP) --with sam
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	@$(MAKE) --no-print-directory -j2 --output-sync=target check-types check-layers check-template

.PHONY: check-types check-layers check-template
check-types:
	$(DEV)/mypy layers/creditmesh/src/creditmesh functions emr/jobs emr/training $(addprefix local/,$(LOCAL)) benchmarks tests/testbed/localstack_host
check-layers:
	$(DEV)/lint-imports --no-cache
# SAM CLI looks at the source without reaching AWS; it only wants to know where it would go and who it would be.
check-template:
	env -u AWS_PROFILE AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_EC2_METADATA_DISABLED=true \
	  SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR=.venvs/sam/settings \
	  .venvs/sam/bin/sam validate --lint --region eu-west-1 --template template.yaml
	$(DEV)/pytest -q $(QUICK) tests/infrastructure --ignore $(WALK)

TESTED := $(addprefix tests/,contract conformance stepfunctions spark unit property fuzz testbed integration)

# More processes than cores: many tests wait. `make run` comes last and alone, as its lenders answer within seconds.
.PHONY: test
test: check ## every check and every test but the thorough ones: what CI runs
	$(DEV)/pytest $(SHARED) $(QUICK) $(TESTED) $(WALK)
	$(DEV)/pytest tests/e2e

.PHONY: test-all
test-all: check ## every check and every test
	$(DEV)/pytest $(SHARED) $(TESTED) tests/infrastructure
	$(DEV)/pytest tests/e2e

.PHONY: test-fast
test-fast: setup ## the tests that need no running platform
	$(DEV)/pytest $(SHARED) $(QUICK) $(addprefix tests/,unit property infrastructure)

.PHONY: test-fuzz
test-fuzz: setup ## every operation of the API as each of its roles, by Schemathesis, also on a running platform; report in build/fuzz/
	$(DEV)/pytest -n auto tests/fuzz --junitxml build/fuzz/report.xml

.PHONY: bench-origination
bench-origination: setup ## speed and size of an origination; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_origination

.PHONY: bench-cost
bench-cost: setup ## what one application asks of AWS and costs there; JSON, also in build/bench/; ARGS="--per-day 5000"
	@$(DEV)/python -m benchmarks.bench_cost $(ARGS)

.PHONY: bench-scale
bench-scale: setup ## which limit of AWS is met first at 1, 10 and 100 million loans a year; JSON, nothing is started
	@$(DEV)/python -m benchmarks.scale

.PHONY: bench-gateway
bench-gateway: setup ## collecting credit data: one firm, a thousand firms, cleaning and features in Spark; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_gateway
	@$(DEV)/python -m benchmarks.bench_features

.PHONY: bench-lists
bench-lists: setup ## look-ups in lists of a million entries, and their import; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_lists $(ARGS)

.PHONY: bench-ledger
bench-ledger: setup ## transfers one by one and 500 at once on one account; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_ledger $(ARGS)

.PHONY: bench-matching
bench-matching: setup ## matching against 10,000 products on one core, beside a naive loop and polars; JSON, also in build/bench/
	@POLARS_MAX_THREADS=1 $(DEV)/python -m benchmarks.bench_matching $(ARGS)

.PHONY: bench-models
bench-models: setup ## our scorecard beside other libraries' and boosting, on real loans; JSON, also in build/bench/
	@$(SETUP) --with peers
	@$(DEV)/python -m benchmarks.bench_models $(ARGS)

.PHONY: bench-scoring
bench-scoring: setup ## scoring portfolios against reading them, and other scorecard libraries; JSON, also in build/bench/; ARGS="--rows 20000000"
	@$(SETUP) --with peers
	@$(DEV)/python -m benchmarks.bench_scoring $(ARGS)

.PHONY: test-localstack
test-localstack: ## integration tests on LocalStack: the one that answers, else its last open core in host mode
	@$(SETUP) --with localstack
	@PYTHONPATH=$(PYTHONPATH):tests/testbed $(DEV)/python -m localstack_host $(ARGS)

.PHONY: deploy
deploy: setup ## deploy to AWS: make deploy STAGE=test [INSTITUTIONS=file.json] [PARAMETERS=file.json] [CONFIRM=account/region]
	@CONFIRM="$(CONFIRM)" .venvs/cloud/bin/python -m aws.deploy $(if $(STAGE),--stage $(STAGE)) \
		$(if $(INSTITUTIONS),--institutions $(INSTITUTIONS)) $(if $(PARAMETERS),--parameters $(PARAMETERS))

.PHONY: delete
delete: setup ## take a stage down, its data retained: make delete STAGE=test [CONFIRM=delete/account/region/stage]
	@CONFIRM="$(CONFIRM)" .venvs/cloud/bin/python -m aws.delete $(if $(STAGE),--stage $(STAGE))

.PHONY: emr-archive
emr-archive: setup ## the Python libraries that training needs on EMR, in build/emr/
	@.venvs/cloud/bin/python -m aws.libraries

.PHONY: test-aws
test-aws: setup ## integration and conformance tests against a deployed stage: make test-aws STAGE=test
	@$(DEV)/python -m aws.run_tests --stage "$(STAGE)" $(ARGS)

.PHONY: docs
docs: setup ## build the documentation's site in build/docs/; a broken link or anchor fails
	@$(SETUP) --with docs
	.venvs/docs/bin/sphinx-build -q -W --keep-going docs build/docs

.PHONY: api
api: setup ## write from the code: infrastructure/generated/api.yaml, API Gateway's definition, and docs/reference/codes.md
	@$(DEV)/python -m aws.api_definition
	@$(DEV)/python -m aws.codes_page

.PHONY: template
template: setup ## write template.yaml from the parts in infrastructure/
	@$(DEV)/python -m aws.template

.PHONY: lock
lock: ## resolve the lock files from pyproject.toml
	@$(SETUP) --lock

.PHONY: clean
clean: ## forget what runs have built and stored here; the environments stay
	rm -rf build .local
