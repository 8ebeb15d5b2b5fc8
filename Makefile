# Thin: a virtual environment from the lock, then `harness` or pytest. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: verify test test-long test-languages rust-worker bench setup mutants lint clean

verify: setup
	$(BIN)/harness verify

test: setup lint
	$(BIN)/python -m pytest

mutants: setup
	$(BIN)/harness mutants

test-long: setup
	$(BIN)/python -m pytest -m "(real or long) and not languages" tests
	$(BIN)/harness mutants
	$(BIN)/harness mutants every-service-slow

# Workers in other languages: minutes and a gigabyte the first time, in the tool cache.
test-languages: rust-worker
	$(BIN)/python -m pytest -m languages tests/languages

rust-worker: setup
	$(BIN)/python -m harness.tools.cargo scenarios/reference/rust

bench: setup
	$(BIN)/python -m tests.benchmarks

lint: setup
	$(BIN)/ruff check harness scenarios reports tests
	$(BIN)/ruff format --check harness scenarios reports tests
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "setting up $(VENV) from requirements.lock (about two minutes the first time)"
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --progress-bar off --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --no-build-isolation --no-deps -e .
	@touch $@

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
