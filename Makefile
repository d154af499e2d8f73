# make demo   a sample dataset, its store, a search and the EShot report, in ./demo
# make test   everything: Rust and Python tests, linters, type checker, other DuckDB clients
# make clients-matrix  write what each client can do to docs/clients.md
# make bench  search, in Python and in SQL, beside its rivals; with TREE=folder-with-the-published-files also the store
# make fmt    format Rust and Python
# make lock   pin the newest versions of every dependency
# make clean  remove what the others made
.PHONY: demo test test-clients clients-matrix test-neon bench fmt lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock pyproject.toml packaging/backend.py

help:
	@sed -n 's/^# make/make/p' Makefile

.venv/packages: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "emm1 needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
		echo "Install it (https://www.python.org) or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make environments: install its venv module (Debian: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.venv/built: .venv/packages $(SOURCES)
	@command -v cargo >/dev/null || { \
		echo "emm1 needs a stable Rust toolchain and 'cargo' was not found: install it from https://rustup.rs" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: .venv/built
	rm -rf demo
	$(BIN)/emm1 sample demo/sample
	$(BIN)/emm1 build demo/sample demo/emm1.duckdb
	$(BIN)/emm1 embeddings add demo/emm1.duckdb text demo/sample/embeddings/text.npy --dataset 100m --modality text
	$(BIN)/emm1 embeddings add demo/emm1.duckdb image demo/sample/embeddings/image.npy --dataset 100m --modality image
	$(BIN)/emm1 info demo/emm1.duckdb
	$(BIN)/emm1 sql demo/emm1.duckdb 'FROM "groups" WHERE nn_index = 1 LIMIT 1' --format json
	$(BIN)/emm1 sql demo/emm1.duckdb "FROM triplets_between(['points', 'audio']) LIMIT 1" --format json
	$(BIN)/emm1 sql demo/emm1.duckdb "FROM eshot_categories LIMIT 1" --format json
	$(BIN)/emm1 search demo/emm1.duckdb text --id 0 -k 5
	$(BIN)/emm1 eshot demo/emm1.duckdb --audio demo/sample/embeddings/eshot_audio.npy \
		--points demo/sample/embeddings/eshot_points.npy --output demo/eshot
	@echo
	@echo "The demo is in ./demo. Try next:"
	@echo "  $(BIN)/emm1 search demo/emm1.duckdb image --id 7 -k 5"
	@echo "  $(BIN)/emm1 sql demo/emm1.duckdb \"SELECT source_dataset, count(*) FROM assets GROUP BY ALL ORDER BY ALL\""
	@echo "  $(BIN)/python -c \"import emm1; print(emm1.open('demo/emm1.duckdb').groups(nn_index=1))\""
	@echo "  open demo/eshot/report.html in a browser"

test: .venv/built
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked --quiet
	$(MAKE) test-neon
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest
	$(MAKE) test-clients

# Clients whose runtime or packages cannot be had are skipped, by name.
test-clients: .venv/built
	$(BIN)/pytest tests/clients

clients-matrix: .venv/built
	$(BIN)/pytest tests/clients/test_programs.py --write-matrix

# On other processors the NEON kernels run in an emulator, where there is one (Debian: qemu-user, gcc-aarch64-linux-gnu,
# and the Rust target).
ARM := aarch64-unknown-linux-gnu
test-neon:
	@if command -v qemu-aarch64 aarch64-linux-gnu-gcc >/dev/null && rustup target list --installed 2>/dev/null | grep -q $(ARM); then \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
		PROPTEST_CASES=20 cargo test --target $(ARM) -p emm1-core --lib --locked --quiet; \
	else echo "NEON kernels: not run, for want of qemu-aarch64, aarch64-linux-gnu-gcc or Rust's $(ARM)"; fi

.venv/bench: .venv/packages benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@touch $@

bench: .venv/built .venv/bench
	$(if $(TREE),$(BIN)/python -m benchmarks.store $(TREE) $(or $(WORK),/tmp/emm1-bench))
	$(BIN)/python -m benchmarks $(or $(WORK),/tmp/emm1-bench)/vectors
	$(BIN)/python -m benchmarks.sql $(or $(WORK),/tmp/emm1-bench)/vectors

fmt: .venv/packages
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: .venv/packages
	cargo update
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header --upgrade -o requirements-dev.lock

clean:
	rm -rf .venv .clients target demo dist
