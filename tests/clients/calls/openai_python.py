"""OpenAI's Python SDK: synchronous, asynchronous, streaming."""

import asyncio

import openai
from seen import BASE_URL, FILE, KEY, call

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY)
create = client.audio.transcriptions.create


def plain() -> str:
    return create(file=FILE, model="gpt-4o-mini-transcribe-2025-12-15").text


def with_words() -> str:
    answer = create(
        file=FILE,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert answer.words
    assert answer.segments
    return " ".join(word.word for word in answer.words)


def with_speakers() -> str:
    answer = create(
        file=FILE,
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert {segment.speaker for segment in answer.segments} == {"A", "B"}
    return answer.text


def with_logprobs() -> str:
    answer = create(file=FILE, model="gpt-4o-transcribe", include=["logprobs"])
    return "".join(logprob.token for logprob in answer.logprobs)


def streamed() -> str:
    events = list(create(file=FILE, model="gpt-4o-transcribe", stream=True))
    text = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert text == events[-1].text
    return text


def streamed_with_speakers() -> str:
    events = list(
        create(
            file=FILE,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            stream=True,
        )
    )
    return " ".join(event.text for event in events if event.type == "transcript.text.segment")


def asynchronous() -> str:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY) as sdk:
            stream = await sdk.audio.transcriptions.create(
                file=FILE, model="whisper-1", stream=True
            )
            return [event async for event in stream][-1].text

    return asyncio.run(ask())


def subtitles() -> str:
    return create(file=FILE, model="whisper-1", response_format="srt")


def translated() -> str:
    return client.audio.translations.create(file=FILE, model="whisper-1").text


def wrong() -> str:
    try:
        return create(file=FILE, model="whisper-1", language="klingon").text
    except openai.BadRequestError as error:
        return f"{error.param}: {error.message}"


call("json", plain)
call("verbose_json with words", with_words)
call("diarized_json", with_speakers)
call("logprobs", with_logprobs)
call("stream", streamed)
call("diarized_json, stream", streamed_with_speakers)
call("async, stream", asynchronous)
call("srt", subtitles)
call("translation", translated)
call("a wrong option is a BadRequestError", wrong, holds="'klingon' is not a language")
