# Everything runs in .venv of this checkout, which `make setup` builds when it has to.
# Another Python: make PYTHON=/path/to/python3.12 test

VENV_PYTHON := .venv/bin/python

.PHONY: help setup test demo docs docs-check lint format clean

help:
	@echo 'make test    set up, then run the tests (ARGS="-k paste" passes options on)'
	@echo 'make demo    set up, then run the demo (ARGS= passes options on)'
	@echo 'make docs    set up, then build the site into build/docs'
	@echo 'make docs-check  run the commands of the pages, the long ones too'
	@echo 'make setup   only set up .venv'
	@echo 'make lint    check the style;  make format  repair it'
	@echo 'make clean   remove .venv and what was built'
	@echo
	@echo 'source .venv/bin/activate, then mmanon --help: train, test, anonymize, ...'

setup:
	@bash tools/setup_env.sh

test: setup
	$(VENV_PYTHON) -m pytest $(ARGS)

demo: setup
	$(VENV_PYTHON) tools/demo.py $(ARGS)

docs-check: setup
	$(VENV_PYTHON) docs/commands.py --long $(ARGS)

docs: setup
	$(VENV_PYTHON) -m sphinx -W --keep-going -b html docs build/docs

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

format: setup
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

clean:
	rm -rf .venv build dist *.egg-info mmanon/.mim
