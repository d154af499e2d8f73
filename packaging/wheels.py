"""The source archive and the wheels for Linux of the last commit, in dist/, checked and tried: ``make wheels``.

``make try-wheel`` only tries the one for this machine.

The wheels are built from the source archive, and that from a clone, so nothing that is not committed gets into them. zig
links both libraries for glibc 2.17, whatever this machine has.

Each wheel is installed where there is no Rust and searched with (try_wheel.py). For the other processor that takes an
emulated Python, whose command is in EMULATED: ``qemu-aarch64 -L ROOT ROOT/usr/bin/python3.11``.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
DIST = TOP / "dist"
WORK = TOP / "target" / "wheels"
TAG = "manylinux_2_17"
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
LIBRARIES = (".so", ".duckdb_extension")
LINK = re.compile(r"(!?\[[^]]*\])\((?!https?://|#)([^)]+)\)")


def main() -> None:
    """Build, check, try and describe everything."""
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.rmtree(WORK / "source", ignore_errors=True)
    source, archive = sources()
    wheels = [wheel(source, machine) for machine in TARGETS]
    check(archive, wheels)
    print(f"checked by twine, check-wheel-contents, abi3audit and auditwheel: {archive.name} and {len(wheels)} wheels")
    answers = [answer for answer in map(tried, wheels) if answer]
    if len({*answers}) > 1:
        sys.exit("\n".join(("the wheels do not give the same answers:", *answers)))
    for file in (archive, *wheels):
        print(f"{file.relative_to(TOP)}: {file.stat().st_size / 1e6:.1f} MB")
    for file in wheels:
        print("\n".join(contents(file)))


def sources() -> tuple[Path, Path]:
    """The tree that the source archive holds, and the archive, of the last commit; links lead from the index page."""
    clone = WORK / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    run("git", "clone", "--quiet", "--shared", TOP, clone)
    if output("git", "status", "--porcelain"):
        print("changes that are not committed are not in these wheels", file=sys.stderr)
    project = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = tomllib.loads((clone / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    repository = project["urls"].get("Repository")
    if repository is None:
        print("links in README.md stay relative: [project.urls] has no Repository", file=sys.stderr)
    else:
        readme = clone / "README.md"
        readme.write_text(absolute(readme.read_text(encoding="utf-8"), repository, f"v{version}"), encoding="utf-8")
    run("uv", "build", "--quiet", "--sdist", "--no-build-isolation", "--out-dir", DIST, clone)
    (archive,) = DIST.glob("*.tar.gz")
    (WORK / "source").mkdir()
    run("tar", "-xzf", archive, "-C", WORK / "source", "--strip-components=1")
    return WORK / "source", archive


def absolute(text: str, repository: str, tag: str) -> str:
    """A Markdown text whose links lead to a tag of a repository on GitHub.

    >>> absolute("[a](docs/a.md#b), ![c](c.svg), [d](https://d.org), [e](#e)", "https://github.com/o/n", "v1")
    '[a](https://github.com/o/n/blob/v1/docs/a.md#b), ![c](https://github.com/o/n/raw/v1/c.svg), [d](https://d.org), [e](#e)'
    """

    def of(link: re.Match[str]) -> str:
        kind = "raw" if link[1].startswith("!") else "blob"
        return f"{link[1]}({repository}/{kind}/{tag}/{link[2]})"

    return LINK.sub(of, text)


def wheel(source: Path, machine: str) -> Path:
    """Build the wheel for a machine; paths of this one are not in it."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    remapped = [f"--remap-path-prefix={folder}={name}" for folder, name in ((source, "emm1"), (cargo, "cargo"))]
    options = f"--zig --compatibility {TAG} --target {TARGETS[machine]}"
    environment = {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(remapped),
        "CARGO_PROFILE_RELEASE_STRIP": "symbols",
        "CARGO_TARGET_DIR": str(WORK / "target"),
        "SOURCE_DATE_EPOCH": output("git", "log", "-1", "--format=%ct"),
    }
    command = ["uv", "build", "--quiet", "--wheel", "--no-build-isolation", f"-Cbuild-args={options}"]
    run(*command, "--out-dir", DIST, source, **environment)
    (file,) = DIST.glob(f"*_{machine}.whl")
    return file


def check(archive: Path, wheels: list[Path]) -> None:
    """Exit if a tool that packagers use finds fault with a file."""
    run("twine", "check", "--strict", archive, *wheels)
    run("check-wheel-contents", *wheels)
    for file in wheels:
        run("abi3audit", "--strict", file)
        tag = json.loads(output("auditwheel", "show", "--json", file))["overall_tag"]
        if not file.stem.endswith(tag):
            sys.exit(f"{file.name}: auditwheel finds that it is only {tag}")
        with zipfile.ZipFile(file) as packed:
            for name in packed.namelist():
                if any(str(folder).encode() in packed.read(name) for folder in (TOP, Path.home())):
                    sys.exit(f"{file.name}: {name} contains paths of this machine")


def tried(file: Path) -> str | None:
    """What try_wheel.py prints with a wheel in an environment without Rust; none where nothing runs it."""
    machine = next(machine for machine in TARGETS if file.stem.endswith(machine))
    if machine == platform.machine():
        python = [sys.executable]
    elif "EMULATED" in os.environ:
        emulator, *arguments = shlex.split(os.environ["EMULATED"])
        python = [shutil.which(emulator) or sys.exit(f"EMULATED: {emulator} was not found"), *arguments]
    else:
        print(f"{file.name} was not tried: EMULATED names no Python for {machine}", file=sys.stderr)
        return None
    folder = WORK / f"try-{machine}"
    shutil.rmtree(folder, ignore_errors=True)
    install = ["uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--python-platform", TARGETS[machine]]
    run(*install, "--python-version", f"3.{sys.version_info.minor}", "--target", folder / "packages", file)
    answer = output(*python, "-IS", TOP / "packaging" / "try_wheel.py", folder, PATH="")
    print(f"{file.name} searched without Rust, on {machine}:\n{answer}")
    return answer


def contents(file: Path) -> Iterator[str]:
    """A table of what is in a wheel: the libraries, and each folder of the package."""
    groups: dict[str, list[zipfile.ZipInfo]] = {}
    with zipfile.ZipFile(file) as packed:
        for entry in packed.infolist():
            folder = "/".join(entry.filename.split("/")[:-1][:2])
            groups.setdefault(entry.filename if entry.filename.endswith(LIBRARIES) else folder, []).append(entry)
    yield f"| {file.name} | files | kB | kB packed |\n|---|--:|--:|--:|"
    for name, entries in groups.items():
        sizes = (sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries))
        yield f"| `{name}` | {len(entries)} | {sizes[0] / 1e3:,.0f} | {sizes[1] / 1e3:,.0f} |"


def run(*command: object, **environment: str) -> None:
    """Run a program; exit if it fails."""
    output(*command, **environment)


def output(*command: object, **environment: str) -> str:
    """What a program prints, which is shown if it fails."""
    done = subprocess.run(
        [*map(str, command)], cwd=TOP, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    if sys.argv[1:] == ["try"]:
        (own,) = DIST.glob(f"*_{platform.machine()}.whl")
        tried(own)
    else:
        main()
