"""Names that lead inwards, told by a name server of our own to the system's resolver."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.attack.names import name_server
from benchmarks.attack.target import Canary

ROOT = Path(__file__).parents[5]


class Recording(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b"recording")

    def log_message(self, *_: object) -> None:
        pass


def test_whatever_a_name_server_says_nothing_leads_inwards(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server, under = stack.enter_context(name_server(tmp_path))
        if server is None:
            pytest.skip("only root may put another name server in place, on Linux")
        free = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Recording))
        Thread(target=free.serve_forever, daemon=True).start()
        stack.callback(free.shutdown)
        # On the port of the server that may be asked: a name is all that tells the two apart.
        canary = Canary(free.server_port)
        expected = [
            ("rebinding", "9"),
            ("rebinding", "AddressRefused"),
            ("rebinding", "9"),
            ("inwards", "AddressRefused"),
            ("many", "AddressRefused"),
            ("metadata", "AddressRefused"),
            ("chain-0", "AddressRefused"),
            ("loop", "SourceUnreachable"),
            ("nothing", "SourceUnreachable"),
            ("unknown", "SourceUnreachable"),
        ]
        if socket.has_ipv6:
            expected += [(name, "AddressRefused") for name in ("mapped", "translated", "tunnelled")]
        urls = [f"http://{name}.test:{free.server_port}/a" for name, _ in expected]
        program = [*under, sys.executable, "-m", "tests.support.running.fetching", *urls]
        done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
        assert dict(enumerate(done.stdout.split())) == dict(enumerate(e for _, e in expected))
        assert canary.hits == 0
        assert {name for name, _ in expected} <= set(server.asked)
