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


# Short: a few letters would be little for more speech than this.
def window(seconds: float = 2, *speech: tuple[float, float], start: float = 0) -> Window:
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
    transcript, asked = run(window(4, (0, 4), start=60), [said(0.0, " one", 1.5, 2.0, " two", 3.5)])
    assert asked == [Decode(Piece(0, 4 * S), (SOT, EN, TRANSCRIBE), 0, 0.0, 60 * S)]
    assert (transcript.index, transcript.start, transcript.end) == (3, 60, 64)
    assert (transcript.language, transcript.language_probabilities) == ("en", ())
    assert transcript.decoded_again == 0
    first, second = transcript.segments
    assert (first.text, first.start, first.end) == (" one", 60, 61.5)
    assert (second.text, second.start, second.end) == (" two", 62, 63.5)
    assert first.tokens == tuple(map(ord, " one"))
    assert first.avg_logprob == pytest.approx(-0.2)
    assert first.no_speech_prob == 0.01
    assert first.words == ()


def test_a_decoding_goes_on_behind_what_is_said_to_begin_with() -> None:
    begun = Decoded((T, *map(ord, " one"), T + 75), (0.0,) * 5 + (-0.4,), -0.4, 0.0, given=5)
    transcript, asked = run(window(4, (0, 1.5)), [begun], said="one")
    assert [(each.said, each.prompt) for each in decodes(asked)] == [
        ((T, *map(ord, " one")), (SOT, EN, TRANSCRIBE))
    ]
    assert [segment.text for segment in transcript.segments] == [" one"]
    assert transcript.segments[0].avg_logprob == pytest.approx(-0.4)


@pytest.mark.parametrize(("begun", "given"), [("", 0), (" ", 0), ("five", 6), ("fives", 0)])
def test_a_beginning_leaves_room_for_what_follows(begun: str, given: int) -> None:
    """Half of what a prompt may take, with a space before it; and a timestamp."""
    _, asked = run(window(4, (0, 1.5)), [said(0.0, " five", 1.5)], said=begun)
    assert [len(each.said) for each in decodes(asked)] == [given]


@pytest.mark.parametrize(
    ("heard", "aligned"),
    [
        (said(0.0, LOOP, 2.0), [Aligned(tuple(0.1 * at for at in range(90)))]),
        (said(0.0, " one", **GUESS), [Aligned((0.0, 0.1, 0.2, 0.3, 0.4))]),
        (said(0.0, " one", 1.0), []),
    ],
    ids=["a loop", "a guess", "speech left out"],
)
def test_what_is_provisional_is_decoded_once(heard: Decoded, aligned: list[Answer]) -> None:
    transcript, asked = run(window(12, (0, 12)), [heard, *aligned], provisional=True)
    assert len(decodes(asked)) == 1
    assert transcript.doubtful


def test_what_passes_the_checks_is_not_doubtful_though_provisional() -> None:
    transcript, _ = run(window(4, (0, 2)), [said(0.0, " one", 2.0)], provisional=True)
    assert not transcript.doubtful


def test_a_segment_without_an_end_lasts_as_long_as_the_speech() -> None:
    transcript, _ = run(window(10, (0, 2)), [said(0.0, " one")])
    assert [(s.start, s.end) for s in transcript.segments] == [(0, 2)]


def test_times_beyond_the_window_are_moved_inside() -> None:
    transcript, _ = run(window(2.4, (0, 2.4)), [said(0.5, " one", 12.0)])
    assert [(s.start, s.end) for s in transcript.segments] == [(0.5, 2.4)]


def test_a_translation_is_asked_for_by_its_token() -> None:
    _, (request,) = run(window(), [said(0.0, " one", 2.0)], language="de", task="translate")
    assert isinstance(request, Decode)
    assert request.prompt == (SOT, DE, TRANSLATE)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidOption, match="tlh"):
        run(window(), [], language="tlh")


