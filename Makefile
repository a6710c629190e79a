# Each target does its own set-up: a virtual environment, the pinned packages, the weights.

PORT ?= 8000
CONFIG ?= configs/cpu.yaml
BUNDLE ?= gpu-bundle
# The Python of a machine with a GPU, which has a torch for it.
GPU_PYTHON ?= python3
# Files that are given faults: those that tests make, or those of these folders.
COUNT ?= 20000
SEED ?= 1
FOLDERS ?=
VENV := .venv
# A torch for CUDA brings its own; beside one for CPUs it interprets the kernels in tests.
TRITON := triton==3.6.0
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WEIGHTS := bundled:whisper-base bundled:diarization

WITHOUT_RAY := tests/unit tests/contract
# These share one graph, which takes all cores by itself.
# The page comes last: Playwright leaves a running event loop behind.
WITH_RAY := tests/graph tests/cluster tests/page
PARALLEL := -n auto --maxprocesses 8 --dist worksteal

SAMPLE := from importlib.util import find_spec; \
	print(*find_spec("pyannote.audio").submodule_search_locations, sep="", end="/sample/sample.wav")
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help serve sample weights test test-page unit lint types format accuracy bench bench-gpu gpu-bundle gpu-check observe simulate attack soak cluster batch-proof chaos fuzz clients lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

serve: weights ## Start the service: PORT=8000, CONFIG=configs/cpu.yaml, PYTHON=python3.12
	@exec $(BIN)/python -m serve_app.start $(CONFIG) --port $(PORT)

sample: $(VENV)/.installed ## Put a recording to try things with into sample.wav
	@cp "$$($(BIN)/python -c '$(SAMPLE)')" sample.wav

weights: $(VENV)/.installed ## Fetch the bundled models into the cache (RAYSCRIBE_CACHE)
	@echo "Checking the bundled models"
	@$(BIN)/python -m deployments.models fetch $(WEIGHTS)

test: lint types weights ## Lint, check types and run every test that needs no GPU
	@$(BIN)/python -m pytest -m "not gpu" $(PARALLEL) $(WITHOUT_RAY)
	@$(BIN)/python -m pytest -m "not gpu" $(WITH_RAY)

test-page: weights $(VENV)/.installed-dev ## Check the page's types, and the page in Chromium, which it installs (apt)
	@command -v chromium chromium-browser >/dev/null || { apt-get update && apt-get install -y chromium; }
	@npx --yes -p typescript@5.9.3 tsc -p serve_app/page
	@$(BIN)/python -m pytest -m "not gpu" tests/page $(ARGS)

unit: $(VENV)/.installed-dev ## Run the quick tests of single modules, without Ray or a model: ARGS="-x"
	@$(BIN)/python -m pytest -m "not gpu and not models and not slow" $(PARALLEL) tests/unit $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, format, and that imports point down
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/.installed-dev ## Check types
	@$(BIN)/mypy

format: $(VENV)/.installed-dev ## Mend style and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

accuracy: weights $(VENV)/.installed-bench ## Count word and speaker errors on a running graph: ARGS="--parts en"
	@$(BIN)/python -m benchmarks.accuracy $(ARGS)

bench: weights $(VENV)/.installed-bench ## Compare the speed with peers: ARGS="--workloads a,c --repeats 3"
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-gpu: $(VENV)/.installed-bench ## Check the speed on a GPU: ARGS="--file FILE"
	@$(BIN)/python -m benchmarks.gpu $(ARGS)

gpu-bundle: weights $(VENV)/.installed-bench ## Pack what a GPU's check needs: ARGS="FOLDER --python 3.12"
	@$(BIN)/python -m benchmarks.gpu_check.bundle $(ARGS)

