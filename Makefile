# `make try` shows the main job on this repository; `make test` is all that CI runs. A machine needs Python 3.11 and make, no uv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

# what is quick of the promises, and the words
QUICK := tests/test_paths.py tests/test_contract_words.py tests/test_bad_input.py tests/test_hotpath.py tests/test_ladder.py

.PHONY: try test test-quick lint types check bench clean

# without --clear an environment that is there keeps the interpreter that it was made with, a wrong one as well
$(STAMP): pyproject.toml scripts/lastgood
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: \`$(PYTHON)\` is no Python 3.11 or newer; name one, as in \`make PYTHON=python3.11 $(or $(MAKECMDGOALS),try)\`" >&2; \
		exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(DEV): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,nox,tox]'
	touch $@

try: $(STAMP)
	$(BIN)/python -m lastgood run ruff check src
	$(BIN)/python -m lastgood status

check: lint types

lint: $(DEV)
	$(BIN)/python -m lastgood run ruff check .
	$(BIN)/python -m lastgood run ruff format --check .
	$(BIN)/lint-imports

types: $(DEV)
	$(BIN)/mypy

test: check $(DEV)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-quick: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not online" $(QUICK)

bench: $(DEV)
	$(BIN)/python -m benchmarks.bench

clean:
	rm -rf $(VENV) .nox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
