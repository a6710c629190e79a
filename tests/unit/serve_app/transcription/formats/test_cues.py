"""Subtitles that can be read: by example, and over transcripts that are made up."""

import io
from itertools import pairwise

import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from interchange.transcript import Segment, Transcript, Word
from serve_app.transcription.formats import render
from serve_app.transcription.formats.cues import (
    LEAST_SECONDS,
    LETTERS_PER_SECOND,
    MOST_SECONDS,
    PAUSE_SECONDS,
    Cue,
    cues,
)
from serve_app.transcription.formats.lines import LINE_COLUMNS
from serve_app.transcription.formats.units import width

JAPANESE = "今日は天気がいいですから、「散歩」に行きましょう。ちょっとティッシュを取ってください。"
THAI = "การถอดเสียงพูดเป็นข้อความภาษาไทยนั้นทำได้ไม่ยากเลยเพราะเรามีแบบจำลองที่ดี"
KHMER = "ការបកប្រែសម្លេងទៅជាអក្សរភាសាខ្មែរមិនពិបាកទេពីព្រោះយើងមានគំរូល្អ"
CHINESE = "他说：“你好！”然后，他就走了。我们（大家）都很高兴；明天见！"


def label(speaker: str) -> str:
    return f"{speaker}: "


def said(
    text: str,
    start: float,
    end: float,
    *,
    language: str = "en",
    speaker: str | None = None,
    words: bool = True,
) -> Segment:
    """A segment of words that share its time by their length; without spaces, of letters."""
    parts = [f" {part}" for part in text.split()] if " " in text else list(text)
    share = (end - start) / max(1, sum(map(len, parts)))
    inside, at = [], start
    for part in parts:
        inside.append(Word(part, at, at + share * len(part), 0.9, speaker))
        at += share * len(part)
    spelt = tuple(inside) if words else ()
    return Segment(start, end, "".join(parts), language, words=spelt, speaker=speaker)


def transcript(*segments: Segment, silence: float = 5.0) -> Transcript:
    return Transcript(segments, "en", segments[-1].end + silence if segments else silence)


def shown(*segments: Segment, labelled: bool = False) -> list[Cue]:
    return list(cues(transcript(*segments), label if labelled else None))


# ------------------------------------------------------------------------- time


def test_a_short_cue_stays_for_a_second_where_nothing_follows() -> None:
    first, second = shown(said("Yes.", 0.0, 0.2), said("No.", 3.0, 3.1))
    assert (first.start, first.end) == (0, 1000)
    assert (second.start, second.end) == (3000, 4000)


def test_a_short_cue_stays_until_the_next_one() -> None:
    first, second = shown(
        said("Yes.", 0.0, 0.2, speaker="A"), said("Why do you ask?", 0.6, 2.0, speaker="B")
    )
    assert (first.start, first.end) == (0, 600)
    assert second.start == 600


def test_the_last_cue_ends_with_the_recording() -> None:
    ended = transcript(said("Yes.", 4.0, 4.2), silence=0.3)
    (cue,) = cues(ended)
    assert (cue.start, cue.end) == (4000, 4500)


def test_much_text_stays_long_enough_to_be_read() -> None:
    text = "extraordinarily complicated considerations again"
    (cue,) = shown(said(text, 0.0, 1.2))
    assert cue.end == pytest.approx(1000 * (len(text) - 1) / LETTERS_PER_SECOND, abs=60)


def test_a_word_that_is_held_is_shown_for_seven_seconds() -> None:
    (cue,) = shown(said("Goal!", 1.0, 20.0))
    assert (cue.start, cue.end) == (1000, 8000)


def test_cues_of_people_who_talk_at_once_follow_each_other() -> None:
    first, second = shown(
        said("Wait a moment.", 0.0, 2.0, speaker="A"), said("Never!", 1.5, 3.0, speaker="B")
    )
    assert first.end <= second.start
    assert second.end == 3000


def test_a_segment_of_no_length_is_shown_in_order() -> None:
    text = "one two three four five six seven eight nine ten " * 4
    found = shown(said(text, 2.0, 2.0, words=False))
    assert " ".join(line for cue in found for line in cue.lines) == text.strip()
    assert all(one.start < one.end <= two.start for one, two in pairwise(found))


# ------------------------------------------------------------------------- words