# ------------------------------------------------------------------------- language


def test_the_language_is_the_likeliest_of_those_allowed() -> None:
    found = (("de", 0.9), ("en", 0.1))
    transcript, asked = run(
        window(), [found, said(0.0, " eins", 2.0)], language=None, languages=("de", "en")
    )
    assert asked[0] == DetectLanguage(Piece(0, 2 * S), ("de", "en"))
    assert decodes(asked)[0].prompt == (SOT, DE, TRANSCRIBE)
    assert (transcript.language, transcript.language_probabilities) == ("de", found)
    assert transcript.segments[0].language == "de"


def test_few_of_the_likeliest_languages_are_told() -> None:
    found = tuple((code, 0.1) for code in ("en", "de", "fr", "es", "it", "ru", "zh"))
    transcript, _ = run(window(), [found, said(0.0, " one", 2.0)], language=None)
    assert transcript.language_probabilities == found[:5]


def test_an_english_model_is_not_asked_for_the_language() -> None:
    english = text(replace(VOCABULARY, languages={}, tasks={}))
    transcript, (request,) = run(window(), [said(0.0, " one", 2.0)], language=None, text=english)
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
    _, (request,) = run(window(), [said(0.0, " one", 2.0)], prompt="Names: Alice, Bob.")
    assert isinstance(request, Decode)
    assert request.prompt == (PREVIOUS, *map(ord, "lice, Bob."), SOT, EN, TRANSCRIBE)
    assert request.start_of_transcript == 11
    assert request.prompt[request.start_of_transcript] == SOT


# ------------------------------------------------------------------------- fallback


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(said(0.0, " what", 2.0, **GUESS), id="a guess"),
        pytest.param(said(0.0, LOOP, 2.0), id="a loop"),
        pytest.param(said(0.0, " ab cd ef gh ij kl mn op qr" * 4, " end", 2.0), id="repetition"),
    ],
)
def test_a_bad_decoding_is_done_again_at_the_next_temperature(bad: Decoded) -> None:
    transcript, asked = run(window(start=2), [bad, said(0.0, " well", 2.0)])
    assert [request.temperature for request in decodes(asked)] == [0.0, 0.2]
    assert [request.seed for request in decodes(asked)] == [2 * S, 2 * S + 20]
    assert transcript.decoded_again == 1
    assert [(s.text, s.temperature) for s in transcript.segments] == [(" well", 0.2)]


def test_temperatures_rise_to_the_last_and_the_likeliest_decoding_is_kept() -> None:
    logprobs = [-1.9, -1.5, -1.2, -1.4, -1.6, -1.8]
    answers = [said(0.0, f" {i}", 2.0, logprob=p) for i, p in enumerate(logprobs)]
    transcript, asked = run(window(), answers)
    assert tuple(request.temperature for request in decodes(asked)) == TEMPERATURES
    assert [s.text for s in transcript.segments] == [" 2"]
    assert transcript.segments[0].temperature == 0.4
    assert transcript.decoded_again == 5


def test_a_guess_is_better_than_a_loop() -> None:
    answers = [said(0.0, LOOP, 2.0)] * 5 + [said(0.0, " hm", 2.0, logprob=-2)]
    transcript, _ = run(window(), answers)
    assert [s.text for s in transcript.segments] == [" hm"]


def test_the_first_temperature_can_be_chosen() -> None:
    bad = said(0.0, " what", 2.0, **GUESS)
    _, asked = run(window(), [bad, bad, said(0.0, " well", 2.0)], temperature=0.5)
    assert [request.temperature for request in decodes(asked)] == [0.5, 0.6, 0.8]


# ------------------------------------------------------------------------- repetition


def evenly(letters: int, first: float, last: float) -> Aligned:
    """Letters that take the same time each."""
    step = (last - first) / letters
    return Aligned(tuple(first + step * index for index in range(letters + 1)))


