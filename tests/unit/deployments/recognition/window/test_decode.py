"""A window's way, with an engine whose answers are written down beforehand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.recognition.window.decode import MOST_PIECES, decode_window
from deployments.recognition.window.quality import TEMPERATURES
from deployments.recognition.window.questions import (
    Align,
    Aligned,
    Answer,
    Decode,
    Decoded,
    DetectLanguage,
    Piece,
    Request,
)
from deployments.recognition.window.vocabulary import Text, Vocabulary
from interchange.errors import InvalidOption
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import Token, WindowTranscript

S = SAMPLE_RATE
EOT, SOT, EN, DE, TRANSCRIBE, TRANSLATE, PREVIOUS, NO_TIMESTAMPS = range(128, 136)
T = NO_TIMESTAMPS + 1

VOCABULARY = Vocabulary(
    size=T + 1501,
    sot=SOT,
    eot=EOT,
    previous=PREVIOUS,
    no_speech=NO_TIMESTAMPS,
    no_timestamps=NO_TIMESTAMPS,
    languages={"en": EN, "de": DE},
    tasks={"transcribe": TRANSCRIBE, "translate": TRANSLATE},
    suppressed=(),
    suppressed_at_begin=(),
    max_initial_timestamp=50,
)


class Letters:
    """A tokenizer of one token a letter."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, token_ids: list[int]) -> str:
        return "".join(map(chr, token_ids))

    def convert_ids_to_tokens(self, ids: int) -> str:
        return chr(ids)


def text(vocabulary: Vocabulary = VOCABULARY) -> Text:
    return Text(vocabulary, Letters(), prompt_limit=10)


def said(
    *parts: str | float, logprob: float = -0.2, no_speech: float = 0.01, ended: bool = True
) -> Decoded:
    """A decoding of texts between times in seconds."""
    tokens: list[int] = []
    for part in parts:
        tokens += map(ord, part) if isinstance(part, str) else [T + round(part * 50)]
    return Decoded(tuple(tokens), (logprob,) * len(tokens), logprob if ended else None, no_speech)


LOOP = " na" * 20
GUESS: dict[str, Any] = {"logprob": -1.5}


def window(seconds: float = 10, *speech: tuple[float, float], start: float = 0) -> Window:
    spans = tuple((round(a * S), round(b * S)) for a, b in speech)
    return Window(3, round(start * S), np.zeros(round(seconds * S), np.int16), spans)


def run(
    window: Window,
    answers: Sequence[Answer],
    *,
    text: Text = text(),  # noqa: B008 - it never changes
    **options: Any,
) -> tuple[WindowTranscript, list[Request]]:
    """Answer what is asked, in order; every answer has to be asked for."""
    options = {"language": "en"} | options
    decoding = decode_window(window, RecognitionOptions("a", **options), text)
    asked = [next(decoding)]
    for index, answer in enumerate(answers):
        try:
            asked.append(decoding.send(answer))
        except StopIteration as done:
            assert index == len(answers) - 1, "there were answers nobody asked for"
            transcript: WindowTranscript = done.value
            return transcript, asked
    raise AssertionError(f"{asked[-1]} was asked for too")


def decodes(asked: list[Request]) -> list[Decode]:
    return [request for request in asked if isinstance(request, Decode)]


# ------------------------------------------------------------------------- plain


def test_segments_are_told_in_the_recordings_time() -> None:
    transcript, asked = run(
        window(10, (0, 10), start=60), [said(0.0, " one", 2.0, 3.0, " two", 9.5)]
    )
    assert asked == [Decode(Piece(0, 10 * S), (SOT, EN, TRANSCRIBE), 0, 0.0, 60 * S)]
    assert (transcript.index, transcript.start, transcript.end) == (3, 60, 70)
    assert (transcript.language, transcript.language_probabilities) == ("en", ())
    assert transcript.decoded_again == 0
    first, second = transcript.segments
    assert (first.text, first.start, first.end) == (" one", 60, 62)
    assert (second.text, second.start, second.end) == (" two", 63, 69.5)
    assert first.tokens == tuple(map(ord, " one"))
    assert first.avg_logprob == pytest.approx(-0.2)
    assert first.no_speech_prob == 0.01
    assert first.words == ()


def test_a_segment_without_an_end_lasts_as_long_as_the_speech() -> None:
    transcript, _ = run(window(10, (0, 7)), [said(0.0, " one")])
    assert [(s.start, s.end) for s in transcript.segments] == [(0, 7)]


def test_times_beyond_the_window_are_moved_inside() -> None:
    transcript, _ = run(window(5, (0, 5)), [said(1.0, " one", 12.0)])
    assert [(s.start, s.end) for s in transcript.segments] == [(1, 5)]


def test_a_translation_is_asked_for_by_its_token() -> None:
    _, (request,) = run(window(), [said(0.0, " one", 10.0)], language="de", task="translate")
    assert isinstance(request, Decode)
    assert request.prompt == (SOT, DE, TRANSLATE)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidOption, match="tlh"):
        run(window(), [], language="tlh")


# ------------------------------------------------------------------------- language


