"""Who may ask: whoever has the token, from this server's own pages; and what every answer lets a browser do."""

from __future__ import annotations

import socket
from contextvars import ContextVar
from ipaddress import ip_address
from secrets import compare_digest
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emm1.explore.addresses import LOOPBACK, in_url

PORT_LEFT_OUT = 80  # browsers do not write it
# What `Sec-Fetch-Site` says of a page of this server, and of an address that somebody typed. Pages of other ports are "same-site".
OWN_SITE = {"same-origin", "none"}
# Long enough for a page that was fetched ahead. The store is read only, so it is the same as long as the server runs.
A_MINUTE = {"cache-control": "private, max-age=60"}
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

# The address of the request that is answered, without the token, if it has one: pages leave for it, so that the token stands
# in no address that is kept or passed on.
WITHOUT_TOKEN: ContextVar[str | None] = ContextVar("WITHOUT_TOKEN", default=None)


class Guard:
    """Lets requests through to an application if they may ask, and adds to all answers what browsers must refuse.

    A request is answered if it names this server as its host (a name that an attacker's DNS points to this machine does not),
    and has the token: in its address, as it was printed, or in the cookie that the first answer set. With the cookie, it must
    also come from a page of this server.

    Args:
        app: the application.
        token: what only the user knows, who saw it printed.
        host: the IP address that the server listens at. If it is that of all, every IP address of the machine is its name, too:
            DNS gives a page no address for a name, so nobody can pretend it.
        port: the port that the server listens at. Cookies are shared by all ports of a host, so it is part of the cookie's name.
    """

    def __init__(self, app: ASGIApp, token: str, host: str, port: int) -> None:
        self._app = app
        self._token = token
        self._everywhere = ip_address(host).is_unspecified
        names = {LOOPBACK, "localhost", in_url(host), *([] if host == LOOPBACK else [socket.gethostname().lower()])}
        self._hosts = {f"{name}:{port}" for name in names} | (names if port == PORT_LEFT_OUT else set())
        self._port = port
        self._cookie = f"emm1_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope)
        knows = self._is_token(request.query_params.get("token"))
        refusal = self._refusal(request, knows=knows)
        path = quote(scope["path"])
        WITHOUT_TOKEN.set(without_token(path, request.url.query) if "token" in request.query_params else None)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
                if knows:
                    headers["cache-control"] = "no-store"  # the address has the token
                if knows and refusal is None:
                    headers.append("set-cookie", f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/")
            await send(message)

        if refusal is None:
            await self._app(scope, receive, answer)
        else:
            await PlainTextResponse(f"{refusal}\n", status_code=403)(scope, receive, answer)

    def _refusal(self, request: Request, *, knows: bool) -> str | None:
        """Why a request is not answered; None if it is."""
        headers = request.headers
        if not self._is_host(headers.get("host", "")):
            return "This server answers only under the address that `emm1 explore` printed."
        if knows:
            return None
        if not self._is_token(request.cookies.get(self._cookie)):
            return "Open the address that `emm1 explore` printed: it ends with a token, which is valid as long as emm1 runs."
        origin = headers.get("origin")
        if headers.get("sec-fetch-site", "none") not in OWN_SITE or not self._is_own(origin):
            return "This was asked by a page of another site."
        return None

    def _is_token(self, given: str | None) -> bool:
        return given is not None and compare_digest(given.encode(errors="replace"), self._token.encode())

    def _is_own(self, origin: str | None) -> bool:
        return origin is None or self._is_host(origin.removeprefix("http://"))

    def _is_host(self, given: str) -> bool:
        if given.lower() in self._hosts:
            return True
        name, colon, port = given.rpartition(":")
        if not self._everywhere or (colon, port) != (":", str(self._port)):
            return False
        try:
            return in_url(str(ip_address(name.strip("[]")))) == name.lower()
        except ValueError:
            return False


def without_token(path: str, query: str) -> str:
    """The path and the query of an address, without its token; it never leads to another host.

    >>> without_token("/triplets", "label=a%26b&token=x"), without_token("/", "token=x"), without_token("//evil.example", "token=x")
    ('/triplets?label=a%26b', '/', '/evil.example')
    """
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "token"]
    here = "/" + path.lstrip("/\\")
    return f"{here}?{urlencode(kept)}" if kept else here
