"""What the handles make of Ray's answers. A stub stands for a deployment's handle."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray import serve
from ray.exceptions import ActorDiedError, ObjectStoreFullError, OutOfDiskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.recognition.deployment import SpeechRecognizer
from interchange import budget
from interchange.errors import OutOfTime, QueueFull, Unavailable
from interchange.stages import RecognitionOptions, RemoteFile, UrlSource, Window
from interchange.transcript import WindowTranscript
from serve_app.handles import RayAudioLoader, RaySpeechRecognizer, RayTranscriber
from serve_app.transcription.request import TranscriptionRequest
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, window, words_of

OPTIONS = RecognitionOptions(request_id="r")
WINDOW = window(0)


class Response:
    """A DeploymentResponse that answers, fails, or never ends."""

    def __init__(self, result: Any = None) -> None:
        self._result = result
        self.awaited = asyncio.Event()
        self.cancelled = False

    def __await__(self) -> Generator[Any, None, Any]:
        return self._end().__await__()

    async def _end(self) -> Any:
        self.awaited.set()
        if self._result is None:
            await asyncio.Event().wait()
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def cancel(self) -> None:
        self.cancelled = True


def recognizer(call: Callable[[], Response]) -> RaySpeechRecognizer:
    method = SimpleNamespace(remote=lambda *_: call())
    return RaySpeechRecognizer(cast(DeploymentHandle, SimpleNamespace(recognize=method)))


async def test_a_cancelled_call_stops_the_replica() -> None:
    """Serve does so by itself only for calls made on behalf of a request, which a job is not."""
    response = Response()
    call = asyncio.create_task(recognizer(lambda: response).recognize(WINDOW, OPTIONS))
    await response.awaited.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert response.cancelled


async def test_a_call_that_was_answered_is_not_cancelled() -> None:
    response = Response(words_of(WINDOW, OPTIONS))
    found = await recognizer(lambda: response).recognize(WINDOW, OPTIONS)
    assert found == words_of(WINDOW, OPTIONS)
    assert not response.cancelled


async def test_a_call_goes_to_another_replica_where_one_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serve_app.handles.asyncio.sleep", _at_once)
    responses = [Response(ActorDiedError()), Response(words_of(WINDOW, OPTIONS))]
    found = await recognizer(lambda: responses.pop(0)).recognize(WINDOW, OPTIONS)
    assert found == words_of(WINDOW, OPTIONS)


async def test_replicas_that_die_one_after_the_other_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serve_app.handles.asyncio.sleep", _at_once)
    with pytest.raises(Unavailable, match="died 5 times"):
        await recognizer(lambda: Response(ActorDiedError())).recognize(WINDOW, OPTIONS)


@pytest.mark.parametrize(
    ("fault", "ours"),
    [
        (BackPressureError(num_queued_requests=9, max_queued_requests=9), QueueFull),
        (DeploymentUnavailableError(SimpleNamespace(name="SpeechRecognizer")), Unavailable),
    ],
)
async def test_faults_of_serve_become_ours(fault: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours):
        await recognizer(lambda: Response(fault)).recognize(WINDOW, OPTIONS)


class Stream:
    """A DeploymentResponseGenerator that gives what it was given, or raises it."""

    def __init__(self, *events: Any) -> None:
        self._events = iter(events)
        self.cancelled = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Any:
        event = next(self._events, StopAsyncIteration())
        if isinstance(event, Exception):
            raise event
        return event

    def cancel(self) -> None:
        self.cancelled = True


async def test_a_relay_goes_on_where_its_replica_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.handles.asyncio.sleep", _at_once)
    file = RemoteFile("audio/mpeg", 10, ranged=True)
    streams = [Stream(file, b"0123", ActorDiedError()), Stream(file, b"45", b"67")]
    left = list(streams)
    asked: list[tuple[object, ...]] = []

    def remote(*args: object) -> Stream:
        asked.append(args)
        return left.pop(0)

    method = SimpleNamespace(remote=remote)
    handle = SimpleNamespace(options=lambda **_: SimpleNamespace(load=method, relay=method))
    source = UrlSource("http://example.com/a.mp3")
    loader = RayAudioLoader(cast(DeploymentHandle, handle))
    assert [each async for each in loader.relay(source, 2, 8)] == [file, b"0123", b"45", b"67"]
    assert asked == [(source, 2, 8), (source, 6, 4)]
    assert all(stream.cancelled for stream in streams)


async def test_a_call_takes_along_what_is_left_of_the_request_s_time() -> None:
    asked: list[RecognitionOptions] = []

    def remote(_: Window, options: RecognitionOptions) -> Response:
        asked.append(options)
        return Response(words_of(WINDOW, OPTIONS))

    method = SimpleNamespace(remote=remote)
    subject = RaySpeechRecognizer(cast(DeploymentHandle, SimpleNamespace(recognize=method)))
    await subject.recognize(WINDOW, OPTIONS)
    budget.begin(60)
    await subject.recognize(WINDOW, OPTIONS)
    assert asked[0] == OPTIONS
    assert asked[1].within_s is not None
    assert 59 < asked[1].within_s <= 60


async def test_a_recognizer_stops_when_the_time_is_over() -> None:
    """Whether or not anybody is left to cancel its work."""
    stopped = asyncio.Event()

    class Queue:
        async def recognize(self, *_: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    stage = SimpleNamespace(_engine=SimpleNamespace(queue=Queue()))
    recognize = SpeechRecognizer.func_or_class.recognize  # type: ignore[attr-defined]
    with pytest.raises(OutOfTime):
        await recognize(stage, WINDOW, replace(OPTIONS, within_s=0.01))
    assert stopped.is_set()


async def _at_once(_: float) -> None:
    pass


@pytest.mark.parametrize("full", [OutOfDiskError("full"), ObjectStoreFullError("full")])
async def test_a_full_disk_under_ray_is_a_503(full: Exception) -> None:
    with pytest.raises(Unavailable, match="no room left"):
        await recognizer(lambda: Response(full)).recognize(WINDOW, OPTIONS)


@pytest.mark.parametrize(("before", "then"), [("", "job-7"), ("of-the-request", "of-the-request")])
async def test_calls_have_the_id_of_their_request_or_of_their_job(before: str, then: str) -> None:
    """Serve writes it into the log of each stage."""
    serve.context._serve_request_context.set(serve.context._RequestContext(request_id=before))
    named: list[str] = []

    class Named(FakeRecognizer):
        async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
            named.append(serve.context._get_serve_request_context().request_id)
            return await super().recognize(window, options)

    subject = RayTranscriber(FakeLoader([WINDOW]), Named(), FakeDiarizer())
    await subject.run(TranscriptionRequest("job-7", UrlSource("http://recordings.test/a.wav")))
    assert named == [then]
