# Everything here installs what it needs into .venv first. `make` lists the targets.
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),python3.11)
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := $(PYTHON) tests/slurm/cluster.py
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo worlds tiny_base bench bench-extraction test test-fast test-slurm cluster-up cluster-down cluster-status check format ui lock clean-checkpoints

help:  ## list the targets
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 22

# torch first: which build it is depends on the index of the machine, and nothing after it may change that.
$(STAMP): pyproject.toml requirements/torch.txt requirements/dev.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "tpru needs Python 3.11 and cannot find '$(PYTHON)'; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "tpru needs Python 3.11 (pybullet has no wheel for later ones); set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

install: $(STAMP)  ## make .venv with the locked requirements

# Two trainings or evaluations of the tiny model side by side, each on half of the cores, take about three
# quarters of the time that one after the other takes on all of them.
HALF = $(shell expr \( $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN) + 1 \) / 2)
demo: $(STAMP)  ## the whole DAG on the embedded default: results/demo/report/index.html
	$(BIN)/snakemake --profile local all --config experiment=demo \
	  --set-threads grpo=$(HALF) sft_continued=$(HALF) evaluate=$(HALF)

worlds: $(STAMP)  ## list all simulated task families, with pictures: results/worlds.html
	$(BIN)/python -m tpru.simulators.catalogue

tiny_base: $(STAMP)  ## make the shipped tiny base anew (an hour and a quarter) and put it into the package
	$(BIN)/snakemake --profile local tiny_base --config experiment=demo
	rm -rf src/tpru/models/tiny_base
	cp -r results/demo/tiny_base/model src/tpru/models/tiny_base

# The second line: two processes, a file of tests to one of them; the DAG itself takes the other cores.
test: $(STAMP)  ## all tests but those on SLURM (about 20 minutes on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests/unit
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/workflow tests/integration

test-fast: $(STAMP)  ## tests without training (a minute or two)
	$(BIN)/python -m pytest -m "not slow and not slurm"

test-slurm: $(STAMP)  ## tests on a real SLURM cluster (a quarter of an hour), brought up unless it is up already
	@$(CLUSTER) status >/dev/null || { \
	  trap '$(CLUSTER) down' EXIT; trap 'exit 130' INT TERM; $(CLUSTER) up || exit 1; }; \
	$(BIN)/python -m pytest -m slurm tests/slurm

cluster-up:  ## a real SLURM cluster on this machine (Debian 12), with two nodes and pretended GPUs
	@$(CLUSTER) up

cluster-down:  ## take that cluster down, with its jobs, logs and accounting
	@$(CLUSTER) down

cluster-status:  ## say whether that cluster works
	@$(CLUSTER) status

check: $(STAMP)  ## format, lint, type-check, lint the workflow; fails when something had to change
	$(BIN)/ruff format --check src tests workflow
	$(BIN)/ruff check src tests workflow
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(STAMP)  ## rewrite the files the way `make check` wants them
	$(BIN)/ruff check --fix src tests workflow
	$(BIN)/ruff format src tests workflow
	$(BIN)/snakefmt Snakefile workflow

ui: $(STAMP)  ## browse the runs: http://127.0.0.1:5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///results/mlflow.db --host 127.0.0.1 --port 5000

lock: $(STAMP)  ## resolve requirements/dev.txt anew from pyproject.toml
	$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --unsafe-package torch --unsafe-package setuptools --unsafe-package pip \
	  --output-file requirements/dev.txt pyproject.toml

bench: $(STAMP)  ## seconds of a GRPO update, TRL's own passes beside ours (a minute and a half)
	$(BIN)/python -W ignore -m tpru.bench.grpo

bench-extraction: $(STAMP)  ## time and memory of extraction, a bare loop that decodes the same videos beside it
	$(BIN)/python -m tpru.bench.extraction
	$(BIN)/python -m tpru.bench.extraction --memory --every 15

clean-checkpoints:  ## remove checkpoints of unfinished trainings, and the kept features of pictures
	rm -rf results/*/*/checkpoints results/*/evaluate/*/*/checkpoints results/*/features
