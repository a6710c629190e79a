from pathlib import Path

import pytest

from benchmarks.measuring.speaker_words import (
    Said,
    attribution_errors,
    read_stm,
    speaker_word_errors,
)

pytest.importorskip("meeteval", reason="meeteval comes with the packages of `make accuracy`")

REFERENCE = [Said("anna", 0, 2, "Hello there, my friend."), Said("ben", 2, 3, "Yes, of course.")]


def test_names_of_speakers_and_marks_do_not_count() -> None:
    heard = [Said("1", 0, 2, " hello there my friend"), Said("0", 2, 3, " yes of course")]
    assert speaker_word_errors(REFERENCE, heard) == (0, 7)


def test_a_word_given_to_another_counts_twice() -> None:
    heard = [Said("0", 0, 1.8, " hello there my"), Said("1", 1.8, 3, " friend yes of course")]
    assert speaker_word_errors(REFERENCE, heard) == (2, 7)


def test_words_of_nobody_in_the_reference_are_errors() -> None:
    heard = [
        *(Said("0", 0, 2, "hello there my friend"), Said("1", 2, 3, "yes of course")),
        Said("2", 3, 4, "thank you"),
    ]
    assert speaker_word_errors(REFERENCE, heard) == (2, 7)


def test_an_stm_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "call.stm"
    file.write_text(";; a comment\ncall 1 anna 0.500 2.25 hello there\ncall 1 ben 2.5 3.0\n")
    assert read_stm(file) == [Said("anna", 0.5, 2.25, "hello there"), Said("ben", 2.5, 3.0, "")]


def test_a_sentence_given_to_another_is_an_error_of_attribution_alone() -> None:
    heard = [Said("0", 0, 2, "hello there my friend"), Said("0", 2, 3, "yes of course")]
    timed, free = attribution_errors(REFERENCE, heard)
    assert (timed, free) == (6, 0)
    right = [Said("0", 0, 2, "hello there my friend"), Said("1", 2, 3, "yes of course")]
    assert attribution_errors(REFERENCE, right) == (0, 0)


def test_a_word_at_another_time_is_another_word() -> None:
    heard = [Said("0", 60, 62, "hello there my friend"), Said("1", 2, 3, "yes of course")]
    timed, free = attribution_errors(REFERENCE, heard)
    assert (timed, free) == (8, 0)
