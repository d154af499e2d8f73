"""Addresses lead to what they name and to nothing else: odd ones, and attempts to climb out."""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress

import pytest
from exploring import Explored

KINDS = {
    "/media/{}": "image",
    "/items/{}": "image",
    "/api/items/{}": "image",
    "/points/{}": "points",
    "/thumb/{}": "image",
    "/waveform/{}.svg": "audio",
}


@pytest.mark.parametrize("address", KINDS)
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
def test_only_ids_lead_to_items(explored: Explored, address: str, rest: str) -> None:
    assert explored.server.get(address.format(f"100m/{KINDS[address]}/1")).status == 200
    answer = explored.server.get(address.format(rest.replace("image", KINDS[address])))
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


def test_requests_that_are_no_http(explored: Explored) -> None:
    host, _, port = explored.server.host.partition(":")
    for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 100_000, b"\r\n" * 50, b""):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                assert b" 200 " not in connection.recv(1 << 16)
    assert explored.server.get("/").status == 200


def test_http_client_sends_paths_as_they_are() -> None:
    """Otherwise the attempts to climb out above would not be attempts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = http.client.HTTPConnection(*listener.getsockname())
        connection.request("GET", "/a/../%2e%2e/b")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(1000).startswith(b"GET /a/../%2e%2e/b HTTP/1.1\r\n")
        connection.close()