def test_what_is_really_said_again_and_again_comes_as_often() -> None:
    drill = " na" * 6
    transcript, asked = run(window(4, (0, 4)), [said(0.0, drill, " ok", 3.8), evenly(21, 0.0, 3.8)])
    assert [s.text for s in transcript.segments] == [drill + " ok"]
    assert [request.temperature for request in decodes(asked)] == [0.0]
    assert transcript.decoded_again == 0


def test_a_repetition_for_which_there_was_no_time_is_left_out() -> None:
    # The fourth of seven is aligned to one moment.
    lengths = [0.15] * 9 + [0.0] * 3 + [0.15] * 12
    starts = tuple(sum(lengths[:index]) for index in range(25))
    transcript, _ = run(
        window(4, (0, 4)),
        [said(0.0, " na" * 7, " ok", 3.8), Aligned(starts)],
        word_timestamps=True,
    )
    (segment,) = transcript.segments
    assert segment.text == " na" * 6 + " ok"
    assert [word.text for word in segment.words] == [" na"] * 6 + [" ok"]


def test_where_all_decodings_loop_what_repeats_is_said_once_and_the_rest_decoded() -> None:
    transcript, asked = run(
        window(10, (0, 6), (6.5, 10)),
        [
            *[said(0.0, " Oh", LOOP, ended=False)] * 6,
            # "Oh na" is heard in the first second: what follows is not known yet.
            evenly(6, 0.0, 1.0),
            said(0.0, " and what he said after it was all about his house", 5.0),
            said(0.0, " some more was to follow", 3.5),
        ],
    )
    assert [request.piece for request in decodes(asked)[6:]] == [
        Piece(S, round(6.25 * S)),
        Piece(round(6.25 * S), 10 * S),
    ]
    assert [s.text for s in transcript.segments] == [
        " Oh na",
        " and what he said after it was all about his house",
        " some more was to follow",
    ]


# ------------------------------------------------------------------------- silence


def test_silence_has_no_words_and_is_not_decoded_again() -> None:
    transcript, asked = run(window(), [said(0.0, " you", 2.0, no_speech=0.9, **GUESS)])
    assert transcript.segments == ()
    assert transcript.no_speech_prob == 0.9
    assert len(asked) == 1


def test_sure_words_are_words_whatever_the_mark_for_silence_says() -> None:
    transcript, _ = run(window(), [said(0.0, " you", 2.0, no_speech=0.9)])
    assert [s.text for s in transcript.segments] == [" you"]


def test_unsure_words_where_nobody_speaks_are_left_out() -> None:
    transcript, _ = run(
        window(10, (0, 2)), [said(0.0, " one", 2.0, 6.0, " thanks", 9.0, logprob=-0.8)]
    )
    assert [s.text for s in transcript.segments] == [" one"]


@pytest.mark.parametrize(
    ("decoded", "heard"),
    [
        (said(0.0, " whispered words", 5.0, logprob=-0.5, no_speech=0.4), True),
        (said(0.0, " whispered words", 5.0, logprob=-0.5, no_speech=0.65), False),
        (said(0.0, " whispered words", 5.0, logprob=-0.9, no_speech=0.4), False),
        (said(0.0, " um", 5.0, logprob=-0.2), False),
        (said(0.0, LOOP, 5.0), False),
    ],
)
def test_words_that_voice_activity_did_not_hear_have_to_be_sure(
    decoded: Decoded, heard: bool
) -> None:
    """And are not asked for twice."""
    faint = replace(window(5, (0, 5)), faint=True)
    transcript, _ = run(faint, [decoded])
    assert bool(transcript.segments) == heard
    assert transcript.decoded_again == 0


def test_sure_words_behind_the_last_speech_are_left_out_too() -> None:
    transcript, _ = run(window(10, (0, 2)), [said(0.0, " one", 2.0, 6.0, " thanks", 9.0)])
    assert [s.text for s in transcript.segments] == [" one"]


