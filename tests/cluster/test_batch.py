"""`rayscribe batch` with the bundled models, on a Ray of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings.speech import SAMPLE, sample_words
from tests.support.running.service import ROOT, Service

_PATIENCE_S = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips of 3 s, all of the sample, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("recordings")
    with wave.open(str(SAMPLE)) as sample:
        for number in range(9):
            with wave.open(str(folder / f"{number}.wav"), "wb") as clip:
                clip.setparams(sample.getparams())
                clip.writeframes(sample.readframes(3 * sample.getframerate()))
    (folder / "sample.wav").symlink_to(SAMPLE)
    (folder / "no audio.mp3").write_bytes(b"<html>" * 1000)
    return folder


def begun(source: Path, target: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "serve_app", "batch", str(source), "-o", str(target)]
    return subprocess.Popen(
        [*command, *options], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ended(batch: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, said = batch.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        batch.kill()
        raise
    return batch.returncode, said


def rows(target: Path, table: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for shard in sorted(target.glob(f"{table}/part-*.jsonl"))
        for line in shard.read_text().splitlines()
    ]


def until(look: Callable[[], Any], batch: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        assert batch.poll() is None, batch.communicate()
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError(f"Nothing was seen for {_PATIENCE_S} s.")


def test_a_batch_killed_by_force_goes_on_where_it_stood(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    options = ("--language", "en", "--speakers", "--shard-size", "1", "--jobs", "2")
    first = begun(folder, target, *options)
    until(lambda: list(target.glob("transcripts/*.jsonl")), first)
    Service(first, "", "").kill_everything()
    first.communicate()
    done = rows(target, "transcripts")
    known = len(done) + len(rows(target, "failures"))
    assert 0 < len(done) < 10

    second = begun(folder, target, *options)
    # A worker dies as well: what it has goes to the one that takes its place.
    workers = until(lambda: working(second), second)
    until(lambda: len(rows(target, "transcripts")) > len(done), second)
    for process in workers:
        os.kill(process, signal.SIGKILL)
    code, said = ended(second)
    assert code == 3, said
    assert f"11 recordings, of which {known} are done" in said
    assert f"{11 - known} of {11 - known} recordings" in said  # and no more

    assert all(row in rows(target, "transcripts") for row in done)
    paths = [row["path"] for row in rows(target, "transcripts")]
    wanted = {str(path) for path in folder.glob("*.wav")}
    assert sorted(paths) == sorted(wanted)
    (failure,) = rows(target, "failures")
    assert failure["path"] == str(folder / "no audio.mp3")
    assert failure["fault"] == "recording"
    (whole,) = [row for row in rows(target, "transcripts") if row["path"].endswith("sample.wav")]
    said_words = {word["word"].lower().strip(".,?!") for word in whole["words"]}
    assert len(said_words & {word.lower() for word in sample_words()}) > 20
    assert {turn["speaker"] for turn in whole["speakers"]} == {"SPEAKER_00", "SPEAKER_01"}

    third = begun(folder, target, *options)
    code, said = ended(third)
    assert code == 0, said
    assert "11 recordings, of which 11 are done" in said
    assert [row["path"] for row in rows(target, "transcripts")] == paths


def working(batch: subprocess.Popen[str]) -> set[int]:
    """The processes of its workers that are up."""
    tree = Service(batch, "", "").processes()
    titles = {process: Path(f"/proc/{process}/cmdline") for process in tree}
    return {
        process
        for process, title in titles.items()
        if title.exists() and title.read_bytes().startswith(b"ray::BatchWorker")
    }
