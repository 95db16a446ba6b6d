# creditmesh: every task a person or CI runs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
SETUP := $(PYTHON) local/setup.py
DEV := .venv/bin
export PYTHONPATH := local:functions

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install everything a developer's machine needs (safe to repeat)
	@$(SETUP)

.PHONY: run
run: setup ## start the whole platform here and send 30 applications through it; ARGS="--once" ends after them
	@$(DEV)/python -m run $(ARGS)

.PHONY: check
check: setup ## style, types, layers, template
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy layers/creditmesh/src/creditmesh functions emr/jobs
	$(DEV)/mypy local/cloud local/client local/institutions local/run local/aws local/localstack_host benchmarks
	$(DEV)/lint-imports --no-cache
	$(DEV)/cfn-lint template.yaml

# Three processes for what needs no port of its own: the contract tests wait most of their time.
.PHONY: test
test: check ## every check and every test
	$(DEV)/pytest -n 3 --dist loadfile $(addprefix tests/,contract stepfunctions spark unit property infrastructure)
	$(DEV)/pytest $(addprefix tests/,integration e2e)

.PHONY: test-fast
test-fast: setup ## the tests that need no running platform
	$(DEV)/pytest -n 2 --dist loadfile $(addprefix tests/,unit property infrastructure)

.PHONY: bench-origination
bench-origination: setup ## speed and size of an origination; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_origination

.PHONY: bench-gateway
bench-gateway: setup ## collecting credit data: one firm, a thousand firms, cleaning and features in Spark; JSON, also in build/bench/
	@$(DEV)/python -m benchmarks.bench_gateway
	@$(DEV)/python -m benchmarks.bench_features

.PHONY: test-localstack
test-localstack: ## integration tests on LocalStack: the one that answers, else its last open core in host mode
	@$(SETUP) --with localstack
	@$(DEV)/python -m localstack_host $(ARGS)

.PHONY: deploy
deploy: setup ## deploy to AWS: make deploy STAGE=test [PARAMETERS=file.json] [CONFIRM=account/region]
	@CONFIRM="$(CONFIRM)" .venvs/cloud/bin/python -m aws.deploy $(if $(STAGE),--stage $(STAGE)) $(if $(PARAMETERS),--parameters $(PARAMETERS))

.PHONY: test-aws
test-aws: setup ## integration tests against a deployed stage: make test-aws STAGE=test
	@$(DEV)/python -m aws.run_tests --stage "$(STAGE)" $(ARGS)

.PHONY: lock
lock: ## resolve the lock files anew from pyproject.toml
	@$(SETUP) --lock

.PHONY: clean
clean: ## forget what runs have built and stored here; the environments stay
	rm -rf build .local
