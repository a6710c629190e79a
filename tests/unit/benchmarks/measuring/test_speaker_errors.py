from pathlib import Path

import pytest

from benchmarks.measuring.speaker_errors import diarization_error_rate, read_rttm
from interchange.transcript import Turn

REFERENCE = [Turn(0, 10, "anna"), Turn(10, 20, "ben")]


def test_names_do_not_matter() -> None:
    found = [Turn(0, 10, "SPEAKER_01"), Turn(10, 20, "SPEAKER_00")]
    assert diarization_error_rate(REFERENCE, found, 20) == 0


def test_edges_within_the_collar_are_not_judged() -> None:
    assert diarization_error_rate(REFERENCE, [Turn(0.1, 10.1, "a"), Turn(10.1, 20, "b")], 20) == 0


def test_confusion_is_a_share_of_the_speech() -> None:
    rate = diarization_error_rate(REFERENCE, [Turn(0, 20, "a")], 20)
    assert rate == pytest.approx(0.5, abs=0.01)


def test_speech_found_where_nobody_speaks_counts() -> None:
    found = [Turn(0, 10, "a"), Turn(10, 20, "b"), Turn(25, 30, "a")]
    assert diarization_error_rate(REFERENCE, found, 30) == pytest.approx(0.25, abs=0.01)


def test_turns_are_read_from_rttm(tmp_path: Path) -> None:
    path = tmp_path / "call.rttm"
    path.write_text(
        "SPKR-INFO call 1 <NA> <NA> <NA> unknown anna <NA> <NA>\n"
        "SPEAKER call 1 0.500 2.250 <NA> <NA> anna <NA> <NA>\n\n"
    )
    assert read_rttm(path) == [Turn(0.5, 2.75, "anna")]
