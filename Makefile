# Everything starts here: `make help`.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
FITS := import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
LACKING = error: $(PYTHON) is not Python 3.11 with venv; apt-get install python3.11-venv, or name it: make repro PYTHON=PATH
VENV := .venv
LIGHT := .venv-light
PHOTO ?= examples/people.jpg
RUN := $(VENV)/bin/python
export PICTURE := $(value PHOTO)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

LIBRARY_TESTS := tests/inputs tests/outputs tests/core/test_atomic_files.py tests/core/test_scheme.py tests/commands/test_help.py
GUARDS := tests/project tests/core/test_params.py tests/experiments/test_recipe.py tests/importing tests/commands/test_help.py \
	tests/models/test_models.py tests/training/test_augment.py tests/training/test_losses.py tests/filters/test_filters.py
QUICK := not slow and not long
PYTEST := $(RUN) -m pytest --numprocesses logical --maxprocesses 4 --no-loadscope-reorder

.PHONY: help try install repro test long quick guards light coverage lint verify ui studies lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

define check_python
	@$(PYTHON) -c '$(FITS)' 2>/dev/null || { echo "$(LACKING)" >&2; exit 1; }
endef

try: $(LIGHT)/.installed  ## points on a photo, by the library alone: make try PHOTO=me.jpg
	$(LIGHT)/bin/keypoints predict "$$PICTURE"

$(LIGHT)/.installed: pyproject.toml $(wildcard facial_keypoints/*.py facial_keypoints/*/*.py facial_keypoints/*/*.onnx)
	$(check_python)
	$(PYTHON) -m venv --clear $(LIGHT)
	$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile .
	@touch $@

# The lock file is whole, hence --no-deps: by itself pip takes `coverage[toml]`, which a dependency asks for, to be
# another package than the coverage that is pinned, and refuses it as soon as there is a newer one.
$(VENV)/.installed: requirements.lock pyproject.toml
	$(check_python)
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/.installed  ## the whole environment, .venv, from the lock file

repro: $(VENV)/.installed  ## rebuild whatever changed, from the frames to the MLflow run
	@$(RUN) -m pipeline.repro

test: lint  ## lint, types and the tests of under ten seconds each
	$(PYTEST) -m "not long"

long: $(VENV)/.installed  ## the tests that test leaves out: whole pipelines, exports, several processes
	$(PYTEST) -m long

quick: $(VENV)/.installed  ## the tests of under half a second each
	$(PYTEST) -m "$(QUICK)"

guards: $(VENV)/.installed  ## the tests that hold parameters, stages, docs and tables together
	$(PYTEST) -m "$(QUICK)" $(GUARDS)

light: $(LIGHT)/.installed  ## the tests of the library installed alone, on any Python from 3.11
	$(LIGHT)/bin/python -I tests/light.py
	$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check hypothesis pytest
	$(LIGHT)/bin/python -m pytest --noconftest $(LIBRARY_TESTS)

coverage: $(VENV)/.installed  ## every test, and the share of branches that they take: a third more time than test
	$(PYTEST) --cov

lint: $(VENV)/.installed  ## Ruff and mypy, strict
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

verify: $(VENV)/.installed  ## prove that two rebuilds in two environments give the same bytes: minutes
	@$(RUN) -m tests.verify

ui: $(VENV)/.installed  ## browse the runs in MLflow at http://127.0.0.1:5000
	@$(RUN) -m pipeline ui

studies: $(VENV)/.installed  ## run the missing trainings of all studies: hours
	$(RUN) -m benchmarks.costs
	MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=68719476736 \
	$(RUN) -m benchmarks.trainings leaderboard unseen_people shorter ablation
	$(RUN) -m benchmarks.report

lock: pyproject.toml  ## refresh requirements.lock from pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --extra dev --extra build pyproject.toml -o requirements.lock
	rm -rf .venv-lock

clean:  ## remove environments, data, checkpoints and the networks of studies; DVC's cache and MLflow's store stay
	rm -rf $(VENV) $(LIGHT) .checkpoints data
