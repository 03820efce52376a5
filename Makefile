# make setup   the environment, .venv, from the hashes of requirements.lock; the native parser, if there is a compiler
# make demo    the whole platform once, on this machine, every number checked
# make dev     the same, until Ctrl-C; what it has stays in .local, and ARGS=--fresh begins anew
# make test    the tests, in lanes; needs this machine alone, and a chromium for those of the UI, else skipped
# make soak    the long explorations; their last figures are in docs/reliability.md
# make bench   what things cost; asserts nothing
# make check   lint and types
# make lock    requirements.lock and deploy/locks anew from pyproject.toml
# make package what a deployment brings, into build/: Lambda zip, Glue job with wheels, image context
# make deploy ENV=dev   package, plan, ask, upload, apply, reload, smoke; YES=1 asks nothing, IMAGE=... builds none
# make destroy ENV=dev  take all of it away, after it was said what and asked
# make audit   known vulnerabilities of what the locks pin, where their database can be reached; checkov over the Terraform

PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
NATIVE := .venv/.native

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test soak bench check format lock audit package deploy destroy clean

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP) $(NATIVE)

# No dependency is resolved here: the lock is complete, and each file's hash is checked.
$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on the PATH; install Python 3.11, or pass PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q lambda_ingest glue_jobs ndjson_pipeline
	touch $@

# The native parser, by the machine's compiler; without one the job runs on pyarrow's, several times slower.
$(NATIVE): $(STAMP) $(wildcard glue_jobs/native/source/*) glue_jobs/native/build.py
	$(BIN)/python -m glue_jobs.native.build
	touch $@

demo: setup
	$(BIN)/ndjson-pipeline demo $(ARGS)

dev: setup
	@exec $(BIN)/ndjson-pipeline dev $(ARGS)

# Compiled files are kept whatever the shell says: each lane and each process that a test starts needs them.
test soak: export PYTHONDONTWRITEBYTECODE =

test: setup
	$(BIN)/python -m pytest $(ARGS)

# One lane: its figures are of a test alone.
soak: setup
	MODEL_EXAMPLES=300 LOAD_FILES=2000 $(BIN)/python -m pytest -m "soak or not soak" -n 0 --timeout 7200 $(ARGS)

bench: setup
	$(BIN)/python -m benchmarks.ingest.handler_time > /dev/null
	$(BIN)/python -m benchmarks.ingest.cost | grep -v '^{'
	$(BIN)/python -m benchmarks.orchestration.ticks
	$(BIN)/python -m benchmarks.orchestration.latency
	$(BIN)/python -m benchmarks.conversion.steps
	$(BIN)/python -m benchmarks.conversion.parsers
	$(BIN)/python -m benchmarks.conversion.fresh
	$(BIN)/python -m benchmarks.conversion

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A lock for every platform; --no-emit-index-url, so that no address of a package index is written. Development's
# comes first, and the other targets' take its versions: what is tested is what runs there.
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet

lock: setup
	$(COMPILE) pyproject.toml --extra local --extra production --extra dev --extra bench \
		--group lambda --group glue -o requirements.lock
	$(COMPILE) pyproject.toml --extra production -c requirements.lock -o deploy/locks/code_location.lock
	$(COMPILE) --group lambda -c requirements.lock -o deploy/locks/lambda.lock
	$(COMPILE) --group glue -c requirements.lock -o deploy/locks/glue.lock
	$(COMPILE) --group native -o deploy/locks/native.lock

audit: setup
	$(BIN)/python deploy/locks/audit.py
	$(BIN)/python deploy/terraform/scan.py

package: setup
	@$(BIN)/python -m deploy.driver package

ENVIRONMENT = --environment $(or $(ENV),$(error pass ENV=dev or ENV=prod)) $(if $(IMAGE),--image $(IMAGE))

deploy: setup
	@$(BIN)/python -m deploy.driver deploy $(ENVIRONMENT) $(if $(YES),--yes) $(if $(UI_URL),--ui-url $(UI_URL)) \
		$(if $(SMOKE),$(if $(filter 0,$(SMOKE)),--no-smoke,--smoke))

destroy: setup
	@$(BIN)/python -m deploy.driver destroy $(ENVIRONMENT) $(if $(DELETE_DATA),--delete-data) \
		$(if $(CONFIRM),--confirm $(CONFIRM))

clean:
	rm -f glue_jobs/native/*.so
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
