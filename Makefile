# Every target sets up what it needs: a virtual environment in .venv with exactly the packages of
# requirements.lock. The second run finds it and installs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
OUT := out
# As many processes as there are cores, each with a server of its own; who has nothing left to do
# takes over from others.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal
FAST_TESTS := tests/unit tests/property $(wildcard tests/test_*.py)

.PHONY: help install check test demo bench soak conformance serve shots docs lock clean tools

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | sort | while IFS= read -r line; do \
	    printf '  make %-12s %s\n' "$${line%%:*}" "$${line##*## }"; done

check: install tools ## the quick gate: format, lint, types, import contracts, fast tests
	@$(PYTEST) $(FAST_TESTS)

test: install tools ## everything: the quick gate and all tests on the real database
	@$(PYTEST)

demo: install ## the main job: a book of instalment credit, from first purchase to report
	@$(BIN)/fenqi demo --out $(OUT)/demo

conformance: install ## agreement with published figures: those in the project, those in FENQI_VECTORS
	@status=0; $(BIN)/python -m pytest tests/conformance || status=1; \
	PYTHONPATH=tests $(BIN)/python -m conformance.run || status=1; exit $$status

bench: install ## speed, as ratios to yardsticks; half an hour on a quiet machine
	@$(BIN)/python tests/bench/run.py --out $(OUT)/bench $(BENCH)

soak: install ## kill -9 fifty times under load, a file of 200 MB, laws on new examples; 15 to 20 minutes
	@$(BIN)/python -m pytest tests/soak
	@FENQI_EXAMPLES=search $(BIN)/python -m pytest tests/property

serve: ## not yet alive: the pages and the API
	@echo 'serve is not yet alive: arrives with the web doors' >&2; exit 1

shots: ## not yet alive: pictures of all pages
	@echo 'shots is not yet alive: arrives with the web doors' >&2; exit 1

docs: ## not yet alive: the handbook as pages
	@echo 'docs is not yet alive: arrives with the handbook; read docs/ meanwhile' >&2; exit 1

clean: ## remove what the other targets made, but no data
	@rm -rf .venv $(OUT) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Needs uv (on the maintainer's machine only); everyone else needs nothing but the lock.
lock: ## pin the newest allowed packages with their hashes, for every platform
	@uv pip compile pyproject.toml <(printf 'hatchling\neditables\n') --extra dev --upgrade --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	    --no-emit-find-links --no-emit-build-options --quiet --output-file requirements.lock

tools: install
	@$(BIN)/ruff format --check --quiet . || { echo 'run: $(BIN)/ruff format .'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# What is installed is written down with the place and the checksums it was installed from; a moved
# checkout gets a new environment, because programs inside one know its place.
install:
	@place="$$(pwd)"; wanted="$$(cat requirements.lock pyproject.toml | cksum)"; \
	if [ "$$(cat .venv/place 2> /dev/null)" = "$$place" ] \
	    && [ "$$(cat .venv/installed 2> /dev/null)" = "$$wanted" ]; then exit 0; fi; \
	if [ "$$(cat .venv/place 2> /dev/null)" != "$$place" ]; then \
	    python=; \
	    for name in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do \
	        if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
	            python="$$name"; break; \
	        fi; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo 'fenqi needs Python 3.11 or newer. On Debian or Ubuntu: apt install python3 python3-venv'; \
	        exit 1; \
	    fi; \
	    if ! "$$python" -c 'import ensurepip, venv' 2> /dev/null; then \
	        echo "$$python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"; \
	        exit 1; \
	    fi; \
	    if [ -z "$${PYTHON:-}" ]; then python="$$("$$python" .ci/interpreter.py)"; fi; \
	    "$$python" -m venv --clear .venv; \
	    echo "$$place" > .venv/place; \
	fi; \
	echo 'installing the pinned packages into .venv'; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
	    --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
	    --no-deps --no-build-isolation --editable .; \
	echo "$$wanted" > .venv/installed
