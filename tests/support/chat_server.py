"""An OpenAI-protocol chat server on loopback whose replies a test scripts."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    ``text`` is the model's; ``body`` replaces the whole body; ``claimed`` is added to the true
    content length, so that the client waits for bytes that never come; ``close`` sends nothing.
    """

    text: str = "Label: yes"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    claimed: int = 0
    delay: float = 0.0
    close: bool = False

    def encoded(self, model: str) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": "refused", "type": "test", "code": None}}).encode()
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 90, "completion_tokens": 4, "total_tokens": 94}
        return json.dumps(
            {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
        ).encode()


@dataclass
class Request:
    """One request as it arrived; names of headers in lower case."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.raw))

    @property
    def content(self) -> str:
        (message,) = self.body["messages"]
        return str(message["content"])


class ChatServer:
    """Counts, keeps and answers requests; ``script`` sees the request and its number."""

    def __init__(self, script: Callable[[Request, int], Reply]) -> None:
        self.requests: list[Request] = []
        self.at_once = 0
        self._script = script
        self._open = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator[ChatServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self._open += 1
            self.at_once = max(self.at_once, self._open)
            self.requests.append(request)
            number = len(self.requests) - 1
        reply = self._script(request, number)
        time.sleep(reply.delay)
        return reply

    def done(self) -> None:
        with self._lock:
            self._open -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # the body goes out at once, not after the headers are acknowledged

            def handle(self) -> None:
                with suppress(ConnectionResetError):  # the client left in the middle
                    super().handle()

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    reply = server.answer(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
                finally:
                    server.done()
                with suppress(OSError):  # the client may have given up
                    self._send(reply, raw)

            def _send(self, reply: Reply, raw: bytes) -> None:
                if reply.close:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = reply.encoded(json.loads(raw)["model"])
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(body) + reply.claimed))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if reply.claimed:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
                pass

        return Handler
