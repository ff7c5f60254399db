"""Who is let in: programs and pages of this machine, and not too many at once.

A page from elsewhere can have its own name lead to this machine, and a browser then lets it read
what is served here (DNS rebinding). What the browser says in ``Host`` gives it away. No header of
ours allows another origin anything (CORS).
"""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_AT_ONCE = 64
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9A-Za-z.-]+)(:[0-9]{1,5})?")
SAID_OF_ALL = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Door:
    """Refuses requests in the name of another host or page, and those that are too many."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAID_OF_ALL)
            await send(message)

        app = self._refusal(scope["http_version"], Headers(scope=scope)) or self._app
        self._inside += 1
        try:
            await app(scope, receive, send_with_headers)
        finally:
            self._inside -= 1

    def _refusal(self, version: str, headers: Headers) -> JSONResponse | None:
        if version not in ("1.0", "1.1"):
            return refused(400, f"HTTP/{version[:9]}; expected HTTP/1.1")
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not is_ours(hosts[0], self._host):
            return refused(400, f"a request for another host; expected {self._host} or localhost")
        if origins and [origin.partition("://")[2] for origin in origins] != hosts:
            return refused(403, "a request by a page from elsewhere")
        if self._inside >= MOST_AT_ONCE:
            return refused(429, f"{MOST_AT_ONCE} requests at once; try again in a second")
        return None


def is_ours(header: str, host: str) -> bool:
    """Whether a ``Host`` header is an address, ``localhost``, or the name in `host`.

    An address cannot be made to lead elsewhere.
    """
    match = HOST.fullmatch(header)
    if match is None:
        return False
    name = match["name"].strip("[]").lower()
    if name in (host.lower(), "localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def refused(status: int, sentence: str) -> JSONResponse:
    """The answer to a request that is refused."""
    return JSONResponse({"error": sentence}, status)
