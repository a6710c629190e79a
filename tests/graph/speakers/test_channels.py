"""Calls with a person a channel, on the real graph."""

from itertools import groupby
from typing import Any

import numpy as np
import pytest

from benchmarks.measuring.recordings import waveform
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.hard import word_errors
from tests.support.recordings.media import encode
from tests.support.recordings.speech import SPEECH, Recording, needs_speech, recordings
from tests.support.running.service import Service

CALL = SPEECH / "conversation" / "mix2_phone_stereo_8k.flac"


def transcribe(service: Service, name: str, data: bytes, **fields: str) -> dict[str, Any]:
    with service.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "verbose_json"} | fields,
            files={"file": (name, data)},
        )
    found: dict[str, Any] = answer.json()
    return found


def heard(answer: dict[str, Any], channel: int) -> str:
    return " ".join(each["text"] for each in answer["segments"] if each["channel"] == channel)


@needs_speech
def test_each_channel_is_a_speaker(running_service: Service) -> None:
    options = {"speakers": "true", "speaker_embeddings": "true"}
    answer = transcribe(running_service, CALL.name, CALL.read_bytes(), **options)
    segments = answer["segments"]
    assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)
    said: dict[str, list[str]] = {}
    for line in CALL.with_suffix(".stm").read_text().splitlines():
        fields = line.split(maxsplit=5)
        said.setdefault(fields[2], []).append(fields[5])
    appeared = dict.fromkeys(each["channel"] for each in segments)
    for channel, reference in zip(appeared, said.values(), strict=True):
        speakers = {each["speaker"] for each in segments if each["channel"] == channel}
        assert speakers == {f"SPEAKER_{channel:02d}"}
        assert word_errors(" ".join(reference), heard(answer, channel)) < 0.2
    assert answer["quality"]["channels"] == 2
    assert any("recognized separately" in note for note in answer["quality"]["notes"])
    one, other = (np.array(voice) for voice in answer["speaker_embeddings"].values())
    assert one @ one == pytest.approx(1, abs=1e-3)
    assert one @ other < 0.8, "they are two"


@needs_speech
def test_who_talk_at_once_all_the_while_are_both_heard(running_service: Service) -> None:
    """Every sentence of both, none twice. A mix makes words of one of them, at most."""
    by_reader = groupby(recordings("en"), key=lambda each: each.speaker)
    readers = [said for reader, all_said in by_reader if reader and len(said := list(all_said)) > 5]
    sides = [said[:4] for said in readers[:2]]
    tracks = [_read(side) for side in sides]
    call = np.zeros((2, max(map(len, tracks)) + SAMPLE_RATE), np.float32)
    for channel, track in enumerate(tracks):
        call[channel, channel * SAMPLE_RATE :][: len(track)] = track
    answer = transcribe(running_service, "call.flac", encode(call, "flac", "flac"))
    for channel, side in enumerate(sides):
        reference = " ".join(each.text or "" for each in side)
        assert word_errors(reference, heard(answer, channel)) < 0.25


def _read(said: list[Recording]) -> Float32:
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    return np.concatenate([part for each in said for part in (waveform(each.path), pause)])
