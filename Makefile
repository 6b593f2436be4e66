# `make` alone lists what there is. Without make: python tools/setup_env.py does what `make venv` does.

TORCH ?= auto
# A name on PATH proves little (version managers leave stubs that fail), so each candidate is asked.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

PY := .venv/bin/python
# Of this folder: an environment that was moved or renamed with it no longer finds the package.
READY := .venv/ready-$(TORCH)-$(firstword $(shell printf '%s' '$(CURDIR)' | cksum))
# Beside it the compilers that the kernels for GPUs are checked with: 600 MB, so only the tests ask for them.
COMPILERS := $(if $(filter Linux,$(shell uname -s)),$(subst ready,compilers,$(READY)))
PYTEST := $(PY) -m pytest
JOBS ?= 2
# Tests of one file may share what is expensive to make, and a notebook's cells a kernel: files are not split.
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120
COV := --cov=gradlab --cov-config=pyproject.toml
LAB_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)  # Jupyter refuses root otherwise: containers

title = @printf '\n== %s ==\n' '$(1)'

.PHONY: help venv lab notebooks docs lint test test-code test-labs test-browser no-browser bench bench-kernels test-gpu clean
.NOTPARALLEL:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PYTHON=python3.12  TORCH=auto|cpu|cuda  TORCH_INDEX=URL  JOBS=2  LAB_ARGS='--port 9999'"

venv: $(READY)  ## make the environment in .venv

$(READY): pyproject.toml constraints.txt tools/setup_env.py
	@test -n "$(PYTHON)" || { echo "gradlab needs Python 3.11 or newer; python3 is: $$(python3 --version 2>&1)"; \
	    echo "Say where one is with PYTHON=/path/to/python"; exit 1; }
	@rm -f .venv/ready-*
	$(PYTHON) tools/setup_env.py --torch $(TORCH)
	@touch $@

$(COMPILERS): $(READY)
	@rm -f .venv/compilers-*
	@echo "The compilers of the GPU kernels: some 600 MB, once"
	@if $(PY) -m pip install -q -c constraints.txt -e ".[compile-check]"; then touch $@; \
	    else echo "Left out, for they could not be installed: the check of what the GPU kernels compile to"; fi

lab: $(READY)  ## open the labs in JupyterLab
	$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/labs/00_start.ipynb $(LAB_ROOT) $(LAB_ARGS)

notebooks: $(READY)  ## build the notebooks from labs/source
	$(PY) tools/build_notebooks.py

docs: $(READY)  ## write the pages that are generated: pitfalls and the kill matrix
	$(PY) tools/pitfalls_page.py
	$(PY) tools/kill_matrix.py

lint: $(READY)  ## ruff
	$(call title,ruff)
	$(PY) -m ruff check .

# pytest speaks last, for its summary is what people and CI look for; so a left-out part is announced early.
test: lint $(if $(BROWSER),,no-browser) test-code test-labs $(if $(BROWSER),test-browser)  ## the whole suite

# test-code and test-labs share one coverage figure, which the second judges.
test-code: $(READY) $(COMPILERS)  ## the unit tests
	$(call title,unit tests)
	@rm -f .coverage .coverage.*
	$(PYTEST) tests --ignore=tests/bench -m "not browser" $(SIDE_BY_SIDE) $(COV) --cov-report= --cov-fail-under=0

# A lab without an exercise has two equal notebooks, and one of them is enough.
test-labs: $(READY)
	$(call title,notebooks: every stored output again)
	$(PYTEST) $(NBVAL) $(SIDE_BY_SIDE) labs/*.ipynb $(shell for book in labs/*.ipynb; do \
	    cmp -s $$book labs/solutions/$${book##*/} || echo labs/solutions/$${book##*/}; done) $(COV) --cov-append

# -rP shows what passing tests print: the latency from key press to drawn point
test-browser: $(READY)  ## JupyterLab in Chromium
	$(call title,browser tests)
	$(PYTEST) tests --ignore=tests/bench -m browser -rP

no-browser:
	@echo "Left out, for want of chromium on PATH: the browser tests (pytest -m browser). Debian: apt install chromium"

bench: $(READY)  ## measure speed
	$(PYTEST) tests/bench -s

bench-kernels: $(READY)  ## measure the kernels against torch, and store the table
	$(PY) kernels/benchmarks/run.py --store

test-gpu: $(READY)  ## the kernels' tests that need a GPU
	@$(PY) -c 'import torch; torch.cuda.is_available() or exit("torch sees no GPU: $(PY) has " + torch.__version__)'
	$(PY) -m pip install -qc constraints.txt -e ".[cuda]"
	$(PYTEST) tests/kernels tests/test_clip.py -m gpu -rs

clean:  ## remove the environment and everything that running leaves
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +
