# creditmesh: every task a person or CI runs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
SETUP := $(PYTHON) local/setup.py
DEV := .venv/bin

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install everything a developer's machine needs (safe to repeat)
	@$(SETUP)

.PHONY: lock
lock: ## resolve the lock files anew from pyproject.toml
	@$(SETUP) --lock
