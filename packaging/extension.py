"""Builds the DuckDB extension with cargo and appends DuckDB's footer: ``python packaging/extension.py FILE``.

It needs cargo and nothing else: any Python 3.8 will do, because DuckDB's community extensions are built with the Python
of their build machines. The environment variable CARGO_BUILD_TARGET names another target than this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
# The oldest stable C API with every function that is used: one file for DuckDB 1.2 and all later versions.
API_VERSION = "v1.2.0"


def require_cargo() -> None:
    """Exit with one line if cargo is missing; pip and uv would show a traceback."""
    if shutil.which("cargo") is None:
        sys.exit("emm1 needs a stable Rust toolchain and 'cargo' was not found: install it from https://rustup.rs")


def build(file: Path, target: str | None = None, glibc: str | None = None) -> None:
    """Build the extension. The file is replaced, not overwritten, because it may be loaded.

    Args:
        file: Where it goes. DuckDB derives the name of its entry point from this name.
        target: One of Rust's targets; otherwise CARGO_BUILD_TARGET, or this machine.
        glibc: The oldest version of glibc that it has to load with, for which zig links it (cargo-zigbuild).
    """
    if glibc is not None:
        build = ["zigbuild", "--target", f"{target or _target()}.{glibc}"]
    else:
        build = ["build"] if target is None else ["build", "--target", target]
    command = ["cargo", *build, "--release", "--locked", "--package", "emm1-duckdb"]
    built = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"], cwd=TOP, stdout=subprocess.PIPE, check=False
    )
    if built.returncode:
        sys.exit("cargo could not build emm1's DuckDB extension: its output is above")
    library, version = _built(built.stdout.decode())
    new = file.with_suffix(".new")
    new.write_bytes(library.read_bytes() + footer(platform(target or _target()), version))
    new.replace(file)


def _built(messages: str) -> tuple[Path, str]:
    """The library that cargo built, according to its messages, and its version."""
    for line in messages.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["target"]["name"] == "emm1_duckdb":
            return Path(message["filenames"][0]), message["package_id"].rpartition("#")[2].rpartition("@")[2]
    raise RuntimeError("cargo built no emm1_duckdb")


def _target() -> str:
    """The target that cargo builds for by itself."""
    target = os.environ.get("CARGO_BUILD_TARGET")
    if target is None:
        about = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout  # noqa: S607
        target = next(line[len("host: ") :] for line in about.splitlines() if line.startswith("host: "))
    return target


def platform(target: str) -> str:
    """DuckDB's name for one of Rust's targets.

    >>> platform("aarch64-unknown-linux-gnu"), platform("aarch64-apple-darwin"), platform("x86_64-pc-windows-msvc")
    ('linux_arm64', 'osx_arm64', 'windows_amd64')
    >>> platform("x86_64-unknown-linux-musl"), platform("x86_64-pc-windows-gnu")  # DuckDB's own builds take both for Windows
    ('linux_amd64_musl', 'windows_amd64')
    """
    systems = {"linux": "linux", "darwin": "osx", "windows": "windows"}
    machines = {"x86_64": "amd64", "aarch64": "arm64"}
    system = next((name for part, name in systems.items() if part in target), None)
    machine = machines.get(target.partition("-")[0])
    if system is None or machine is None:
        raise RuntimeError(f"DuckDB has no extensions for {target}")
    return f"{system}_{machine}{'_musl' if target.endswith('musl') else ''}"


def footer(platform: str, version: str) -> bytes:
    """The end of an extension, as DuckDB expects it: a WebAssembly custom section, eight fields, space for a signature.

    >>> len(footer("linux_amd64", "0.1.0"))
    534
    """
    fields = ["", "", "", "C_STRUCT", version, API_VERSION, platform, "4"]
    section = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
    return section + b"".join(field.encode().ljust(32, b"\x00") for field in fields) + bytes(256)


if __name__ == "__main__":
    require_cargo()
    build(Path(sys.argv[1]).absolute())
