"""`emm1 explore` as a process, and what it answers."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from system import command

import emm1

# One of each kind; the last is answered by nothing.
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
    "/thumb/100m/image/1",
    "/waveform/100m/audio/1.svg",
    "/static/page.css",
    "/static/page.js",
    "/static/three.js",
    "/no/such/address",
]


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    @property
    def token(self) -> str:
        """The token in the address."""
        return urlsplit(self.url).query.removeprefix("token=")

    @property
    def cookie(self) -> str:
        """The cookie that the first answer sets."""
        return f"emm1_{urlsplit(self.url).port}={self.token}"

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Answer:
        """Ask as a page of the server does: with the cookie. The path is sent as it is."""
        return self.ask(path, {"Cookie": self.cookie, **(headers or {})}, method=method)

    def ask(self, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Answer:
        """Ask with these headers only."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Explored:
    """A store, the folder of its media, and its server."""

    store: Path
    root: Path
    server: Server
    report: Path | None = None

    def sql(self, query: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        """Ask the store without the server."""
        with emm1.open(self.store, read_only=True, root=self.root) as opened:
            return opened.sql(query, params=parameters or None).fetchall()


@contextmanager
def exploring(store: Path, *options: object, warned: str = "") -> Iterator[Server]:
    """A server of a store, which has printed its address and no error but what it warned of when it is ended."""
    process = subprocess.Popen(
        command("explore", store, "--no-browser", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        try:
            yield Server(process.stdout.readline().strip(), process)
            assert process.poll() is None, "the server ended by itself"
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=30)
        assert errors == warned
