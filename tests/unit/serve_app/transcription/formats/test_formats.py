"""Files are read back: SubRip and WebVTT by their grammars, JSON by its parser."""

import html
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interchange.transcript import Segment, Transcript, Turn, Word
from serve_app.transcription.formats import MEDIA_TYPES, RENDERERS, render
from serve_app.transcription.formats.timecode import timecode
from tests.fakes.services import DIALOGUE, GREETING, SILENCE, segment, transcript

Parsed = tuple[float, float, str]

_TIME = r"(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})"
_TIMES = re.compile(rf"{_TIME} --> {_TIME}")


def parse_times(line: str) -> tuple[float, float]:
    match = _TIMES.fullmatch(line)
    assert match, line
    start, end = (
        int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000
        for h, m, s, ms in (match.groups()[:4], match.groups()[4:])
    )
    return start, end


def parse_srt(text: str) -> list[Parsed]:
    assert text == "" or text.endswith("\n\n")
    cues = []
    for number, block in enumerate(text.split("\n\n")[:-1], 1):
        count, times, *lines = block.split("\n")
        assert int(count) == number
        assert lines
        assert "," in times
        assert not any("-->" in line for line in lines)
        cues.append((*parse_times(times), "\n".join(lines)))
    return cues


def parse_vtt(text: str) -> list[Parsed]:
    header, *blocks = text.split("\n\n")
    assert header == "WEBVTT"
    assert blocks.pop() == ""
    cues = []
    for block in blocks:
        times, *lines = block.split("\n")
        assert lines
        assert "," not in times
        content = "\n".join(lines)
        assert "-->" not in content
        assert "&" not in re.sub(r"&(amp|lt|gt);", "", content)
        cues.append((*parse_times(times), html.unescape(re.sub(r"<[^>]*>", "", content))))
    return cues


def words_of(text: str) -> list[str]:
    return text.split()


def test_plain_text() -> None:
    assert render(GREETING, "txt") == "Hello there. How are you?\n"
    assert render(SILENCE, "txt") == ""


def test_plain_text_has_a_line_for_each_turn() -> None:
    more = transcript(
        *DIALOGUE.segments, segment("Fine.", 4.0, 4.5, "SPEAKER_01"), turns=DIALOGUE.turns
    )
    assert render(more, "txt") == "SPEAKER_00: Hello there.\nSPEAKER_01: How are you? Fine.\n"


def test_plain_text_has_a_line_for_each_turn_of_channels_by_themselves() -> None:
    one, other = (replace(each, channel=n) for n, each in enumerate(GREETING.segments))
    assert render(transcript(one, one, other), "txt") == (
        "Hello there. Hello there.\nHow are you?\n"
    )


def test_srt() -> None:
    assert render(DIALOGUE, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nSPEAKER_00: Hello there.\n\n"
        "2\n00:00:02,000 --> 00:00:03,250\nSPEAKER_01: How are you?\n\n"
    )


def test_vtt() -> None:
    assert render(DIALOGUE, "vtt") == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\n<v SPEAKER_00>Hello there.</v>\n\n"
        "00:00:02.000 --> 00:00:03.250\n<v SPEAKER_01>How are you?</v>\n\n"
    )


def test_tsv() -> None:
    assert render(GREETING, "tsv") == (
        "start\tend\ttext\n0\t1500\tHello there.\n2000\t3250\tHow are you?\n"
    )
    assert render(DIALOGUE, "tsv").splitlines()[2] == "2000\t3250\tSPEAKER_01: How are you?"
    tabbed = replace(segment("x", 0, 1), text=" a\tb\nc")
    assert render(transcript(tabbed), "tsv").splitlines()[1] == "0\t1000\ta b c"


def test_silence_is_a_file_without_cues() -> None:
    assert parse_srt(render(SILENCE, "srt")) == []
    assert parse_vtt(render(SILENCE, "vtt")) == []


def test_json_has_everything() -> None:
    document = json.loads(render(DIALOGUE, "json"))
    assert document["text"] == "Hello there. How are you?"
    assert document["segments"][1]["speaker"] == "SPEAKER_01"
    assert document["words"][0] == {
        "word": "Hello",
        "start": 0.0,
        "end": 0.75,
        "speaker": "SPEAKER_00",
        "overlap": False,
        "probability": 0.9,
    }
    assert document["speakers"] == [
        {"start": turn.start, "end": turn.end, "speaker": turn.speaker}
        for turn in DIALOGUE.turns or ()
    ]


def test_json_says_who_talks_how_long_and_while_another_does() -> None:
    turns = (Turn(0.0, 2.6, "SPEAKER_00"), Turn(1.9, 3.3, "SPEAKER_01"))
    document = json.loads(render(replace(DIALOGUE, turns=turns), "json"))
    assert [each["overlap"] for each in document["segments"]] == [False, True]
    assert [each["overlap"] for each in document["words"]] == [False, False, True, True, False]
    assert document["speaker_seconds"] == {"SPEAKER_00": 2.6, "SPEAKER_01": 1.4}
    assert "speaker_embeddings" not in document
    assert "channel" not in document["segments"][0]


def test_json_has_voices_and_channels_where_there_are_any() -> None:
    segments = tuple(replace(each, channel=1) for each in DIALOGUE.segments)
    whole = replace(DIALOGUE, segments=segments, voices={"SPEAKER_01": (0.6, 0.8)})
    document = json.loads(render(whole, "json"))
    assert document["speaker_embeddings"] == {"SPEAKER_01": [0.6, 0.8]}
    assert {each["channel"] for each in document["segments"]} == {1}


