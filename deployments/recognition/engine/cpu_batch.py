"""The running batch on a CPU: each row at its own place, over memory as long as its window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deployments.recognition.engine.choice import Choice, CompiledChoice, likeliest
from deployments.recognition.model.alignment import token_starts
from deployments.recognition.model.whisper import Projected, WhisperModel
from deployments.recognition.window.questions import (
    Align,
    Aligned,
    Answer,
    Decode,
    Decoded,
    DetectLanguage,
    LanguageProbabilities,
    Request,
)
from deployments.recognition.window.repeats import endless
from interchange.stages import SAMPLE_RATE

LOOP_CHECK = 32
"""Every how many tokens a decoding is looked at for a loop, which would run to the limit."""


@dataclass(eq=False, slots=True)
class Slot:
    """A window's place. `row` changes when others come and leave. The `urgent` can make steps
    without the others."""

    row: int
    urgent: bool
    request: Decode | None = None
    no_speech_prob: float = 0.0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    generator: torch.Generator | None = None


class CpuBatch:
    """At most `capacity` slots, for one thread.

    The rows in use are the first ones, and of these the urgent are the last.
    """

    def __init__(self, model: WhisperModel, capacity: int, *, apart: bool = True) -> None:
        """`apart`: urgent rows can make steps without the others."""
        self._model, self._apart = model, apart
        self._vocabulary = model.vocabulary
        self._state = model.decoder.state(capacity, model.encoder.positions)
        self._choose = CompiledChoice(model.rules, capacity, model.decoder.dtype)
        self._taken: list[Slot] = []
        self.capacity = capacity

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def room(self) -> int:
        return self.capacity - len(self._taken)

    @property
    def _others(self) -> int:
        """How many are not urgent: theirs are the first rows."""
        return sum(not slot.urgent for slot in self._taken)

    @property
    def mixed(self) -> bool:
        """Whether some are urgent and others not."""
        return 0 < self._others < len(self)

    def take(self, *, urgent: bool = False) -> Slot:
        """Take a free slot. Raises IndexError where there is none."""
        if self.room <= 0:
            raise IndexError(f"All {self.capacity} slots are taken.")
        urgent = urgent and self._apart
        others, slot = self._others, Slot(len(self), urgent)
        self._taken.append(slot)
        if not urgent:
            self._move(others, slot.row)
            slot.row, self._taken[others] = others, slot
        return slot

    def leave(self, slot: Slot) -> None:
        """Free a row, whatever it was doing."""
        freed = slot.row
        if not slot.urgent:
            last_other = self._others - 1
            self._move(last_other, freed)
            freed = last_other
        last = len(self) - 1
        self._move(last, freed)
        self._taken.pop()
        self._state.clear(last)

    def _move(self, source: int, target: int) -> None:
        """Give the slot of one row another one, whose own is gone."""
        if source != target:
            self._state.move(source, target)
            slot = self._taken[source]
            slot.row, self._taken[target] = target, slot

    def load(self, slot: Slot, encoded: Projected) -> None:
        """Give a slot the window that it decodes."""
        self._model.load_slot(self._state, slot.row, encoded)

    def ask(self, requests: Sequence[tuple[Slot, Request]]) -> list[tuple[Slot, Answer]]:
        """Begin what loaded windows ask for: decodings run on with the steps, the rest is done at
        once and answered."""
        detect = [(slot, r) for slot, r in requests if isinstance(r, DetectLanguage)]
        decode = {slot: r for slot, r in requests if isinstance(r, Decode)}
        align = [(slot, r) for slot, r in requests if isinstance(r, Align)]
        if decode:
            self.start(decode)
        answers: list[tuple[Slot, Answer]] = []
        if detect:
            allowed = [request.allowed for _, request in detect]
            found = self.detect_language([slot for slot, _ in detect], allowed)
            answers += zip((slot for slot, _ in detect), found, strict=True)
        if align:
            starts = self.align(
                {slot: ((*r.prompt, *r.tokens), len(r.prompt)) for slot, r in align}
            )
            answers += [(slot, Aligned(starts[slot])) for slot, _ in align]
        return answers

    def detect_language(
        self, slots: Sequence[Slot], allowed: Sequence[Sequence[str]]
    ) -> list[LanguageProbabilities]:
        """The probabilities of the languages, best first, of loaded windows."""
        sot = [self._vocabulary.sot]
        logits = self._model.decoder.prefill(self._state, {slot.row: sot for slot in slots}, (0,))
        return [
            self._languages(logits[slot.row][0], codes)
            for slot, codes in zip(slots, allowed, strict=True)
        ]

    def start(self, requests: Mapping[Slot, Decode]) -> None:
        """Begin decodings of loaded windows, beside those that run."""
        prompts = {slot.row: (*r.prompt, *r.said) for slot, r in requests.items()}
        logits: dict[int, Tensor] = {}
        # Those of one length together: padded, a row would depend on its neighbours.
        for shape in {(len(prompts[s.row]), r.start_of_transcript) for s, r in requests.items()}:
            alike = {
                slot.row: prompts[slot.row]
                for slot, request in requests.items()
                if (len(prompts[slot.row]), request.start_of_transcript) == shape
            }
            logits |= self._model.decoder.prefill(self._state, alike, (shape[1], -1))
        for slot, request in requests.items():
            scores = logits[slot.row].float()
            slot.no_speech_prob = 0.0
            if not request.said:  # or else somebody is known to speak
                start = scores[0].softmax(0)
                slot.no_speech_prob = float(start[self._vocabulary.no_speech])
            slot.request = request
            slot.tokens, slot.logprobs = [*request.said], [0.0] * len(request.said)
            slot.generator = None
            if request.temperature > 0:
                slot.generator = torch.Generator(self._model.device).manual_seed(request.seed)
            rules, length = self._model.rules, len(prompts[slot.row])
            if request.said:
                self._state.start(slot.row, length, rules.following(request.said))
                masked = rules.apply(scores[-1:], self._state.rules, 1, slot.row)
            else:
                self._state.start(slot.row, length)
                masked = rules.first(scores[-1:])
            self._note([slot], likeliest(masked), slot.row)

    def step(self, *, urgent: bool = False) -> list[tuple[Slot, Answer]]:
        """One token on for every row, or for the urgent alone; the decodings that are done."""
        first = self._others if urgent else 0
        rows = len(self) - first
        logits = self._model.decoder.step(self._state, rows, first)
        choice = self._choose(logits, self._state.rules, first)
        self._state.advance(rows, first)
        return self._note(self._taken[first:], choice, first)

    def free_memory(self) -> None:
        """Rows that are not in use hold nothing."""

    def warm_up(self) -> None:
        """The first step is as fast as any, once its loops are compiled."""

    def align(
        self, texts: Mapping[Slot, tuple[Sequence[int], int]]
    ) -> dict[Slot, tuple[float, ...]]:
        """When each token was said: slots with tokens, and where in them the text begins.

        Seconds from the piece's start, one for each token of the text and one for its end.
        """
        tokens = {slot.row: text for slot, (text, _) in texts.items()}
        scores = self._model.decoder.align(self._state, tokens, self._model.alignment_heads)
        return {
            # The row of a token shows where the one that follows it is heard.
            slot: tuple(token_starts(scores[slot.row][:, begin - 1 :], self._model.median_width))
            for slot, (_, begin) in texts.items()
        }

    def _languages(self, logits: Tensor, allowed: Sequence[str]) -> LanguageProbabilities:
        known = self._vocabulary.languages
        codes = [code for code in allowed if code in known] or list(known)
        scores = logits.float()[[known[code] for code in codes]].softmax(0).tolist()
        return tuple(sorted(zip(codes, scores, strict=True), key=lambda pair: -pair[1]))

    def _note(self, slots: Sequence[Slot], choice: Choice, first: int) -> list[tuple[Slot, Answer]]:
        """Give each of `slots`, whose rows begin at `first`, its next token; who is done."""
        chosen, logprobs = choice.tokens.clone(), choice.logprobs.clone()
        for index, slot in enumerate(slots):
            if slot.generator is not None:
                chosen[index] = _draw(choice.masked[index], slot)
                logprobs[index] = choice.logprob(index, chosen[index])
        self._state.note(first, chosen, self._model.rules)
        done: list[tuple[Slot, Answer]] = []
        for slot, token, logprob in zip(slots, chosen.tolist(), logprobs.tolist(), strict=True):
            if token == self._vocabulary.eot:
                done.append((slot, self._decoded(slot, logprob)))
            else:
                slot.tokens.append(token)
                slot.logprobs.append(logprob)
                if self._exhausted(slot):
                    done.append((slot, self._decoded(slot, None)))
        return done

    def _decoded(self, slot: Slot, end_logprob: float | None) -> Decoded:
        assert slot.request is not None
        found = tuple(slot.tokens), tuple(slot.logprobs)
        return Decoded(*found, end_logprob, slot.no_speech_prob, len(slot.request.said))

    def _exhausted(self, slot: Slot) -> bool:
        assert slot.request is not None
        count = len(slot.tokens)
        if len(slot.request.prompt) + count >= self._model.max_tokens:
            return True
        if count % LOOP_CHECK:
            return False
        text = [token for token in slot.tokens if token < self._vocabulary.eot]
        return endless(text, slot.request.piece.length / SAMPLE_RATE)


def _draw(masked: Tensor, slot: Slot) -> Tensor:
    """A token drawn with the probabilities at the slot's temperature.

    The likeliest of probabilities divided by exponential noise is such a draw.
    """
    assert slot.request is not None
    probabilities = (masked / slot.request.temperature).softmax(0)
    noise = torch.empty_like(probabilities).exponential_(generator=slot.generator)
    return (probabilities / noise).argmax()