gpu-check: ## Check recognition on a GPU without network: BUNDLE=gpu-bundle, ARGS="--parts tokens"
	@PYTHONPATH=$(BUNDLE)/site:$(CURDIR) $(GPU_PYTHON) -m pip install --quiet --no-index --no-deps \
		--upgrade --target $(BUNDLE)/site $(BUNDLE)/wheels/*.whl
	@PYTHONPATH=$(BUNDLE)/site:$(CURDIR) $(GPU_PYTHON) -m benchmarks.gpu_check $(BUNDLE) $(ARGS)

observe: weights $(VENV)/.installed-bench ## Show each panel and alert beside a running graph: ARGS="--seconds 60"
	@$(BIN)/python -m benchmarks.operations.observe $(ARGS)

simulate: $(VENV)/.installed-bench ## Compare policies of autoscaling over a simulated day: ARGS="--real" for bursts
	@$(BIN)/python -m benchmarks.simulation $(ARGS)

batch-proof: weights $(VENV)/.installed-s3 ## Prove bulk work: its speed, kills, S3, a million files: ARGS="--only speed"
	@PYTHONPATH=$(VENV)/s3 $(BIN)/python -m benchmarks.endurance.batch $(ARGS)

cluster: weights $(VENV)/.installed-dev ## Lose replicas, nodes and the head of a cluster; it installs a Redis (apt): ARGS="-k head"
	@command -v valkey-server >/dev/null || command -v redis-server >/dev/null \
		|| { apt-get update && apt-get install -y redis-server; }
	@$(BIN)/python -m pytest -m "not gpu" tests/cluster $(ARGS)

chaos: weights $(VENV)/.installed-dev ## Kill replicas and the service under 30 jobs: ARGS="--stores sqlite"
	@$(BIN)/python -m benchmarks.endurance.chaos $(ARGS)

soak: weights $(VENV)/.installed-bench ## Watch memory and files under a mixed load: ARGS="--minutes 60"
	@$(BIN)/python -m benchmarks.endurance.soak $(ARGS)

attack: weights $(VENV)/.installed-bench ## Attack the service, on loopback only, and say what it answered: ARGS="--only forms"
	@$(BIN)/python -m benchmarks.attack $(ARGS)

fuzz: $(VENV)/.installed-dev ## Decode files with faults in children: COUNT=20000 SEED=1 FOLDERS="..."
	@$(BIN)/python -m tests.support.recordings.fuzz $(COUNT) $(SEED) $(FOLDERS)

clients: weights $(VENV)/.installed-dev ## Run others' clients against a running graph: ARGS="--only litellm"
	@$(BIN)/python -m tests.clients $(ARGS)

lock: $(BIN)/python ## Pin the newest packages that pyproject.toml allows
	@$(BIN)/python scripts/lock.py

clean: ## Remove the environment and every cache of the tools; weights stay
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11, 3.12 or 3.13 was found: install one, or name it with PYTHON=." >&2; exit 1; fi
	@if ! $(PYTHON) -c '$(SUPPORTED)'; then \
		echo "$(PYTHON) cannot be used: Rayscribe needs Python 3.11, 3.12 or 3.13 (PYTHON=python3.12)." >&2; \
		exit 1; fi
	@echo "Making the virtual environment $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# The stamps hold the set-up back until what it depends on changes.
$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the packages of requirements.lock (2 to 3 GB on disk; several minutes)"
	@$(PIP) install -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m deployments.models mend-torchaudio
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "Installing the packages of requirements-dev.lock"
	@$(PIP) install -r requirements-dev.lock
	@$(BIN)/python -c 'import triton' 2>/dev/null || $(PIP) install --quiet --no-deps $(TRITON) \
		|| echo "Triton cannot be installed here: the tests of its kernels are skipped."
	@touch $@

# In a folder of its own: S3's packages and the tests' want different versions of some others.
$(VENV)/.installed-s3: $(VENV)/.installed-bench requirements-s3.lock
	@$(PIP) install --quiet --no-deps --upgrade --target $(VENV)/s3 -r requirements-s3.lock
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev requirements-bench.lock
	@echo "Installing the packages of requirements-bench.lock"
	@$(PIP) install -r requirements-bench.lock
	@touch $@
