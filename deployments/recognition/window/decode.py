"""A window's way to its transcript: language, decoding, second decodings, words.

Written as a generator that asks the engine for one thing after another (`requests`). The
engine may serve many of them at once.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from deployments.recognition.window import quality
from deployments.recognition.window.questions import (
    Align,
    Aligned,
    Decode,
    Decoded,
    DetectLanguage,
    LanguageProbabilities,
    Piece,
    Request,
    WindowDecoding,
)
from deployments.recognition.window.segments import (
    TokenSegment,
    first_text_tokens,
    split_segments,
)
from deployments.recognition.window.speech import Speech
from deployments.recognition.window.vocabulary import Text
from deployments.recognition.window.words import time_words, within
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import Segment, Token, WindowTranscript, Word

TOP_LANGUAGES = 5
LOST_SPEECH_S = 1.0
"""Speech behind the last timestamp that is worth another decoding."""
LEAST_PROGRESS_S = 1.0
MOST_PIECES = 8


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A decoding and what the checks say of it. `decoded` has a loop at its end cut off."""

    decoded: Decoded
    temperature: float
    compression_ratio: float
    looped: bool
    text: str

    @property
    def failed(self) -> bool:
        return (
            self.looped
            or self.compression_ratio > quality.COMPRESSION_RATIO
            or self.decoded.avg_logprob < quality.AVG_LOGPROB
        )

    @property
    def silent(self) -> bool:
        return quality.silent(self.decoded.no_speech_prob, self.decoded.avg_logprob)


