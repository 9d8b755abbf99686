"""The page and its socket, and who may see them."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

ASSETS = Path(__file__).resolve().parent / "assets"
_FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_QUEUED = 256

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Client:
    """A page that is open: what it has still to be sent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue(_QUEUED)
        self.greeted = False

    def put(self, text: str | None) -> None:
        """Send a message; a page that is too slow for all of them is cut off and comes again."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(None)


class Gate:
    """Lets through whom the owner asked in.

    A page of another site can make a browser send requests here, even with a name of its own that it lets resolve to
    this address (DNS rebinding). So the Host has to be one of ours, and a socket's Origin this very page. Where others
    can reach the address, a token is needed besides: once in the URL, then as a cookie that scripts cannot read.

    Args:
        hosts: what Host may be; None for any, with a token.
    """

    def __init__(self, app: Any, hosts: frozenset[str] | None, token: str | None, cookie: str) -> None:
        assert hosts is not None or token is not None
        self._app, self._hosts, self._token, self._cookie = app, hosts, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        reason = self._refusal(scope, headers)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await PlainTextResponse(reason + "\n", 403)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        host = headers.get("host", "").lower()
        if self._hosts is not None and host not in self._hosts:
            return "this page is not served under that name"
        if scope["type"] == "websocket" and headers.get("origin", "").lower() not in (
            f"http://{host}",
            f"https://{host}",
        ):
            return "the socket is for this page only"
        if self._token is not None and not self._knows_token(scope, headers):
            return "a token is needed: open the page with ?token=…, as mcugen monitor printed it"
        return None

    def _knows_token(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        assert self._token is not None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        if self._cookie in cookies:
            given.append(cookies[self._cookie].value)
        wanted = self._token.encode()
        return any(hmac.compare_digest(text.encode(), wanted) for text in given)


def make_app(
    clients: set[Client], hosts: frozenset[str] | None, token: str | None, cookie: str = "mcugen_token"
) -> Any:
    """The ASGI application. `clients` holds the pages that are open; it is changed in the server's loop only."""

    async def page(request: Request) -> Response:
        if token is not None and "token" in request.query_params:
            # Out of the address line, where others see it and the history keeps it.
            answer: Response = RedirectResponse(request.url.path, 303, headers=_HEADERS)
            answer.set_cookie(cookie, token, httponly=True, samesite="strict")
            return answer
        name, kind = _FILES[request.url.path]
        return FileResponse(ASSETS / name, media_type=kind, headers=_HEADERS)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        client = Client()
        clients.add(client)
        listening = asyncio.create_task(_until_gone(websocket))
        try:
            while not listening.done():
                sending = asyncio.create_task(client.queue.get())
                done, _ = await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
                if sending not in done:
                    sending.cancel()
                    break
                text = sending.result()
                if text is None:
                    await websocket.close(1013)
                    break
                await websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone while something was sent
        finally:
            clients.discard(client)
            listening.cancel()

    routes: list[Any] = [Route(path, page) for path in _FILES]
    app = Starlette(routes=[*routes, WebSocketRoute("/socket", socket)])
    return Gate(app, hosts, token, cookie)


async def _until_gone(websocket: WebSocket) -> None:
    """Read what the page says, which is nothing, until it leaves."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def as_text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, allow_nan=False, separators=(",", ":"))
