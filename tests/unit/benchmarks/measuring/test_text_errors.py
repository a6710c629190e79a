import pytest

from benchmarks.measuring.text_errors import word_error_rate, word_errors


def test_case_punctuation_and_titles_do_not_count_in_english() -> None:
    assert word_error_rate([("mister hale's shop", "Mr. Hale's shop!")]) == 0


def test_words_of_all_recordings_count_alike() -> None:
    pairs = [("they sang a song", "they sang a song"), ("good day", "good")]
    assert word_error_rate(pairs) == pytest.approx(1 / 6)


def test_other_languages_keep_their_words() -> None:
    assert word_error_rate([("Où es-tu, mon ami ?", "où es tu mon ami")], "fr") == 0


def test_characters_count_where_nothing_parts_words() -> None:
    assert word_error_rate([("今天天气", "今天大气")], "zh") == pytest.approx(1 / 4)


def test_a_recording_without_words_does_not_count() -> None:
    assert word_error_rate([("(music)", "hello"), ("good day", "good day")]) == 0
    with pytest.raises(ValueError, match="no reference"):
        word_error_rate([("(music)", "hello")])


def test_errors_of_one_recording_are_counted_with_its_words() -> None:
    assert word_errors("good day", "good days to you") == (3, 2)
    assert word_errors("(music)", "hello") == (0, 0)
