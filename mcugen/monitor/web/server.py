"""Serves the page from a thread, and tells it what the monitor sees."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from mcugen.errors import McugenError, ToolError
from mcugen.monitor.state import State
from mcugen.monitor.types import Message, Note, Reading
from mcugen.monitor.web import messages

if TYPE_CHECKING:
    from mcugen.monitor.web.app import Client

DEFAULT_ADDRESS = "127.0.0.1:8765"
MIN_TOKEN = 12
_FRAME_S = 0.05
_START_S = 10.0


class AddressError(McugenError):
    """An address that the page cannot be served at."""


def parse_address(text: str) -> tuple[str, int]:
    """("127.0.0.1", 8765) of "127.0.0.1:8765", "localhost:0", "[::1]:8765", ":8765" or "8765"; port 0 takes any.

    Raises:
        AddressError: another form.
    """
    found = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):)?(\d{1,5})", text)
    if found is None or int(found[2]) > 65_535:
        raise AddressError(
            f"{text!r} is not a valid address", where="--listen", hint=f"Use HOST:PORT, such as {DEFAULT_ADDRESS}"
        )
    return (found[1] or "127.0.0.1").strip("[]"), int(found[2])


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_access(host: str, token: str | None) -> None:
    """Refuse to show devices to a whole network without a token.

    Raises:
        AddressError: with what to type instead.
    """
    if token is not None and not re.fullmatch(rf"[A-Za-z0-9_~.-]{{{MIN_TOKEN},200}}", token):
        raise AddressError(
            f"a token has {MIN_TOKEN} or more letters, digits, '-', '_', '.' and '~'",
            where="--token",
            hint="Make one: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    if token is None and not is_loopback(host):
        raise AddressError(
            f"{host} is reachable from other machines, so a token is required",
            where="--listen",
            hint="Add --token TOKEN (or set MCUGEN_TOKEN), or omit the address to serve this computer only",
        )


class WebServer:
    """The page of one monitor. A context manager; it is being served when the constructor returns.

    Raises:
        AddressError: the address is taken, is not this computer's, or needs a token.
        ToolError: starlette or uvicorn is not installed.
    """

    def __init__(self, address: str, token: str | None) -> None:
        host, port = parse_address(address)
        check_access(host, token)
        try:
            import uvicorn
            import wsproto  # noqa: F401 (uvicorn's)

            from mcugen.monitor.web.app import make_app
        except ImportError as error:
            raise ToolError(
                f"the page needs {error.name}, which is not installed", hint="pip install 'mcugen[web]'"
            ) from error
        self._socket = _bind(host, port)
        self.port = int(self._socket.getsockname()[1])
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.port}/" + (f"?token={token}" if token is not None else "")
        self._clients: set[Client] = set()
        names = {f"{known}:{self.port}" for known in (name.lower(), "127.0.0.1", "localhost", "[::1]")}
        hosts = frozenset(names) if is_loopback(host) else None
        # Cookies do not tell ports apart.
        app = make_app(self._clients, hosts, token, f"mcugen_token_{self.port}")
        config = uvicorn.Config(
            app,
            ws="wsproto",
            ws_max_size=4096,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._told: dict[int, float] = {}
        self._costs: dict[int, list[int]] = {}
        self._state = State()
        self._thread.start()
        until = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.close()
                raise AddressError("the page could not be served", where=address)
            time.sleep(0.01)

    def show(self, message: Message | None, state: State) -> None:
        """Tell all pages what is new, and new pages what was before."""
        for client in list(self._clients):
            if not client.greeted:
                client.greeted = True
                for number, device in state.devices.items():
                    self._send(client, messages.opened(number, device))
                    if device.last is not None:
                        self._send(client, messages.reading(number, device.last, device, ()))
        if isinstance(message, Reading):
            self._costs.setdefault(message.device, []).append(message.cost)
        elif message is not None:
            # After the readings that came before it.
            self._tell_readings(state, at_once=True)
            number, device = message.device, state.devices[message.device]
            if isinstance(message, Note):
                self._spread(messages.note(number, message, device))
            else:
                self._spread(messages.opened(number, device))
        self._tell_readings(state, at_once=False)
        self._state = state

    def _tell_readings(self, state: State, *, at_once: bool) -> None:
        """The last reading of every device that has new ones, so often that a person can follow."""
        for number, costs in self._costs.items():
            last = state.devices[number].last
            if costs and last is not None and (at_once or time.monotonic() - self._told.get(number, 0.0) >= _FRAME_S):
                self._told[number] = time.monotonic()
                self._spread(messages.reading(number, last, state.devices[number], costs))
                costs.clear()

    def finish(self) -> None:
        """Tell all pages the last, and that nothing more comes."""
        self._tell_readings(self._state, at_once=True)
        self._spread({"type": "end"})

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(_START_S)
        self._socket.close()

    def __enter__(self) -> WebServer:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.finish()
        self.close()

    def _serve(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def _spread(self, message: dict[str, Any]) -> None:
        for client in list(self._clients):
            if client.greeted:
                self._send(client, message)

    def _send(self, client: Client, message: dict[str, Any]) -> None:
        from mcugen.monitor.web.app import as_text

        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(client.put, as_text(message))


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressError(
            f"{host}:{port} cannot be used: {error.strerror or error}",
            where="--listen",
            hint="Choose another port; port 0 picks a free one",
        ) from error
    return listener
