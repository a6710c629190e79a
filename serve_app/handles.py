"""The stages as Ray handles: what turns the Protocols of `stages.py` into calls of replicas.

A replica can die at any time. Each call here is repeatable (the same source gives the same
windows, a window the same words), so a call whose replica died is made again on another.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import ray
from ray import serve
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayActorError,
    RayTaskError,
)
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from configs.settings import Settings
from interchange import budget
from interchange.errors import QueueFull, RayscribeError, ServerError, Unavailable
from interchange.files.room import no_room
from interchange.stages import (
    AnalysisOptions,
    DiarizationOptions,
    Int16,
    LoadEvent,
    LoadOptions,
    RecognitionOptions,
    RemoteFile,
    Source,
    Speakers,
    Stretch,
    UrlSource,
    VoiceSample,
    Window,
)
from interchange.transcript import WindowTranscript
from serve_app.transcription.events import Event, Resume
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber
from serve_app.transcription.voices import VoiceReader

log = logging.getLogger("ray.serve")

_TRIES = 5
"""Replicas that may die under one call before it is given up."""

_FULL = (ObjectStoreFullError, OutOfDiskError)
"""Where Ray keeps what crosses the graph: in shared memory, and on disk when that is full."""

_LOST = (ActorDiedError, ActorUnavailableError, RayActorError)


Options = TypeVar("Options", LoadOptions, RecognitionOptions, AnalysisOptions, DiarizationOptions)


class RayAudioLoader:
    def __init__(self, handle: DeploymentHandle) -> None:
        self._load = handle.options(stream=True).load
        self._relay = handle.options(stream=True).relay

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        delivered = 0
        for attempt in range(_TRIES):
            try:
                seen = 0
                load = _streamed(self._load, source, _in_time(options))
                async with aclosing(load) as events:
                    async for event in events:
                        seen += 1
                        # A second load repeats what the first delivered.
                        if seen > delivered:
                            delivered = seen
                            yield event
            except _LOST as lost:
                await _before_another_try("audio loading", attempt, lost)
            else:
                return

    async def relay(
        self, source: UrlSource, start: int, most: int
    ) -> AsyncGenerator[RemoteFile | bytes, None]:
        described, end = False, start + most
        for attempt in range(_TRIES):
            try:
                async with aclosing(_streamed(self._relay, source, start, end - start)) as events:
                    async for event in events:
                        if isinstance(event, bytes):
                            start += len(event)
                        elif described:
                            continue
                        described = True
                        yield event
            except _LOST as lost:
                if start == end:
                    return
                await _before_another_try("audio loading", attempt, lost)
            else:
                return


async def _streamed(method: Any, *args: object) -> AsyncGenerator[Any, None]:
    """What the audio loader streams. Closing the generator stops its work."""
    with _our_errors("audio loading"):
        response = method.remote(*args)
        try:
            async for event in response:
                yield event
        finally:
            response.cancel()


class RaySpeechRecognizer:
    def __init__(self, handle: DeploymentHandle) -> None:
        self._recognize = handle.recognize

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        found: WindowTranscript = await _repeat(
            "speech recognition", lambda: self._recognize.remote(window, _in_time(options))
        )
        return found


class RaySpeakerDiarizer:
    """The samples of a stretch in work lie in Ray's object store. This process owns them: where the
    replica that has them dies, another gets them."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
        with _our_errors("speaker diarization"):
            samples = await asyncio.to_thread(ray.put, stretch.samples)
        number, seconds = stretch.number, stretch.seconds
        found: bytes = await _repeat(
            "speaker diarization",
            lambda: self._handle.analyse.remote([samples], number, seconds, _in_time(options)),
        )
        return found

    async def speakers(
        self, analyses: Sequence[bytes], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        found: Speakers = await _repeat(
            "speaker diarization",
            lambda: self._handle.speakers.remote(list(analyses), seconds, _in_time(options)),
        )
        return found

    async def voice(self, samples: Int16) -> VoiceSample:
        found: VoiceSample = await _repeat(
            "speaker diarization", lambda: self._handle.voice.remote(samples)
        )
        return found


class RayTranscriber(Transcriber):
    """Its calls have an id in the logs of all stages: that of the HTTP request that they are for,
    which Serve hands on, or that of the job."""

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        caller = serve.context._get_serve_request_context()
        if not caller.request_id:
            named = replace(caller, request_id=request.id)
            serve.context._serve_request_context.set(named)
        async with aclosing(super().transcribe(request, resume)) as events:
            async for event in events:
                yield event


def ray_transcriber(
    loader: DeploymentHandle,
    recognizer: DeploymentHandle,
    diarizer: DeploymentHandle,
    settings: Settings,
) -> Transcriber:
    return RayTranscriber(
        RayAudioLoader(loader),
        RaySpeechRecognizer(recognizer),
        RaySpeakerDiarizer(diarizer),
        windows_in_flight=settings.windows_in_flight,
        voice_model=settings.diarization.voice_model,
    )


def ray_voices(loader: DeploymentHandle, diarizer: DeploymentHandle) -> VoiceReader:
    return VoiceReader(RayAudioLoader(loader), RaySpeakerDiarizer(diarizer))


def _in_time(options: Options) -> Options:
    """With what is left of the request's time, at each try."""
    left = budget.left()
    return options if left is None else replace(options, within_s=left)


async def _repeat(stage: str, call: Callable[[], Any]) -> Any:
    """The answer of a call, made again where its replica died.

    Cancelling stops the replica's work as well. Serve sees to that only for calls made on behalf
    of a request of its own, which a job is not.
    """
    for attempt in range(_TRIES):
        try:
            with _our_errors(stage):
                response = call()
                try:
                    return await response
                except asyncio.CancelledError:
                    # What a deployment answers is cancelled by itself, what an actor does by Ray.
                    if isinstance(response, ray.ObjectRef):
                        ray.cancel(response)
                    else:
                        response.cancel()
                    raise
        except _LOST as lost:
            await _before_another_try(stage, attempt, lost)
    raise AssertionError("the last try raises")


async def _before_another_try(stage: str, attempt: int, lost: Exception) -> None:
    if attempt == _TRIES - 1:
        raise Unavailable(
            f"The replicas of {stage} died {_TRIES} times under this request; see their logs.",
            retry_after=30,
        ) from lost
    log.warning("A replica of %s died under a request, which goes to another: %s", stage, lost)
    await asyncio.sleep(0.5 * 2**attempt)


@contextmanager
def _our_errors(stage: str) -> Any:
    """Turn Ray's errors into ours. A lost replica passes through, for another try."""
    try:
        yield
    except _LOST:
        raise
    except RayTaskError as error:
        if isinstance(error.cause, RayscribeError):
            raise error.cause from error
        if isinstance(error.cause, _FULL):
            raise no_room() from error
        raise ServerError(f"A fault in {stage}: {error.cause!r}") from error
    except _FULL as full:
        raise no_room() from full
    except BackPressureError as full:
        raise QueueFull(f"Too many requests wait for {stage}; try again later.", 5) from full
    except DeploymentUnavailableError as gone:
        raise Unavailable(f"No replica of {stage} can be started; see its logs.", 30) from gone
