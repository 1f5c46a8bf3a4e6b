# Every target sets up .venv first; python3 (3.11 to 3.13) and make are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run reproduce reproduce-whole test check browser-test tensorboard benchmark screenshots lock clean clean-runs

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv/installed  ## train the quickstart and print what came out (about a minute)
	$(BIN)/python scripts/run.py configs/quickstart.yaml

reproduce: .venv/installed  ## put every claim to the test on 10 seeds and write report.html
	$(BIN)/python scripts/reproduce.py --quick

reproduce-whole: .venv/installed  ## go on to all 20 seeds, with learning rates found anew
	$(BIN)/python scripts/reproduce.py

tensorboard: .venv/installed  ## show every experiment's arms as curves
	$(BIN)/python scripts/curves.py --logdir runs

test: .venv/installed-dev  ## pass the tests
	$(BIN)/pytest -m "not browser" --numprocesses 2 --dist loadfile --no-loadscope-reorder

browser-test: .venv/installed-dev  ## pass the tests that need Chromium
	$(BIN)/pytest -m browser

check: .venv/installed-dev  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

benchmark: .venv/installed  ## measure the layer, the training step and the sweep
	$(BIN)/python scripts/benchmark.py layer
	$(BIN)/python scripts/benchmark.py step
	$(BIN)/python scripts/benchmark.py sweep

screenshots: .venv/installed-dev  ## take README's pictures from the runs of make reproduce; needs Chromium
	$(BIN)/python scripts/screenshots.py

lock: .venv/installed-dev  ## renew requirements.txt from pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --output-file requirements.txt pyproject.toml

clean:  ## remove the environment; results stay
	rm -rf .venv *.egg-info custom_layers/*.egg-info custom_layers/build .pytest_cache .ruff_cache .mypy_cache .hypothesis

clean-runs:  ## remove all results in runs, after asking
	@if [ -d runs ]; then du -sh runs; printf 'Remove all results in runs? [y/N] '; read answer; \
	if [ "$$answer" = y ]; then rm -rf runs; fi; fi

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "needs Python 3.11, 3.12 or 3.13, as TensorFlow does: make PYTHON=python3.13 …"; exit 1; }
	$(PYTHON) -m venv .venv || { echo "the venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[dev,cluster]'
	@touch $@
