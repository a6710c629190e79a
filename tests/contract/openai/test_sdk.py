"""OpenAI's own Python SDK, unchanged, against the app."""

from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO

import httpx2
import openai
import pytest
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose, TranslationVerbose
from starlette.testclient import TestClient

from interchange.errors import QueueFull
from interchange.stages import SpeechDetection
from interchange.transcript import Token
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.services import (
    DIALOGUE,
    MODEL,
    FakeTranscriber,
    FakeUploads,
    segment,
    services,
    transcript,
)

KEY = "sk-local"


@pytest.fixture
async def sdk(
    jobs: JobFrontend, transcriber: FakeTranscriber, uploads: FakeUploads
) -> AsyncIterator[openai.AsyncOpenAI]:
    config = HttpConfig(model=MODEL, admin_key=KEY)
    app = create_app(services(jobs, transcriber, uploads, config=config))
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http,
        openai.AsyncOpenAI(
            api_key=KEY, base_url="http://rayscribe/v1", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


def recording() -> BytesIO:
    file = BytesIO(b"RIFF")
    file.name = 'fähre 日本語 & "quote".wav'
    return file


async def test_json(sdk: openai.AsyncOpenAI, uploads: FakeUploads) -> None:
    answer = await sdk.audio.transcriptions.create(file=recording(), model="whisper-1")
    assert answer.text == "Hello there. How are you?"
    assert answer.languages is not None
    assert answer.languages[0].code == "en"
    assert len(uploads.saved) == 1
    assert not uploads.kept


async def test_verbose_json(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.audio.transcriptions.create(
        file=recording(),
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="A greeting",
        temperature=0,
    )
    assert isinstance(answer, TranscriptionVerbose)
    TranscriptionVerbose.model_validate(answer.model_dump(), strict=True)
    assert answer.words is not None
    assert answer.segments is not None
    assert answer.words[1].word == "there."
    assert answer.segments[1].start == 2.0
    assert answer.usage is not None
    assert answer.usage.seconds == answer.duration


@pytest.mark.parametrize("wanted", ["text", "srt", "vtt"])
async def test_files(sdk: openai.AsyncOpenAI, wanted: str) -> None:
    answer = await sdk.audio.transcriptions.create(
        file=recording(),
        model="whisper-1",
        response_format=wanted,  # type: ignore[call-overload]
    )
    assert isinstance(answer, str)
    assert "Hello there." in answer


async def test_diarized_json(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    answer = await sdk.audio.transcriptions.create(
        file=recording(),
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert isinstance(answer, TranscriptionDiarized)
    TranscriptionDiarized.model_validate(answer.model_dump(), strict=True)
    assert [part.speaker for part in answer.segments] == ["A", "B"]


async def test_server_vad(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    answer = await sdk.audio.transcriptions.create(
        file=recording(),
        model="whisper-1",
        chunking_strategy={
            "type": "server_vad",
            "threshold": 0.6,
            "silence_duration_ms": 500,
            "prefix_padding_ms": 0,
        },
    )
    assert answer.text
    assert transcriber.requests[0].detection == SpeechDetection(0.6, 0.5, 0.0)


async def test_logprobs(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    part = segment("Hi", 0, 1)
    transcriber.result = transcript(replace(part, spelled=(Token((32, 72, 105), -0.5),)))
    answer = await sdk.audio.transcriptions.create(
        file=recording(), model="gpt-4o-mini-transcribe-2025-12-15", include=["logprobs"]
    )
    assert answer.logprobs is not None
    (logprob,) = answer.logprobs
    assert (logprob.token, logprob.logprob, logprob.bytes) == ("Hi", -0.5, [72, 105])
    stream = await sdk.audio.transcriptions.create(
        file=recording(), model="whisper-1", include=["logprobs"], stream=True
    )
    delta, done = [event async for event in stream]
    for event in (delta, done):
        type(event).model_validate(event.model_dump(), strict=True)
        assert event.type in ("transcript.text.delta", "transcript.text.done")
        assert event.logprobs is not None
        assert event.logprobs[0].token == "Hi"


def test_the_synchronous_client(
    jobs: JobFrontend, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    app = create_app(services(jobs, transcriber, uploads))
    with (
        TestClient(app) as http,
        openai.OpenAI(
            api_key="any",
            base_url="http://rayscribe/v1",
            http_client=httpx2.Client(transport=http._transport),
            max_retries=0,
        ) as client,
    ):
        answer = client.audio.transcriptions.create(file=recording(), model="whisper-1")
        assert answer.text == "Hello there. How are you?"
        with client.audio.transcriptions.create(
            file=recording(), model="whisper-1", stream=True
        ) as stream:
            assert [event.type for event in stream][-1] == "transcript.text.done"
        with pytest.raises(openai.BadRequestError):
            client.audio.transcriptions.create(
                file=recording(), model="whisper-1", language="klingon"
            )


async def test_stream(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    stream = await sdk.audio.transcriptions.create(
        file=recording(), model="whisper-1", response_format="diarized_json", stream=True
    )
    received = [event async for event in stream]
    for event in received:
        type(event).model_validate(event.model_dump(), strict=True)
    assert [event.type for event in received] == [
        "transcript.text.delta",
        "transcript.text.segment",
        "transcript.text.delta",
        "transcript.text.segment",
        "transcript.text.done",
    ]
    deltas = [event.delta for event in received if event.type == "transcript.text.delta"]
    last = received[-1]
    assert last.type == "transcript.text.done"
    assert "".join(deltas) == last.text


async def test_an_error_in_a_stream(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    transcriber.late_error = QueueFull("Too much audio waits.", 3)
    stream = await sdk.audio.transcriptions.create(file=recording(), model="whisper-1", stream=True)
    with pytest.raises(openai.APIError, match="Too much audio waits"):
        _ = [event async for event in stream]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_translation(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.audio.translations.create(
        file=recording(), model="whisper-1", response_format="verbose_json"
    )
    assert isinstance(answer, TranslationVerbose)
    assert answer.language == "english"


async def test_models(sdk: openai.AsyncOpenAI) -> None:
    models = [model async for model in await sdk.models.list()]
    assert [model.id for model in models][:2] == [MODEL, "whisper-1"]
    assert (await sdk.models.retrieve("whisper-1")).id == "whisper-1"
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.models.retrieve("whisper-9")
    assert missing.value.code == "model_not_found"


async def test_errors_have_the_sdks_classes(
    sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber
) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        await sdk.audio.transcriptions.create(
            file=recording(),
            model="whisper-1",
            language="klingon",
        )
    assert wrong.value.param == "language"
    transcriber.error = QueueFull("Too much audio waits.", 3)
    with pytest.raises(openai.RateLimitError) as limited:
        await sdk.audio.transcriptions.create(file=recording(), model="whisper-1")
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(openai.AuthenticationError) as refused:
        await sdk.with_options(api_key="sk-wrong").models.list()
    assert refused.value.code == "invalid_api_key"
