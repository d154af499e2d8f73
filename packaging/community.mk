# What the build machines of DuckDB's community extensions call in this folder; packaging/community.md says how to get there.
.PHONY: configure_ci set_duckdb_repository set_duckdb_version set_duckdb_tag release test_release

# Nothing depends on a version of DuckDB, and emm1's own workflows test.
configure_ci set_duckdb_repository set_duckdb_version set_duckdb_tag test_release:
	@:

# Their machines name the platform: a Mac builds for both processors.
ifneq ($(filter osx_%,$(DUCKDB_PLATFORM)),)
release: export CARGO_BUILD_TARGET = $(patsubst osx_%,%-apple-darwin,$(subst amd64,x86_64,$(subst arm64,aarch64,$(DUCKDB_PLATFORM))))
endif

# The system's Python may be too old, and a newer one stand beside it.
release:
	mkdir -p build/release/extension/emm1
	for python in python3 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' && \
		exec $$python packaging/extension.py build/release/extension/emm1/emm1.duckdb_extension; \
	done; exit 1
