"""Other machines reach the server only if its user says so, and then no other name than the machine's own leads to it."""

import socket
from pathlib import Path

import pytest
from exploring import Server, exploring
from system import emm1_cli

import emm1

WARNED = (
    "emm1: warning: whoever reaches this port and has the address, which travels unencrypted, sees the store and its media; "
    "ssh -L leads to a port of another machine without that\n"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host")
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
    emm1.build(folder / "sample", folder / "emm1.duckdb").close()
    return folder / "emm1.duckdb"


def statuses(server: Server, *hosts: str) -> list[int]:
    return [server.get("/", {"Host": host}).status for host in hosts]


def test_all_addresses_of_the_machine(store: Path) -> None:
    with exploring(store, "--host", "0.0.0.0", warned=WARNED) as server:  # noqa: S104 - on purpose
        port = server.host.rpartition(":")[2]
        assert server.host == f"{socket.gethostname()}:{port}"
        assert server.ask(f"/?token={server.token}").status == 200
        own = (f"127.0.0.1:{port}", f"localhost:{port}", f"192.0.2.7:{port}", f"[2001:db8::1]:{port}")
        assert statuses(server, *own) == [200] * 4
        others = (
            f"example.org:{port}",
            "192.0.2.7",
            "192.0.2.7:1",
            f"127.1:{port}",
            f"192.0.2.7.example.org:{port}",
            "",
        )
        assert statuses(server, *others) == [403] * 6
        assert server.get("/", {"Origin": "http://example.org"}).status == 403
        assert server.ask("/").status == 403


def test_one_address(store: Path) -> None:
    with exploring(store, "--host", "127.0.0.2") as server:
        port = server.host.rpartition(":")[2]
        assert server.host == f"127.0.0.2:{port}"
        assert statuses(server, server.host, f"192.0.2.7:{port}", f"example.org:{port}") == [200, 403, 403]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("example.org", "'example.org' is no IP address: name one of this machine, or 0.0.0.0 for all that it has"),
        ("192.0.2.7", "192.0.2.7 is no address of this machine"),
    ],
)
def test_no_address_of_this_machine(store: Path, host: str, said: str) -> None:
    ended = emm1_cli("explore", store, "--no-browser", "--host", host)
    assert ended.returncode == 1
    assert said in ended.stderr
