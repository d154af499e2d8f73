"""A file of 10 GB and 200 requests at once: the server stays up, and ends when it is told to."""

from __future__ import annotations

import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from exploring import ADDRESSES, Explored, Server
from system import command

SECONDS = re.compile(rb'[0-9.]+ ms|"seconds":[0-9.e-]+')


@pytest.fixture
def large(explored: Explored) -> Iterator[tuple[str, int, str]]:
    """The address and the size of a video of 10 GB, nearly all of which is a hole."""
    ((number, name),) = explored.sql(
        "SELECT id, file_path FROM assets WHERE dataset = '100m' AND modality = 'video' AND id >= 3 AND file_name LIKE '%.mp4' ORDER BY id LIMIT 1"
    )
    path, size = Path(name), 10 << 30
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    yield f"/media/100m/video/{number}", size, path.name
    path.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="memory and processor time are read from /proc")
def test_a_file_of_10_gb(explored: Explored, large: tuple[str, int, str]) -> None:
    address, size, name = large
    server = explored.server
    part = server.get(address, {"Range": "bytes=-3"})
    assert (part.status, part.body) == (206, b"end")
    assert part.headers["content-range"] == f"bytes {size - 3}-{size - 1}/{size}"
    middle = server.get(address, {"Range": f"bytes={5 << 30}-{(5 << 30) + 99}"})
    assert (middle.status, middle.body) == (206, bytes(100))
    before = memory(server)
    readers = [opened(server, address) for _ in range(20)]  # as a player that seeks: it reads a little, and goes
    assert server.get("/api/store").status == 200
    for reader in readers:
        reader.close()
    assert server.get("/").status == 200
    assert memory(server) - before < 100 << 20
    wait_until_closed(server, name)


def opened(server: Server, address: str) -> socket.socket:
    """A connection that has read the beginning of an answer."""
    host, _, port = server.host.partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"GET {address} HTTP/1.1\r\nHost: {server.host}\r\nCookie: {server.cookie}\r\n\r\n".encode())
    assert b" 200 OK" in connection.recv(1 << 16)
    return connection


def memory(server: Server) -> int:
    """Bytes of memory that a server uses."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def wait_until_closed(server: Server, suffix: str) -> None:
    """Until no file of this name is open: to read 20 × 10 GB for readers that are gone would take minutes."""
    folder = Path(f"/proc/{server.process.pid}/fd")
    for _ in range(100):
        if not [link for link in map(target, folder.iterdir()) if link.endswith(suffix)]:
            return
        time.sleep(0.2)
    raise AssertionError("the file is still read")


def target(link: Path) -> str:
    """Where a link leads; nowhere if it is gone."""
    with suppress(FileNotFoundError):
        return str(link.readlink())
    return ""


def test_200_requests_at_once(explored: Explored) -> None:
    addresses = [ADDRESSES[number % (len(ADDRESSES) - 1)] for number in range(200)]
    expected = {address: explored.server.get(address) for address in addresses}
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(explored.server.get, addresses))
    assert {answer.status for answer in answers} == {200}
    for address, answer in zip(addresses, answers, strict=True):
        if "likeness" in address:
            assert answer.json["hits"] == expected[address].json["hits"]
        else:
            assert SECONDS.sub(b"", answer.body) == SECONDS.sub(b"", expected[address].body)


@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c(explored: Explored, large: tuple[str, int, str], busy: bool) -> None:
    process = subprocess.Popen(
        command("explore", explored.store, "--no-browser"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    server = Server(process.stdout.readline().strip(), process)
    assert server.get("/").status == 200
    readers = [opened(server, large[0]) for _ in range(3)] if busy else []
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (130, "emm1: interrupted")
    for reader in readers:
        reader.close()
