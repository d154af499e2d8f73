"""Runs the server at a port of this machine until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emm1.errors import Error

if TYPE_CHECKING:
    from emm1.store import Store

HOST = "127.0.0.1"
BACKLOG = 2048
# Seconds that answers have to finish after Ctrl-C; a large file is not waited for.
GRACE = 1


def serve(
    store: Store,
    *,
    port: int = 0,
    reports: Sequence[Path] = (),
    browser: bool = True,
    told: Callable[[str], object] = print,
) -> None:
    """Serve a store until Ctrl-C, to this machine only.

    Args:
        store: the store; open it for reading only, so that others can read it too.
        port: the port; 0 for one that is free.
        reports: the folders of saved reports that are shown: one, or two on retrieval to compare.
        browser: whether to open the page in the browser.
        told: called with the address of the page, which ends with a new token, when connections are accepted.

    Raises:
        emm1.errors.Error: starlette and uvicorn are not installed, the port is taken, or a folder holds no report that can be shown.
    """
    try:
        import uvicorn  # noqa: PLC0415 - of the extra

        from emm1.explore.app import application  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise Error(f"the page needs the package {package}: pip install 'emm1[explore]'") from error
    token = secrets.token_urlsafe(24)
    with listening(port) as listener:
        number = listener.getsockname()[1]
        app = application(store, token, number, reports)
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
                timeout_graceful_shutdown=GRACE,
            )
        )
        address = f"http://{HOST}:{number}/?token={token}"
        told(address)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # text browsers wait
        server.run(sockets=[listener])


def listening(port: int) -> socket.socket:
    """A socket that accepts connections from this machine.

    >>> with listening(0) as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    """
    try:
        return socket.create_server((HOST, port), backlog=BACKLOG)
    except OSError as error:
        raise Error(
            f"port {port} cannot be used ({os.strerror(error.errno) if error.errno else error}): name another, or have a free one taken",
            port=0,
        ) from error
