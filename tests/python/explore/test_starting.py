"""Starting the server: what cannot be served, what else may run meanwhile, and what becomes of a bug."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from exploring import Explored, exploring
from system import command, emm1_cli

import emm1
from emm1.explore import look
from emm1.explore.app import application


def test_others_may_read_the_store_meanwhile(explored: Explored) -> None:
    assert emm1_cli("info", explored.store).returncode == 0
    with exploring(explored.store) as other:
        assert other.get("/").status == 200


def test_what_cannot_be_served(explored: Explored, tmp_path: Path) -> None:
    port = explored.server.host.partition(":")[2]
    cases: list[tuple[list[object], str]] = [
        (
            [explored.store, "--port", port],
            f"port {port} cannot be used (Address already in use): name another, or have a free one taken: --port 0",
        ),
        (
            [explored.store, "--root", tmp_path / "no"],
            f"{tmp_path}/no is not a folder: name the one that holds the media",
        ),
        (
            [explored.store, "--report", tmp_path],
            f"{tmp_path} holds no saved report on retrieval, EShot or a zero-shot classification: name the folder that one was written to",
        ),
        (
            [tmp_path / "no.duckdb"],
            f"{tmp_path}/no.duckdb does not exist: build it with `emm1 build ROOT {tmp_path}/no.duckdb`",
        ),
    ]
    for arguments, message in cases:
        done = emm1_cli("explore", "--no-browser", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"emm1: {message}\n")


def test_a_bug_is_told_and_survived(explored: Explored, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is known that fails like this, so the application is made to."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(look.Look, "store", broken)
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/store",
        "query_string": b"token=x",
        "headers": [(b"host", b"127.0.0.1:1")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    with emm1.open(explored.store, read_only=True) as store, pytest.raises(RuntimeError, match="broken"):
        asyncio.run(application(store, "x", "127.0.0.1", 1)(scope, receive, send))
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error"].startswith("internal error in emm1 (a bug)")
    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_package_that_is_not_installed_is_named(explored: Explored, package: str) -> None:
    arguments = ["emm1", "explore", str(explored.store), "--no-browser"]
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = {arguments!r}; from emm1.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    message = f"emm1: the page needs the package {package}: pip install 'emm1[explore]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


def test_a_browser_is_opened(explored: Explored, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.opened"\n')
    browser.chmod(0o755)
    process = subprocess.Popen(
        command("explore", explored.store),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": f"{browser} %s"},
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline()
        opened = tmp_path / "browser.opened"
        while not (opened.exists() and opened.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
    assert opened.read_text() == address
