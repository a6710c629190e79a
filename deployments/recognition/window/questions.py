"""What a window asks of the engine, and what it gets.

`window_decoding` asks, the engine answers: between the two there are only these types, so that
the way of a window can be tested without a model.
"""

from collections.abc import Generator
from dataclasses import dataclass

from interchange.transcript import WindowTranscript


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the window, in samples, that is encoded at once: `start` to `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class DetectLanguage:
    """Asks for the probabilities of the languages, best first; among `allowed` if any."""

    piece: Piece
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decode:
    """Asks for one decoding of a piece, after the tokens of `prompt`.

    `start_of_transcript` is the index in `prompt` of the token of that name. `temperature` 0
    takes the likeliest token each time; above it, tokens are drawn with a generator that is
    started from `seed`. `said` are tokens that the decoding begins with, of which none was chosen.
    """

    piece: Piece
    prompt: tuple[int, ...]
    start_of_transcript: int
    temperature: float = 0.0
    seed: int = 0
    said: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The tokens of a decoding, without the end, and the log-probability of each. Of the first,
    `given` many, it is 0, as they were given.

    `end_logprob` is that of the end, None where the limit of tokens cut the decoding.
    `no_speech_prob` is what the model gave <|nospeech|> at the start of the transcript.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    end_logprob: float | None
    no_speech_prob: float
    given: int = 0

    @property
    def avg_logprob(self) -> float:
        total = sum(self.logprobs) + (self.end_logprob or 0.0)
        return total / (len(self.logprobs) - self.given + 1)


@dataclass(frozen=True, slots=True)
class Align:
    """Asks when each token of a text was said, in the piece decoded last.

    `prompt` are the tokens from the start of the transcript on, `tokens` text only.
    """

    piece: Piece
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Aligned:
    """`starts` are seconds from the piece's start, one a token and one more for the end."""

    starts: tuple[float, ...]


LanguageProbabilities = tuple[tuple[str, float], ...]
Request = DetectLanguage | Decode | Align
Answer = LanguageProbabilities | Decoded | Aligned
WindowDecoding = Generator[Request, Answer, WindowTranscript]
