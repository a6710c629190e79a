import asyncio
import errno
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from configs.settings import AudioSettings, FetchSettings, Settings
from deployments.audio.child.children import shared_children
from deployments.audio.child.decoding import Decoding
from deployments.audio.decode import Decoder
from deployments.audio.loader import Events, Loader, _threaded
from interchange.errors import (
    AddressRefused,
    HarmfulRecording,
    InvalidOption,
    NotFound,
    RecordingTooLong,
    ServerError,
    SourceTimeout,
    SourceUnreachable,
    Unavailable,
    UndecodableRecording,
)
from interchange.files.room import no_room
from interchange.samples import as_float32
from interchange.stages import (
    SAMPLE_RATE,
    Apart,
    BlobSource,
    ChannelUse,
    Float32,
    Loaded,
    LoadEvent,
    LoadOptions,
    PcmBlock,
    Source,
    SpeechDetection,
    UrlSource,
    Window,
)
from tests.support.recordings.media import encode, tone
from tests.support.recordings.speech import SAMPLE
from tests.support.running.children import decoding_children

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]


@pytest.fixture(scope="module")
def call() -> Float32:
    """30 s of real speech."""
    with SAMPLE.open("rb") as file:
        return np.concatenate(list(Decoder(file, max_duration_s=60)))


@pytest.fixture(scope="module")
def recording(call: Float32) -> bytes:
    """Two and a half minutes, with a long silence, as FLAC of a few megabytes."""
    pause = np.zeros(20 * SAMPLE_RATE, np.float32)
    return encode(np.concatenate((call, call, pause, call, call)), "flac", "flac")


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(settings(tmp_path))


