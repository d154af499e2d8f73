"""Who may ask the server, and what every answer says."""

from __future__ import annotations

import pytest
from exploring import ADDRESSES, Explored, exploring
from html_tree import Reader


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


def test_what_browsers_may_keep(explored: Explored) -> None:
    """Pages that are fetched ahead; not the answer whose address has the token, and no refusal."""
    kept = {
        address: explored.server.get(address).headers["cache-control"]
        for address in ("/", "/items/100m/text/1", "/static/page.js", "/api/store", "/no/such/address")
    }
    assert kept["/"] == kept["/items/100m/text/1"] == "private, max-age=60"
    assert (kept["/static/page.js"], kept["/api/store"], kept["/no/such/address"]) == (
        "no-cache",
        "no-store",
        "no-store",
    )
    for answer in (explored.server.ask(f"/?token={explored.server.token}"), explored.server.ask("/")):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(explored: Explored, method: str) -> None:
    before = explored.store.stat()
    for address in ADDRESSES[:-1]:
        assert explored.server.get(address, method=method).status == 405
    after = explored.store.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    for address in ("/sql", "/api/sql", "/api/query", "/api/sql?query=SELECT+1"):
        assert explored.server.get(address).status == 404
