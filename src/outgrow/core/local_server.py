"""A server for this machine alone, under an address that nobody can guess, with one answer to any other request."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_WR

LINGER = 10.0  # seconds for which a body that is not wanted is read, so that its sender reads the answer


@dataclass(frozen=True)
class Reply:
    """An answer: its status, what it holds, and headers beside those that all answers have."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


NOT_FOUND = Reply(404, b"not found\n", {"Content-Type": "text/plain; charset=utf-8"})


@dataclass(frozen=True)
class Service:
    """What is answered under the address, and to anything else.

    get: gets the header `If-None-Match`, empty where there is none. post: gets the body, of at most `largest` bytes. None:
    such requests get `other`, as other methods do. stranger: to requests with another address or host name.
    no_length, too_large, cut_short: for bodies that are not taken.
    """

    get: Callable[[str], Reply] | None = None
    post: Callable[[bytes], Reply] | None = None
    largest: int = 0
    stranger: Reply = NOT_FOUND
    other: Reply = NOT_FOUND
    no_length: Reply = NOT_FOUND
    too_large: Reply = NOT_FOUND
    cut_short: Reply = NOT_FOUND


@contextmanager
def serve(service: Service) -> Iterator[str]:
    """Serve while the block runs; the address, with a token without which nothing is answered."""
    token = secrets.token_urlsafe(24)
    server = _Server(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    server.service = service
    server.path = f"/{token}/"
    server.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/{token}/"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser that keeps its connection must not keep the process
    service: Service
    path: str
    hosts: set[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """Who goes away in the middle is no error of the process."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    server_version = "outgrow"
    sys_version = ""

    def do_GET(self) -> None:
        """What the service has, under its address alone."""
        service = self.server.service
        if not self._knows():
            self._answer(service.stranger)
        elif service.get is None:
            self._answer(service.other)
        else:
            self._answer(service.get(self.headers.get("If-None-Match") or ""))

    def do_POST(self) -> None:
        """A body for the service, read whole before anything is made of it."""
        service = self.server.service
        self.close_connection = True
        if not self._knows() or service.post is None:
            self._answer(service.other if self._knows() else service.stranger)
            self._drain()
            return
        length = self.headers.get("Content-Length") or ""
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._answer(service.no_length)
            self._drain()
        elif len(length) > 15 or int(length) > service.largest:
            self._answer(service.too_large)
            self._drain()
        else:
            body = b""
            with suppress(OSError):  # it does not come in time
                body = self.rfile.read(int(length))
            self._answer(service.post(body) if len(body) == int(length) else service.cut_short)

    def _knows(self) -> bool:
        """Whether a request has the address. Another host's name (DNS rebinding) is turned away."""
        hosts = self.headers.get_all("Host") or []
        right = secrets.compare_digest(self.path.encode("utf-8", "replace"), self.server.path.encode())
        return right and len(hosts) == 1 and hosts[0] in self.server.hosts

    def _drain(self) -> None:
        """Read what is still being sent: closed at once, the connection would be reset before its answer is read."""
        end = time.monotonic() + LINGER
        with suppress(OSError):
            self.connection.shutdown(SHUT_WR)
            while time.monotonic() < end and self.rfile.read1(1 << 16):
                pass

    def _other(self) -> None:
        """Any other request: to one without the address, nothing says that there is one."""
        self.close_connection = True
        self._answer(self.server.service.other if self._knows() else self.server.service.stranger)

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _other

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is not a request of HTTP, or of a method without a name here, gets a stranger's answer."""
        self.request_version, self.command = "HTTP/1.0", getattr(self, "command", None) or "GET"
        self.close_connection = True
        self._answer(self.server.service.stranger)

    def _answer(self, reply: Reply) -> None:
        with suppress(OSError):
            self.send_response(reply.status)
            for name, value in {
                **reply.headers,
                "Content-Length": str(len(reply.content)),
                "Cache-Control": "no-store",
                "Content-Security-Policy": "frame-ancestors 'none'",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is the command's."""