def test_sure_words_in_a_pause_are_kept() -> None:
    transcript, _ = run(
        window(10, (0, 2), (8, 10)), [said(0.0, " one", 2.0, 5.0, " two", 6.0, 8.0, " three", 10.0)]
    )
    assert [s.text for s in transcript.segments] == [" one", " two", " three"]


# ------------------------------------------------------------------------- lost speech

LONG = " a sentence of several seconds"


def test_speech_behind_the_last_timestamp_is_decoded_by_itself() -> None:
    transcript, asked = run(
        window(20, (0, 20), start=100), [said(0.0, LONG, 8.0), said(0.5, LONG, 12.0)]
    )
    assert [request.piece for request in decodes(asked)] == [
        Piece(0, 20 * S),
        Piece(8 * S, 20 * S),
    ]
    assert [(s.text, s.start, s.end) for s in transcript.segments] == [
        (LONG, 100, 108),
        (LONG, 108.5, 120),
    ]
    assert transcript.decoded_again == 1


def test_speech_between_two_timestamps_is_decoded_by_itself() -> None:
    transcript, asked = run(
        window(20, (0, 7), (8, 13), (14, 20)),
        [said(0.0, LONG, 7.0, 14.0, LONG, 20.0), said(0.4, " in between it was she", 5.2)],
    )
    assert [request.piece for request in decodes(asked)] == [
        Piece(0, 20 * S),
        Piece(round(7.7 * S), 14 * S),
    ]
    assert [(s.text, s.start, s.end) for s in transcript.segments] == [
        (LONG, 0, 7),
        (" in between it was she", 8.1, 12.9),
        (LONG, 14, 20),
    ]


def test_speech_before_the_first_timestamp_is_decoded_by_itself() -> None:
    _, asked = run(
        window(16, (0, 16)), [said(5.0, LONG, 16.0), said(0.0, " what was said first", 5.0)]
    )
    assert decodes(asked)[1].piece == Piece(0, 5 * S)


def test_a_segment_of_few_words_for_its_speech_is_looked_at_closely() -> None:
    # Its words were said in the first second and a half.
    transcript, asked = run(
        window(8, (0, 1.5), (2, 8)),
        [
            said(0.0, " hello", 8.0),
            evenly(6, 0.0, 1.5),
            said(0.2, " and then she went on", 6.0),
        ],
    )
    assert asked[1] == Align(
        Piece(0, 8 * S), (SOT, EN, TRANSCRIBE, NO_TIMESTAMPS), tuple(map(ord, " hello"))
    )
    assert decodes(asked)[1].piece == Piece(round(1.7 * S), 8 * S)
    assert [s.text for s in transcript.segments] == [" hello", " and then she went on"]
    assert all(s.words == () for s in transcript.segments)


def test_lost_speech_may_be_in_another_language() -> None:
    transcript, asked = run(
        window(20, (0, 7), (8, 13), (14, 20)),
        [
            (("en", 0.6), ("de", 0.4)),
            said(0.0, LONG, 7.0, 14.0, LONG, 20.0),
            (("de", 0.9), ("en", 0.1)),
            said(0.4, " dazwischen sagte sie", 5.2),
            # Now the parts around it are in doubt too.
            (("en", 0.9), ("de", 0.1)),
            (("de", 0.8), ("en", 0.2)),
            said(0.0, " und danach sagte er etwas", 6.0),
        ],
        language=None,
    )
    assert [(s.language, s.text) for s in transcript.segments] == [
        ("en", LONG),
        ("de", " dazwischen sagte sie"),
        ("de", " und danach sagte er etwas"),
    ]
    assert (transcript.language, transcript.language_probabilities[0]) == ("en", ("en", 0.6))
    assert asked[-1].piece == Piece(14 * S, 20 * S)


