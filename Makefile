# The only list of commands. `make help` prints it from the comments.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PACKAGES := governorates xlsforms geo referral_engine db casework ingest api
# Two workers: the machines that run the tests have two cores.
WORKERS ?= 2

.PHONY: help install install-dev system-packages demo demo-check check format test test-deep bench bench-ingest handbook screenshots lock clean

help:  ## Print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 18

install: $(STAMPS)/runtime  ## Prepare .venv with the locked libraries and the `ihala` command

install-dev: $(STAMPS)/dev  ## Prepare .venv for development and tests

$(VENV)/bin/pip:
	@deploy/make-venv $(PYTHON) $(VENV)

$(STAMPS)/runtime: requirements.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

system-packages:  ## Install Chromium and a Java runtime through apt when they are missing
	@deploy/system-packages

demo: install  ## Show the main job on this machine: invented people, real code; serves until Ctrl-C
	$(BIN)/ihala demo

demo-check: install  ## Run the main job in a temporary folder and print its figures
	$(BIN)/ihala demo --check --json

check: install-dev  ## Lint, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev  ## Put the code in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install-dev system-packages  ## Run the whole test suite (system packages included)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not deep"

test-deep: install-dev system-packages  ## Run the long random histories too
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

bench: install-dev  ## Measure beside named peers; prints tables with ratios
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.duplicates

bench-ingest: install-dev  ## Measure catch-up with Central, intake and polls beside named peers (minutes)
	$(BIN)/python -m benchmarks.ingest

handbook: install-dev  ## Write the SOP handbook anew from the tables of the code
	$(BIN)/python -m docs.sop_handbook

screenshots: install-dev system-packages  ## Take the pictures of the documentation anew
	$(BIN)/python -m docs.screenshots

lock:  ## Write the lock files anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra dev -c requirements.lock --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock

clean:  ## Remove .venv and caches; the data folder var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
