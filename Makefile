# `make run` starts Tessera, `make test` tests it; both first install what is missing.
#
#   PYTHON=…   the Python 3.11 or 3.12 that makes .venv; found on the PATH when not given
#   ARGS=…     more arguments, for the server (make run) or pytest (make test, make soak)

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run setup install test check bench soak dev-cert starter starter-measure lock clean

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.8
LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet
USABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

run: setup ## Start the server on http://127.0.0.1:8188; reads .env if there is one
	@set -a; if [ -f .env ]; then . ./.env; fi; set +a; exec $(PY) server.py serve $(ARGS)

setup: ## Install the locked dependencies into .venv and build the browser app, unless that is done
	@$(PY) -c '' 2>/dev/null && cmp -s requirements.lock $(VENV)/requirements.lock || $(MAKE) --no-print-directory install
	@$(PY) models/starter/links.py
	@$(PY) web/editor/build.py

test: setup ## Run every test: about 15 minutes on 2 cores
	@$(PY) web/editor/build.py test
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## Lint, types, and the shape of the code
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) web/editor/build.py check
	@$(PY) -m pytest tests/test_shape.py

bench: setup ## Measure what we promise: prints a table, writes bench.json
	@$(PY) -m tests.bench $(ARGS)

soak: setup ## Run the long fault tests
	@$(PY) -m pytest -m soak --timeout=3600 $(ARGS)

dev-cert: setup ## Make a certificate to try content credentials with, in data/dev-cert (ARGS=FOLDER: there)
	@$(PY) -m engine.certificates $(ARGS)

starter: setup ## Train the starter model again, from nothing: hours, and it goes on where it was stopped
	@$(MAKE) --no-print-directory -C models/starter PYTHON=$(CURDIR)/$(PY)

starter-measure: setup ## Measure the starter models again and write the figures into their card
	@$(MAKE) --no-print-directory -C models/starter PYTHON=$(CURDIR)/$(PY) measure

lock: setup ## Resolve pyproject.toml again, into requirements.lock
	@$(UV) pip compile pyproject.toml --extra dev $(LOCK_OPTIONS) -o requirements.lock
	@echo uv==$(UV_VERSION) | $(UV) pip compile - $(LOCK_OPTIONS) -o requirements.uv.lock

clean: ## Remove .venv and what tools left; the data folder stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info bench.json web/static web/editor/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +

# The lock is copied into .venv once it is installed, so that a later start only compares two files.
# Bytecode is made here: the model libraries are thousands of files, and no first picture should wait for them.
install: $(VENV)-made
	@echo "Installing the locked dependencies: about 6.5 GB, half a minute to a few minutes."
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.uv.lock
	@$(UV) pip install --python $(PY) --compile-bytecode --require-hashes -r requirements.lock || { \
	  echo "uv could not install them; pip tries, with the same hashes."; \
	  $(PY) -m pip install --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(PY) -m compileall -q engine nodes web server.py
	@cp requirements.lock $(VENV)/requirements.lock

# Every candidate is run, since a name on the PATH may be a shim for a Python that is not there.
.PHONY: $(VENV)-made
$(VENV)-made:
	@if $(PY) -c '' 2>/dev/null; then exit 0; fi; \
	candidates="$(PYTHON)"; \
	if [ -z "$$candidates" ]; then \
	  IFS=:; \
	  for name in python3.11 python3.12 python3 python; do \
	    for dir in $$PATH; do candidates="$$candidates:$$dir/$$name"; done; \
	  done; \
	fi; \
	IFS=:; \
	for python in $$candidates; do \
	  if [ -n "$$python" ] && "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
	    echo "Making $(VENV) with $$python"; exec "$$python" -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "No usable Python 3.11 or 3.12 was found. Install one with its venv module" >&2; \
	echo "(Debian: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.11" >&2; \
	exit 1