def test_no_word_is_left_over() -> None:
    text = (
        "We talked about the weather and about the people who had come to see the old house again"
    )
    found = shown(said(text, 0.0, 7.5))
    assert len(found) == 2
    assert min(len(" ".join(cue.lines).split()) for cue in found) > 3


def test_a_cue_ends_with_a_sentence_rather_than_within_one() -> None:
    found = shown(
        said("The train leaves the old station at nine.", 0.0, 3.0),
        said("Nobody knew why it was late on that day.", 3.0, 6.0),
        said("They waited in the cold until it came.", 6.0, 9.0),
    )
    assert all(cue.lines[-1].endswith(".") for cue in found)


def test_no_word_is_parted_at_its_hyphen_if_it_can_stay_whole() -> None:
    text = "It was a well-known and long-lasting disagreement over twenty-one small islands"
    ends = [line[-1] for cue in shown(said(text, 0.0, 6.0)) for line in cue.lines]
    assert "-" not in ends


def test_a_word_wider_than_a_line_is_cut() -> None:
    found = shown(said(f"See https://example.org/{'a' * 70} for more", 0.0, 6.0), labelled=False)
    assert all(width(line) <= LINE_COLUMNS for cue in found for line in cue.lines)


# ------------------------------------------------------------------------- labels


def test_the_label_counts_as_columns_of_the_first_line() -> None:
    text = "He should make inquiries as to symptoms and the time at which food was last taken."
    found = shown(said(text, 0.0, 5.0, speaker="SPEAKER_00"), labelled=True)
    for cue in found:
        assert cue.lines[0].startswith("SPEAKER_00: ")
        assert all(width(line) <= LINE_COLUMNS for line in cue.lines)
        assert len(cue.lines) <= 2


def test_a_long_name_leaves_room_for_text() -> None:
    name = "Her Excellency the Ambassador of the Federation"
    (cue,) = shown(said("Thank you all.", 0.0, 2.0, speaker=name), labelled=True)
    assert cue.lines == ("Her Excellency the…: Thank you all.",)
    assert cue.speaker == name


# ------------------------------------------------------------------------- scripts

CLOSING = set("、。，．！？；：）」』”’!?,.;:)")
OPENING = set("（「『“‘(")
SMALL_KANA = set("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー")


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("language", "text"),
    [("ja", JAPANESE), ("zh", CHINESE), ("th", THAI), ("km", KHMER)],
)
def test_scripts_without_spaces_break_where_unicode_allows(
    language: str, text: str, words: bool
) -> None:
    seconds = 7.0
    segments = [
        said(text, i * seconds, (i + 1) * seconds, language=language, words=words) for i in range(6)
    ]
    found = shown(*segments)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == 6 * text
    assert all(len(cue.lines) <= 2 for cue in found)
    for line in lines:
        assert 4 <= width(line) <= LINE_COLUMNS
        assert line[0] not in CLOSING | SMALL_KANA
        assert line[-1] not in OPENING


def test_thai_and_khmer_words_stay_whole() -> None:
    for language, text, inside in (("th", THAI, "ข้อความ"), ("km", KHMER, "អក្សរ")):
        found = shown(*(said(text, 7.0 * i, 7.0 * i + 7, language=language) for i in range(6)))
        assert sum(line.count(inside) for cue in found for line in cue.lines) == 6


def test_french_marks_stay_with_their_words() -> None:
    text = "Vous croyez vraiment que ce sera possible ? Oui ! Il a dit « bonjour » : voilà tout"
    lines = [line for cue in shown(said(text, 0.0, 6.0)) for line in cue.lines]
    assert not any(line[0] in "?!:»" or line[-1] == "«" for line in lines)


# ------------------------------------------------------------------------- whatever comes

_SCRIPTS = {
    "en": "word a I'm well-known thirty-one uncharacteristically (so) No. yes, Why? end!",
    "de": "Das Donaudampfschifffahrtsgesellschaftskapitänspatent, ist ein Wort. Ja!",
    "ja": JAPANESE,
    "zh": CHINESE,
    "th": THAI,
    "km": KHMER,
    "ar": "مرحبا بكم في هذا البرنامج، كيف حالكم اليوم؟ شكرا.",
    "hi": "नमस्ते दुनिया, आप कैसे हैं। मैं ठीक हूँ।",
    "ko": "저는 오늘 학교에 갔습니다. 날씨가 좋았어요.",
}
_SPACELESS = {"ja", "zh", "th", "km"}


