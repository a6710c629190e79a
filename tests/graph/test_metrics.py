"""What Prometheus finds at the port of a running graph."""

import re
import time

from interchange.measures import MEASURES, PREFIX
from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import Service

REPORTED_AFTER_S = 60.0
"""Ray gathers figures from time to time."""

OF_EVERY_RECORDING = {
    "requests",
    "waiting_audio_seconds",
    "audio_rate",
    "recordings",
    "recording_audio_seconds",
    "stage_seconds",
    "real_time_factor",
    "recognition_wait_seconds",
    "recognition_queued_windows",
    "recognition_queued_audio_seconds",
    "recognition_batch_rows",
    "recognition_slots_used",
    "recognition_step_seconds",
    "recognition_encode_seconds",
    "recognition_audio_seconds",
    "recognition_windows",
    "diarization_audio_seconds",
    "memory_bytes",
    "jobs",
}


def test_a_recording_shows_in_every_stages_figures(running_service: Service) -> None:
    with running_service.client() as client, SAMPLE.open("rb") as file:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "verbose_json", "speakers": "true"},
            files={"file": file},
        )
        assert answer.status_code == 200, answer.text
        assert {measure.name for measure in MEASURES} >= OF_EVERY_RECORDING
        until, missing = time.monotonic() + REPORTED_AFTER_S, OF_EVERY_RECORDING
        while missing and time.monotonic() < until:
            time.sleep(1)
            text = client.get(f"http://{running_service.metrics}/metrics").text
            named = set(
                re.findall(rf"^ray_{PREFIX}(\w+?)(?:_total|_bucket)?\{{", text, re.MULTILINE)
            )
            missing = OF_EVERY_RECORDING - named
    assert not missing, sorted(named)
    assert 'status="200"' in text
