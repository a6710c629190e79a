"""What stands around Serve's own proxy."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
import uvicorn
from ray.serve._private import constants
from ray.serve._private.utils import call_function_from_import_path
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http import auto

from serve_app.http.gate import connections
from serve_app.http.gate.proxy import _HEADERS, CALLBACK, Edge

App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def asked(
    app: App, path: str = "/", headers: list[tuple[bytes, bytes]] | None = None
) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Edge(app)({"type": "http", "path": path, "headers": headers or []}, receive, send)
    return sent


async def test_serves_own_headers_are_stripped() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])

    await asked(
        app,
        headers=[
            (b"x-request-timeout-seconds", b"0.1"),
            (b"x-request-id", b"a"),
            (b"x-request-disconnect-disabled", b"?1"),
            (b"serve_multiplexed_model_id", b"\xff"),
            (b"x-request-timeout-seconds", b"2"),
        ],
    )
    assert seen == [(b"x-request-id", b"a")]
    seen.clear()
    await asked(app, headers=[(b"x-request-id", b"\xff")])
    assert seen == []


async def test_a_websocket_passes_both_ways() -> None:
    said = {"type": "websocket.receive", "text": "A" * 1000}
    coming: list[Message] = [{"type": "websocket.connect"}, said, {"type": "websocket.disconnect"}]
    left, sent, seen = iter(coming), list[Message](), list[Message]()

    async def receive() -> Message:
        return next(left)

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while not seen or seen[-1]["type"] != "websocket.disconnect":
            seen.append(await receive())

    await Edge(app)({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert (seen, sent) == (coming, [{"type": "websocket.accept"}])


def test_the_names_are_serves() -> None:
    assert {
        constants.SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
        constants.SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
        constants.SERVE_MULTIPLEXED_MODEL_ID,
        constants.SERVE_SESSION_ID,
    } <= set(_HEADERS)


def answering(status: int, headers: list[tuple[bytes, bytes]]) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"as it was"})

    return app


OURS = [(b"x-content-type-options", b"nosniff")]


@pytest.mark.parametrize(
    ("status", "headers", "passes"),
    [
        (200, [], True),
        (404, OURS, True),
        (503, OURS, True),
        (404, [], False),
        (429, [(b"retry-after", b"9")], False),
        (503, [], False),
    ],
)
async def test_serves_own_answers_get_the_dialects_shape(
    status: int, headers: list[tuple[bytes, bytes]], passes: bool
) -> None:
    start, body = await asked(answering(status, headers), "/v1/models")
    assert start["status"] == status
    if passes:
        assert body["body"] == b"as it was"
        return
    error = json.loads(body["body"])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    wait = dict(start["headers"]).get(b"retry-after")
    assert wait == {404: None, 429: b"9", 503: b"5"}[status]


async def test_a_process_that_died_is_a_503_that_says_when_to_come_again() -> None:
    async def died(scope: Scope, receive: Receive, send: Send) -> None:
        pass  # what Serve does then

    start, body = await asked(died, "/tasks")
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"5"
    assert json.loads(body["body"])["detail"]


async def test_which_applications_there_are_is_not_told() -> None:
    start, body = await asked(answering(200, []), "/-/routes")
    assert start["status"] == 404
    start, body = await asked(answering(200, []), "/-/healthz")
    assert (start["status"], body["body"]) == (200, b"as it was")


def test_serve_finds_the_middleware_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "install", lambda: None)
    (middleware,) = call_function_from_import_path(CALLBACK)
    assert middleware.cls is Edge


# -------------------------------------------------------------------------- connections


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(connections, "HEADERS_S", 0.1)
    monkeypatch.setattr(auto, "AutoHTTPProtocol", connections.Punctual)
    listening = socket.create_server(("127.0.0.1", 0))
    app = answering(200, [(b"content-length", b"9")])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_connection_without_a_request_is_closed(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    assert await reader.read() == b""
    writer.close()


async def test_one_that_rests_between_requests_is_not(port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        ends = []
        for _ in range(2):
            answer = await client.get("/")
            ends.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
            await asyncio.sleep(0.4)  # four looks
    assert ends[0] == ends[1]
