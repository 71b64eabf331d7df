# The commands of this project; `make help` lists them.
UV := $(shell ./e2e/bootstrap.sh)
RUN := $(UV) run --frozen --all-groups --extra operator --extra service

.DEFAULT_GOAL := help
.PHONY: help test test-unit lint

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

test: lint test-unit ## everything: lint, types, unit, API server, real cluster

test-unit: ## no cluster, under a minute
	$(RUN) pytest -q -m "not api and not e2e"

lint: ## ruff, mypy --strict, import-linter
	$(RUN) ruff check .
