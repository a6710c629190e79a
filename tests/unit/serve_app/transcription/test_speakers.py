from hypothesis import given
from hypothesis import strategies as st

from interchange.transcript import Segment, Turn, Word
from serve_app.transcription.speakers import Assignment, assign, named, utterances

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
    found = assign([segment(("hello", 0.0, 1.0), ("there", 1.0, 1.5), ("yes", 1.5, 2.5))], turns)
    assert who(found) == [("hello", A), ("there", A), ("yes", B)]


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    turns = [Turn(0.0, 1.0, A), Turn(1.0, 3.0, B)]
    first, second = assign(
        [segment(("one", 0.1, 0.9), ("two", 1.1, 2.0), ("three", 2.0, 3.0))], turns
    )
    assert (first.text, first.speaker, first.start, first.end) == (" one", A, 0.1, 0.9)
    assert (second.text, second.speaker, second.start, second.end) == (" two three", B, 1.1, 3.0)
    assert first.tokens == (1, 2)
    assert second.tokens == ()


def test_words_outside_every_turn_go_to_the_nearest() -> None:
    turns = [Turn(2.0, 3.0, A), Turn(5.0, 6.0, B)]
    found = assign(
        [
            segment(
                ("early", 0.0, 0.5), ("after", 3.2, 3.6), ("before", 4.7, 4.9), ("late", 9.0, 9.5)
            )
        ],
        turns,
    )
    assert who(found) == [("early", A), ("after", A), ("before", B), ("late", B)]


def test_a_lone_word_of_an_overlapping_speaker_stays_with_the_sentence() -> None:
    spoken = segment(("we", 0.0, 0.5), ("really", 0.5, 1.0), ("do", 1.0, 1.5))
    overlapped = assign([spoken], [Turn(0.0, 1.5, A), Turn(0.4, 1.1, B)])
    assert who(overlapped) == [("we", A), ("really", A), ("do", A)]
    alone = assign([spoken], [Turn(0.0, 0.5, A), Turn(0.5, 1.0, B), Turn(1.0, 1.5, A)])
    assert who(alone) == [("we", A), ("really", B), ("do", A)]


def test_equal_shares_go_on_with_the_speaker_before() -> None:
    turns = [Turn(0.0, 1.0, B), Turn(1.0, 2.0, A), Turn(1.0, 2.0, B)]
    assert who(assign([segment(("one", 0.0, 1.0), ("two", 1.0, 2.0))], turns)) == [
        ("one", B),
        ("two", B),
    ]


def test_a_segment_without_words_goes_whole_to_the_greatest_share() -> None:
    bare = Segment(0.0, 4.0, " bonjour", "fr")
    (found,) = assign([bare], [Turn(0.0, 1.0, A), Turn(1.5, 4.0, B)])
    assert (found.speaker, found.text) == (B, " bonjour")


def test_words_that_do_not_spell_the_text_leave_it_whole() -> None:
    odd = Segment(0.0, 2.0, " one, two", "en", words=words(("one", 0.0, 1.0), ("two", 1.0, 2.0)))
    (found,) = assign([odd], [Turn(0.0, 1.0, A), Turn(1.0, 2.0, B)])
    assert found.text == " one, two"
    assert [word.speaker for word in found.words] == [A, B]


def test_without_turns_nothing_changes() -> None:
    spoken = (segment(("one", 0.0, 1.0)),)
    assert assign(spoken, []) == spoken
    assert utterances(spoken) == ()


def test_segments_can_be_assigned_one_by_one() -> None:
    turns = (Turn(0, 2, "A"), Turn(2, 6, "B"))
    segments = [segment((" a", 0, 1), (" b", 3, 4)), segment((" c", 8, 9))]
    assignment = Assignment(turns)
    one_by_one = [part for each in segments for part in assignment.of(each)]
    assert tuple(one_by_one) == assign(segments, turns)
    assert who(tuple(one_by_one)) == [("a", "A"), ("b", "B"), ("c", "B")]


def test_utterances_join_what_one_speaker_says() -> None:
    turns = [Turn(0.0, 2.0, A), Turn(2.0, 3.0, B)]
    spoken = assign(
        [segment(("one", 0.0, 1.0)), segment(("two", 1.0, 2.0)), segment(("three", 2.0, 3.0))],
        turns,
    )
    assert [(u.speaker, u.start, u.end, u.text) for u in utterances(spoken)] == [
        (A, 0.0, 2.0, " one two"),
        (B, 2.0, 3.0, " three"),
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
