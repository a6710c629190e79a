"""Messages of a WebSocket that wait for each other, and when they do not."""

import asyncio

import pytest
from starlette.types import Message

from serve_app.http.gate import bursts
from serve_app.http.gate.bursts import Bursts

AUDIO = "A" * 1000
WISH = '{"type": "input_audio_buffer.commit"}'


def text(content: str) -> Message:
    return {"type": "websocket.receive", "text": content}


class Client:
    """Sends what it is told to; `told` is what it hears."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.told: list[Message] = []
        self.sockets = 1
        self.bursts = Bursts(self.sent.get, self._hear, lambda: self.sockets)

    async def _hear(self, message: Message) -> None:
        self.told.append(message)

    def says(self, *contents: str) -> None:
        for content in contents:
            self.sent.put_nowait(text(content))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst waits for ever, and nobody is expected to answer."""
    monkeypatch.setattr(bursts, "APART_S", 1e6)
    monkeypatch.setattr(bursts, "SILENT_S", 0.0)


async def some_steps() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("patient")
async def test_audio_waits_and_a_wish_takes_it_along() -> None:
    client = Client()
    client.says(AUDIO + "1", AUDIO + "2")
    first = asyncio.ensure_future(client.bursts.receive())
    await some_steps()
    assert not first.done()
    client.says(WISH)
    assert await first == text(AUDIO + "1")
    # The others are there without another step of the loop.
    for content in (AUDIO + "2", WISH):
        with pytest.raises(StopIteration) as had:
            client.bursts.receive().send(None)
        assert had.value.value == text(content)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "message", [text(WISH), {"type": "websocket.connect"}, {"type": "websocket.disconnect"}]
)
async def test_what_is_no_audio_waits_for_nothing(message: Message) -> None:
    client = Client()
    client.sent.put_nowait(message)
    assert await client.bursts.receive() == message


async def test_who_was_told_something_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "APART_S", 1e6)
    monkeypatch.setattr(bursts, "SILENT_S", 1e5)
    client = Client()
    await client.bursts.send(text("hello"))
    client.says(AUDIO)
    assert await client.bursts.receive() == text(AUDIO)
    assert client.told == [text("hello")]


async def test_audio_goes_on_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "APART_S", 0.05)
    monkeypatch.setattr(bursts, "SILENT_S", 0.0)
    client = Client()
    for _ in range(3):
        client.says(AUDIO)
        assert await client.bursts.receive() == text(AUDIO)


@pytest.mark.usefixtures("patient")
async def test_who_stops_waiting_loses_nothing() -> None:
    client = Client()
    client.says(AUDIO + "1")
    waiting = asyncio.ensure_future(client.bursts.receive())
    await some_steps()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    client.says(AUDIO + "2", WISH)
    got = [await client.bursts.receive() for _ in range(3)]
    assert got == [text(AUDIO + "1"), text(AUDIO + "2"), text(WISH)]


@pytest.mark.usefixtures("patient")
async def test_closing_ends_the_wait_for_more() -> None:
    client = Client()
    client.says(AUDIO)
    waiting = asyncio.ensure_future(client.bursts.receive())
    await some_steps()
    waiting.cancel()
    client.bursts.close()
    await some_steps()
    assert not [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]


async def test_the_more_sockets_there_are_the_longer_frames_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those of a client that was told something now."""
    monkeypatch.setattr(bursts, "MOST_S", 1e6)
    monkeypatch.setattr(bursts, "EACH_S", 1e3)
    client = Client()
    for client.sockets, waits in ((1, False), (4, True)):
        client.says(AUDIO)
        await client.bursts.send({"type": "websocket.send", "text": "told"})
        first = asyncio.ensure_future(client.bursts.receive())
        await some_steps()
        assert first.done() != waits
        client.says(WISH)
        await first
        assert (await client.bursts.receive()) == text(WISH)