def test_lost_speech_is_in_the_windows_language_unless_it_is_surely_another() -> None:
    transcript, _ = run(
        window(20, (0, 20)),
        [
            (("en", 0.6), ("de", 0.4)),
            said(0.0, LONG, 8.0),
            (("de", 0.6), ("en", 0.4)),
            said(0.0, LONG, 12.0),
        ],
        language=None,
    )
    assert [s.language for s in transcript.segments] == ["en", "en"]


def test_what_is_heard_in_lost_speech_has_to_pass_the_checks() -> None:
    transcript, asked = run(
        window(20, (0, 20)), [said(0.0, LONG, 8.0), *[said(0.0, " what", 12.0, **GUESS)] * 6]
    )
    assert [s.text for s in transcript.segments] == [LONG]
    assert len(decodes(asked)) == 7


@pytest.mark.parametrize(
    ("speech", "decoded"),
    [
        pytest.param((0, 8.9), said(0.0, LONG, 8.0), id="less than a second is lost"),
        pytest.param((0, 10), said(0.0, LONG), id="no timestamp says where it stopped"),
        pytest.param((0, 10), said(0.0, " one", 0.9), id="hardly any progress"),
        pytest.param((0, 10), said(), id="nothing was found"),
    ],
)
def test_otherwise_a_window_is_decoded_once(speech: tuple[float, float], decoded: Decoded) -> None:
    _, asked = run(window(10, speech), [decoded])
    assert len(asked) == 1


def test_pieces_of_a_window_are_bounded() -> None:
    _, asked = run(window(30, (0, 30)), [said(0.0, " one", 1.5)] * MOST_PIECES)
    assert [request.piece.start for request in decodes(asked)] == [
        round(1.5 * S) * i for i in range(MOST_PIECES)
    ]


# ------------------------------------------------------------------------- words


def test_words_are_told_in_the_recordings_time_and_segments_hold_them() -> None:
    starts = (0.5, 0.6, 0.7, 1.5, 1.6, 1.8, 2.7, 2.8, 3.9)
    transcript, asked = run(
        window(4, (0, 4), start=60),
        [said(0.9, " a b", 1.8, 2.6, " c d", 4.0), Aligned(starts)],
        word_timestamps=True,
    )
    align = asked[-1]
    assert align == Align(
        Piece(0, 4 * S), (SOT, EN, TRANSCRIBE, NO_TIMESTAMPS), tuple(map(ord, " a b c d"))
    )
    first, second = transcript.segments
    assert [w.text for w in first.words] == [" a", " b"]
    edges = [edge for w in first.words for edge in (w.start, w.end)]
    assert edges == pytest.approx([60.5, 60.7, 60.7, 61.6])
    assert [w.text for w in second.words] == [" c", " d"]
    edges = [edge for w in second.words for edge in (w.start, w.end)]
    assert edges == pytest.approx([61.6, 62.7, 62.7, 63.9])
    assert (first.start, first.end) == pytest.approx((60.5, 61.6))
    assert (second.start, second.end) == pytest.approx((61.6, 64.0))
    assert all(w.probability == pytest.approx(np.exp(-0.2)) for w in first.words)


def test_words_of_a_later_piece_are_timed_from_its_start() -> None:
    transcript, asked = run(
        window(4, (0, 4)),
        [
            said(0.0, " a", 2.0),
            Aligned((0.0, 0.5, 1.0)),
            said(0.0, " b", 2.0),
            Aligned((1.0, 1.2, 1.5)),
        ],
        word_timestamps=True,
    )
    assert asked[-1].piece == Piece(2 * S, 4 * S)
    assert [(w.text, w.start, w.end) for s in transcript.segments for w in s.words] == [
        (" a", 0, 1),
        (" b", 3, 3.5),
    ]


def test_without_segments_there_is_nothing_to_align() -> None:
    transcript, asked = run(window(), [said()], word_timestamps=True)
    assert transcript.segments == ()
    assert len(asked) == 1
