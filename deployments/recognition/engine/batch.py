"""The running batch: one window a row, each at its own place in its own decoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deployments.recognition.engine.capture import Capture, captured
from deployments.recognition.engine.choice import Choice, CompiledChoice, likeliest
from deployments.recognition.model.alignment import token_starts
from deployments.recognition.model.whisper import Encoded, WhisperModel
from deployments.recognition.window.questions import Decode, Decoded, LanguageProbabilities
from deployments.recognition.window.repeats import endless
from interchange.stages import SAMPLE_RATE

LOOP_CHECK = 32
"""Every how many tokens a decoding is looked at for a loop, which would run to the limit."""


@dataclass(eq=False, slots=True)
class Seat:
    """A window's place. `row` changes when others come and leave; `decoded` is set when it is
    done. The `hurried` can make steps without the others."""

    row: int
    hurried: bool
    request: Decode | None = None
    no_speech_prob: float = 0.0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    generator: torch.Generator | None = None
    decoded: Decoded | None = None


class Batch:
    """At most `capacity` seats, on one device and for one thread.

    The rows in use are the first ones, and of these the hurried are the last.
    """

    def __init__(self, model: WhisperModel, capacity: int, capture: Capture = "off") -> None:
        """Raises ValueError for a capture that the device does not have."""
        self._model = model
        self._vocabulary = model.vocabulary
        ragged = model.device.type == "cpu" and capture in ("auto", "off")
        self._slots = model.decoder.slots(capacity, model.encoder.positions, ragged=ragged)
        self._choose = (
            CompiledChoice(model.rules, capacity, model.decoder.dtype) if ragged else None
        )
        self._step = captured(
            self._masked_logits,
            capture,
            model.device,
            capacity=capacity,
            target=self._slots.target,
            source=self._slots.source,
        )
        self._seats: list[Seat] = []
        self.capacity = capacity

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def room(self) -> int:
        return self.capacity - len(self._seats)

    @property
    def _others(self) -> int:
        """How many are not hurried: theirs are the first rows."""
        return sum(not seat.hurried for seat in self._seats)

    @property
    def mixed(self) -> bool:
        """Whether some are hurried and others not."""
        return 0 < self._others < len(self)

    def sit(self, *, hurried: bool = False) -> Seat:
        """Take a free row. Raises IndexError where there is none."""
        if not self.room:
            raise IndexError(f"All {self.capacity} slots are taken.")
        others, seat = self._others, Seat(len(self), hurried)
        self._seats.append(seat)
        if not hurried:
            self._move(others, seat.row)
            seat.row, self._seats[others] = others, seat
        return seat

    def leave(self, seat: Seat) -> None:
        """Free a row, whatever it was doing."""
        freed = seat.row
        if not seat.hurried:
            last_other = self._others - 1
            self._move(last_other, freed)
            freed = last_other
        last = len(self) - 1
        self._move(last, freed)
        self._seats.pop()
        self._slots.clear(last)

    def _move(self, source: int, target: int) -> None:
        """Give the seat of one row another one, whose own is gone."""
        if source != target:
            self._slots.move(source, target)
            seat = self._seats[source]
            seat.row, self._seats[target] = target, seat

    def load(self, seat: Seat, encoded: Encoded) -> None:
        """Give a row the window that it decodes."""
        self._model.load_slot(self._slots, seat.row, encoded)

    def detect_language(
        self, seats: Sequence[Seat], allowed: Sequence[Sequence[str]]
    ) -> list[LanguageProbabilities]:
        """The probabilities of the languages, best first, of loaded windows."""
        sot = [self._vocabulary.sot]
        logits = self._model.decoder.prefill(self._slots, {seat.row: sot for seat in seats})
        return [
            self._languages(logits[seat.row][0], codes)
            for seat, codes in zip(seats, allowed, strict=True)
        ]

    def start(self, requests: Mapping[Seat, Decode]) -> None:
        """Begin decodings of loaded windows, beside those that run."""
        prompts = {seat.row: request.prompt for seat, request in requests.items()}
        logits: dict[int, Tensor] = {}
        # Those of one length together: padded, a row would depend on its neighbours.
        for length in {len(prompt) for prompt in prompts.values()}:
            alike = {row: prompt for row, prompt in prompts.items() if len(prompt) == length}
            logits |= self._model.decoder.prefill(self._slots, alike)
        for seat, request in requests.items():
            scores = logits[seat.row].float()
            start = scores[request.start_of_transcript].softmax(0)
            seat.no_speech_prob = float(start[self._vocabulary.no_speech])
            seat.request, seat.decoded = request, None
            seat.tokens, seat.logprobs = [], []
            seat.generator = None
            if request.temperature > 0:
                seat.generator = torch.Generator(self._model.device).manual_seed(request.seed)
            masked = self._model.rules.first(scores[-1:])
            self._slots.start(seat.row, len(request.prompt))
            self._take([seat], likeliest(masked), seat.row)

    def step(self, *, hurried: bool = False) -> list[Seat]:
        """One token on for every row, or for the hurried alone; whose decoding is done."""
        first = self._others if hurried else 0
        rows = len(self) - first
        extent = self._slots.extent(rows, first)
        if self._choose is not None:
            logits = self._model.decoder.step(self._slots, rows, *extent, first)
            choice = self._choose(logits, self._slots.rules, first)
        else:
            # What is captured begins at the first row.
            choice = likeliest(
                self._masked_logits(rows, *extent, first) if first else self._step(rows, *extent)
            )
        self._slots.advance(rows, first)
        return self._take(self._seats[first:], choice, first)

    def _masked_logits(self, rows: int, length: int, span: int, first: int = 0) -> Tensor:
        """What each of the rows may say next; reads slots and nothing else."""
        logits = self._model.decoder.step(self._slots, rows, length, span, first).float()
        return self._model.rules.apply(logits, self._slots.rules, rows, first)

    def align(
        self, texts: Mapping[Seat, tuple[Sequence[int], int]]
    ) -> dict[Seat, tuple[float, ...]]:
        """When each token was said: seats with tokens, and where in them the text begins.

        Seconds from the piece's start, one for each token of the text and one for its end.
        """
        tokens = {seat.row: text for seat, (text, _) in texts.items()}
        scores = self._model.decoder.align(self._slots, tokens, self._model.alignment_heads)
        return {
            # The row of a token shows where the one that follows it is heard.
            seat: tuple(token_starts(scores[seat.row][:, begin - 1 :], self._model.median_width))
            for seat, (_, begin) in texts.items()
        }

    def _languages(self, logits: Tensor, allowed: Sequence[str]) -> LanguageProbabilities:
        known = self._vocabulary.languages
        codes = [code for code in allowed if code in known] or list(known)
        scores = logits.float()[[known[code] for code in codes]].softmax(0).tolist()
        return tuple(sorted(zip(codes, scores, strict=True), key=lambda pair: -pair[1]))

    def _take(self, seats: Sequence[Seat], choice: Choice, first: int) -> list[Seat]:
        """Give each of `seats`, whose rows begin at `first`, its next token; who is done."""
        chosen, logprobs = choice.tokens.clone(), choice.logprobs.clone()
        for index, seat in enumerate(seats):
            if seat.generator is not None:
                chosen[index] = _draw(choice.masked[index], seat)
                logprobs[index] = choice.logprob(index, chosen[index])
        self._slots.note(first, chosen, self._model.rules)
        done: list[Seat] = []
        for seat, token, logprob in zip(seats, chosen.tolist(), logprobs.tolist(), strict=True):
            if token == self._vocabulary.eot:
                seat.decoded = self._decoded(seat, logprob)
            else:
                seat.tokens.append(token)
                seat.logprobs.append(logprob)
                if self._exhausted(seat):
                    seat.decoded = self._decoded(seat, None)
            if seat.decoded is not None:
                done.append(seat)
        return done

    def _decoded(self, seat: Seat, end_logprob: float | None) -> Decoded:
        return Decoded(tuple(seat.tokens), tuple(seat.logprobs), end_logprob, seat.no_speech_prob)

    def _exhausted(self, seat: Seat) -> bool:
        assert seat.request is not None
        count = len(seat.tokens)
        if len(seat.request.prompt) + count >= self._model.max_tokens:
            return True
        if count % LOOP_CHECK:
            return False
        text = [token for token in seat.tokens if token < self._vocabulary.eot]
        return endless(text, seat.request.piece.length / SAMPLE_RATE)


def _draw(masked: Tensor, seat: Seat) -> Tensor:
    """A token drawn with the probabilities at the seat's temperature.

    The likeliest of probabilities divided by exponential noise is such a draw.
    """
    assert seat.request is not None
    probabilities = (masked / seat.request.temperature).softmax(0)
    noise = torch.empty_like(probabilities).exponential_(generator=seat.generator)
    return (probabilities / noise).argmax()
