"""A WebSocket client for tests: says what it is told to, honest or not."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage


class Refused(Exception):
    """The server does not accept the socket; `code` is HTTP's."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(str(code))


class PageSocket:
    """A connected WebSocket. Raises Refused."""

    def __init__(self, port: int, path: str = "/socket", headers: dict[str, str] | None = None) -> None:
        host = f"127.0.0.1:{port}"
        given = {"Host": host, "Origin": f"http://{host}", **(headers or {})}
        extra = [(name.encode(), value.encode()) for name, value in given.items() if name != "Host" and value]
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: list[Any] = []
        self._text = ""
        self._socket.sendall(self._connection.send(Request(host=given["Host"], target=path, extra_headers=extra)))
        event = self._next()
        if isinstance(event, RejectConnection):
            self._socket.close()
            raise Refused(event.status_code)
        assert isinstance(event, AcceptConnection), event

    def message(self) -> Any:
        """The next message; None at the end."""
        while True:
            event = self._next()
            if isinstance(event, CloseConnection):
                return None
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    return json.loads(text)

    def __enter__(self) -> PageSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _next(self) -> Any:
        while not self._events:
            data = self._socket.recv(65_536)
            self._connection.receive_data(data or None)
            self._events.extend(self._connection.events())
        return self._events.pop(0)
