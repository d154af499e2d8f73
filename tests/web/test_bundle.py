"""The scripts of the page are what their sources in ``web`` give, and pass the type checker and their own tests.

Node.js and npm are not prerequisites: without them, the tests are skipped by name.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from clients import NPM, TOP, Client, NotAvailableError

STATIC = TOP / "python" / "emm1" / "explore" / "static"
FRONT_END = Client("Front end", "web", str(TOP / "web"), (NPM, ("node_modules/.bin/esbuild", "--version")), ())


@pytest.fixture(scope="module")
def front_end() -> Client:
    try:
        FRONT_END.install()
    except NotAvailableError as error:
        pytest.skip(f"the front end cannot be built: {error}")
    return FRONT_END


def run(front_end: Client, *command: str, where: Path) -> None:
    done = front_end.run(*command, where=where, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bundle_is_what_its_sources_give(front_end: Client, tmp_path: Path) -> None:
    run(front_end, "node", "HERE/build.mjs", str(tmp_path), where=tmp_path)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"LICENSES", "page.js", "three.js"} <= built.keys()
    assert {path.name for path in STATIC.glob("*.js")} == {name for name in built if name.endswith(".js")}
    for name, content in built.items():
        assert STATIC.joinpath(name).read_bytes() == content, f"{name} is older than its sources: run `make web`"


def test_types(front_end: Client, tmp_path: Path) -> None:
    run(front_end, "HERE/node_modules/.bin/tsc", "--project", "HERE", where=tmp_path)


def test_the_tests_of_the_scripts(front_end: Client, tmp_path: Path) -> None:
    run(front_end, "node", "HERE/test.mjs", str(tmp_path), where=tmp_path)


def test_nothing_in_the_bundle_needs_an_unsafe_policy() -> None:
    for path in STATIC.glob("*.js"):
        assert not re.search(r"\beval\(|\bFunction\(", path.read_text(encoding="utf-8")), path.name


def test_every_version_is_exact_and_every_package_is_checked() -> None:
    wanted = json.loads((TOP / "web" / "package.json").read_text(encoding="utf-8"))
    locked = json.loads((TOP / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, package in locked.items():
        assert "resolved" not in package, f"{name} names a registry"
        assert not name or package["integrity"].startswith("sha512-"), name