def test_the_language_is_the_likeliest_of_those_allowed() -> None:
    found = (("de", 0.9), ("en", 0.1))
    transcript, asked = run(
        window(), [found, said(0.0, " eins", 10.0)], language=None, languages=("de", "en")
    )
    assert asked[0] == DetectLanguage(Piece(0, 10 * S), ("de", "en"))
    assert decodes(asked)[0].prompt == (SOT, DE, TRANSCRIBE)
    assert (transcript.language, transcript.language_probabilities) == ("de", found)
    assert transcript.segments[0].language == "de"


def test_few_of_the_likeliest_languages_are_told() -> None:
    found = tuple((code, 0.1) for code in ("en", "de", "fr", "es", "it", "ru", "zh"))
    transcript, _ = run(window(), [found, said(0.0, " one", 10.0)], language=None)
    assert transcript.language_probabilities == found[:5]


def test_an_english_model_is_not_asked_for_the_language() -> None:
    english = text(replace(VOCABULARY, languages={}, tasks={}))
    transcript, (request,) = run(window(), [said(0.0, " one", 10.0)], language=None, text=english)
    assert isinstance(request, Decode)
    assert request.prompt == (SOT,)
    assert transcript.language == "en"


# ------------------------------------------------------------------------- prompt


def test_logprobs_are_given_with_the_bytes_of_each_token_where_asked_for() -> None:
    spoken = said(0.0, "ab", 2.0, "c", 4.0, logprob=-0.25)
    transcript, _ = run(window(4), [spoken], logprobs=True)
    assert [segment.spelled for segment in transcript.segments] == [
        (Token((97,), -0.25), Token((98,), -0.25)),
        (Token((99,), -0.25),),
    ]
    transcript, _ = run(window(4), [spoken])
    assert [segment.spelled for segment in transcript.segments] == [(), ()]


def test_what_does_not_fit_in_the_prompt_is_counted() -> None:
    transcript, _ = run(window(), [said(0.0, " one", 10.0)], prompt="Names: Alice, Bob.")
    assert transcript.prompt_left_out == 9
    transcript, _ = run(window(), [said(0.0, " one", 10.0)], prompt="Alice.")
    assert transcript.prompt_left_out == 0


def test_a_prompt_stands_before_the_transcript_and_is_cut_at_its_start() -> None:
    _, (request,) = run(window(), [said(0.0, " one", 10.0)], prompt="Names: Alice, Bob.")
    assert isinstance(request, Decode)
    assert request.prompt == (PREVIOUS, *map(ord, "lice, Bob."), SOT, EN, TRANSCRIBE)
    assert request.start_of_transcript == 11
    assert request.prompt[request.start_of_transcript] == SOT


# ------------------------------------------------------------------------- fallback


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(said(0.0, " what", 10.0, **GUESS), id="a guess"),
        pytest.param(said(0.0, LOOP, 10.0), id="a loop"),
        pytest.param(said(0.0, " ab cd ef gh ij" * 5, " end", 10.0), id="much repetition"),
    ],
)
def test_a_bad_decoding_is_done_again_at_the_next_temperature(bad: Decoded) -> None:
    transcript, asked = run(window(start=2), [bad, said(0.0, " well", 10.0)])
    assert [request.temperature for request in decodes(asked)] == [0.0, 0.2]
    assert [request.seed for request in decodes(asked)] == [2 * S, 2 * S + 20]
    assert transcript.decoded_again == 1
    assert [(s.text, s.temperature) for s in transcript.segments] == [(" well", 0.2)]


def test_temperatures_rise_to_the_last_and_the_likeliest_decoding_is_kept() -> None:
    logprobs = [-1.9, -1.5, -1.2, -1.4, -1.6, -1.8]
    answers = [said(0.0, f" {i}", 10.0, logprob=p) for i, p in enumerate(logprobs)]
    transcript, asked = run(window(), answers)
    assert tuple(request.temperature for request in decodes(asked)) == TEMPERATURES
    assert [s.text for s in transcript.segments] == [" 2"]
    assert transcript.segments[0].temperature == 0.4
    assert transcript.decoded_again == 5


def test_a_guess_is_better_than_a_loop() -> None:
    answers = [said(0.0, LOOP, 10.0)] * 5 + [said(0.0, " hm", 10.0, logprob=-2)]
    transcript, _ = run(window(), answers)
    assert [s.text for s in transcript.segments] == [" hm"]


def test_where_all_decodings_loop_what_repeats_is_said_once() -> None:
    transcript, _ = run(window(10, (0, 10)), [said(0.0, " Oh", LOOP, 10.0)] * 6)
    (segment,) = transcript.segments
    assert segment.text == " Oh na"
    assert segment.compression_ratio > 2.4
    assert segment.end == 10


def test_the_first_temperature_can_be_chosen() -> None:
    bad = said(0.0, " what", 10.0, **GUESS)
    _, asked = run(window(), [bad, bad, said(0.0, " well", 10.0)], temperature=0.5)
    assert [request.temperature for request in decodes(asked)] == [0.5, 0.6, 0.8]


