"""Messages when an install or a test lacks something it needs; and the lock file names only the public registry."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
NO_CARGO = "emm1 needs a stable Rust toolchain and 'cargo' was not found: install it from https://rustup.rs"


def folder_of(folder: Path, *names: str) -> Path:
    """A folder with only some of the system's programs."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


def stub(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)


@pytest.mark.parametrize(
    "hook",
    [
        "get_requires_for_build_wheel()",
        "get_requires_for_build_editable()",
        "get_requires_for_build_sdist()",
        "prepare_metadata_for_build_wheel(folder)",
        "build_wheel(folder)",
        "build_editable(folder)",
        "build_sdist(folder)",
    ],
)
def test_without_cargo_one_line_says_so(hook: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, 'packaging'); folder = sys.argv[1]; import backend; backend.{hook}"
    environment = os.environ | {"PATH": str(folder_of(tmp_path / "bin", "git"))}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{NO_CARGO}\n")


@pytest.mark.parametrize(
    "program", ["uv build --sdist --no-build-isolation", "python -m pip install --no-build-isolation ."]
)
def test_uv_and_pip_pass_it_on(program: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for path in ("pyproject.toml", "Cargo.toml", "README.md", "LICENSE", "packaging", "python/emm1/__init__.py"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (TOP / path).is_dir() else shutil.copy)(TOP / path, source / path)
    name, *arguments = program.split()
    environment = os.environ | {"PATH": str(folder_of(tmp_path / "bin", "git")), "UV_PYTHON": sys.executable}
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode
    assert NO_CARGO in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_cargo_that_fails_is_no_traceback(tmp_path: Path) -> None:
    bin_ = folder_of(tmp_path / "bin", "git")
    stub(bin_, "cargo", "echo 'error: linker `cc` not found' >&2; exit 101")
    code = "import sys; sys.path.insert(0, 'packaging'); import backend; backend.build_wheel(sys.argv[1])"
    environment = os.environ | {"PATH": str(bin_)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: linker `cc` not found",
        "cargo could not build emm1's DuckDB extension: its output is above",
    ]


TOOLS = ("qemu-aarch64", "aarch64-linux-gnu-gcc", "rustup")


@pytest.mark.parametrize("absent", [*TOOLS, "target", None])
def test_neon_is_skipped_by_the_name_of_what_is_missing(absent: str | None, tmp_path: Path) -> None:
    """Each of the tools is missing in turn; stubs replace the others and cargo."""
    bin_ = folder_of(tmp_path / "bin", "make", "sh", "sed", "grep", "find")
    for tool in {*TOOLS} - {absent}:
        stub(
            bin_, tool, "[ $1 != target ] || echo " + ("x86_64" if absent == "target" else "aarch64-unknown-linux-gnu")
        )
    stub(bin_, "cargo", 'echo "cargo $* with $CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"')
    environment = {"PATH": str(bin_), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["make", "--no-print-directory", "test-neon"],
        cwd=TOP,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = done.stdout.strip()
    if absent is None:
        assert printed.startswith("cargo test --target aarch64-unknown-linux-gnu")
        assert printed.endswith("with aarch64-linux-gnu-gcc")
    else:
        named = {"rustup": "Rust's aarch64-unknown-linux-gnu", "target": "Rust's aarch64-unknown-linux-gnu"}
        assert printed == f"NEON kernels: skipped, missing {named.get(absent, absent)}"


def test_the_lock_file_names_the_public_registry_alone() -> None:
    """`uv sync --locked` has already checked that it matches pyproject.toml, when this environment was made."""
    hosts = {*re.findall(r"https?://([^/\"]+)", (TOP / "uv.lock").read_text("utf-8"))}
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