def settings(folder: Path, *, fetch: FetchSettings | None = None, **audio: Any) -> Settings:
    return Settings(
        storage=f"file://{folder}",
        allowed_networks=(ip_network("127.0.0.0/8"),),
        fetch=fetch or FetchSettings(read_timeout_s=60),
        audio=AudioSettings(**audio),
    )


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an answer at a URL of its own."""
    running: list[TestServer] = []

    async def start(answer: Answer) -> str:
        app = web.Application()
        app.router.add_get("/recording", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server(shutdown_timeout=0.1)
        running.append(server)
        return str(server.make_url("/recording"))

    yield start
    for server in running:
        await server.close()


def in_parts(data: bytes, count: int, pause: float = 0.0, *, announce: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if announce:
            response.content_length = len(data)
        await response.prepare(request)
        size = -(-len(data) // count)
        for start in range(0, len(data), size):
            await response.write(data[start : start + size])
            await asyncio.sleep(pause)
        return response

    return answer


async def load(
    loader: Loader, source: Source, *, pcm: bool = False, **options: Any
) -> list[LoadEvent]:
    return [event async for event in loader.load(source, LoadOptions(pcm, **options))]


def windows(events: list[LoadEvent]) -> list[Window]:
    return [event for event in events if isinstance(event, Window)]


def assert_same(one: list[LoadEvent], other: list[LoadEvent]) -> None:
    assert [(w.index, w.offset, w.speech) for w in windows(one)] == [
        (w.index, w.offset, w.speech) for w in windows(other)
    ]
    for first, second in zip(windows(one), windows(other), strict=True):
        np.testing.assert_array_equal(first.samples, second.samples)
    assert one[-1] == other[-1]


@pytest.mark.parametrize("url", [False, True])
@pytest.mark.parametrize("use", ["auto", "separate"])
async def test_channels_by_themselves(
    loader: Loader, serve: Serve, tmp_path: Path, call: Float32, use: ChannelUse, *, url: bool
) -> None:
    """Two who talk at the same time, a channel each; the second one later."""
    other = np.concatenate((np.zeros(10 * SAMPLE_RATE, np.float32), call[: -10 * SAMPLE_RATE]))
    data = encode(np.stack((call, other)), "flac", "flac")
    (tmp_path / "calls").write_bytes(data)
    address = await serve(in_parts(data, 3))
    source: Source = UrlSource(address) if url else BlobSource("calls", "calls")
    events = await load(loader, source, channels=use, pcm=True)
    found = windows(events)
    for number, channel in enumerate((call, other)):
        (tmp_path / "alone").write_bytes(encode(channel, "flac", "flac"))
        expected = windows(await load(loader, BlobSource("alone", "alone")))
        same = [each for each in found if each.channel == number]
        assert [each.offset for each in same] == [each.offset for each in expected]
        for one, alone in zip(same, expected, strict=True):
            np.testing.assert_array_equal(one.samples, alone.samples)
    assert [each.index for each in found] == list(range(len(found)))
    assert [each.offset for each in found] == sorted(each.offset for each in found)
    loaded = events[-1]
    assert isinstance(loaded, Loaded)
    assert loaded.apart == (Apart(0.0, loaded.duration, 2),)
    assert loaded.notes == ("The 2 channels hold different speech and were recognized separately.",)
    waveform = sum(len(each.samples) for each in events if isinstance(each, PcmBlock))
    assert waveform == loaded.duration * SAMPLE_RATE, "the mix"


async def test_one_recording_in_two_channels_is_one(
    loader: Loader, tmp_path: Path, call: Float32
) -> None:
    (tmp_path / "twice").write_bytes(encode(np.stack((call, call)), "flac", "flac"))
    source = BlobSource("twice", "twice")
    mixed, auto, separate = [
        await load(loader, source, channels=use) for use in ("mix", "auto", "separate")
    ]
    assert_same(mixed, auto)
    assert {each.channel for each in windows(separate)} == {None}
    assert isinstance(separate[-1], Loaded)
    (note,) = separate[-1].notes
    assert "recognized as if it had one" in note


async def test_more_channels_than_can_be_separate_are_refused(
    loader: Loader, tmp_path: Path
) -> None:
    (tmp_path / "many").write_bytes(encode(np.stack([tone(1)] * 9)))
    source = BlobSource("many", "many")
    with pytest.raises(InvalidOption, match="9 channels"):
        await load(loader, source, channels="separate")
    assert isinstance((await load(loader, source, channels="auto"))[-1], Loaded)


async def test_an_upload_becomes_windows_of_its_speech(
    loader: Loader, tmp_path: Path, recording: bytes, call: Float32
) -> None:
    (tmp_path / "key").write_bytes(recording)
    events = await load(loader, BlobSource("key", "a.wav"))
    loaded = events[-1]
    assert isinstance(loaded, Loaded)
    assert loaded.duration == 140
    assert loaded.notes == ()
    assert 0.6 * 120 < loaded.speech < 120
    found = windows(events)
    assert [window.index for window in found] == list(range(len(found)))
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(len(window.samples) <= 30 * SAMPLE_RATE for window in found)
    # Neither window of the silence's neighbours reaches into it by more than the padding.
    assert all(window.end < 61 or window.start > 79 for window in found)
    whole = np.concatenate((call, call, np.zeros(20 * SAMPLE_RATE, np.float32), call, call))
    for window in found:
        original = whole[window.offset : window.offset + len(window.samples)]
        np.testing.assert_allclose(as_float32(window.samples), original, atol=1 / 32768)
    total = sum(end - start for window in found for start, end in window.speech)
    assert total / SAMPLE_RATE == pytest.approx(loaded.speech)


@pytest.mark.parametrize(
    ("seconds", "pcm", "asked", "times"),
    [(140, False, True, 1), (140, True, True, 0), (40, False, True, 0), (140, False, False, 0)],
)
async def test_after_its_first_minutes_a_load_stands_back_if_asked_to(
    tmp_path: Path,
    recording: bytes,
    call: Float32,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    pcm: bool,
    asked: bool,
    times: int,
) -> None:
    """In a thread that is no other load's; and not where a diarizer waits for the waveform."""
    threads: list[int] = []
    monkeypatch.setattr(
        "deployments.audio.loader.stand_back", lambda: threads.append(threading.get_ident())
    )
    short = encode(call, "flac", "flac")
    (tmp_path / "key").write_bytes(recording if seconds > 120 else short)
    loader = Loader(settings(tmp_path), stands_back=asked)
    loads = [load(loader, BlobSource("key", "a"), pcm=pcm) for _ in range(2)]
    assert all(map(windows, await asyncio.gather(*loads)))
    assert len(threads) == len(set(threads)) == 2 * times
    assert threading.get_ident() not in threads


