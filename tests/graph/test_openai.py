"""OpenAI's audio API on the real graph: what a fake behind the app cannot show."""

import base64
import json
from difflib import SequenceMatcher
from typing import Any

import openai
import pytest
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

from tests.support.recordings.speech import SAMPLE, part_of_sample
from tests.support.running.service import Service


@pytest.fixture
def sdk(running_service: Service) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running_service.url}/v1", api_key="any", max_retries=0)


def test_logprobs_spell_the_text(sdk: openai.OpenAI) -> None:
    answer = sdk.audio.transcriptions.create(file=SAMPLE, model="whisper-1", include=["logprobs"])
    assert answer.logprobs
    content = bytes(int(b) for token in answer.logprobs for b in token.bytes or [])
    assert content.decode() == answer.text
    assert all(token.logprob is not None and token.logprob <= 0 for token in answer.logprobs)


def test_server_vad_reaches_the_cutting(sdk: openai.OpenAI) -> None:
    def segments(threshold: float) -> list[tuple[float, float]]:
        answer = sdk.audio.transcriptions.create(
            file=SAMPLE,
            model="whisper-1",
            response_format="verbose_json",
            chunking_strategy={"type": "server_vad", "threshold": threshold},
        )
        assert isinstance(answer, TranscriptionVerbose)
        return [(each.start, each.end) for each in answer.segments or []]

    assert segments(0.97) != segments(0.5)


def test_a_stream_of_speakers_is_final_and_the_same_as_the_whole(sdk: openai.OpenAI) -> None:
    def ask(*, stream: bool) -> Any:
        return sdk.audio.transcriptions.create(
            file=SAMPLE,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            stream=stream,
        )

    events = list(ask(stream=True))
    for event in events:
        type(event).model_validate(event.model_dump(), strict=True)
    segments = {event.id: event for event in events if event.type == "transcript.text.segment"}
    deltas = [event for event in events if event.type == "transcript.text.delta"]
    assert {each.speaker for each in segments.values()} == {"A", "B"}
    assert "".join(delta.delta for delta in deltas) == events[-1].text
    for number, segment in segments.items():
        said = "".join(delta.delta for delta in deltas if delta.segment_id == number)
        assert said.strip() == segment.text
    whole = ask(stream=False)
    assert isinstance(whole, TranscriptionDiarized)
    TranscriptionDiarized.model_validate(whole.model_dump(), strict=True)


def recording(begin: float, end: float) -> str:
    """That part of the sample as a data URL."""
    return f"data:audio/wav;base64,{base64.b64encode(part_of_sample(begin, end)).decode()}"


def test_a_speaker_who_is_known_has_a_name_and_the_other_a_letter(sdk: openai.OpenAI) -> None:
    def ask(reference: str) -> list[Any]:
        answer = sdk.audio.transcriptions.create(
            file=SAMPLE,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            known_speaker_names=["Ann"],
            known_speaker_references=[reference],
        )
        assert isinstance(answer, TranscriptionDiarized)
        return list(answer.segments)

    segments = ask(recording(21.8, 27.7))
    assert {each.speaker for each in segments} == {"Ann", "A"}
    assert [each.speaker for each in segments if each.start <= 24 < each.end] == ["Ann"]
    assert [each.speaker for each in segments if each.start <= 12 < each.end] == ["A"]
    for begin, end, said in ((22.0, 22.05, "speech"), (0.0, 5.0, "speech"), (0.0, 0.0, "'Ann'")):
        with pytest.raises(openai.BadRequestError, match=said) as caught:
            ask(recording(begin, end))
        assert caught.value.param == "known_speaker_references"


def test_whisper_asr_webservices_clients(running_service: Service) -> None:
    """As Bazarr asks: the samples alone, first for their language and then for subtitles."""
    pcm = SAMPLE.read_bytes()[44:]
    with running_service.client() as client:
        found = client.post(
            "/detect-language", params={"encode": "false"}, files={"audio_file": pcm}
        ).json()
        assert (found["detected_language"], found["language_code"]) == ("english", "en")
        assert 0.5 < found["confidence"] <= 1
        query = {"encode": "false", "language": "en", "output": "srt"}
        answer = client.post("/asr", params=query, files={"audio_file": pcm})
        assert "hello" in answer.text.lower()
        by_file = client.post(
            "/asr", params=query | {"encode": "true"}, files={"audio_file": SAMPLE.read_bytes()}
        )
        # Not to the letter: how many threads encode changes the order of sums, and a word or two.
        alike = SequenceMatcher(None, _spoken(by_file.text), _spoken(answer.text)).ratio()
        assert alike > 0.8


def _spoken(subtitles: str) -> list[str]:
    """The words of SubRip."""
    lines = subtitles.lower().splitlines()
    return [word.strip(".,?!") for line in lines if "-->" not in line for word in line.split()]


def test_a_prompt_that_is_too_long_is_said(running_service: Service) -> None:
    with running_service.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "prompt": "word " * 400},
            files={"file": SAMPLE.read_bytes()},
        )
    assert "left out at the front" in json.dumps(answer.json()["notes"])
