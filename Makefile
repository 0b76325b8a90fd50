# `make demo` shows the product, `make test` proves it; each does all the set-up it needs.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.PHONY: demo test bench lint format schema lock clean

demo:
	@.ci/setup demo
	@$(BIN)/msr-relay demo

# A worker per core, each with real parts of its own: `make test WORKERS=0` runs in one process.
WORKERS ?= auto
test: lint
	@$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --durations=15 --durations-min=5

# Measurements, as ratios against a yardstick of the same run: `make bench NAMES=matching` makes one of them.
bench:
	@.ci/setup test
	@$(BIN)/python -m bench $(NAMES)

lint:
	@.ci/setup test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format:
	@.ci/setup test
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# Everything in docs/ that is made from the code; tests keep it fresh.
schema:
	@.ci/setup test
	@$(BIN)/python -m relay.render.reference
	@$(BIN)/python -m relay.channels.reference
	@$(BIN)/python -m relay.cli.reference
	@$(BIN)/python -m relay.server.api.reference
	@$(BIN)/python -m relay.server.metrics_reference

# Locks for every platform and Python 3.11 to 3.14. `make lock UPGRADE=--upgrade` takes newer versions.
LOCK = $(BIN)/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock' $(UPGRADE)
lock:
	@.ci/setup test
	printf 'hatchling>=1.25\nuv\n' | $(LOCK) --extra postgres --extra otel --group dev --output-file requirements-dev.txt pyproject.toml -
	$(LOCK) --extra postgres --extra otel --constraint requirements-dev.txt --output-file requirements.txt pyproject.toml
	printf 'hatchling>=1.25\n' | $(LOCK) --constraint requirements-dev.txt --output-file requirements-build.txt -

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find relay tests -name __pycache__ -type d -prune -exec rm -rf {} +
