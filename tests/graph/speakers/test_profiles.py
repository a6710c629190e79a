"""Somebody is made known, found in another recording, and forgotten, on the real graph."""

from typing import Any

import httpx2

from tests.support.recordings.speech import SAMPLE, SPEECH, needs_speech, part_of_sample
from tests.support.running.service import Service

PATH = "/v1/speakers"


def heard(client: httpx2.Client, **more: str) -> list[Any]:
    answer = client.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1", "response_format": "diarized_json", **more},
        files={"file": SAMPLE.read_bytes()},
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["segments"])


def test_a_profile_names_somebody_until_it_is_removed(running_service: Service) -> None:
    with running_service.client() as client:
        files = {"file": ("ann.wav", part_of_sample(21.8, 27.7))}
        made = client.post(PATH, data={"name": "Ann"}, files=files)
        assert made.status_code == 201, made.text
        try:
            segments = heard(client, identify="true")
            assert {each["speaker"] for each in segments} == {"Ann", "A"}
            assert [each["speaker"] for each in segments if each["start"] <= 24 < each["end"]] == [
                "Ann"
            ]
            assert {each["speaker"] for each in heard(client)} == {"A", "B"}, "not asked for"
            job = client.post(
                "/v1/jobs",
                data={"speakers": "true", "identify": "true"},
                files={"file": SAMPLE.read_bytes()},
            ).json()["id"]
            client.get(f"/v1/jobs/{job}/events")
            found = client.get(f"/v1/jobs/{job}/transcript").json()["segments"]
            assert {each["speaker"] for each in found} == {"Ann", "SPEAKER_00"}
        finally:
            assert client.delete(f"{PATH}/{made.json()['id']}").status_code == 204
        assert client.get(PATH).json()["data"] == []
        assert {each["speaker"] for each in heard(client, identify="true")} == {"A", "B"}


def refused(client: httpx2.Client, recording: bytes, said: str) -> None:
    answer = client.post(PATH, data={"name": "Bo"}, files={"file": ("bo", recording)})
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
    assert client.get(PATH).json()["data"] == []


def test_recordings_that_make_nobody_known(running_service: Service) -> None:
    with running_service.client() as client:
        refused(client, part_of_sample(22.0, 22.05), "0.0 s of speech")
        refused(client, part_of_sample(0.0, 5.0), "0.0 s of speech")
        refused(client, b"RIFF, or so", "cannot be used")


@needs_speech
def test_two_people_are_not_one(running_service: Service) -> None:
    with running_service.client() as client:
        refused(client, (SPEECH / "conversation" / "katiesteve.flac").read_bytes(), "More than one")
