# Everything sets itself up: the first target that needs it makes .venv from the locked versions in requirements/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Cached bytecode: without it each process compiles its imports again, 4.3 s instead of 1.8.
unexport PYTHONDONTWRITEBYTECODE
# Page faults dominate small training steps on the CPU; huge pages made them 1.4 times faster (glibc 2.35 and later).
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

SIZE ?= quick

.PHONY: help install demo test lint docs plan bench soak smollm2 lock clean
.DEFAULT_GOAL := help

help: ## what there is
	@sed -nE 's/^([a-z0-9]+):.*## (.*)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

install: $(VENV)/.run ## the procsup command, in .venv
	@echo "procsup is in $(BIN); use it with: source $(BIN)/activate"

demo: $(VENV)/.run ## every approach of the paper's Table 1 on a generated testbed -> runs/demo/report.html
	$(BIN)/procsup run --config=configs/demo.py --workdir=runs/demo

test: $(VENV)/.dev ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev ## docs/api.md, from docstrings
	$(BIN)/python docs/api.py

plan: $(VENV)/.run ## the plans of docs/scaling.md, compiled for TPU slices; hours of a core, up to 12 GB
	$(BIN)/python -m pip install -q --no-compile 'jax[tpu]'
	$(BIN)/python docs/plans.py

bench: $(VENV)/.run ## speed, beside peers where they are installed
	$(BIN)/python -m benchmarks

soak: $(VENV)/.run ## long tests against faults, some minutes; SIZE=full for a night
	$(BIN)/python -m benchmarks.soak --size $(SIZE)

smollm2: $(VENV)/.run ## SmolLM2-135M-Instruct into models/smollm2
	$(BIN)/python experiments/smollm2/fetch.py models/smollm2

lock: $(VENV)/.dev ## requirements/ anew, from setup.cfg
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile setup.cfg --universal --python-version 3.11 --no-header --no-annotate -q -U -o requirements/run.lock
	$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --no-header --no-annotate -q -c requirements/run.lock -o requirements/dev.lock

clean: ## away with .venv, built files and runs
	rm -rf $(VENV) runs build *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "procsup_jax needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --no-compile -r requirements/run.lock
	$(BIN)/python -m pip install -q --no-compile --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(BIN)/python -m pip install -q --no-compile -r requirements/dev.lock
	@touch $@
