# Everything starts here: `make run` and `make test` need nothing but Python 3.11 or newer.
PYTHON ?= python3
export PYTHON

SETUP := sh config/bootstrap.sh
VENV_PYTHON := .venv/bin/python
WORKERS ?= 2
PYTEST = $(VENV_PYTHON) -m pytest $(if $(filter-out 0 1,$(WORKERS)),-n $(WORKERS) --dist loadgroup) --durations 20

.PHONY: help run test check bench sweep groups simulate fuzz defects torture power-loss format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

run: ## serve webhook, watcher and console (the paper broker unless set otherwise)
	@$(SETUP) runtime
	@exec $(VENV_PYTHON) trading_bot.py

test: ## the test suite but for its long slices, in two processes: WORKERS=2
	@$(SETUP) dev
	@$(SETUP) browser
	@$(PYTEST) -m "not gate"

check: ## what CI runs: format, lint, types, architecture, tests, and the long slices of the tests
	@$(SETUP) dev
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -m pytest -q tests/test_architecture.py
	@$(MAKE) --no-print-directory test
	@$(PYTEST) -m gate

bench: ## the benchmarks, each beside its baseline
	@$(SETUP) dev
	@$(VENV_PYTHON) -m benchmarks

defects: ## plant each historical mistake and count the tests that notice it (make defects ONLY="name …")
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.defects $(ONLY)

torture: ## real processes, a broker at its worst, kills at random: SECONDS=60 SEED=1 REAL_HORIZON=1
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.e2e.torture --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(if $(REAL_HORIZON),--real-horizon)

power-loss: ## real processes that lose their power, on every disk that may be left: LIVES=20 CUTS=100 SEED=1
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.e2e.power_loss.run --lives $(or $(LIVES),20) --cuts $(or $(CUTS),100) $(if $(SEED),--seed $(SEED))

sweep: ## die at every boundary of every kind of order, and at every boundary of the recovery
	@$(SETUP) dev
	@$(VENV_PYTHON) -m pytest -q -s --timeout 0 --every-boundary tests/engine/test_crash_sweep.py

groups: ## each failure of each leg of an alert, with a death at each boundary: make groups EVERY=1
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.engine.group_grid $(or $(EVERY),1)

simulate: ## the engine in simulated worlds: make simulate N=1000000 SEED=7
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.simulation --lifecycles $(or $(N),100000) --seed $(or $(SEED),1)

fuzz: ## bodies that no platform sends, through the door of the alerts: make fuzz N=1000000 SEED=1
	@$(SETUP) dev
	@$(VENV_PYTHON) -m tests.fuzz --bodies $(or $(N),100000) --seed $(or $(SEED),1) --workers $(WORKERS)

format: ## write the code the way check wants it
	@$(SETUP) dev
	$(VENV_PYTHON) -m ruff format .
	$(VENV_PYTHON) -m ruff check --fix .

clean: ## remove what can be built again; data/ and your settings stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
