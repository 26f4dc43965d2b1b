PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
DOCS := .venv/installed-docs
FUZZ ?= --time 60s
MUTANTS ?=
TESTS ?= not slow and not faults
MUTATION ?=

.PHONY: install test slow faults fuzz mutants mutation house lint types clean

install: $(STAMP)

# The constraints pin what CI runs with; pip reads the index that the machine is set up for.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	rm -rf foldproof.egg-info # of a checkout from before src/: pytest would load its plugin
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

test: install
	$(BIN)/python -m pytest -n auto -m "$(TESTS)"

slow: install
	$(BIN)/python -m pytest -n auto -m slow

faults: install
	$(BIN)/python -m pytest -n auto -m faults

fuzz: install
	$(BIN)/foldproof fuzz $(FUZZ)

mutants: install
	$(BIN)/foldproof mutants $(MUTANTS)

.PHONY: docs changelog

docs: install $(DOCS)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html --doctree-dir build/doctrees docs build/docs

$(DOCS): pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $(DOCS)

# Prints how the fragments of changelog.d will read; with VERSION=0.2.0 it moves them into CHANGELOG.md.
changelog: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

# Changes the source of harness/fold, thousands of times, and prints what the harness does not notice.
mutation: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mutation]'
	$(BIN)/python benchmarks/source_mutation/score.py $(MUTATION)

# The rooms of the package, their layers and their arrows.
house: install
	$(BIN)/python -m tests.support.house

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install
	$(BIN)/mypy

clean:
	rm -rf .venv build mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
