"""Runs the server at a port of this machine until Ctrl-C."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from emm1.errors import Error
from emm1.explore.addresses import LOOPBACK, in_url

if TYPE_CHECKING:
    from emm1.store import Store

IPV6 = 6
BACKLOG = 2048
# Seconds that answers have to finish after Ctrl-C; a large file is not waited for.
GRACE = 1
LONGEST_HEAD = 64 << 10  # bytes of a request without its body: an address may name 2,000 items


def serve(
    store: Store,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    reports: Sequence[Path] = (),
    browser: bool = True,
    told: Callable[[str], object] = print,
) -> None:
    """Serve a store until Ctrl-C, by default to this machine only.

    Args:
        store: the store; open it for reading only, so that others can read it too.
        host: the IP address of this machine to listen at; 0.0.0.0 or :: for all that it has.
        port: the port; 0 for one that is free.
        reports: the folders of saved reports that are shown: one, or two on retrieval to compare.
        browser: whether to open the page in the browser.
        told: called with the address of the page, which ends with a new token, when connections are accepted.

    Raises:
        emm1.errors.Error: starlette and uvicorn are not installed, the address or port cannot be used, or a folder holds no report that can be shown.
    """
    try:
        import uvicorn  # noqa: PLC0415 - of the extra

        from emm1.explore.app import application  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise Error(f"the page needs the package {package}: pip install 'emm1[explore]'") from error
    token = secrets.token_urlsafe(24)
    with listening(host, port) as listener:
        number = listener.getsockname()[1]
        app = application(store, token, host, number, reports)
        # Nothing that a client sends is trusted (proxy_headers), and this module says what there is to say (log_config).
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=LONGEST_HEAD,
                timeout_graceful_shutdown=GRACE,
            )
        )
        name = socket.gethostname() if ip_address(host).is_unspecified else in_url(host)
        address = f"http://{name}:{number}/?token={token}"
        told(address)
        # What the first page needs, while the browser starts.
        threading.Thread(target=import_module, args=("emm1.explore.copied",), daemon=True).start()
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # text browsers wait
        server.run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Args:
        host: an IP address of this machine.
        port: the port; 0 for one that is free.

    Raises:
        emm1.errors.Error: this is no address of this machine, or the port is taken.

    >>> with listening("127.0.0.1", 0) as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    """
    try:
        family = socket.AF_INET6 if ip_address(host).version == IPV6 else socket.AF_INET
    except ValueError:
        raise Error(f"{host!r} is no IP address: name one of this machine, or 0.0.0.0 for all that it has") from None
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            raise Error(f"{host} is no address of this machine ({reason})") from error
        raise Error(f"port {port} cannot be used ({reason}): name another, or have a free one taken", port=0) from error
