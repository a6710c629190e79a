"""A body gets no further than it is read, and what was refused a moment ago is refused here."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interchange import measures
from interchange.measures import Measure
from serve_app.http.around.errors import ROOM_HEADER
from serve_app.http.gate import crossing, door
from serve_app.http.gate.crossing import AHEAD_BYTES, FIRST_BYTES, READS, Crossing, admitted
from serve_app.http.gate.proxy import Edge

_CHUNK = 2**15
_PATH = "/v1/audio/transcriptions"


class Eager:
    """What Serve's proxy does: it takes a body as fast as it comes, and hands it on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def take() -> None:
            while True:
                message = await receive()
                self.taken += len(message.get("body", b""))
                messages.put_nowait(message)
                if message["type"] == "http.disconnect":
                    return

        taking = asyncio.create_task(take())
        try:
            await self.app(scope, messages.get, send)
        finally:
            taking.cancel()


async def ask(app: ASGIApp, chunks: int = 1, **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def body() -> AsyncIterator[Message]:
        for number in range(chunks):
            yield {"type": "http.request", "body": bytes(_CHUNK), "more_body": number < chunks - 1}
        await asyncio.Event().wait()

    messages = body()

    async def send(message: Message) -> None:
        sent.append(message)

    named = {"content-length": str(chunks * _CHUNK)} | headers
    scope = {
        "type": "http",
        "method": "POST",
        "path": _PATH,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    await app(scope, lambda: anext(messages), send)
    return sent


async def _say(send: Send, status: int, **headers: str) -> None:
    ours = {"x-content-type-options": "nosniff"} | headers
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in ours.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"{}"})


async def _refuse(send: Send) -> None:
    await _say(send, 429, retry_after="7", **{ROOM_HEADER: "2.5"})


async def _whole(receive: Receive) -> int:
    total = 0
    while True:
        message = await receive()
        total += len(message["body"])
        if not message["more_body"]:
            return total


async def test_a_recording_that_is_refused_stays_where_it_was() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.01)
        await _refuse(send)

    eager = Eager(Crossing(app))
    start, _ = await ask(Edge(eager), chunks=400)
    assert start["status"] == 429
    assert ROOM_HEADER.encode() not in dict(start["headers"])
    assert eager.taken <= FIRST_BYTES


@pytest.mark.parametrize("told", [True, False])
async def test_one_that_is_let_in_comes_whole_and_not_faster_than_it_is_read(told: bool) -> None:
    furthest = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal furthest
        read = 0
        message: Message = {"more_body": True}
        while message["more_body"]:
            message = await receive()
            read += len(message["body"])
            if told:
                admitted(scope)
            await asyncio.sleep(0)  # meanwhile the proxy takes what it gets
            furthest = max(furthest, eager.taken - read)
        await _say(send, 200, read=str(read))

    eager = Eager(Crossing(app))
    start, _ = await ask(Edge(eager), chunks=400)
    assert dict(start["headers"])[b"read"] == str(400 * _CHUNK).encode()
    assert furthest <= AHEAD_BYTES + _CHUNK


async def test_an_app_that_does_not_say_what_it_reads_gets_it_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crossing, "SAYS_S", 0.01)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _say(send, 200, read=str(await _whole(receive)))

    start, _ = await ask(Edge(Eager(app)), chunks=400)
    assert dict(start["headers"])[b"read"] == str(400 * _CHUNK).encode()


async def test_where_nothing_stands_around_the_proxy_nothing_is_said() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        admitted(scope)
        await _whole(receive)
        await _say(send, 200)

    sent = await ask(Crossing(app), chunks=8)
    assert READS not in {message["type"] for message in sent}


async def test_in_a_burst_the_app_is_asked_about_few() -> None:
    asked = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        await _refuse(send)

    edge = Edge(app)
    answers = await asyncio.gather(*[ask(edge) for _ in range(100)])
    assert asked <= door.MOST_UNDECIDED
    assert {start["status"] for start, _ in answers} == {429}
    later = sorted(int(dict(start["headers"])[b"retry-after"]) for start, _ in answers)
    # They are told one after the other, as there is room for one after the other.
    assert later[0] == 7
    assert later[-1] > 7 + 2.5 * (100 - 2 * door.MOST_UNDECIDED)


async def test_those_who_are_let_in_let_the_next_ones_in() -> None:
    inside = 0
    all_inside = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal inside
        admitted(scope)
        inside += 1
        if inside == 40:
            all_inside.set()
        await all_inside.wait()
        await _say(send, 200)

    edge = Edge(Crossing(app))
    answers = await asyncio.gather(*[ask(edge) for _ in range(40)])
    assert {start["status"] for start, _ in answers} == {200}


async def test_an_app_that_says_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "DECIDED_S", 0.01)
    inside = 0
    all_inside = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal inside
        inside += 1
        if inside == 40:
            all_inside.set()
        await all_inside.wait()
        await _say(send, 200)

    edge = Edge(app)
    answers = await asyncio.gather(*[ask(edge) for _ in range(40)])
    assert {start["status"] for start, _ in answers} == {200}


async def test_a_refusal_holds_for_what_is_alike_and_for_a_moment() -> None:
    statuses = {"first": 429}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        key = dict(scope["headers"])[b"authorization"].decode()
        await (_refuse(send) if statuses.get(key) == 429 else _say(send, 200))

    async def status(chunks: int = 1, **headers: str) -> int:
        start, _ = await ask(edge, chunks, **headers)
        return int(start["status"])

    now = 0.0
    edge = Edge(app)
    edge._door = door.Door(lambda: now)
    assert await status(authorization="first") == 429
    statuses.clear()
    assert await status(authorization="first") == 429
    assert await status(authorization="another") == 200
    assert await status(chunks=9, authorization="first") == 200
    now = door.HOLDS_S + 0.01
    assert await status(authorization="first") == 200


async def test_other_refusals_hold_for_nobody() -> None:
    """Quotas and places are a key's own affair, and the app's."""
    answers = [429, 200]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _say(send, answers.pop(0), retry_after="9")

    edge = Edge(app)
    assert [(await ask(edge))[0]["status"] for _ in range(2)] == [429, 200]


async def test_who_leaves_while_it_waits_takes_no_place() -> None:
    subject = door.Door()
    kind = ("/",)
    inside = [await subject.enter(kind) for _ in range(door.MOST_UNDECIDED)]
    waiting = [asyncio.create_task(subject.enter(kind)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    for each in inside[:2]:
        assert isinstance(each, door.Pass)
        each.decided()
    waiting[1].cancel()  # its turn had come
    assert isinstance(await waiting[2], door.Pass)
    for task in waiting[:2]:
        with suppress(asyncio.CancelledError):
            await task
    assert subject._undecided == door.MOST_UNDECIDED - 1  # two left, one came in


class Heard:
    def __init__(self) -> None:
        self.figures: list[tuple[float, Mapping[str, str]]] = []

    def record(self, measure: Measure, value: float, labels: Mapping[str, str]) -> None:
        if measure is measures.REQUESTS:
            self.figures.append((value, labels))


async def test_what_was_refused_here_is_counted_by_the_app() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _refuse(send)

    now = 0.0
    edge = Edge(Crossing(app))
    edge._door = door.Door(lambda: now)
    with measures.heard_by(Heard()) as heard:
        for _ in range(4):
            await ask(edge)
        now = door.HOLDS_S + 0.01
        await ask(edge)
    assert heard.figures == [(3, {"surface": "openai", "status": "429"})]
