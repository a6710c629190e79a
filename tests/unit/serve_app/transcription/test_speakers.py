from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interchange.transcript import Segment, Turn, Word
from serve_app.transcription.speakers import assign, named, utterances

A, B = "SPEAKER_00", "SPEAKER_01"


def words(*spoken: tuple[str, float, float]) -> tuple[Word, ...]:
    return tuple(Word(f" {text}", start, end, 0.9) for text, start, end in spoken)


def segment(*spoken: tuple[str, float, float]) -> Segment:
    inside = words(*spoken)
    text = "".join(word.text for word in inside)
    return Segment(inside[0].start, inside[-1].end, text, "en", tokens=(1, 2), words=inside)


def who(segments: tuple[Segment, ...]) -> list[tuple[str, str | None]]:
    return [(word.text.strip(), word.speaker) for part in segments for word in part.words]


def test_a_word_goes_to_who_talks_longest_while_it_is_said() -> None:
    turns = [Turn(0.0, 1.4, A), Turn(1.4, 3.0, B)]
    found = assign([segment(("hello", 0.0, 1.0), ("there.", 1.0, 1.5), ("Yes.", 1.5, 2.5))], turns)
    assert who(found) == [("hello", A), ("there.", A), ("Yes.", B)]


def test_a_segment_is_split_where_the_speaker_changes_and_its_parts_have_their_tokens() -> None:
    turns = [Turn(0.0, 1.0, A), Turn(1.0, 3.0, B)]
    said = segment(("one.", 0.1, 0.9), ("Two", 1.1, 2.0), ("three", 2.0, 3.0))
    counted = tuple(replace(w, token_count=n) for w, n in zip(said.words, (2, 1, 3), strict=True))
    said = replace(said, words=counted, tokens=(11, 12, 21, 31, 32, 33))
    first, second = assign([said], turns)
    assert (first.text, first.speaker, first.start, first.end) == (" one.", A, 0.1, 0.9)
    assert (second.text, second.speaker, second.start, second.end) == (" Two three", B, 1.1, 3.0)
    assert first.tokens == (11, 12)
    assert second.tokens == (21, 31, 32, 33)


def test_tokens_that_words_do_not_count_stay_with_the_first_part() -> None:
    turns = [Turn(0.0, 1.0, A), Turn(1.0, 3.0, B)]
    first, second = assign([segment(("one.", 0.1, 0.9), ("Two", 1.1, 2.0))], turns)
    assert (first.tokens, second.tokens) == ((1, 2), ())


def test_words_outside_every_turn_go_to_the_nearest() -> None:
    turns = [Turn(2.0, 3.0, A), Turn(5.0, 6.0, B)]
    found = assign(
        [
            segment(
                ("early", 0.0, 0.5), ("after.", 3.2, 3.6), ("Before", 4.7, 4.9), ("late", 9.0, 9.5)
            )
        ],
        turns,
    )
    assert who(found) == [("early", A), ("after.", A), ("Before", B), ("late", B)]


@pytest.mark.parametrize("overlap", [True, False])
def test_one_or_two_words_within_a_clause_stay_with_it(overlap: bool) -> None:
    spoken = segment(("we", 0.0, 0.5), ("really", 0.5, 1.0), ("always", 1.0, 1.4), ("do", 1.4, 2.0))
    around = [Turn(0.0, 2.0, A)] if overlap else [Turn(0.0, 0.5, A), Turn(1.4, 2.0, A)]
    assert {name for _, name in who(assign([spoken], [*around, Turn(0.5, 1.4, B)]))} == {A}


def test_what_another_says_between_two_sentences_is_that_ones() -> None:
    spoken = segment(("We", 0.0, 0.5), ("do.", 0.5, 1.0), ("Really?", 1.0, 1.6), ("Yes.", 1.6, 2.0))
    turns = [Turn(0.0, 1.0, A), Turn(1.0, 1.6, B), Turn(1.6, 2.0, A)]
    assert who(assign([spoken], turns)) == [("We", A), ("do.", A), ("Really?", B), ("Yes.", A)]


@pytest.mark.parametrize("change", [0.9, 1.2, 1.9])
def test_a_change_snaps_to_the_end_of_the_sentence(change: float) -> None:
    spoken = segment(
        *(("Good", 0.0, 0.5), ("morning,", 0.5, 1.0), ("Steve.", 1.0, 1.5)),
        *(("Good", 1.6, 2.0), ("morning,", 2.0, 2.5), ("Katie.", 2.5, 3.0)),
    )
    first, second = assign([spoken], [Turn(0.0, change, A), Turn(change, 3.0, B)])
    assert (first.text, first.speaker) == (" Good morning, Steve.", A)
    assert (second.text, second.speaker) == (" Good morning, Katie.", B)


