"""Builds the Python package: first the DuckDB extension with cargo, then everything else with maturin.

A PEP 517 backend, named in pyproject.toml. maturin builds one library. The other, which must not depend on Python, is
built here and placed among the Python files, where maturin packs it and an editable install finds it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maturin

TOP = Path(__file__).resolve().parents[1]
# A link to the SQL files, which archives do not contain.
SQL = TOP / "python" / "emm1" / "sql"
# DuckDB derives the name of the entry point from the name of the file.
EXTENSION = TOP / "python" / "emm1" / "emm1.duckdb_extension"
# The oldest stable C API with every function that is used: one file for DuckDB 1.2 and all later versions.
API_VERSION = "v1.2.0"

Settings = Mapping[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:  # noqa: ARG001 - required by PEP 517
    """No requirements beyond pyproject.toml. maturin would ask for a package that installs Rust; that is left to the user."""
    _require_cargo()
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write the metadata of the wheel."""
    _require_cargo()
    return str(maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings))


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Pack the sources that cargo and git list."""
    _require_cargo()
    return str(maturin.build_sdist(sdist_directory, config_settings))


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel with both libraries."""
    _require_cargo()
    _copy_sql()
    build_extension()
    return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build both libraries in place."""
    _require_cargo()
    _copy_sql()
    build_extension()
    return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))


def _require_cargo() -> None:
    """Exit with one line if cargo is missing; pip and uv would show a traceback."""
    if shutil.which("cargo") is None:
        sys.exit("emm1 needs a stable Rust toolchain and 'cargo' was not found: install it from https://rustup.rs")


def _copy_sql() -> None:
    """Copy the SQL files into the Python package, unless they are there."""
    if not SQL.is_dir():
        SQL.unlink(missing_ok=True)
        shutil.copytree(TOP / "sql", SQL)


def build_extension() -> None:
    """Build the extension and append its footer; the file is replaced, not overwritten, because it may be loaded."""
    command = ["cargo", "build", "--release", "--locked", "--package", "emm1-duckdb"]
    built = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"], cwd=TOP, stdout=subprocess.PIPE, check=False
    )
    if built.returncode:
        sys.exit("cargo could not build emm1's DuckDB extension: its output is above")
    library = _library(built.stdout.decode())
    new = EXTENSION.with_suffix(".new")
    new.write_bytes(library.read_bytes() + footer(_platform(), _version()))
    new.replace(EXTENSION)


def _library(messages: str) -> Path:
    """The library that cargo built, according to its messages."""
    for line in messages.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "emm1_duckdb":
            return Path(message["filenames"][0])
    raise RuntimeError("cargo built no emm1_duckdb")


def _version() -> str:
    version: str = tomllib.loads((TOP / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    return version


def _platform() -> str:
    """DuckDB's name for the platform that cargo builds for."""
    target = os.environ.get("CARGO_BUILD_TARGET")
    if target is None:
        about = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout  # noqa: S607
        target = next(line.removeprefix("host: ") for line in about.splitlines() if line.startswith("host: "))
    systems = {"linux": "linux", "darwin": "osx", "windows": "windows"}
    machines = {"x86_64": "amd64", "aarch64": "arm64"}
    system = next((name for part, name in systems.items() if part in target), None)
    machine = machines.get(target.partition("-")[0])
    if system is None or machine is None:
        raise RuntimeError(f"DuckDB has no extensions for {target}")
    return f"{system}_{machine}{'_musl' if 'musl' in target else ''}"


def footer(platform: str, version: str) -> bytes:
    """The end of an extension, as DuckDB expects it: a WebAssembly custom section, eight fields, space for a signature.

    >>> len(footer("linux_amd64", "0.1.0"))
    534
    """
    fields = ["", "", "", "C_STRUCT", version, API_VERSION, platform, "4"]
    section = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
    return section + b"".join(field.encode().ljust(32, b"\x00") for field in fields) + bytes(256)
