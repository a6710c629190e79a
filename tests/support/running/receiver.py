"""A receiver of webhooks on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One try at a webhook. Header names are in lower case; `status` is what was answered."""

    headers: dict[str, str]
    body: dict[str, Any]
    status: int


@dataclass
class Receiver:
    """`got` is what arrived, in order. `refuse_first` answers 503 to the first try of each."""

    url: str = ""
    refuse_first: bool = False
    got: list[Received] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, headers: dict[str, str], body: dict[str, Any]) -> int:
        with self._lock:
            known = any(each.headers["webhook-id"] == headers["webhook-id"] for each in self.got)
            status = 503 if self.refuse_first and not known else 204
            self.got.append(Received(headers, body, status))
            return status


@contextmanager
def webhook_receiver(*, refuse_first: bool = False) -> Iterator[Receiver]:
    receiver = Receiver(refuse_first=refuse_first)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, json.loads(body)))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
