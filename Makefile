# Every target works in one virtual environment, .venv. Two stamp files in it say what is installed:
# a second call installs nothing, and a changed description of the package installs again.
# Another interpreter: `make clean`, then `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DESCRIPTION := pyproject.toml setup.py constraints.txt
BENCHMARKS := $(subst /,.,$(basename $(sort $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)))))

TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help demo test test-ci test-slow docs bench lint format clean
.NOTPARALLEL:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

demo: $(VENV)/run.stamp  ## install and see it work: query, sweep, fit
	$(BIN)/python -m eahas demo

test: $(VENV)/dev.stamp  ## the fast tests, in parallel; some of them: make test ARGS="tests/eahas -k bezier"
	$(TEST) -m "not integration and not slow" $(ARGS)

test-ci: $(VENV)/dev.stamp  ## the fast tests and those that sweep, fit and run the documentation
	$(TEST) -m "not slow" $(ARGS)

test-slow: $(VENV)/dev.stamp  ## the tests that need an environment of their own
	$(TEST) -m slow $(ARGS)

docs: $(VENV)/dev.stamp  ## run every code block of the documentation
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/docs

bench: $(VENV)/dev.stamp  ## every benchmark, one after the other: some take an hour
	@failed=; for script in $(BENCHMARKS); do \
	  echo "== $$script"; $(BIN)/python -m $$script || failed="$$failed $$script"; \
	done; test -z "$$failed" || { echo "not measured:$$failed"; exit 1; }

lint: $(VENV)/dev.stamp  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/dev.stamp  ## let ruff repair and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info demo-out .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/run.stamp: $(DESCRIPTION)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[train,records,plot]'
	touch $@

$(VENV)/dev.stamp: $(DESCRIPTION)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[test,dev]'
	touch $@ $(VENV)/run.stamp