# ------------------------------------------------------------------------- silence


def test_silence_has_no_words_and_is_not_decoded_again() -> None:
    transcript, asked = run(window(), [said(0.0, " you", 10.0, no_speech=0.9, **GUESS)])
    assert transcript.segments == ()
    assert transcript.no_speech_prob == 0.9
    assert len(asked) == 1


def test_sure_words_are_words_whatever_the_mark_for_silence_says() -> None:
    transcript, _ = run(window(), [said(0.0, " you", 10.0, no_speech=0.9)])
    assert [s.text for s in transcript.segments] == [" you"]


def test_unsure_words_where_nobody_speaks_are_left_out() -> None:
    transcript, _ = run(
        window(10, (0, 3)), [said(0.0, " one", 3.0, 6.0, " thanks", 9.0, logprob=-0.8)]
    )
    assert [s.text for s in transcript.segments] == [" one"]


def test_sure_words_behind_the_last_speech_are_left_out_too() -> None:
    transcript, _ = run(window(10, (0, 3)), [said(0.0, " one", 3.0, 6.0, " thanks", 9.0)])
    assert [s.text for s in transcript.segments] == [" one"]


def test_sure_words_in_a_pause_are_kept() -> None:
    transcript, _ = run(
        window(10, (0, 3), (8, 10)), [said(0.0, " one", 3.0, 5.0, " two", 6.0, 8.0, " three", 10.0)]
    )
    assert [s.text for s in transcript.segments] == [" one", " two", " three"]


# ------------------------------------------------------------------------- lost speech


def test_speech_behind_the_last_timestamp_is_decoded_by_itself() -> None:
    transcript, asked = run(
        window(20, (0, 20), start=100), [said(0.0, " one", 8.0), said(1.0, " two", 12.0)]
    )
    assert [request.piece for request in decodes(asked)] == [
        Piece(0, 20 * S),
        Piece(8 * S, 20 * S),
    ]
    assert [(s.text, s.start, s.end) for s in transcript.segments] == [
        (" one", 100, 108),
        (" two", 109, 120),
    ]
    assert transcript.decoded_again == 1


@pytest.mark.parametrize(
    ("speech", "decoded"),
    [
        pytest.param((0, 8.9), said(0.0, " one", 8.0), id="less than a second is lost"),
        pytest.param((0, 20), said(0.0, " one"), id="no timestamp says where it stopped"),
        pytest.param((0, 20), said(0.0, " one", 0.9), id="hardly any progress"),
        pytest.param((0, 20), said(), id="nothing was found"),
    ],
)
def test_otherwise_a_window_is_decoded_once(speech: tuple[float, float], decoded: Decoded) -> None:
    _, asked = run(window(20, speech), [decoded])
    assert len(asked) == 1


def test_pieces_of_a_window_are_bounded() -> None:
    _, asked = run(window(30, (0, 30)), [said(0.0, " one", 1.5)] * MOST_PIECES)
    assert [request.piece.start for request in decodes(asked)] == [
        round(1.5 * S) * i for i in range(MOST_PIECES)
    ]


# ------------------------------------------------------------------------- words


def test_words_are_timed_inside_their_segments_in_the_recordings_time() -> None:
    starts = (0.5, 0.6, 0.7, 1.5, 1.6, 1.8, 3.1, 3.2, 3.9)
    transcript, asked = run(
        window(10, (0, 10), start=60),
        [said(1.0, " a b", 1.8, 3.0, " c d", 10.0), Aligned(starts)],
        word_timestamps=True,
    )
    align = asked[-1]
    assert align == Align(
        Piece(0, 10 * S), (SOT, EN, TRANSCRIBE, NO_TIMESTAMPS), tuple(map(ord, " a b c d"))
    )
    first, second = transcript.segments
    assert [w.text for w in first.words] == [" a", " b"]
    edges = [edge for w in first.words for edge in (w.start, w.end)]
    assert edges == pytest.approx([61.0, 61.0, 61.0, 61.6])
    assert [w.text for w in second.words] == [" c", " d"]
    edges = [edge for w in second.words for edge in (w.start, w.end)]
    assert edges == pytest.approx([63.0, 63.1, 63.1, 63.9])
    assert all(w.probability == pytest.approx(np.exp(-0.2)) for w in first.words)


def test_words_of_a_later_piece_are_timed_from_its_start() -> None:
    transcript, asked = run(
        window(20, (0, 20)),
        [
            said(0.0, " a", 8.0),
            Aligned((0.0, 0.5, 1.0)),
            said(0.0, " b", 12.0),
            Aligned((2.0, 2.5, 3.0)),
        ],
        word_timestamps=True,
    )
    assert asked[-1].piece == Piece(8 * S, 20 * S)
    assert [(w.text, w.start, w.end) for s in transcript.segments for w in s.words] == [
        (" a", 0, 1),
        (" b", 10, 11),
    ]


def test_without_segments_there_is_nothing_to_align() -> None:
    transcript, asked = run(window(), [said()], word_timestamps=True)
    assert transcript.segments == ()
    assert len(asked) == 1
