# One command each; `make help` lists them. Set PYTHON to use another interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# One BLAS thread: two on a busy machine are slower, and ratios between them mean nothing.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install dashboard lab test check bench soak lock clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## set up .venv from the lock (does nothing when it is up to date)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"hlpairs needs Python 3.11 or newer, found {v.major}.{v.minor}: run `make PYTHON=python3.12 install`")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

dashboard: $(STAMP)  ## start the engine and the page, open the browser (ARGS="--no-browser --port 0")
	$(BIN)/hlpairs dashboard $(ARGS)

lab: $(STAMP)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=notebooks $(ARGS)

test: $(STAMP)  ## the whole suite, browser tests included where Chromium is found
	$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(STAMP)  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## speed and exactness against statsmodels and arch, one BLAS thread
	$(ONE_THREAD) $(BIN)/python -m benchmarks $(ARGS)

soak: $(STAMP)  ## long runs that CI leaves out: two hours of random faults, half an hour without
	HLPAIRS_SOAK=120 $(BIN)/python -m pytest -m soak --timeout 0 $(ARGS)

lock: $(STAMP)  ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  --group dev --group build --custom-compile-command 'make lock' --output-file requirements.lock $(ARGS) pyproject.toml

clean:  ## remove .venv and caches (not your data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist
