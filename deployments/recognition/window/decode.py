"""A window's way to its transcript: language, decoding, second decodings, words.

Written as a generator that asks the engine for one thing after another (`questions`). The
engine may serve many of them at once.

A decoding may leave speech out: behind its last timestamp, between two, or within a segment that
says little for its length. Such stretches are decoded by themselves, and may be in another language
than their window.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import groupby

from deployments.recognition.window import lost, quality
from deployments.recognition.window.attempt import Attempt, Attempts
from deployments.recognition.window.questions import (
    Align,
    Aligned,
    DetectLanguage,
    LanguageProbabilities,
    Piece,
    Request,
    WindowDecoding,
)
from deployments.recognition.window.repeats import repeats, surplus
from deployments.recognition.window.segments import TokenSegment, split_segments, without
from deployments.recognition.window.speech import Speech
from deployments.recognition.window.times import placed
from deployments.recognition.window.vocabulary import Text
from deployments.recognition.window.words import time_words
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import Segment, Token, WindowTranscript, Word

TOP_LANGUAGES = 5
MOST_PIECES = 12
SURE_LANGUAGE = 0.7
"""Probability from which a part of a window is decoded in another language than the window."""

Segments = Generator[Request, object, list[Segment]]
"""Asks what it needs, and returns segments in order, in seconds from the window's start."""


def decode_window(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
    """Ask for what the window needs, and return its transcript."""
    return (yield from _WindowDecoder(window, options, text).run())


class _WindowDecoder:
    def __init__(self, window: Window, options: RecognitionOptions, text: Text) -> None:
        self._window = window
        self._options = options
        self._text = text
        self._speech = Speech.of(window)
        self._attempts = Attempts(options, text, window)
        self._pieces_left = 1 if options.provisional else MOST_PIECES
        self._parts_left_out = False
        self._no_speech_prob: float | None = None

    def run(self) -> WindowDecoding:
        whole = Piece(0, len(self._window.samples))
        language, probabilities = yield from self._language(whole)
        found = yield from self._piece(whole, language)
        found = yield from self._in_their_languages(found, language)
        if not self._options.word_timestamps:
            found = [replace(segment, words=()) for segment in found]
        found = placed(found, self._speech, lost.seconds(whole)[1])
        return WindowTranscript(
            index=self._window.index,
            start=self._window.start,
            end=self._window.end,
            segments=tuple(_later(segment, self._window.start) for segment in found),
            language=language,
            language_probabilities=probabilities,
            decoded_again=self._attempts.count - 1,
            no_speech_prob=self._no_speech_prob or 0.0,
            prompt_left_out=self._attempts.prompt_left_out,
            doubtful=self._options.provisional
            and (self._parts_left_out or self._attempts.left_out),
        )

    # ------------------------------------------------------------------------- language

    def _language(
        self, piece: Piece
    ) -> Generator[Request, object, tuple[str, LanguageProbabilities]]:
        if self._options.language is not None:
            return self._options.language, ()
        if not self._text.vocabulary.multilingual:
            return "en", ()
        probabilities = yield DetectLanguage(piece, self._options.languages)
        assert isinstance(probabilities, tuple)
        return probabilities[0][0], probabilities[:TOP_LANGUAGES]

    def _own_language(self, piece: Piece, language: str) -> Generator[Request, object, str]:
        """The language of a part of the window: that of the whole, unless it is surely another."""
        own, probabilities = yield from self._language(piece)
        return own if probabilities and probabilities[0][1] >= SURE_LANGUAGE else language

    def _in_their_languages(self, found: list[Segment], language: str) -> Segments:
        """What was decoded in the window's language, after a part of it turned out to be in
        another: the rest may be in a third one."""
        if all(segment.language == language for segment in found):
            return found
        result: list[Segment] = []
        for own, run in groupby(found, key=lambda segment: segment.language):
            stretch = list(run)
            piece = lost.samples(stretch[0].start, stretch[-1].end)
            if own == language and self._pieces_left:
                spoken = yield from self._own_language(piece, language)
                if spoken != language:
                    stretch = (yield from self._piece(piece, spoken, surely=True)) or stretch
            result += stretch
        return result

    # ------------------------------------------------------------------------- decoding

    def _piece(self, piece: Piece, language: str, *, surely: bool = False) -> Segments:
        """All that is said in a piece. With `surely` nothing that fails the checks."""
        self._pieces_left -= 1
        attempt = yield from self._attempts.best(piece, language)
        if self._no_speech_prob is None:
            self._no_speech_prob = attempt.decoded.no_speech_prob
        if attempt.silent or (surely and attempt.failed):
            return []
        found = yield from self._segments(piece, attempt, language)
        doubtful = [s for s in found if attempt.looped or self._slow(len(s.tokens), s.start, s.end)]
        spans: list[lost.Span] = []
        for segment in found:
            whole = [(segment.start, segment.end)]
            spans += lost.covered(segment.words) if segment in doubtful else whole
        parts = list(lost.gaps(piece, spans, self._speech))
        if doubtful:
            parts = [part for gap in parts for part in lost.shorter(gap, self._speech)]
        self._parts_left_out |= len(parts) > self._pieces_left
        for part in parts:
            if self._pieces_left:
                own = yield from self._own_language(part, language)
                found += yield from self._piece(part, own, surely=True)
        return sorted(found, key=lambda segment: segment.start)

    # ------------------------------------------------------------------------- segments

    def _segments(self, piece: Piece, attempt: Attempt, language: str) -> Segments:
        """The segments of a decoding in which somebody was heard, with words if they matter."""
        found = split_segments(attempt.decoded, self._text.vocabulary)
        found = [s for s in found if self._heard(*self._times(piece, s), attempt)]
        tokens = [token for segment in found for token in segment.tokens]
        doubtful = (
            attempt.looped
            or repeats(tokens)
            or any(self._slow(len(s.tokens), *self._times(piece, s)) for s in found)
        )
        words: list[list[Word]] = [[]] * len(found)
        if found and (self._options.word_timestamps or doubtful):
            starts = yield from self._aligned(piece, tokens, language)
            found, times = without(found, surplus(tokens, starts), starts)
            words = [
                time_words(segment, own, self._text.tokenizer, language)
                for segment, own in zip(found, times, strict=True)
            ]
        return [
            self._segment(piece, segment, said, attempt, language)
            for segment, said in zip(found, words, strict=True)
        ]

    def _spelled(self, segment: TokenSegment) -> tuple[Token, ...]:
        if not self._options.logprobs:
            return ()
        return tuple(
            Token(self._text.content(token), logprob)
            for token, logprob in zip(segment.tokens, segment.logprobs, strict=True)
        )

    def _segment(
        self,
        piece: Piece,
        segment: TokenSegment,
        words: Sequence[Word],
        attempt: Attempt,
        language: str,
    ) -> Segment:
        start, end = self._times(piece, segment)
        return Segment(
            start=start,
            end=end,
            text=self._text.of(segment.tokens),
            language=language,
            tokens=segment.tokens,
            temperature=attempt.temperature,
            avg_logprob=attempt.decoded.avg_logprob,
            compression_ratio=attempt.compression_ratio,
            no_speech_prob=attempt.decoded.no_speech_prob,
            words=tuple(words),
            spelled=self._spelled(segment),
        )

    def _times(self, piece: Piece, segment: TokenSegment) -> tuple[float, float]:
        """A segment's seconds from the window's start, inside its piece."""
        offset, last = lost.seconds(piece)
        start = min(offset + segment.start, last)
        open_end = max(self._speech.end, start)
        end = open_end if segment.end is None else offset + segment.end
        return start, min(max(end, start), last)

    def _heard(self, start: float, end: float, attempt: Attempt) -> bool:
        """Whether somebody speaks during a segment, or the model is sure that somebody does."""
        return self._speech.within(start, end) > 0.1 * (end - start) or (
            attempt.decoded.avg_logprob > quality.AVG_LOGPROB / 2
            and attempt.decoded.no_speech_prob < quality.NO_SPEECH
            and start < self._speech.end
        )

    def _slow(self, tokens: int, start: float, end: float) -> bool:
        return lost.slow(tokens, (start, end), self._speech)

    def _aligned(
        self, piece: Piece, tokens: Sequence[int], language: str
    ) -> Generator[Request, object, list[float]]:
        """When each token was said, and when the last one ended, from the window's start."""
        vocabulary = self._text.vocabulary
        start = vocabulary.start_of_transcript(language, self._options.task)
        aligned = yield Align(piece, (*start, vocabulary.no_timestamps), tuple(tokens))
        assert isinstance(aligned, Aligned)
        offset, _ = lost.seconds(piece)
        return [offset + seconds for seconds in aligned.starts]


def _later(segment: Segment, seconds: float) -> Segment:
    """A segment and its words in the recording's time."""
    return replace(
        segment,
        start=seconds + segment.start,
        end=seconds + segment.end,
        words=tuple(
            replace(word, start=seconds + word.start, end=seconds + word.end)
            for word in segment.words
        ),
    )
