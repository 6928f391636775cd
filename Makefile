# Two commands do everything on a machine that has Python 3.11+ and make: `make serve` and `make test`.
# `make check` is the one gate; .ci/run calls it.

# The newest supported Python that runs; PYTHON=python3.12 chooses another. $(OLDEST) is what the library's tests run on too.
PYTHON ?= $(shell codegen/pythons.sh | head -n 1 | cut -d ' ' -f 2)
OLDEST ?= $(shell codegen/pythons.sh | tail -n 1 | cut -d ' ' -f 2)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Images of Python often set it. Tests start hundreds of processes, each of which would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

PROTOS := $(shell find proto tests/proto -name '*.proto')

.PHONY: help serve serve-cluster clients test test-oldest constraints crash fuzz audit docs check generate fresh lint format static types proto bench bench-ocr bench-streams bench-batch bench-production deploy-check clean

help:
	@echo 'make serve      set everything up and serve both faces (HTTP 127.0.0.1:8080, gRPC 127.0.0.1:50051)'
	@echo 'make serve-cluster  PostgreSQL, Valkey, a gateway and two Celery workers on this machine, until Ctrl-C'
	@echo 'make test       set everything up and run the tests, in TEST_PROCESSES (2)'
	@echo 'make test-oldest  run the tests of the library on the oldest supported Python that is found'
	@echo 'make check      the gate: format, lint, types, buf, generated code fresh, tests'
	@echo 'make crash      kill what serves batch jobs at random moments, ROUNDS times (100), and count what is left'
	@echo 'make fuzz       throw INPUTS (100,000) at the built program by every protocol, and see what it holds afterwards'
	@echo 'make audit      look what is installed up in a database of known vulnerabilities'
	@echo 'make constraints  write the newest versions that the packages allow into constraints.txt'
	@echo 'make docs       build the documentation into build/site'
	@echo 'make generate   generate code from the protos'
	@echo 'make deploy-check  carry out deploy/Dockerfile by hand, where no container engine runs'
	@echo 'make bench      measure against peers, into bench/RESULTS.md'
	@echo 'make bench-streams  measure long streams and crowds of clients, into bench/STREAMS_RESULTS.md'
	@echo 'make bench-production  crowds, floods, stops, reloads and deaths under load, into bench/PRODUCTION_RESULTS.md'
	@echo 'make bench-ocr  measure reading against peers, into bench/OCR_RESULTS.md'
	@echo 'make bench-batch  measure batch jobs against peers, into bench/BATCH_RESULTS.md'

EDITABLE := -e 'gateway[all]' -e sdk/python -e 'services[image,llm,celery,cluster,telemetry]'
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# One environment serves every target, so that no two of them can disagree.
$(VENV)/.ready: pyproject.toml gateway/pyproject.toml sdk/python/pyproject.toml services/pyproject.toml constraints.txt
	test -x $(BIN)/python || { python=$(PYTHON); test -n "$$python" || { echo 'No Python from 3.11 to 3.13 was found: install one, or name it: make PYTHON=...'; exit 1; }; $$python -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) --group dev $(EDITABLE)
	@touch $@

$(VENV)/.bench: $(VENV)/.ready
	$(INSTALL) --group dev --group bench $(EDITABLE)
	@touch $@

build/.generated: $(VENV)/.ready $(PROTOS) buf.gen.yaml buf.gen.tests.yaml codegen/plugin.py codegen/lay.py gateway/diptych/protoc_plugin.py
	python codegen/lay.py --contracts
	buf generate
	buf generate --template buf.gen.tests.yaml
	@touch $@

generate:
	@rm -f build/.generated
	@$(MAKE) --no-print-directory build/.generated
	python -m codegen.settings_docs
	python -m codegen.cli_docs

serve: build/.generated
	exec diptych serve artificer_services.app:create

# Ports and the like: make serve-cluster ARGS='--http-port 8081'.
serve-cluster: build/.generated
	exec python -m artificer_services.cluster $(ARGS)

# The JavaScript clients of the tests. Without node the tests leave them out, and say so.
clients: build/.generated
	@if command -v node >/dev/null && command -v npm >/dev/null; then python tests/clients/ready.py; fi

# A file of tests runs in one process, in the order that tests/conftest.py gives. 0 is none beside pytest's own.
TEST_PROCESSES ?= 2
PYTEST := python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: build/.generated clients
	$(PYTEST) $(ARGS)

# What `diptych` alone installs, with every extra; no service of ours. A packager's minimum is tested as well as the newest.
LIBRARY_TESTS := tests/gateway tests/parity tests/architecture

test-oldest: build/.generated build/oldest/.ready
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

fuzz: build/.generated
	PYTHONPATH=tests/gen python -m tests.fuzz --inputs $(INPUTS) $(ARGS)

# Not part of the gate: what it says depends on the day, and it needs the network. Where the database does not know a
# package it fails (--strict): what was not looked up is not clean.
audit: $(VENV)/.ready
	test -x build/audit/bin/pip-audit || { $(BIN)/python -m venv build/audit && build/audit/bin/pip install --quiet 'pip-audit>=2.10,<3'; }
	$(BIN)/python -m pip freeze --exclude-editable > build/audit/installed.txt
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement build/audit/installed.txt $(ARGS)

# The newest versions that the packages' ranges allow, on the oldest Python: what supports it supports newer ones too.
constraints:
	rm -rf build/constraints
	$(OLDEST) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade pip
	build/constraints/bin/python -m pip install --quiet --group dev $(EDITABLE)
	build/constraints/bin/python -m pip freeze --all --exclude pip --exclude-editable | LC_ALL=C sort -f > constraints.txt

fresh: $(VENV)/.ready
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- sdk/python/artificer tests/gen || { echo 'generated code is stale: run make generate and commit'; exit 1; }
	@git diff --exit-code --stat -- docs/settings.md docs/cli.md || { echo 'docs/settings.md or docs/cli.md is stale: run make generate and commit'; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard sdk/python/artificer tests/gen)" || { echo 'generated files are not committed'; exit 1; }

format: $(VENV)/.ready
	ruff format
	ruff check --fix
	python codegen/lay.py && buf format -w proto && buf format -w tests/proto

lint: $(VENV)/.ready
	ruff format --check
	ruff check

types: build/.generated
	mypy gateway services codegen tests bench

proto: build/.generated
	buf lint
	buf format -d --exit-code proto
	buf format -d --exit-code tests/proto
	python -m codegen.breaking

# Warnings of the build (a broken link, a missing page) are errors; --clean, since a cached page would warn of nothing.
docs: $(VENV)/.ready
	zensical build --clean --strict

# What is read goes beside what is run: tests wait a part of their time.
check: lint fresh
	@$(MAKE) --no-print-directory -j2 test static

static: types proto docs

# The Dockerfile's steps without a container engine; it downloads what the image is made of.
deploy-check: $(VENV)/.ready
	python -m codegen.deploy_check

bench: build/.generated $(VENV)/.bench
	python -m bench

bench-streams: build/.generated $(VENV)/.bench
	python -m bench.streams

bench-production: build/.generated $(VENV)/.bench
	python -m bench.production $(ARGS)

bench-ocr: build/.generated $(VENV)/.bench
	python -m bench.ocr

bench-batch: build/.generated $(VENV)/.bench
	python -m bench.batch $(ARGS)

clean:
	rm -rf $(VENV) build
