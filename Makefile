# The commands of this project; `make help` lists them.
UV := $(shell ./e2e/bootstrap.sh)
RUN := $(UV) run --frozen --all-groups --extra operator --extra service --extra otel
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sentiment-operator
TORCH_ENV := $(CACHE)/env-torch
UNIT := not api and not e2e and not browser and not torch and not cuda and not models and not release
PYTHON ?= 3.13
KUBERNETES ?= 1.29.15
NAME ?= dev
NODES ?= 1
INGRESS ?=
MONITORING ?=

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-unit test-api test-web test-torch test-cuda test-models test-release test-python test-kubernetes e2e bench reliability scaling campaign dashboards lint generate docs model images audit release version cluster-up cluster-down

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: ## from a bare machine to an answering service; leaves it running
	@$(RUN) python -m e2e.demo

demo-down: ## end the demo and remove its cluster
	@$(RUN) python -m e2e.demo down

test: lint ## everything: lint, types, unit, API server, real cluster
	$(RUN) pytest -q -n 2 --dist loadgroup --no-loadscope-reorder -m "not torch and not cuda and not models and not release"

test-unit: ## no cluster, under a minute
	$(RUN) pytest -q -m "$(UNIT)"

test-api: ## a real API server, no node
	$(RUN) pytest -q -m api

test-torch: ## the torch engine and the training code, in an environment of its own (5 GB)
	UV_PROJECT_ENVIRONMENT=$(TORCH_ENV) $(UV) run --frozen --all-groups --extra service --extra models --extra torch pytest -q -m "torch or models" tests/torch tests/models

test-cuda: ## the torch engine and the service on this machine's GPU
	UV_PROJECT_ENVIRONMENT=$(TORCH_ENV) $(UV) run --frozen --all-groups --extra service --extra models --extra torch pytest -q -m "torch or cuda" tests/torch

test-web: ## the web page in a real browser; WEB_DISTINCT=100000 for a large file without repeats
	$(RUN) pytest -q -m browser

test-models: ## of test-torch only the training and the preparation of models
	UV_PROJECT_ENVIRONMENT=$(TORCH_ENV) $(UV) run --frozen --all-groups --extra service --extra models --extra operator --extra torch pytest -q -m models tests/models e2e/test_checkpoint.py

test-release: ## a fresh node from nothing but what a release holds; README's and quick start's demo; Docker Compose; KEDA
	$(RUN) pytest -q -m release

test-python: ## test-unit with another Python (PYTHON=3.13), in an environment of its own
	UV_PROJECT_ENVIRONMENT=$(CACHE)/env-$(PYTHON) $(UV) run --frozen --python $(PYTHON) --all-groups --extra operator --extra service --extra otel pytest -q -m "$(UNIT)"

test-kubernetes: ## test-api with another Kubernetes (KUBERNETES=1.29.15), built once: e2e/cluster/kubernetes has those there are
	KUBERNETES=$(KUBERNETES) $(RUN) pytest -q -m api

e2e: ## a real cluster
	$(RUN) pytest -q -m e2e

bench: ## figures side by side with peers, into docs/benchmarks.md (ONLY="latency gains": parts)
	@$(RUN) python -m bench $(ONLY)

reliability: ## alerts and faults on a real cluster under load, into docs/reliability.md (ONLY="alerts oom": parts; MINUTES=30: of chaos)
	@$(RUN) python -m bench.reliability $(ONLY) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

scaling: ## simulate the autoscaler's rules over loads of many kinds, into docs/how-to/autoscaling.md
	@$(RUN) python -m bench.scaling

campaign: ## the long fault campaign: every fault at every write, against a real API server
	$(RUN) python -m tests.operator.campaign

dashboards: ## both dashboards after MINUTES=12 of load on a real cluster, drawn with Grafana's components, into docs/images
	@$(RUN) python -m e2e.dashboards --name $(NAME) $(if $(MINUTES),--minutes $(MINUTES))

lint: ## ruff, mypy --strict, import layers
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy --cache-dir $(CACHE)/mypy
	$(RUN) lint-imports

docs: ## the documentation as a site in build/site, with strict links
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --quiet

generate: ## CRDs, their copies in chart and manifests, the fleet's dashboard, reference docs, TypeScript types, the web page
	$(RUN) python -m sentiment_operator.api.generate
	$(RUN) python -m sentiment_service.generate
	$(RUN) python -m e2e.manifests
	$(RUN) python -m e2e.olm.bundle
	$(RUN) python -m e2e.compose.files
	$(RUN) python -m e2e.dashboards.fleet
	$(RUN) python -m e2e.docs
	$(RUN) python -m e2e.webtools

model: ## train the bundled model again (its tests first) and report its figures
	$(UV) run --frozen --all-groups --extra service --extra models pytest -q tests/models/test_training.py
	$(UV) run --frozen --extra models sentiment-models train service/sentiment_service/bundled --card docs/model-card.md

audit: ## the libraries of the images against PyPI's list of vulnerabilities; needs the internet
	$(UV) export --frozen --quiet --no-dev --extra operator --extra service --extra otel --extra packages --no-emit-project -o build/audited.txt
	$(UV) tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes --progress-spinner off -r build/audited.txt

release: ## what a release holds, into dist/: packages, images, chart, manifests, bills of materials, sums (ARCH=amd64: no images for others)
	@$(RUN) python -m e2e.release $(ARCH)

version: ## make TO the version everywhere, and what is unreleased its changes (TO=0.2.0)
	$(UV) version --frozen $(TO)
	$(RUN) python -m e2e.version
	$(RUN) python -m e2e.release.changelog $(TO)
	$(UV) lock
	$(MAKE) generate

images: ## build the product's images and load them into the cluster
	@$(RUN) python -m e2e.cluster --name $(NAME) images

cluster-up: ## start the embedded cluster (NAME=dev, NODES=1, INGRESS=1: with Traefik; MONITORING=1: with Prometheus)
	@$(RUN) python -m e2e.cluster --name $(NAME) up --nodes $(NODES) $(if $(INGRESS),--ingress) $(if $(MONITORING),--monitoring)

cluster-down: ## end it and remove every trace
	@$(RUN) python -m e2e.cluster --name $(NAME) down
