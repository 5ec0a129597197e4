# Every target works on a fresh machine with Python 3.11+ and make; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# JSON=FOLDER has each benchmark write its rows there, too.
AS_JSON = $(if $(JSON),--json $(JSON)/$(1).json)
# What is tested in a venv of its own, since it is large.
ENGINES := dask ray spark
EXTRAS = $(shell $(PYTHON) -c 'import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print(*(extra for extra in extras if extra not in sys.argv), sep=",")' $(ENGINES))

.DEFAULT_GOAL := help
# The emulator, and the servers of tests and benchmarks, are on this machine: no proxy of the environment leads there.
export NO_PROXY := 127.0.0.1,localhost,$(NO_PROXY)
export no_proxy := $(NO_PROXY),$(no_proxy)
# Else each process of a run of tests would compile every module that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check lowest newest lint type generate generate-check spec-diff spec-update option-help browsers redis official engines check-engines vendor pictures docs api api-check mutants record bench bench-official bench-frameworks bench-on-device bench-on-device-node bench-peers bench-history bench-hooks bench-redis check-redis bench-engines bench-batch hooks release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@rm -rf $(VENV)
	@echo "creating $(VENV) (a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'  # the first that knows --group
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]' --group dev
	@touch $@

demo: $(READY) ## a real HTTP round trip against the local emulator: prefetch, display, notification
	$(BIN)/python examples/demo.py

test: $(READY) ## the fast tests in a random order, several at a time
	$(BIN)/python -m pytest -q -n 4

check: lint type generate-check api-check ## everything CI checks: lint, types, generated code, public API, all tests, lowest versions
	$(BIN)/python -m pytest -q -n 3 -m "not slow" --thorough
	$(BIN)/python -m pytest -q -m slow
	$(BIN)/python tests/packaging/resolved.py lowest

lowest: $(READY) ## the unit tests with the lowest versions that pyproject.toml declares
	$(BIN)/python tests/packaging/resolved.py lowest

newest: $(READY) ## the unit tests with the newest versions, on the newest Python that is installed
	$(BIN)/python tests/packaging/resolved.py newest

lint: $(READY) ## ruff, the layer rules, and no description of the spec left to be written
	@! grep -n DESCRIBE openapi/delivery-api.yaml || { echo "openapi/delivery-api.yaml: write these descriptions"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

type: $(READY) ## mypy --strict over target, target_delivery_api and, but for what pyproject.toml says, tests
	$(BIN)/mypy

generate: $(READY) ## write generated/ from openapi/delivery-api.yaml
	$(BIN)/python openapi/generate.py

generate-check: $(READY) ## fail if generated/ is not what `make generate` writes
	$(BIN)/python openapi/generate.py --check

browsers: ## what tests in a browser need: Chromium by apt-get, axe-core by npm; without them those tests are skipped
	command -v chromium || { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends chromium; }
	npm install --prefix build/browser --no-audit --no-fund axe-core@4.14.1

redis: ## what tests of Redis need: redis-server by apt-get; without it those tests are skipped
	command -v redis-server || { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends redis-server; }

engines: ## what tests of Spark, Ray, Dask and Daft need, in build/engines: Java by apt-get, wheels; without them those are skipped
	command -v java || { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends default-jre-headless; }
	$(PYTHON) -m venv build/engines
	build/engines/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dask,ray,spark]' 'pyspark[connect]' daft

check-engines: $(READY) ## the tests of Spark, Ray and Dask alone (make engines), which make check runs, too
	$(BIN)/python -m pytest -q -m slow tests/engines

official: $(READY) ## what tests of Adobe's SDKs need: its Node.js SDK by npm, its Python SDK by pip; without them those are skipped
	$(BIN)/python -m tests.official.sdks

pictures: $(READY) ## make the pictures of README and docs/: the emulator's page, a session of the command, the dashboard (needs Chromium, Prometheus)
	$(BIN)/python scripts/pictures.py
	$(BIN)/python scripts/dashboard_picture.py

vendor: $(READY) ## take over what the emulator's page needs from the npm registry, in the versions that scripts/vendor.py names
	$(BIN)/python scripts/vendor.py

option-help: $(READY) ## write target/option_help.py, what `help` of a method says of its options, from target/options.py
	$(BIN)/python scripts/option_help.py

docs: $(READY) ## build/docs, a site of docs/ and README.md with an API reference and a search; needs no network
	$(BIN)/python -m sphinx --fail-on-warning --quiet --fresh-env --builder html docs build/docs
	@echo "build/docs/index.html"

