# LIPBench: every target builds .venv by itself the first time.
# Machine facts may come from the environment as well: LIPBENCH_DB, LIPBENCH_DATA_DIR,
# LIPBENCH_DEVICE, LIPBENCH_JOBS.

SUITE    ?= digits
BUDGET   ?=
DB       ?= $(or $(LIPBENCH_DB),leaderboard.db)
DATA_DIR ?= $(or $(LIPBENCH_DATA_DIR),data)
DEVICE   ?= $(or $(LIPBENCH_DEVICE),auto)
JOBS     ?= $(LIPBENCH_JOBS)
PORT     ?= 8501
ARGS     ?=
PYTHON   ?= python3

BIN   := .venv/bin
BENCH := $(BIN)/python -m bench

export LIPBENCH_DB       := $(DB)
export LIPBENCH_DATA_DIR := $(DATA_DIR)
export LIPBENCH_DEVICE   := $(DEVICE)
ifneq ($(strip $(JOBS)),)
export LIPBENCH_JOBS     := $(JOBS)
endif

.DEFAULT_GOAL := help
.PHONY: help install bench plan report dashboard test perf lint format clean

help:  ## Explain every target
	@echo "LIPBench: which method should learn from wrong labels, and does LIP make it better?"
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo
	@echo "Variables (environment twin): SUITE=$(SUITE) BUDGET=$(BUDGET)"
	@echo "  DB=$(DB) (LIPBENCH_DB)  DATA_DIR=$(DATA_DIR) (LIPBENCH_DATA_DIR)"
	@echo "  DEVICE=$(DEVICE) (LIPBENCH_DEVICE)  JOBS=$(JOBS) (LIPBENCH_JOBS)  PORT=$(PORT)"
	@echo "  ARGS=... is passed to the command, for example ARGS='--only method=ce'"
	@echo
	@echo "Examples:"
	@echo "  make bench                                    the bundled suite, a few minutes on a CPU"
	@echo "  make bench SUITE=cifar100 BUDGET=smoke JOBS=2 DB=mine.db"
	@echo "  make dashboard DB=mine.db"

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "LIPBench needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.python pyproject.toml
	$(BIN)/pip install --disable-pip-version-check --quiet --editable .
	@touch $@

.venv/.developer: .venv/.installed
	$(BIN)/pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@touch $@

install: .venv/.installed  ## Build .venv from pyproject.toml

bench: .venv/.installed  ## Run SUITE at BUDGET: what is missing, then the tables
	@$(BENCH) run $(SUITE) $(if $(BUDGET),--budget $(BUDGET)) $(ARGS)

plan: .venv/.installed  ## Show what SUITE asks for and what of it is done
	@$(BENCH) plan $(SUITE) $(if $(BUDGET),--budget $(BUDGET)) $(ARGS)

report: .venv/.installed  ## Print the tables of SUITE (ARGS='--format latex')
	@$(BENCH) report $(SUITE) $(if $(BUDGET),--budget $(BUDGET)) $(ARGS)

dashboard: .venv/.installed  ## Open the leaderboard in a browser, on PORT
	@$(BENCH) dashboard --port $(PORT) $(ARGS)

test: .venv/.developer  ## Run the whole test suite (ARGS are for pytest)
	@env -u LIPBENCH_DB -u LIPBENCH_DATA_DIR -u LIPBENCH_DEVICE -u LIPBENCH_JOBS \
		$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

perf: .venv/.developer  ## Run the benchmarks, write benchmarks/RESULTS.md (ONLY=lip_cost,start)
	@env -u LIPBENCH_DB -u LIPBENCH_DATA_DIR -u LIPBENCH_DEVICE -u LIPBENCH_JOBS \
		$(BIN)/python benchmarks/perf.py $(if $(ONLY),--only $(ONLY)) $(ARGS)

lint: .venv/.developer  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.developer  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove .venv and caches; results and data stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