def decode_window(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
    """Ask for what the window needs, and return its transcript."""
    return (yield from _WindowDecoder(window, options, text).run())


class _WindowDecoder:
    def __init__(self, window: Window, options: RecognitionOptions, text: Text) -> None:
        self._window = window
        self._options = options
        self._text = text
        self._speech = Speech.of(window)
        self._prompt, self._prompt_left_out = text.prompt(options.prompt)
        self._decodings = 0

    def run(self) -> WindowDecoding:
        piece = Piece(0, len(self._window.samples))
        language, probabilities = yield from self._language(piece)
        segments: list[Segment] = []
        no_speech_prob: float | None = None
        for _ in range(MOST_PIECES):
            attempt = yield from self._attempt(piece, language)
            if no_speech_prob is None:
                no_speech_prob = attempt.decoded.no_speech_prob
            if attempt.silent:
                break
            found = split_segments(attempt.decoded, self._text.vocabulary)
            segments.extend((yield from self._segments(piece, found, attempt, language)))
            following = self._rest(piece, found)
            if following is None:
                break
            piece = following
        return WindowTranscript(
            index=self._window.index,
            start=self._window.start,
            end=self._window.end,
            segments=tuple(segments),
            language=language,
            language_probabilities=probabilities,
            decoded_again=self._decodings - 1,
            no_speech_prob=no_speech_prob or 0.0,
            prompt_left_out=self._prompt_left_out,
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

    # ------------------------------------------------------------------------- decoding

    def _attempt(self, piece: Piece, language: str) -> Generator[Request, object, _Attempt]:
        """The first decoding that passes the checks, or the best of those that do not."""
        attempts: list[_Attempt] = []
        for temperature in self._temperatures():
            decoded = yield self._decode(piece, language, temperature)
            assert isinstance(decoded, Decoded)
            self._decodings += 1
            attempt = self._judge(decoded, temperature)
            if attempt.silent or not attempt.failed:
                return attempt
            attempts.append(attempt)
        return max(attempts, key=lambda a: (not a.looped, a.decoded.avg_logprob))

    def _temperatures(self) -> Iterator[float]:
        first = self._options.temperature
        yield first
        yield from (t for t in quality.TEMPERATURES if t > first)

    def _decode(self, piece: Piece, language: str, temperature: float) -> Decode:
        vocabulary = self._text.vocabulary
        lead = (vocabulary.previous, *self._prompt) if self._prompt else ()
        return Decode(
            piece,
            prompt=lead + vocabulary.start_of_transcript(language, self._options.task),
            start_of_transcript=len(lead),
            temperature=temperature,
            # The same window is decoded the same way each time, also on another replica.
            seed=self._window.offset + piece.start + round(temperature * 100),
        )

    def _judge(self, decoded: Decoded, temperature: float) -> _Attempt:
        cut = quality.loop([t for t in decoded.tokens if t < self._text.vocabulary.eot])
        whole = self._text.of(decoded.tokens)
        if cut is not None:
            decoded = first_text_tokens(decoded, cut, self._text.vocabulary)
        return _Attempt(
            decoded,
            temperature,
            compression_ratio=quality.compression_ratio(whole),
            looped=cut is not None,
            text=self._text.of(decoded.tokens),
        )

    # ------------------------------------------------------------------------- segments

    def _segments(
        self, piece: Piece, found: list[TokenSegment], attempt: _Attempt, language: str
    ) -> Generator[Request, object, list[Segment]]:
        kept = [(self._times(piece, segment), segment) for segment in found]
        kept = [(times, segment) for times, segment in kept if self._heard(*times, attempt)]
        words: list[tuple[Word, ...]] = [()] * len(kept)
        if self._options.word_timestamps and kept:
            words = yield from self._words(piece, kept, language)
        return [
            Segment(
                start=self._window.start + start,
                end=self._window.start + end,
                text=self._text.of(segment.tokens),
                language=language,
                tokens=segment.tokens,
                temperature=attempt.temperature,
                avg_logprob=attempt.decoded.avg_logprob,
                compression_ratio=attempt.compression_ratio,
                no_speech_prob=attempt.decoded.no_speech_prob,
                words=spoken,
                spelled=self._spelled(segment),
            )
            for ((start, end), segment), spoken in zip(kept, words, strict=True)
        ]

    def _spelled(self, segment: TokenSegment) -> tuple[Token, ...]:
        if not self._options.logprobs:
            return ()
        return tuple(
            Token(self._text.content(token), logprob)
            for token, logprob in zip(segment.tokens, segment.logprobs, strict=True)
        )

    def _times(self, piece: Piece, segment: TokenSegment) -> tuple[float, float]:
        """A segment's seconds from the window's start, inside the window."""
        offset, last = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
        start = min(offset + segment.start, last)
        open_end = max(self._speech.end, start)
        end = open_end if segment.end is None else offset + segment.end
        return start, min(max(end, start), last)

    def _heard(self, start: float, end: float, attempt: _Attempt) -> bool:
        """Whether somebody speaks during a segment, or the model is sure that somebody does."""
        return self._speech.within(start, end) > 0.1 * (end - start) or (
            attempt.decoded.avg_logprob > quality.AVG_LOGPROB / 2
            and attempt.decoded.no_speech_prob < quality.NO_SPEECH
            and start < self._speech.end
        )

    def _rest(self, piece: Piece, found: list[TokenSegment]) -> Piece | None:
        """The part of a piece whose speech was left out behind the last timestamp."""
        if not found or found[-1].end is None:
            return None
        reached = piece.start + round(found[-1].end * SAMPLE_RATE)
        lost = self._speech.within(reached / SAMPLE_RATE, piece.end / SAMPLE_RATE)
        if lost < LOST_SPEECH_S or reached - piece.start < LEAST_PROGRESS_S * SAMPLE_RATE:
            return None
        return replace(piece, start=reached)

    # ---------------------------------------------------------------------------- words

    def _words(
        self,
        piece: Piece,
        kept: list[tuple[tuple[float, float], TokenSegment]],
        language: str,
    ) -> Generator[Request, object, list[tuple[Word, ...]]]:
        vocabulary = self._text.vocabulary
        tokens = tuple(t for _, segment in kept for t in segment.tokens)
        start = vocabulary.start_of_transcript(language, self._options.task)
        aligned = yield Align(piece, (*start, vocabulary.no_timestamps), tokens)
        assert isinstance(aligned, Aligned)
        offset = piece.start / SAMPLE_RATE
        starts = [offset + seconds for seconds in aligned.starts]
        words, used = [], 0
        for (begin, end), segment in kept:
            times = starts[used : used + len(segment.tokens) + 1]
            used += len(segment.tokens)
            timed = time_words(segment, times, self._text.tokenizer, language)
            inside = within(timed, begin, end)
            words.append(
                tuple(
                    replace(w, start=self._window.start + w.start, end=self._window.start + w.end)
                    for w in inside
                )
            )
        return words
