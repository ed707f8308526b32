# Everything runs from one folder, .venv; each target installs only what it misses. Needs git, make and Python 3.11 or newer.
#
#   make demo     watch it copy a wallet on the embedded exchange: no key, no money (ARGS="..." are handed on)
#   make test     the tests            (ARGS="..." are handed to pytest)
#   make soak     the whole loop against a hostile world, by seeds, on all cores (SEEDS=10000, CYCLES=200)
#   make fire     the real process under fire: 140 kills, full disks, dead networks … (some minutes)
#   make mutants  break the domain in every small way, and see whether the tests notice (ARGS="quote exposure": there only)
#   make check    format, lint, types, import contracts, docs
#   make docs     the site of docs/, in build/site
#   make bench    measure it, and write docs/performance.md (BASE=revision measures that one beside it, in the same run)
#   make profile  where the time goes: the profile of each benchmark (ARGS="plan": of those with these words)
#   make lock     remake both lock files from pyproject.toml (ARGS=--upgrade to move to the newest releases)
#   make clean    throw .venv and all caches away

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test soak fire mutants check docs bench profile lock clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ARGS ?=
SEEDS ?= 1000
CYCLES ?= 200

help:
	@sed -n 's/^#   make/make/p' Makefile

demo: $(VENV)/.runtime $(VENV)/.self
	$(BIN)/copytrade demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python -m pytest -n auto --dist loadscope $(ARGS)

soak: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --cycles $(CYCLES) $(ARGS)

fire: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python -m pytest -s -m "slow or not slow" tests/fire $(ARGS)

mutants: $(VENV)/.dev $(VENV)/.self
	nice -n 10 $(BIN)/python -m scripts.mutants $(ARGS)

check: $(VENV)/.dev $(VENV)/.self
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docs.py
	$(BIN)/python scripts/commands_page.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python scripts/commands_page.py --write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open build/site/index.html"

bench: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python -m benchmarks.bench $(if $(BASE),--base $(BASE)) $(or $(ARGS),--write)

profile: $(VENV)/.dev $(VENV)/.self
	$(BIN)/python -m benchmarks.profiles $(ARGS)

# The runtime lock is compiled under the pins of the development lock, so that both fit into one folder.
# uv does not read pip's configuration: where pip is told of another index, uv is told of the same.
lock: $(VENV)/.dev
	@set -eu; \
	index=$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true); \
	if [ -n "$$index" ]; then UV_DEFAULT_INDEX=$$index; export UV_DEFAULT_INDEX; fi; \
	compile() { \
		$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
			--no-emit-index-url --custom-compile-command "make lock" --quiet $(ARGS) "$$@"; \
	}; \
	compile --all-extras --group dev --output-file requirements-dev.lock; \
	compile --group build --constraints requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find copytrade tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# PYTHON=... names an interpreter; otherwise the first of these that is new enough and can make a virtual environment.
$(VENV)/.made:
	@set -eu; \
	for python in "$${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.14 python; do \
		if [ -n "$$python" ] && "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "making $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv --clear $(VENV); \
			touch $@; \
			exit 0; \
		fi; \
	done; \
	echo "copytrade needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." >&2; \
	echo "None was found on PATH; name one with: make PYTHON=/path/to/python3" >&2; \
	exit 1

# --no-deps: a lock names everything, and pip refuses whatever does not match its hash.
$(VENV)/.runtime: requirements.lock $(VENV)/.made
	$(PIP) --require-hashes --no-deps -r requirements.lock
	@touch $@

# On top of the runtime's: its pins are the same, since that lock is compiled under this one.
$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

# Built with the hatchling that the lock brought, so that nothing more is fetched.
$(VENV)/.self: pyproject.toml $(VENV)/.runtime
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
