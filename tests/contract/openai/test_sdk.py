"""OpenAI's own Python SDK, unchanged, against the app."""

from collections.abc import AsyncIterator
from io import BytesIO

import httpx2
import openai
import pytest
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose, TranslationVerbose

from interchange.errors import QueueFull
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.services import DIALOGUE, MODEL, FakeTranscriber, FakeUploads, services

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


async def test_server_vad(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.audio.transcriptions.create(
        file=recording(), model="whisper-1", chunking_strategy={"type": "server_vad"}
    )
    assert answer.text


async def test_stream(sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    stream = await sdk.audio.transcriptions.create(
        file=recording(), model="whisper-1", response_format="diarized_json", stream=True
    )
    received = [event async for event in stream]
    assert [event.type for event in received] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.segment",
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
    assert [model.id for model in models] == [MODEL]
    assert (await sdk.models.retrieve("whisper-1")).id == MODEL
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.models.retrieve("whisper-9")
    assert missing.value.code == "model_not_found"


async def test_errors_have_the_sdks_classes(
    sdk: openai.AsyncOpenAI, transcriber: FakeTranscriber
) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as unprocessable:
        await sdk.audio.transcriptions.create(
            file=recording(),
            model="whisper-1",
            language="klingon",
        )
    assert unprocessable.value.param == "language"
    transcriber.error = QueueFull("Too much audio waits.", 3)
    with pytest.raises(openai.RateLimitError) as limited:
        await sdk.audio.transcriptions.create(file=recording(), model="whisper-1")
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(openai.AuthenticationError) as refused:
        await sdk.with_options(api_key="sk-wrong").models.list()
    assert refused.value.code == "invalid_api_key"
