# make help says what there is. ARGS="..." passes flags on: make fit ARGS="--trainer.max_epochs 3"
VENV := .venv
PYTHON := $(VENV)/bin/python
ARGS ?=
# What one process has compiled, the hundreds of others that tests start need not.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

fit: $(VENV)/.installed ## train, test, and leave a run directory in runs/
	$(PYTHON) -m lightning_mnist fit $(ARGS)

fit-keras: $(VENV)/.installed-keras ## train the Keras reference on the same digits
	$(PYTHON) -m keras_reference fit --data.source $$($(PYTHON) -m lightning_mnist export data) $(ARGS)

parity: $(VENV)/.installed-keras ## train both sides and say whether they are the same model
	$(PYTHON) -m parity run $(ARGS)

test: $(VENV)/.installed-dev ## the fast tests, on tiny inputs and embedded digits
	$(PYTHON) -m pytest -n 2 --dist loadfile -m 'not slow' $(ARGS)

test-slow: $(VENV)/.installed-dev ## those that train for long, most on real MNIST (set LIGHTNING_MNIST_DATA)
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow $(ARGS)

check: $(VENV)/.installed-dev ## lint, formatting and strict types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

docs: $(VENV)/.installed-docs ## build the documentation site in site/; a warning is an error
	TF_CPP_MIN_LOG_LEVEL=3 $(PYTHON) -m sphinx -q -W --keep-going -b html docs site

check-security: ## ask the vulnerability database about every pinned version (needs the network)
	test -x .audit/bin/pip-audit || (python3 -m venv .audit && .audit/bin/python -m pip install --quiet pip-audit==2.10.1)
	.audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

wheel: $(VENV)/.installed ## build the wheel, and try it in a fresh environment outside the checkout
	.ci/wheel $(PYTHON)

# Installed anew only when what is to be installed has changed.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-keras: $(VENV)/.installed
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[keras]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-keras
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed-keras
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[docs]"
	touch $@

.PHONY: help fit fit-keras parity test test-slow check docs check-security wheel