@pytest.mark.parametrize("speakers", [("SPEAKER_00", "SPEAKER_01"), (None, None)])
@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_who_talks_at_the_same_time_is_read_at_the_same_time(
    name: str, speakers: tuple[str | None, str | None]
) -> None:
    one = replace(segment("I am talking all the while.", 0.0, 6.0, speakers[0]), channel=0)
    other = replace(segment("Me too, for a bit.", 2.0, 4.0, speakers[1]), channel=1)
    later = replace(segment("And again.", 8.0, 9.0, speakers[1]), channel=1)
    parse = parse_srt if name == "srt" else parse_vtt
    cues = parse(render(transcript(one, other, later), name))
    assert [start for start, _, _ in cues] == [0.0, 2.0, 8.0]
    assert [end for _, end, _ in cues[:2]] == [6.0, 4.0]


def test_every_format_has_a_media_type() -> None:
    assert set(RENDERERS) == set(MEDIA_TYPES)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_markup_in_the_text_stays_text(name: str) -> None:
    odd = transcript(segment("a --> b <b>&amp; 1 < 2.", 0.0, 2.0))
    parse = parse_srt if name == "srt" else parse_vtt
    ((_, _, text),) = parse(render(odd, name))
    assert text == ("a → b <b>&amp; 1 < 2." if name == "srt" else "a --> b <b>&amp; 1 < 2.")


def test_a_long_segment_is_cut_where_it_can_be_read() -> None:
    text = "The quick brown fox jumps over the lazy dog, and then it runs away from the dog. " * 5
    cues = parse_srt(render(transcript(segment(text.strip(), 0.0, 28.0)), "srt"))
    assert len(cues) >= 5
    assert words_of(" ".join(cue[2] for cue in cues)) == words_of(text)
    for start, end, shown in cues:
        assert 0.5 < end - start <= 7.0
        assert len(shown.split("\n")) <= 2
        assert all(len(line) <= 42 for line in shown.split("\n"))
    assert sum(shown.endswith((",", ".")) for _, _, shown in cues) >= 5


def test_without_word_times_they_are_interpolated() -> None:
    text = " ".join(["syllables"] * 30)
    whole = replace(segment(text, 10.0, 30.0), words=())
    cues = parse_vtt(render(transcript(whole), "vtt"))
    assert cues[0][0] == 10.0
    assert cues[-1][1] == 30.0
    assert words_of(" ".join(cue[2] for cue in cues)) == words_of(text)
    assert all(end - start <= 7.0 for start, end, _ in cues)


def test_scripts_without_spaces() -> None:
    text = "今日は天気がいいですから、散歩に行きましょう。" * 6
    cues = parse_srt(render(transcript(Segment(0.0, 25.0, text, "ja")), "srt"))
    assert "".join(cue[2] for cue in cues).replace("\n", "") == text
    assert all(len(line) <= 21 for cue in cues for line in cue[2].split("\n"))


def test_a_pause_or_another_speaker_ends_a_cue() -> None:
    words = (
        Word(" One", 0.0, 0.5, 1.0, "SPEAKER_00"),
        Word(" two", 0.5, 1.0, 1.0, "SPEAKER_01"),
        Word(" three", 4.0, 4.5, 1.0, "SPEAKER_01"),
    )
    turns = (Turn(0.0, 0.5, "SPEAKER_00"), Turn(0.5, 4.5, "SPEAKER_01"))
    mixed = transcript(Segment(0.0, 4.5, " One two three", "en", words=words), turns=turns)
    assert [cue[:2] for cue in parse_vtt(render(mixed, "vtt"))] == [
        (0.0, 0.5),
        (0.5, 1.5),
        (4.0, 5.0),
    ]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "00:00:00.000"),
        (60_000, "00:01:00.000"),
        (3_661_500, "01:01:01.500"),
        (360_000_250, "100:00:00.250"),
    ],
)
def test_timecodes(milliseconds: int, text: str) -> None:
    assert timecode(milliseconds, ".") == text


_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    segments = []
    at = 0.0
    for text in draw(st.lists(_texts, max_size=6)):
        at += draw(st.floats(0, 3))
        end = at + draw(st.floats(0, 12))
        speaker = draw(st.sampled_from([None, "SPEAKER_00", "SPEAKER_01"]))
        words = draw(st.booleans())
        part = segment(text, at, end, speaker)
        segments.append(part if words else replace(part, words=()))
        at = end
    return transcript(*segments, turns=()) if segments else SILENCE


@given(transcripts())
def test_no_word_is_lost_and_times_are_in_order(whole: Transcript) -> None:
    wanted = "".join(whole.text.replace("-->", "→").split())
    bare = replace(
        whole,
        segments=tuple(
            replace(s, speaker=None, words=tuple(replace(w, speaker=None) for w in s.words))
            for s in whole.segments
        ),
    )
    for cues in (parse_srt(render(bare, "srt")), parse_vtt(render(bare, "vtt"))):
        got = "".join("".join(text.split()) for _, _, text in cues)
        assert got.replace("-->", "→") == wanted
        starts = [start for start, _, _ in cues]
        assert starts == sorted(starts)
        assert all(start < end for start, end, _ in cues)
    parse_srt(render(whole, "srt"))
    parse_vtt(render(whole, "vtt"))
    assert json.loads(render(whole, "json"))["text"] == whole.text.strip()
