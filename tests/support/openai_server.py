"""A real OpenAI-protocol server on loopback: answers chat completions with what a function says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What the server sends: a label inside a completion, or raw bytes with a status of one's own."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


class Server:
    """Counts and keeps what it was asked.

    Args:
        answer: prompt to reply; called in the request's thread.
    """

    def __init__(self, answer: Callable[[str], Reply]) -> None:
        self.prompts: list[str] = []
        self.authorizations: list[str] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][-1]["content"]
                with server._lock:
                    server.prompts.append(prompt)
                    server.authorizations.append(self.headers.get("Authorization", ""))
                reply = answer(prompt)
                content = reply.raw if reply.raw is not None else completion(reply.text)
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed in the middle is what some tests want."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What goes into ``--judge-url``."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"


@contextmanager
def serve(answer: Callable[[str], Reply]) -> Iterator[Server]:
    """Runs a server while the block runs."""
    server = Server(answer)
    thread = threading.Thread(target=server._http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._http.shutdown()
        server._http.server_close()
        thread.join()


def completion(text: str) -> bytes:
    """A chat completion as OpenAI's servers send it."""
    return json.dumps(
        {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": "judge",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        }
    ).encode()