async def test_the_waveform_comes_whole_beside_the_windows(
    loader: Loader, tmp_path: Path, recording: bytes, call: Float32
) -> None:
    (tmp_path / "key").write_bytes(recording)
    events = await load(loader, BlobSource("key", "a"), pcm=True)
    blocks = [event.samples for event in events if isinstance(event, PcmBlock)]
    waveform = np.concatenate(blocks)
    assert len(waveform) == 140 * SAMPLE_RATE
    np.testing.assert_allclose(as_float32(waveform[: len(call)]), call, atol=1 / 32768)
    assert max(len(block) for block in blocks) <= 31 * SAMPLE_RATE
    assert len(windows(events)) == len(windows(await load(loader, BlobSource("key", "a"))))


@pytest.mark.parametrize("announce", [True, False])
async def test_a_url_gives_the_same_as_an_upload(
    loader: Loader, tmp_path: Path, recording: bytes, serve: Serve, announce: bool
) -> None:
    (tmp_path / "key").write_bytes(recording)
    url = await serve(in_parts(recording, 50, announce=announce))
    assert_same(await load(loader, UrlSource(url)), await load(loader, BlobSource("key", "a")))


async def test_windows_come_while_the_rest_still_loads(
    loader: Loader, recording: bytes, serve: Serve
) -> None:
    held = asyncio.Event()
    finished = False

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal finished
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(recording[: len(recording) * 3 // 4])
        await held.wait()
        await response.write(recording[len(recording) * 3 // 4 :])
        finished = True
        return response

    url = await serve(answer)
    async with aclosing(loader.load(UrlSource(url), LoadOptions())) as events:
        first = await anext(events)
        assert isinstance(first, Window)
        assert not finished
        held.set()
        rest = [event async for event in events]
    assert isinstance(rest[-1], Loaded)
    assert rest[-1].duration == 140


async def test_what_ends_its_child_is_refused_at_once(
    loader: Loader, recording: bytes, serve: Serve
) -> None:
    refused = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(recording[: len(recording) * 3 // 4])
        await refused.wait()
        return response

    async with aclosing(loader.load(UrlSource(await serve(answer)), LoadOptions())) as events:
        assert isinstance(await anext(events), Window)
        for child in decoding_children():
            child.send_signal(signal.SIGSEGV)
        with pytest.raises(HarmfulRecording, match="makes the decoder crash"):
            async for _ in events:
                pass
    refused.set()


@pytest.mark.parametrize("announce", [True, False])
async def test_an_index_at_the_end_is_waited_for(
    loader: Loader, tmp_path: Path, call: Float32, serve: Serve, announce: bool
) -> None:
    data = encode(call, "mp4", "aac")
    assert data.index(b"mdat") < data.index(b"moov")
    (tmp_path / "key").write_bytes(data)
    url = await serve(in_parts(data, 10, announce=announce))
    assert_same(await load(loader, UrlSource(url)), await load(loader, BlobSource("key", "a")))


async def test_a_listener_who_waits_gets_a_short_first_window(
    loader: Loader, tmp_path: Path, recording: bytes
) -> None:
    (tmp_path / "upload").write_bytes(recording)
    source = BlobSource("upload", "upload.flac")
    early = windows(await load(loader, source, first_window_s=8.0))
    assert early[0].end - early[0].start <= 8
    assert max(each.end - each.start for each in early[1:]) > 8
    assert windows(await load(loader, source))[0].end > 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        SpeechDetection(threshold=0.9, silence_s=0.128, padding_s=0.3),
        SpeechDetection(threshold=0.5, silence_s=1.0, padding_s=0.3),
        SpeechDetection(threshold=0.5, silence_s=0.128, padding_s=0.0),
    ],
)
async def test_every_value_of_speech_detection_changes_the_windows(
    loader: Loader, tmp_path: Path, recording: bytes, wanted: SpeechDetection
) -> None:
    (tmp_path / "upload").write_bytes(recording)
    source = BlobSource("upload", "upload.flac")

    async def spans(detection: SpeechDetection | None) -> list[tuple[object, ...]]:
        found = windows(await load(loader, source, detection=detection))
        return [(each.start, each.end, each.speech) for each in found]

    as_usual = await spans(None)
    assert await spans(SpeechDetection(0.5, 0.128, 0.3)) == as_usual
    assert await spans(wanted) != as_usual


async def test_no_speech_gives_no_windows(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(encode(tone(12)))
    (loaded,) = await load(loader, BlobSource("key", "a"))
    assert isinstance(loaded, Loaded)
    assert (loaded.duration, loaded.speech, loaded.notes) == (12.0, 0.0, ())
    assert loaded.waveform is not None
    assert len(loaded.waveform.peaks) == 12 / loaded.waveform.step
    assert min(loaded.waveform.peaks) > 0


async def test_a_damaged_end_is_noted(loader: Loader, tmp_path: Path, recording: bytes) -> None:
    (tmp_path / "key").write_bytes(recording[: len(recording) // 2])
    events = await load(loader, BlobSource("key", "a"))
    assert isinstance(events[-1], Loaded)
    assert any("although it announces 140.0 s" in note for note in events[-1].notes)
    assert windows(events)


async def test_what_cannot_be_loaded_says_why(
    tmp_path: Path, recording: bytes, serve: Serve
) -> None:
    loader = Loader(settings(tmp_path, max_duration_s=100))
    (tmp_path / "long").write_bytes(recording)
    (tmp_path / "text").write_bytes(b"no recording")
    with pytest.raises(RecordingTooLong):
        await load(loader, BlobSource("long", "a"))
    with pytest.raises(UndecodableRecording):
        await load(loader, BlobSource("text", "a.wav"))
    with pytest.raises(NotFound):
        await load(loader, BlobSource("missing", "a.wav"))
    with pytest.raises(AddressRefused):
        await load(loader, UrlSource("http://10.0.0.1/a.wav"))
    with pytest.raises(SourceUnreachable):
        await load(loader, UrlSource("http://nowhere.invalid/a.wav"))


async def test_a_page_about_a_recording_is_told_from_it(loader: Loader, serve: Serve) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>" + "Sign in first. " * 500, content_type="text/html")

    with pytest.raises(UndecodableRecording, match="text/html"):
        await load(loader, UrlSource(await serve(page)))


@pytest.mark.parametrize("announce", [True, False])
async def test_a_server_that_falls_silent_is_an_error_not_an_end(
    tmp_path: Path, recording: bytes, serve: Serve, announce: bool
) -> None:
    # Only silence counts: on busy cores the bytes of the last second may be few as well.
    fetch = FetchSettings(read_timeout_s=0.5, min_bytes_per_s=0)
    loader = Loader(settings(tmp_path, fetch=fetch))
    url = await serve(in_parts(recording, 2, 60, announce=announce))
    with pytest.raises(SourceTimeout, match="sent nothing"):
        await load(loader, UrlSource(url))


@pytest.mark.parametrize("moment", ["before the first event", "between events", "by cancelling"])
async def test_letting_go_ends_everything_at_once(
    loader: Loader, recording: bytes, serve: Serve, moment: str
) -> None:
    asked = asyncio.Event()
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        asked.set()
        try:
            await response.write(recording[:1000] if moment != "between events" else recording)
            while True:
                await asyncio.sleep(0.02)
                await response.write(b"\0")
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise
        return response

    url = await serve(answer)
    files = open_files()
    events = loader.load(UrlSource(url), LoadOptions())
    first = asyncio.ensure_future(anext(events))
    if moment == "between events":
        await first
    else:
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    await events.aclose()
    await asyncio.wait_for(gone.wait(), 30)
    gc.collect()
    assert open_files() == files


def open_files() -> list[str]:
    """Files that this process holds without a name, as spools do."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return [link for link in links if link.endswith("(deleted)") and "/tmp" in link]


async def test_loads_run_beside_each_other(
    loader: Loader, tmp_path: Path, recording: bytes
) -> None:
    (tmp_path / "key").write_bytes(recording)
    one, *others = await asyncio.gather(*(load(loader, BlobSource("key", "a")) for _ in range(4)))
    for other in others:
        assert_same(one, other)


async def test_many_slow_servers_do_not_keep_an_upload_waiting(
    loader: Loader, tmp_path: Path, recording: bytes, serve: Serve
) -> None:
    (tmp_path / "key").write_bytes(recording)
    url = await serve(in_parts(recording, 1000, 0.02))
    slow = [asyncio.create_task(load(loader, UrlSource(url))) for _ in range(40)]
    await asyncio.sleep(0.1)
    assert windows(await asyncio.wait_for(load(loader, BlobSource("key", "a")), 30))
    assert not any(task.done() for task in slow)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.parametrize("sent", [1000, 10**6])
async def test_those_still_on_their_way_leave_places_to_those_who_are_here(
    tmp_path: Path, recording: bytes, serve: Serve, sent: int
) -> None:
    (tmp_path / "key").write_bytes(recording)
    begun = asyncio.Semaphore(0)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(recording[:sent])
        begun.release()
        await asyncio.Event().wait()
        return response

    loader = Loader(settings(tmp_path, decoders=1))
    url = await serve(answer)
    waiting = [asyncio.create_task(load(loader, UrlSource(url))) for _ in range(12)]
    for _ in waiting:
        await begun.acquire()
    assert windows(await load(loader, BlobSource("key", "a")))
    whole = await serve(in_parts(recording, 1, announce=True))
    assert windows(await load(loader, UrlSource(whole)))
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_downloads_share_the_room_on_the_disk(
    tmp_path: Path, recording: bytes, serve: Serve
) -> None:
    base = settings(tmp_path)
    room = base.fetch.model_copy(update={"max_disk_bytes": len(recording) + 1000})
    loader = Loader(base.model_copy(update={"fetch": room}))
    (tmp_path / "key").write_bytes(recording)
    url = await serve(in_parts(recording, 4))
    async with aclosing(loader.load(UrlSource(url), LoadOptions())) as events:
        await anext(events)
        with pytest.raises(Unavailable, match="no room left"):
            await load(loader, UrlSource(url))
    assert windows(await load(loader, UrlSource(url)))


@pytest.mark.parametrize(("number", "ill"), [(errno.EIO, True), (errno.ENOSPC, False)])
def test_health_is_asked_of_the_work_and_the_disk(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, number: int, ill: bool
) -> None:
    """A full disk is no reason to replace a replica by one that has the same disk."""

    def fail(descriptor: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    loader.check()
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(ServerError, match="could not be written") if ill else nullcontext():
        loader.check()


async def test_a_full_disk_is_a_503_to_whoever_names_a_url(
    loader: Loader, recording: bytes, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await serve(in_parts(recording, 4))

    def full(place: object) -> None:
        raise no_room()

    monkeypatch.setattr("deployments.audio.fetching.spool.check_reserve", full)
    with pytest.raises(Unavailable, match="no room left"):
        await load(loader, UrlSource(url))


async def test_the_next_event_is_made_while_one_is_taken_and_no_further() -> None:
    made = [threading.Event() for _ in range(3)]

    def events() -> Events:
        for index, each in enumerate(made):
            each.set()
            yield PcmBlock(np.full(1, index, np.int16))

    decoding = Decoding(shared_children(60.0), 60.0)
    async with aclosing(_threaded(events(), decoding, None)) as steps:
        await anext(steps)
        assert await asyncio.to_thread(made[1].wait, 30)
        assert not made[2].is_set()
    assert decoding.stopped