def test_a_longer_turn_within_a_clause_is_believed() -> None:
    spoken = segment(*((f"word{i}", i * 0.5, i * 0.5 + 0.5) for i in range(24)))
    turns = [Turn(0.0, 4.0, A), Turn(4.0, 8.0, B), Turn(8.0, 12.0, A)]
    assert [name for _, name in who(assign([spoken], turns))] == [A] * 8 + [B] * 8 + [A] * 8


def test_a_change_carries_over_from_one_segment_to_the_next() -> None:
    parts = [segment(("and", 0.0, 0.5), ("then", 0.5, 1.0)), segment(("he", 1.0, 1.4))]
    assert who(assign(parts, [Turn(0.0, 1.1, A), Turn(1.1, 1.4, B)]))[-1] == ("he", A)


def test_equal_shares_go_on_with_the_speaker_before() -> None:
    turns = [Turn(0.0, 1.0, B), Turn(1.0, 2.0, A), Turn(1.0, 2.0, B)]
    assert who(assign([segment(("one.", 0.0, 1.0), ("Two.", 1.0, 2.0))], turns)) == [
        ("one.", B),
        ("Two.", B),
    ]


def test_a_segment_without_words_goes_whole_to_the_greatest_share() -> None:
    bare = Segment(0.0, 4.0, " bonjour", "fr")
    (found,) = assign([bare], [Turn(0.0, 1.0, A), Turn(1.5, 4.0, B)])
    assert (found.speaker, found.text) == (B, " bonjour")


def test_words_that_do_not_spell_the_text_leave_it_whole() -> None:
    odd = Segment(0.0, 2.5, " one, two", "en", words=words(("one.", 0.0, 1.0), ("Two", 1.0, 2.5)))
    (found,) = assign([odd], [Turn(0.0, 1.0, A), Turn(1.0, 2.5, B)])
    assert (found.text, found.speaker) == (" one, two", B)
    assert [word.speaker for word in found.words] == [A, B]


def test_without_turns_nothing_changes() -> None:
    spoken = (segment(("one", 0.0, 1.0)),)
    assert assign(spoken, []) == spoken
    assert assign([], [Turn(0.0, 1.0, A)]) == ()
    assert utterances(spoken) == ()


def test_utterances_join_what_one_speaker_says() -> None:
    turns = [Turn(0.0, 2.0, A), Turn(2.0, 3.0, B)]
    spoken = assign(
        [segment(("One", 0.0, 1.0)), segment(("two.", 1.0, 2.0)), segment(("Three.", 2.0, 3.0))],
        turns,
    )
    assert [(u.speaker, u.start, u.end, u.text) for u in utterances(spoken)] == [
        (A, 0.0, 2.0, " One two."),
        (B, 2.0, 3.0, " Three."),
    ]


times = st.floats(0, 30, allow_nan=False)
spans = st.tuples(times, st.floats(0.01, 5)).map(lambda span: (span[0], span[0] + span[1]))


@given(
    spoken=st.lists(spans, min_size=1, max_size=20).map(sorted),
    talking=st.lists(st.tuples(spans, st.sampled_from("ABC")), min_size=1, max_size=12),
)
def test_no_word_is_lost_moved_or_left_without_a_speaker(
    spoken: list[tuple[float, float]], talking: list[tuple[tuple[float, float], str]]
) -> None:
    before = segment(*((f"w{i}", start, end) for i, (start, end) in enumerate(spoken)))
    after = assign([before], [Turn(start, end, name) for (start, end), name in talking])
    kept = [(word.text, word.start, word.end) for part in after for word in part.words]
    assert kept == [(word.text, word.start, word.end) for word in before.words]
    assert "".join(part.text for part in after) == before.text
    for part in after:
        assert {word.speaker for word in part.words} == {part.speaker}
        assert part.speaker in {"A", "B", "C"}


def test_names_stand_for_labels_in_their_order() -> None:
    turns = (Turn(0, 1, B), Turn(1, 2, A), Turn(2, 3, "SPEAKER_02"))
    assert [turn.speaker for turn in named(turns, ["Ann", "SPEAKER_00"])] == [
        "SPEAKER_00",
        "Ann",
        "SPEAKER_02",
    ]
    assert named(turns, []) == turns
