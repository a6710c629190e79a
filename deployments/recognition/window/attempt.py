"""Decodings of a piece, and what the checks say of them."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from deployments.recognition.window import quality
from deployments.recognition.window.questions import Decode, Decoded, Piece, Request
from deployments.recognition.window.repeats import Repeat, can_be_said, repeats, said_once
from deployments.recognition.window.segments import text_span, without_text
from deployments.recognition.window.speech import Speech
from deployments.recognition.window.vocabulary import Text
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decoding and what the checks say of it.

    Where it is `looped`, what it repeats without end stands once in `decoded`. `pace` is its tokens
    a second of the piece. Of a `faint` window nothing counts that is not sure.
    """

    decoded: Decoded
    temperature: float
    compression_ratio: float
    looped: bool
    pace: float
    faint: bool

    @property
    def failed(self) -> bool:
        return (
            self.looped
            or self.compression_ratio > quality.COMPRESSION_RATIO
            or self.decoded.avg_logprob < quality.AVG_LOGPROB
        )

    @property
    def silent(self) -> bool:
        heard = self.decoded.no_speech_prob, self.decoded.avg_logprob
        if self.faint:
            return self.failed or not quality.faintly_heard(*heard, self.pace)
        return quality.silent(*heard)


class Attempts:
    """Decodes the pieces of one window. `count` says how many decodings that took,
    `prompt_left_out` how many tokens of the prompt the model could not take, `left_out` whether
    one that failed was let pass because the window is provisional."""

    def __init__(self, options: RecognitionOptions, text: Text, window: Window) -> None:
        self._options = options
        self._text = text
        self._speech = Speech.of(window)
        self._window = window
        self._prompt, self.prompt_left_out = text.prompt(options.prompt)
        self._said = text.said(options.said)
        self.count = 0
        self.left_out = False

    def best(self, piece: Piece, language: str) -> Generator[Request, object, Attempt]:
        """The first decoding that passes the checks, or the best of those that do not."""
        attempts: list[Attempt] = []
        for temperature in self._temperatures():
            decoded = yield self._decode(piece, language, temperature)
            assert isinstance(decoded, Decoded)
            self.count += 1
            attempt = self._judge(piece, decoded, temperature)
            if attempt.silent or not attempt.failed:
                return attempt
            attempts.append(attempt)
        self.left_out = self._options.provisional
        return max(attempts, key=lambda a: (not a.looped, a.decoded.avg_logprob))

    def _temperatures(self) -> Iterator[float]:
        first = self._options.temperature
        yield first
        if self._options.provisional:
            return  # the next window says it better
        yield from (t for t in quality.TEMPERATURES if t > first)

    def _decode(self, piece: Piece, language: str, temperature: float) -> Decode:
        vocabulary = self._text.vocabulary
        lead = (vocabulary.previous, *self._prompt) if self._prompt else ()
        whole = piece == Piece(0, len(self._window.samples))
        return Decode(
            piece,
            prompt=lead + vocabulary.start_of_transcript(language, self._options.task),
            start_of_transcript=len(lead),
            temperature=temperature,
            # The same window is decoded the same way each time, also on another replica.
            seed=self._window.offset + piece.start + round(temperature * 100),
            said=self._said if whole else (),
        )

    def _judge(self, piece: Piece, decoded: Decoded, temperature: float) -> Attempt:
        """Repeats say nothing against a text where they can have been said: the checks look at
        the rest of it."""
        tokens = [t for t in decoded.tokens if t < self._text.vocabulary.eot]
        found = repeats(tokens)
        endless = [each for each in found if not self._can_be_said(piece, decoded, each)]
        said = [each for each in found if each not in endless]
        for repeat in reversed(endless):
            decoded = without_text(
                decoded, repeat.start + repeat.size, repeat.end, self._text.vocabulary
            )
        return Attempt(
            decoded,
            temperature,
            compression_ratio=quality.compression_ratio(
                self._text.of(tuple(said_once(tokens, said)))
            ),
            looped=bool(endless),
            pace=len(tokens) * SAMPLE_RATE / piece.length,
            faint=self._window.faint,
        )

    def _can_be_said(self, piece: Piece, decoded: Decoded, repeat: Repeat) -> bool:
        """Whether the timestamps around a repeat hold speech enough for it."""
        start, end = text_span(decoded, repeat.start, repeat.end, self._text.vocabulary)
        if end is None:
            if decoded.end_logprob is None:
                return False  # it would have gone on
            end = piece.length / SAMPLE_RATE
        offset = piece.start / SAMPLE_RATE
        speech = self._speech.within(offset + start, min(offset + end, piece.end / SAMPLE_RATE))
        return can_be_said(repeat.end - repeat.start, speech)
