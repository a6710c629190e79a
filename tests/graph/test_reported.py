"""Recordings that users of such tools reported as going wrong: every word of them is there."""

import re
from collections.abc import Callable
from difflib import SequenceMatcher

import pytest
from httpx2 import Response

from tests.support.recordings.hard import word_errors
from tests.support.recordings.speech import Recording, needs_speech, recordings
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service

VOICES = (
    "he should make inquiries as to symptoms and time at which food or medicine was last taken",
    "i really liked that account of himself better than anything else he said",
    "let us have faith that right makes might and in that faith let us dare to do our duty",
    "his statement of having been a shop boy was the thing i liked best of all",
    "in a case of attempted suicide by poisoning is it the duty of the doctor to inform the police",
)
"""What each of the speakers says that the recordings are made of."""

HEARD = 0.5
"""The share of a voice's words, in their order, from which on it counts as heard."""


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def heard(voice: str, text: str) -> float:
    said = words(voice)
    blocks = SequenceMatcher(None, said, words(text), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(said)


def lost_voices(recording: Recording, text: str) -> list[str]:
    said = " ".join(words(recording.text or ""))
    return [each for each in VOICES if each in said and heard(each, text) < HEARD]


def _times(phrase: str, count: int) -> Callable[[str], bool]:
    return lambda text: " ".join(words(text)).count(phrase) == count


def _holds(*phrases: str) -> Callable[[str], bool]:
    return lambda text: all(phrase in " ".join(words(text)) for phrase in phrases)


EXPECTED: dict[str, Callable[[str], bool]] = {
    "said_many_times.flac": _times("seek", 8),
    "drill.flac": _holds("very good class"),
    "three_languages.flac": _holds("clave", "medicine was last taken", "ouverture"),
    "whispered.flac": _holds("your country can do for you"),
}
"""What a recording's answer has to hold, beside few enough errors."""


def cases() -> list[object]:
    return [pytest.param(each, id=each.name) for each in recordings("reported")]


def check(recording: Recording, answer: Response) -> None:
    assert answer.status_code == 200, answer.text
    text = answer.json()["text"]
    assert recording.limit is not None
    errors = word_errors(recording.text or "", text)
    assert errors <= recording.limit, text
    assert lost_voices(recording, text) == [], text
    assert EXPECTED.get(recording.name, bool)(text), text


FORM = {"model": "whisper-1", "response_format": "verbose_json"}


@needs_speech
@pytest.mark.parametrize("recording", cases())
def test_uploaded(running_service: Service, recording: Recording) -> None:
    with running_service.client() as client, recording.path.open("rb") as file:
        answer = client.post(
            "/v1/audio/transcriptions", data=FORM, files={"file": (recording.name, file)}
        )
    check(recording, answer)


@needs_speech
@pytest.mark.parametrize("recording", cases())
def test_by_url(
    running_service: Service, recordings_server: RemoteServer, recording: Recording
) -> None:
    url = recordings_server.file(recording.path)
    with running_service.client() as client:
        answer = client.post("/v1/audio/transcriptions", data={**FORM, "url": url})
    check(recording, answer)