api: $(READY) ## write docs/api.txt, the public API, from the code
	$(BIN)/python scripts/api.py

api-check: $(READY) ## fail if the public API is not what docs/api.txt has
	$(BIN)/python scripts/api.py --check

spec-diff: $(READY) ## what differs between our spec and the published document: FROM=PATH (checkout or file) [JSON=1]
	$(BIN)/python openapi/spec.py diff "$(FROM)" $(if $(JSON),--json) $(if $(PARTIAL),--partial)

spec-update: $(READY) ## take over what differs, and generate: FROM=PATH [REMOVE=1]
	$(BIN)/python openapi/spec.py update "$(FROM)" $(if $(REMOVE),--remove) $(if $(JSON),--json) $(if $(PARTIAL),--partial)

mutants: $(READY) ## plant faults in decisioning/ and delivery/ and see which the unit tests notice (MODULE=delivery/echo: in one)
	$(BIN)/python -m tests.mutation.check $(MODULE)

record: $(READY) ## record tests/contract/cassettes anew (TARGET_CLIENT=... TARGET_ORG=... for a live account)
	$(BIN)/python tests/contract/record.py

bench: $(READY) ## time per call over bare urllib3, and over bare aiohttp, each measured in one run (JSON=FOLDER: as JSON, too)
	$(BIN)/python benchmarks/server_side.py $(call AS_JSON,server_side)
	$(BIN)/python benchmarks/async_side.py $(call AS_JSON,async_side)

bench-official: $(READY) ## the same for Adobe's own SDK, in a venv of its own
	$(BIN)/python benchmarks/official.py $(call AS_JSON,official)

bench-frameworks: $(READY) ## what each integration adds to a page that asks nothing, over its framework alone
	$(BIN)/python -m benchmarks.frameworks $(call AS_JSON,frameworks)

bench-on-device: $(READY) ## time per decision made in process, and what new rules delay
	$(BIN)/python -m benchmarks.on_device $(call AS_JSON,on_device)
	$(BIN)/python benchmarks/artifact_swap.py $(call AS_JSON,artifact_swap)

bench-on-device-node: $(READY) ## the same beside Adobe's Node.js SDK, in a temporary folder (needs npm)
	$(BIN)/python -m benchmarks.on_device_node $(call AS_JSON,on_device_node)

bench-peers: $(READY) ## the same decision by ours and by flag libraries, which it fetches into build/peers
	$(BIN)/python -m benchmarks.peers $(call AS_JSON,peers)

bench-history: $(READY) ## before a release: measure, and write benchmarks/history.md and the figures of docs/performance.md; VERSION=1.2.0
	rm -rf build/bench
	$(MAKE) bench bench-on-device bench-peers JSON=build/bench
	$(BIN)/python -m benchmarks.history build/bench $(if $(filter command line,$(origin VERSION)),--version $(VERSION))

bench-redis: $(READY) ## eight processes and one Redis: 2,000 notifications a second in, drained at 30 ms (needs `make redis`)
	$(BIN)/python -m benchmarks.redis_load $(call AS_JSON,redis_load)

check-redis: $(READY) ## processes and the Redis itself are killed 20 times: nothing of 20,000 notifications is lost (minutes)
	TARGET_LARGE_TESTS=1 $(BIN)/python -m pytest -q -s -m slow tests/slow/test_redis_kill.py -k large

bench-hooks: $(READY) ## what hooks, OpenTelemetry and OpenFeature add to a call, in process and over HTTP
	$(BIN)/python -m benchmarks.hooks $(call AS_JSON,hooks)

bench-engines: ## visitors a second by Spark, Ray and Dask with one worker and two, start-up, memory (make engines)
	build/engines/bin/python -m benchmarks.engines $(call AS_JSON,engines)

bench-batch: $(READY) ## visitors decided for in a batch, by one core, and the memory that it takes
	$(BIN)/python -m benchmarks.batch $(call AS_JSON,batch)

hooks: $(READY) ## check every commit before it is made: ruff, mypy, import contracts, its subject
	$(BIN)/pre-commit install

release: $(READY) ## version, changelog, tag, sdist and wheel in dist/; VERSION=1.2.0 names another; uploads nothing
	$(BIN)/python scripts/release.py $(if $(filter command line,$(origin VERSION)),--version $(VERSION))

clean: ## remove what the targets above created
	rm -rf $(VENV) .venv-official build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
