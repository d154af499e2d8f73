"""What the server refuses, and that it stays up: strangers, paths that lead out, hostile captions, large files, many requests."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
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
from typing import Any

import polars as pl
import pytest
from exploring import Explored, Server, exploring
from html_tree import Reader
from system import command, emm1_cli

import emm1
from emm1.explore import look
from emm1.explore.app import application

SECRET = b"a secret"
ADDRESSES = [
    "/",
    "/search?words=dog",
    "/triplets",
    "/report",
    "/items/100m/image/1",
    "/api/search?words=dog",
    "/api/store",
    "/api/captions",
    "/api/groups/1",
    "/api/triplets",
    "/api/report",
    "/api/likeness?by=image&id=1",
    "/eshot",
    "/eshot/bell",
    "/basket?items=100m.image.1,eshot.audio.2",
    "/api/eshot",
    "/api/eshot/bell",
    "/api/basket?items=100m.image.1,eshot.audio.2",
    "/media/100m/image/1",
    "/points/100m/points/1",
    "/static/page.css",
    "/static/page.js",
    "/static/three.js",
    "/no/such/address",
]
SECONDS = re.compile(rb'[0-9.]+ ms|"seconds":[0-9.e-]+')
HOSTILE = "</script></li><img src=x onerror='globalThis.ran = 1'>\"&amp;' \u202e\x1b[31m"


def test_what_is_printed(explored: Explored) -> None:
    url = explored.server.url
    assert url == f"http://{explored.server.host}/?token={explored.server.token}"
    assert explored.server.host.startswith("127.0.0.1:")
    assert len(explored.server.token) >= 32
    with exploring(explored.store) as other:
        assert other.token != explored.server.token


def test_the_first_answer_sets_the_cookie(explored: Explored) -> None:
    server = explored.server
    first = server.ask(f"/?token={server.token}")
    assert first.status == 200
    assert first.headers["set-cookie"] == f"{server.cookie}; HttpOnly; SameSite=Strict; Path=/"
    assert server.token not in first.text
    assert server.ask("/", {"Cookie": server.cookie}).status == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_strangers_are_refused_everywhere(explored: Explored, address: str) -> None:
    server = explored.server
    name = server.cookie.partition("=")[0]
    question = "&" if "?" in address else "?"
    for path, headers in (
        (address, {}),
        (address, {"Cookie": f"{name}=wrong"}),
        (address, {"Cookie": f"{name}="}),
        (address, {"Cookie": f"other={server.token}"}),
        (f"{address}{question}token=wrong", {}),
        (f"{address}{question}token=", {}),
        (f"{address}{question}token=%FF%00", {}),
    ):
        answer = server.ask(path, headers)
        assert (answer.status, "set-cookie" in answer.headers) == (403, False), (path, headers)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.2:{port}",
        "",
        "[::1]:{port}",
    ],
)
def test_another_host_is_refused_even_with_the_token(explored: Explored, host: str) -> None:
    """A page of evil.example, whose name is then pointed to this machine, could ask otherwise."""
    server = explored.server
    host = host.format(port=server.host.partition(":")[2])
    for path in ("/", f"/?token={server.token}", "/api/store", "/media/100m/image/1"):
        assert server.get(path, {"Host": host}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_pages_of_other_sites_are_refused(explored: Explored, headers: dict[str, str]) -> None:
    for address in ADDRESSES:
        assert explored.server.get(address, headers).status == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{explored.server.host}"}
    assert explored.server.get("/api/store", own).status == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_every_answer_says(explored: Explored, address: str) -> None:
    for answer in (explored.server.get(address), explored.server.ask(address)):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        if answer.headers["content-type"].startswith("text/html"):
            page = Reader(answer.text).root
            assert not [each for tag in ("script", "style") for each in page.all(tag) if each.children]
            assert "style=" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(explored: Explored, method: str) -> None:
    before = explored.store.stat()
    for address in ADDRESSES[:-1]:
        assert explored.server.get(address, method=method).status == 405
    after = explored.store.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    for address in ("/sql", "/api/sql", "/api/query", "/api/sql?query=SELECT+1"):
        assert explored.server.get(address).status == 404


@pytest.mark.parametrize("folder", ["media", "items", "api/items", "points"])
@pytest.mark.parametrize(
    "rest",
    [
        "100m/image/../../../secret",
        "100m/image/..%2f..%2f..%2fsecret",
        "100m/image/%2e%2e/%2e%2e/secret",
        "100m/image/%252e%252e%252fsecret",
        "100m/image/..\\..\\secret",
        "100m/image/1/../../../secret",
        "100m/image/%00",
        "100m/image/1%00.jpg",
        "100m/image/1.jpg",
        "100m/image/-1",
        "100m/image/1e3",
        "100m/image/1%20",
        "100m/image/%EF%BC%91",
        "100m/image/%C2%B2",
        f"100m/image/{'9' * 5000}",
        "100m/image/99999999999",
        "100m/image/2147483648",
        "100m/image/2000000000",
        "100m/../image/1",
        "main/embeddings/1",
        "100m/groups/1",
        "100m/image%3B--/1",
        "eshot/text/1",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "",
    ],
)
def test_only_ids_lead_to_items(explored: Explored, folder: str, rest: str) -> None:
    answer = explored.server.get(f"/{folder}/{rest}")
    assert answer.status in {400, 404}
    assert b"root:" not in answer.body
    assert explored.server.get("/api/store").status == 200


@pytest.mark.parametrize(
    "address", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/"]
)
def test_only_its_own_files_are_static(explored: Explored, address: str) -> None:
    assert explored.server.get(address).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "captions?after=x",
        "captions?after=-1",
        "captions?limit=501",
        "captions?limit=99999999999999999999",
        "captions?dataset=eshot",
        "captions?dataset=main",
        "triplets?id=1",
        "triplets?after=1.5",
        "likeness?by=image",
        "likeness?id=1",
        "likeness?by=image&id=x",
        "likeness?by=image&id=1&k=0",
        "likeness?by=image&id=1&k=201",
        "likeness?by=image&id=2000000000",
        "likeness?by=nothing&id=1",
        "likeness?by=image&in=nothing&id=1",
        "likeness?by=/etc/passwd&id=1",
        "likeness?by=image&in=../x.npy&id=1",
    ],
)
def test_odd_requests_are_told_what_is_wrong(explored: Explored, query: str) -> None:
    answer = explored.server.get(f"/api/{query}")
    assert answer.status == 400
    assert answer.json["error"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A store of hostile captions, and media folders full of ways out."""
    folder = tmp_path_factory.mktemp("hostile")
    own, root, secret = folder / "tree", folder / "media", folder / "secret"
    secret.write_bytes(SECRET)
    emm1.write_sample(own, scale=0.0002, embeddings=0, seed=4)
    text, image = (own / f"e-mm1_100m/infos/{name}.csv" for name in ("text", "image"))
    captions = pl.read_csv(text, infer_schema=False)
    captions.with_columns(caption=pl.lit(HOSTILE), source_dataset=pl.lit(HOSTILE)).write_csv(text)
    images = pl.read_csv(image, infer_schema=False)
    climbing = [
        "../../../secret",
        str(secret),
        "link.jpg",
        "folder.jpg",
        "pipe.jpg",
        "to_folder/secret",
        "loop.jpg",
        "%2e%2e%2fsecret",
        "<b>.svg",
    ]
    names = pl.Series([*climbing, *images["file_name"][len(climbing) :]])
    urls = pl.Series(["javascript:alert(1)"] * len(images))
    images = images.with_columns(file_name=names, file_id=urls, save_folder=pl.lit("shared"))
    images.write_csv(image)
    place = root / "shared/image"
    place.mkdir(parents=True)
    (place / "link.jpg").symlink_to(secret)
    (place / "folder.jpg").mkdir()
    (place / "to_folder").symlink_to(folder)
    (place / "loop.jpg").symlink_to(place / "loop.jpg")
    (place / "<b>.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    os.mkfifo(place / "pipe.jpg")
    path = folder / "<b>.duckdb"
    with pytest.warns(UserWarning, match="2 of the file names in e_mm1_100m.image lead out of their folder"):
        emm1.build(own, path, media_root=root).close()
    with exploring(path) as server:
        yield Explored(path, root, server)


def test_files_outside_the_media_folder_are_not_sent(hostile: Explored) -> None:
    rows = hostile.sql("SELECT encord_image_id, file_name FROM e_mm1_100m.image ORDER BY rowid LIMIT 9")
    states = []
    for number, name in rows:
        answer = hostile.server.get(f"/media/100m/image/{number}")
        assert SECRET not in answer.body
        shown = hostile.server.get(f"/api/items/100m/image/{number}").json
        states.append((Path(name).name, answer.status, shown["media"]["state"]))
        assert shown["links"] == []
        assert hostile.server.get(f"/items/100m/image/{number}").status == 200
    assert states == [
        ("secret", 404, "unnamed"),
        ("secret", 404, "unnamed"),
        ("link.jpg", 404, "outside"),
        ("folder.jpg", 404, "missing"),
        ("pipe.jpg", 404, "missing"),
        ("secret", 404, "outside"),
        ("loop.jpg", 404, "missing"),
        ("%2e%2e%2fsecret", 404, "missing"),
        ("<b>.svg", 200, "there"),
    ]
    ((svg,),) = hostile.sql("SELECT encord_image_id FROM e_mm1_100m.image WHERE file_name = '<b>.svg'")
    assert hostile.server.get(f"/media/100m/image/{svg}").headers["content-type"] == "application/octet-stream"


def test_captions_are_text(hostile: Explored) -> None:
    ((caption,),) = hostile.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    for address in ("/", f"/items/100m/text/{caption}", "/triplets"):
        page = Reader(hostile.server.get(address).text).root
        assert [each.attributes for each in page.all("script")] == [{"type": "module", "src": "/static/page.js"}]
        assert not [each for each in page.all("img") if "onerror" in each.attributes]
        assert HOSTILE.partition(" ")[0] in page.text or address == "/triplets"
        assert "<b>.duckdb" in page.text
    assert hostile.server.get("/api/captions").json["captions"][0]["caption"] == HOSTILE


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


def test_requests_that_are_no_http(explored: Explored) -> None:
    host, _, port = explored.server.host.partition(":")
    for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 100_000, b"\r\n" * 50, b""):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                assert b" 200 " not in connection.recv(1 << 16)
    assert explored.server.get("/").status == 200


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


def test_http_client_sends_paths_as_they_are() -> None:
    """Otherwise the attempts to climb out above would not be attempts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = http.client.HTTPConnection(*listener.getsockname())
        connection.request("GET", "/a/../%2e%2e/b")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(1000).startswith(b"GET /a/../%2e%2e/b HTTP/1.1\r\n")
        connection.close()


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
