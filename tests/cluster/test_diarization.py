"""A diarizer dies in the middle of a recording; what it had done is not done again."""

import re
import sqlite3
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from interchange.measures import DIARIZED_AUDIO, PREFIX
from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import Service, service

T = TypeVar("T")

SECONDS = 1110
"""Six stretches, and the beginning of a seventh."""

_PATIENCE_S = 600.0


def until(look: Callable[[], T], wait_s: float = 0.1) -> T:
    end = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(wait_s)
    return found


def talk(path: Path) -> Path:
    """The sample at the beginning of each stretch, and silence in between."""
    with wave.open(str(SAMPLE)) as sample, wave.open(str(path), "wb") as output:
        output.setparams(sample.getparams())
        said = sample.readframes(sample.getnframes())
        for begin in range(0, SECONDS, 30):
            output.writeframes(bytes(len(said)) if begin % 180 else said)
    return path


def analysed(running: Service) -> dict[str, float]:
    """Seconds of audio by replica, of those that have reported any."""
    with running.client() as client:
        text = client.get(f"http://{running.metrics}/metrics").text
    pattern = rf'^ray_{PREFIX}{DIARIZED_AUDIO.name}_total{{.*replica="([^"]+)".*}} (\S+)$'
    return {name: float(value) for name, value in re.findall(pattern, text, re.MULTILINE)}


@pytest.mark.slow
def test_stretches_that_were_done_are_not_done_again(tmp_path: Path) -> None:
    store = tmp_path / "jobs.sqlite"
    env = {
        "RAYSCRIBE_STORAGE": f"file://{tmp_path}/storage",
        "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{store}",
    }
    recording = talk(tmp_path / "talk.wav")
    with (tmp_path / "log").open("w") as log, service(log, env=env) as running:
        with running.client() as client, recording.open("rb") as file:
            submitted = client.post(
                "/v1/jobs",
                files={"file": file},
                # How many there are is not what is asked here, and a repetition has few voices.
                data={"speakers": "true", "num_speakers": "2", "language": "en"},
            )
            path = submitted.headers["location"]

            def done() -> int:
                with sqlite3.connect(store) as database:
                    (count,) = database.execute("SELECT count(*) FROM stretches").fetchone()
                    return int(count)

            before = until(done)
            killed = running.kill("SpeakerDiarizer")
            assert killed
            job = until(
                lambda: (found := client.get(path).json())["status"] != "running" and found, 1
            )
            assert job["status"] == "completed", job
            assert done() == 0, "voices are kept no longer than they are needed"
            speakers = client.get(f"{path}/transcript").json()["speakers"]
        assert {each["speaker"] for each in speakers} == {"SPEAKER_00", "SPEAKER_01"}
        assert max(each["end"] for each in speakers) > SECONDS - 30
        # What the replica that took over has to do: no other adds up to this.
        left = {SECONDS - 180.0 * count for count in range(before, 7)}
        until(lambda: left & set(analysed(running).values()), 1)
