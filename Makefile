# make demo   a sample dataset, its store, a search and the EShot report, in ./demo
# make test   everything: Rust and Python tests, linters, type checker
# make bench  emm1 and its rivals side by side (see benchmarks/README.md)
# make fmt    format Rust and Python
# make lock   pin the newest versions of every dependency
# make clean  remove what the others made
.PHONY: demo test bench fmt lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock pyproject.toml

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
	$(BIN)/python -m demo

test: .venv/built
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked --quiet
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/built
	$(BIN)/python benchmarks/run.py

fmt: .venv/packages
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: .venv/packages
	cargo update
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header --upgrade -o requirements-dev.lock

clean:
	rm -rf .venv target demo dist
