"""Builds the Python package: first the DuckDB extension with cargo, then everything else with maturin.

A PEP 517 backend, named in pyproject.toml. maturin builds one library. The other, which must not depend on Python, is
built first (extension.py) and placed among the Python files, where maturin packs it and an editable install finds it.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from typing import Any

import maturin
from extension import TOP, build, require_cargo

# A link to the SQL files, which archives do not contain.
SQL = TOP / "python" / "emm1" / "sql"
EXTENSION = TOP / "python" / "emm1" / "emm1.duckdb_extension"

Settings = Mapping[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:  # noqa: ARG001 - required by PEP 517
    """No requirements beyond pyproject.toml. maturin would ask for a package that installs Rust; that is left to the user."""
    require_cargo()
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write the metadata of the wheel."""
    require_cargo()
    return str(maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings))


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Pack the sources that cargo and git list."""
    require_cargo()
    return str(maturin.build_sdist(sdist_directory, config_settings))


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel with both libraries."""
    require_cargo()
    _copy_sql()
    _build_extension(config_settings)
    return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build both libraries in place."""
    require_cargo()
    _copy_sql()
    _build_extension(config_settings)
    return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))


def _copy_sql() -> None:
    """Copy the SQL files into the Python package, unless they are there."""
    if not SQL.is_dir():
        SQL.unlink(missing_ok=True)
        shutil.copytree(TOP / "sql", SQL)


def _build_extension(config_settings: Settings) -> None:
    """Build the extension for the target, and with zig for the C library, that maturin is told."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--target")
    parser.add_argument("--zig", action="store_true")
    parser.add_argument("--compatibility", default="manylinux_2_17")
    options, _ = parser.parse_known_args(maturin.get_maturin_pep517_args(config_settings))
    glibc = options.compatibility.removeprefix("manylinux_").replace("_", ".") if options.zig else None
    build(EXTENSION, options.target, glibc)
