# Needs Python ≥ 3.11, pip and make; uses uv where it is installed. No root, no Docker, no servers.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo demo-check test faults faults-small chaos soak-model lint e2e bench bench-kill bench-small study bench-peers pins clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/local.stamp ## Suppliers, servers, web, workers and buyers, live; Ctrl-C stops all of it
	@$(RUN) -m inventory_project.runner

demo-check: .venv/local.stamp ## The demo, unattended for a minute: sells out, breaks a supplier, inflates another, heals both, proves the books
	@$(RUN) -m inventory_project.runner check

test: .venv/dev.stamp ## The test suite on real servers; ARGS='orders -k cancel' for a part of it
	@$(RUN) -m pytest $(ARGS)

faults: .venv/local.stamp ## Kill, freeze, wipe and cut everything under buyers, then compare the books (some 10 minutes); ARGS='--seed 7'
	@$(RUN) -m benchmarks.faults --rounds 5 --length 2 --webs 3 $(ARGS)

faults-small: .venv/local.stamp ## The same, each fault three times for a moment (some 4 minutes)
	@$(RUN) -m benchmarks.faults --small $(ARGS)

chaos: .venv/local.stamp ## Every temper of the chaos supplier in every dialect, under buyers (some 20 minutes); ARGS='--only flaky'
	@$(RUN) -m benchmarks.chaos $(ARGS)

soak-model: .venv/dev.stamp ## The state machine of stock, 500,000 steps from a seed (long); ARGS='--seed 7 --steps 20000 --seconds 900'
	@$(RUN) -m benchmarks.model $(ARGS)

e2e: .venv/local.stamp ## Shops that nobody here wrote, behind Holdfast: the full circle, and the race for their stock; ARGS=medusa
	@$(RUN) -m benchmarks.peers.e2e $(ARGS)

bench: .venv/dev.stamp ## Every speed target beside its baseline, the books proved after each step; STEPS='P1 P5' for some
	@$(RUN) -m inventory_project.localstack bench $(RUN) -m benchmarks $(STEPS)

bench-kill: .venv/dev.stamp ## 10,000 buyers for 1,000 units while web processes are killed: exactly 1,000 sold, no answer lost
	@$(RUN) -m inventory_project.localstack bench $(RUN) -m benchmarks kill

bench-small: .venv/dev.stamp ## The same in a few seconds a step: fails on wrong results, never on speed
	@$(RUN) -m inventory_project.localstack bench $(RUN) -m benchmarks --small $(STEPS)

study: .venv/dev.stamp ## What each way of keeping stock oversells and refuses, simulated: docs/oversell-study.md, var/study.json
	@$(RUN) -m benchmarks.oversell

bench-peers: .venv/local.stamp ## A hot SKU at Holdfast, django-oscar-api and Medusa, side by side; ARGS=--small for a quick look
	@$(RUN) -m benchmarks.peers $(ARGS)

lint: .venv/dev.stamp ## Format, lint, types, import contracts, spelling, migrations, settings, API schema
	@$(RUN) -m inventory_project.localstack lint .ci/lint

pins: ## Compile requirements*.in into pinned versions with hashes (needs uv)
	@for name in requirements requirements-local requirements-dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-index-url $$name.in -o $$name.txt; done

clean: ## Remove what runs have left behind: var/ and caches (not .venv)
	@for home in var/*/home; do [ ! -L "$$home" ] || rm -rf "$$(readlink "$$home")"; done
	@rm -rf var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# Debian's python3 without python3-venv cannot put pip into a new environment: then its own pip installs into it.
.venv/bin/python:
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say where: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv

# --no-deps: the pins are whole, and pip before 23.3 takes a newer `coverage` for the pinned one where another package asks
# for `coverage[toml]`, and then refuses it for want of a hash.
define install
	@echo "Installing $(1) …"
	@if command -v uv >/dev/null; then uv pip install --quiet --no-deps --python $(RUN) $(1); \
	elif $(RUN) -m pip --version >/dev/null 2>&1; then $(RUN) -m pip install --quiet --no-deps --disable-pip-version-check $(1); \
	else $(PYTHON) -m pip --python $(RUN) install --quiet --no-deps --disable-pip-version-check $(1); fi
	@touch $@
endef

.venv/local.stamp: requirements.txt requirements-local.txt | .venv/bin/python
	$(call install,-r requirements.txt -r requirements-local.txt)

.venv/dev.stamp: requirements-dev.txt .venv/local.stamp
	$(call install,-r requirements-dev.txt)
