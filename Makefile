.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format setup clean
VENV ?= .venv
BIN := $(VENV)/bin

help:           ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: $(VENV)/.installed  ## generate a catalogue, train, index, evaluate, search: results in demo/
	$(BIN)/fgir demo --out demo

test: $(VENV)/.installed-dev  ## the default tests, under ten minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m "not slow and not gpu"

test-all: $(VENV)/.installed-dev  ## everything this machine can run, crash suites included
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev  ## style, types, layers; no file is changed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## rewrite files in house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.installed-dev  ## a developer's environment with the commit hooks
	$(BIN)/pre-commit install

clean:          ## remove the environment and what the demo made
	rm -rf $(VENV) demo

$(VENV)/.installed: pyproject.toml scripts/environment
	VENV=$(VENV) scripts/environment ui
	touch $@

$(VENV)/.installed-dev: pyproject.toml scripts/environment
	VENV=$(VENV) scripts/environment dev fast
	touch $@ $(VENV)/.installed