@st.composite
def _segments(draw: st.DrawFn) -> list[Segment]:
    at = 0.0
    found = []
    for _ in range(draw(st.integers(1, 8))):
        language = draw(st.sampled_from(sorted(_SCRIPTS)))
        source = _SCRIPTS[language]
        if language in _SPACELESS:
            first = draw(st.integers(0, len(source) - 2))
            text = source[first : draw(st.integers(first + 1, len(source)))]
        else:
            text = " ".join(draw(st.lists(st.sampled_from(source.split()), min_size=1)))
        at += draw(st.sampled_from([0.0, 0.02, 0.3, 1.0, 4.0]))
        end = at + draw(st.floats(0.02 * len(text), 0.4 * len(text)))
        speaker = draw(st.sampled_from([None, "SPEAKER_00", "Dr. María José Quiñones"]))
        words = draw(st.booleans())
        found.append(said(text, at, end, language=language, speaker=speaker, words=words))
        at = end
    return found


@settings(max_examples=150, deadline=None)
@given(_segments(), st.booleans(), st.floats(0, 3))
def test_subtitles_fit_to_read(segments: list[Segment], labelled: bool, silence: float) -> None:
    whole = transcript(*segments, silence=silence)
    found = list(cues(whole, label if labelled else None))
    ends = [*(cue.start for cue in found[1:]), max(found[-1].end, round(1000 * whole.duration))]
    text = ""
    for cue, free_until in zip(found, ends, strict=True):
        assert 1 <= len(cue.lines) <= 2
        assert all(1 <= width(line) <= LINE_COLUMNS for line in cue.lines)
        assert cue.start < cue.end <= free_until
        seconds = (cue.end - cue.start) / 1000
        assert seconds <= MOST_SECONDS
        columns = sum(map(width, cue.lines))
        if cue.end < free_until:
            assert seconds >= LEAST_SECONDS
            assert columns / seconds <= LETTERS_PER_SECOND + 0.1
        bare = "".join(cue.lines)
        if labelled and cue.speaker:
            bare = bare.partition(": ")[2]
        text += "".join(bare.split())
    assert text == "".join(whole.text.split())


_WORDS = ("a", "of,", "yes.", "the", "house;", "consideration!", "uncharacteristically.")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["a", "of,", "yes.", "the", "house;", "together", "remember", "consideration!"]
            ),
            st.floats(0.05, 0.8),
            st.floats(0, 0.9 * PAUSE_SECONDS),
        ),
        min_size=2,
        max_size=60,
    )
)
def test_no_word_is_a_cue_unless_it_was_said_alone(rhythm: list[tuple[str, float, float]]) -> None:
    at, words = 0.0, []
    for text, length, pause in rhythm:
        words.append(Word(f" {text}", at, at + length, 0.9))
        at += length + pause
    text = "".join(word.text for word in words)
    found = shown(Segment(0.0, words[-1].end, text, "en", words=tuple(words)))
    assert all(len(" ".join(cue.lines).split()) > 1 for cue in found)


@settings(max_examples=100, deadline=None)
@given(_segments())
def test_webvtt_is_read_back_by_a_parser(segments: list[Segment]) -> None:
    whole = transcript(*segments)
    parsed = webvtt.from_buffer(io.StringIO(render(whole, "vtt"))).captions
    expected = list(cues(whole))
    assert [caption.voice for caption in parsed] == [cue.speaker for cue in expected]
    for caption, cue in zip(parsed, expected, strict=True):
        assert caption.text == "\n".join(cue.lines)
        assert round(1000 * caption.start_in_seconds) // 1000 == cue.start // 1000
        assert caption.start < caption.end


def test_subrip_is_read_back_by_a_parser() -> None:
    whole = transcript(
        said("Vous croyez que ce sera possible ?", 0.0, 2.0, speaker="SPEAKER_00"),
        said(JAPANESE, 2.0, 9.0, language="ja", speaker="SPEAKER_01"),
    )
    parsed = webvtt.from_buffer(io.StringIO(render(whole, "srt")), format="srt").captions
    assert [c.text for c in parsed] == ["\n".join(cue.lines) for cue in cues(whole, label)]
