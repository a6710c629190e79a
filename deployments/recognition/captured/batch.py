"""The host's side of the running batch: what was asked of which row, and what came of it.

The host is a step behind the device: it reads what a step chose while the next one runs. So a row
that has ended makes one step more, which changes nothing that anybody reads.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deployments.graphs import Graphs
from deployments.recognition.captured import state as fields
from deployments.recognition.captured.alignment import Told, costs
from deployments.recognition.captured.decoder import CapturedDecoder, Operations
from deployments.recognition.captured.events import Event, pinned
from deployments.recognition.captured.lanes import Held
from deployments.recognition.captured.state import Masks, State
from deployments.recognition.model.alignment import SECONDS_PER_POSITION, warp
from deployments.recognition.model.whisper import WhisperModel
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

TEXTS = (64, 128, 224, 448)
ROWS = (1, 2, 4)
TOKENS_AT_ONCE = 512
"""Sizes of a pass over known tokens: of how many each in how many rows, and of both together."""

PATIENCE = 3
"""Steps that an alignment waits for others, while other rows have something to do."""

IN_TURN = 4
"""Buffers of what goes to the device and comes back; at most two of them are under way."""


@dataclass(eq=False, slots=True)
class Slot:
    """A window's place: a slot of the device's, and what it was asked last."""

    number: int
    request: Request | None = None
    fresh: bool = False
    no_speech_prob: float = 0.0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step under way: whose rows it has, and where its results will be."""

    rows: Sequence[tuple[Slot, Request]]
    chosen: Tensor
    scores: Tensor
    languages: Tensor | None
    done: Event


@dataclass(frozen=True, slots=True)
class _Pass:
    """An alignment under way, likewise."""

    rows: Sequence[tuple[Slot, Align]]
    costs: Tensor
    owned: Sequence[int]
    done: Event


class CapturedBatch:
    """At most `capacity` slots, on one device and for one thread."""

    mixed = False
    """Rows of a GPU's step cost alike: nobody makes steps without the others."""

    def __init__(
        self, model: WhisperModel, capacity: int, operations: Operations, graphs: Graphs
    ) -> None:
        self._model, self._vocabulary = model, model.vocabulary
        self._operations, self._graphs = operations, graphs
        self._masks = Masks.of(model.rules, model.vocabulary.no_speech)
        self._heads = sorted(model.alignment_heads)
        languages = list(self._vocabulary.languages.values())
        self._language_tokens = torch.tensor(languages, dtype=torch.int64, device=model.device)
        self._passes: dict[tuple[int, int], Told] = {}
        self.capacity = capacity
        self._allocate()

    def _allocate(self) -> None:
        """Take the memory of `capacity` slots, all of which are free."""
        decoder = self._model.decoder
        shape = CapturedDecoder.shape(decoder.weights, self._model.encoder.positions)
        self.state = State(self.capacity, shape, decoder.dtype, self._model.device)
        self._decoder = CapturedDecoder(decoder.weights, self._masks, self.state, self._operations)
        self._buffers = [_Buffers(self.state) for _ in range(IN_TURN)]
        self._free = list(range(self.capacity))[::-1]
        self._taken: dict[Slot, None] = {}
        self._steps = 0
        self._running: deque[_Step] = deque()
        self._to_align: deque[tuple[int, Slot, Align]] = deque()
        self._aligning: deque[_Pass] = deque()

    def free_memory(self) -> None:
        """Give back recordings and, where nobody is left, slots beyond `capacity`."""
        self._graphs.forget()
        if not self._taken and self.capacity < self.state.count:
            del self.state, self._decoder, self._buffers
            if self._model.device.type == "cuda":
                torch.cuda.empty_cache()
            self._allocate()
        elif self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def warm_up(self) -> None:
        """Make a step and a pass of each size, so that they are recorded; nobody's rows change."""
        size = 1
        while size < 2 * self.capacity:
            self._launch([], min(size, self.capacity))
            size *= 2
        for rows in ROWS:
            for texts in TEXTS:
                if rows * texts <= TOKENS_AT_ONCE:
                    told = self._told([(self.state.count, [0] * texts, 1)] * rows)
                    self._read(told)
                    self._costs(told)

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def room(self) -> int:
        return self.capacity - len(self._taken)

    def take(self, *, urgent: bool = False) -> Slot:
        """Take a free slot. Raises IndexError where there is none."""
        if self.room <= 0:
            raise IndexError(f"All {self.capacity} slots are taken.")
        slot = Slot(self._free.pop())
        self._taken[slot] = None
        return slot

    def leave(self, slot: Slot) -> None:
        """Free a slot, whatever it was doing."""
        del self._taken[slot]
        slot.request = None
        self._free.append(slot.number)

    def load(self, slot: Slot, encoded: Held) -> None:
        """Give a slot the window that it decodes."""
        encoded.done.before_what_follows()
        if encoded.trimmed and not self.state.knows_silence:
            self._decoder.set_silence(self._model.encoder.silent(self._model.device))
        self._decoder.load(slot.number, encoded.output, silent=encoded.trimmed)

    def ask(self, requests: Sequence[tuple[Slot, Request]]) -> list[tuple[Slot, Answer]]:
        """Begin what loaded windows ask for; answers come with the steps."""
        leads = []
        for slot, request in requests:
            slot.request, slot.fresh = request, True
            if isinstance(request, Align):
                self._to_align.append((self._steps, slot, request))
            elif isinstance(request, Decode):
                slot.tokens, slot.logprobs = [*request.said], [0.0] * len(request.said)
                slot.no_speech_prob = 0.0
                if lead := _split(request)[0]:
                    leads.append((slot, lead))
        for some in _alike(leads, lambda lead: len(lead[1])):
            self._take_in(some)
        return []

    def step(self, *, urgent: bool = False) -> list[tuple[Slot, Answer]]:
        """One token on for every row, and the answers of the step before."""
        answers: list[tuple[Slot, Answer]] = []
        rows = [
            (slot, slot.request)
            for slot in self._taken
            if slot.request is not None and not isinstance(slot.request, Align)
        ]
        self._align(at_once=not rows)
        if rows:
            size = min(1 << (len(rows) - 1).bit_length(), self.state.count)
            self._running.append(self._launch(rows, size))
        while self._aligning and (not rows or self._aligning[0].done.passed()):
            answers += self._aligned(self._aligning.popleft())
        while len(self._running) > (1 if rows else 0):
            answers += self._results(self._running.popleft())
        return answers

    # --------------------------------------------------------------------------- steps

    def _launch(self, rows: Sequence[tuple[Slot, Request]], size: int) -> _Step:
        buffers = self._buffers[self._steps % IN_TURN]
        self._steps += 1
        said = buffers.said
        said[:size, fields.SLOT] = self.state.count
        said[:size, fields.FRESH] = 0
        for index, (slot, request) in enumerate(rows):
            said[index, fields.SLOT] = slot.number
            if slot.fresh:
                self._say(said[index], request)
                slot.fresh = False
        self.state.control[:size].copy_(buffers.control[:size], non_blocking=True)
        logits = self._graphs.run(("step", size), lambda: self._decoder.step(size))
        count = len(rows)
        buffers.chosen[:count].copy_(self.state.chosen[:count], non_blocking=True)
        buffers.scores[:count].copy_(self.state.scores[:count], non_blocking=True)
        languages = None
        if any(isinstance(request, DetectLanguage) for _, request in rows):
            languages = pinned(
                (count, len(self._language_tokens)), torch.float32, self.state.device
            )
            found = logits[:count].index_select(1, self._language_tokens).float()
            languages.copy_(found, non_blocking=True)
        return _Step(rows, buffers.chosen, buffers.scores, languages, Event.now(self.state.device))

    def _say(self, said: "np.ndarray[Any, Any]", request: Request) -> None:
        lead: tuple[int, ...] = ()
        told: tuple[int, ...] = (self._vocabulary.sot,)
        start, heat, seed = 0, 0.0, 0
        if isinstance(request, Decode):
            start, seed, heat = request.start_of_transcript, request.seed, request.temperature
            lead, told = _split(request)
        assert len(told) <= fields.PROMPT
        said[fields.FRESH] = 1
        said[fields.POSITION] = len(lead)
        said[fields.LENGTH] = len(told)
        if isinstance(request, Decode) and request.said:
            said[fields.LENGTH] = -self._model.rules.following(request.said)
        said[fields.SOT] = start
        said[fields.LIMIT] = self._model.max_tokens
        said[fields.SEED] = seed % 2**31
        said[fields.TEMPERATURE] = np.float32(heat).view(np.int32)
        said[fields.TOKENS : fields.TOKENS + len(told)] = told

    def _results(self, step: _Step) -> list[tuple[Slot, Answer]]:
        step.done.wait()
        answers: list[tuple[Slot, Answer]] = []
        tokens = step.chosen[: len(step.rows), fields.TOKEN].tolist()
        scores = step.scores[: len(step.rows)].tolist()
        for index, (slot, request) in enumerate(step.rows):
            if slot.request is not request:
                continue  # it ended in the step before, or its caller departed
            answer: Answer | None
            if isinstance(request, DetectLanguage):
                assert step.languages is not None
                answer = self._languages(step.languages[index], request.allowed)
            else:
                assert isinstance(request, Decode)
                answer = self._decoded(slot, request, tokens[index], *scores[index])
            if answer is not None:
                slot.request = None
                answers.append((slot, answer))
        return answers

    def _decoded(
        self, slot: Slot, request: Decode, token: int, logprob: float, no_speech_prob: float
    ) -> Decoded | None:
        """Take a row's next token; the decoding if that was its last."""
        if no_speech_prob >= 0:
            slot.no_speech_prob = no_speech_prob
        if token == fields.NOTHING:
            return None
        end_logprob = None
        if token == self._vocabulary.eot:
            end_logprob = logprob
        else:
            slot.tokens.append(token)
            slot.logprobs.append(logprob)
            if not self._exhausted(slot, request):
                return None
        found = tuple(slot.tokens), tuple(slot.logprobs)
        return Decoded(*found, end_logprob, slot.no_speech_prob, len(request.said))

    def _exhausted(self, slot: Slot, request: Decode) -> bool:
        count = len(slot.tokens)
        if len(request.prompt) + count >= self._model.max_tokens:
            return True
        if count % LOOP_CHECK:
            return False
        text = [token for token in slot.tokens if token < self._vocabulary.eot]
        return endless(text, request.piece.length / SAMPLE_RATE)

    def _languages(self, scores: Tensor, allowed: Sequence[str]) -> LanguageProbabilities:
        known = list(self._vocabulary.languages)
        codes = [code for code in allowed if code in known] or known
        chances = scores[[known.index(code) for code in codes]].softmax(0).tolist()
        return tuple(sorted(zip(codes, chances, strict=True), key=lambda pair: -pair[1]))

    # -------------------------------------------------------------------------- passes

    def _take_in(self, leads: Sequence[tuple[Slot, Sequence[int]]]) -> None:
        """Tokens that stand before what rows are stepped through."""
        self._read(self._told([(slot.number, lead, 1) for slot, lead in leads]))

    def _read(self, told: Told) -> None:
        self._graphs.run(
            ("read", *told.tokens.shape), lambda: self._decoder.read(told.slots(), told.tokens)
        )

    def _align(self, *, at_once: bool) -> None:
        """Begin alignments, several together: those that wait for long, or when nothing else is
        to be done."""
        if not self._to_align:
            return
        waited = self._steps - self._to_align[0][0]
        if not at_once and waited < PATIENCE and len(self._to_align) < max(ROWS):
            return
        waiting = [(slot, request) for _, slot, request in self._to_align]
        self._to_align.clear()
        waiting = [(slot, request) for slot, request in waiting if slot.request is request]
        for some in _alike(waiting, lambda each: len(each[1].prompt) + len(each[1].tokens)):
            self._aligning.append(self._begin_alignment(some))

    def _begin_alignment(self, rows: Sequence[tuple[Slot, Align]]) -> _Pass:
        texts = [(slot.number, (*r.prompt, *r.tokens), len(r.prompt)) for slot, r in rows]
        found = self._costs(self._told(texts))
        longest = max(len(text) for _, text, _ in texts)
        shown = found[: len(rows), :longest]
        kept = pinned(tuple(shown.shape), torch.float32, self.state.device)
        kept.copy_(shown, non_blocking=True)
        owned = [self.state.positions_of[slot.number] for slot, _ in rows]
        return _Pass(rows, kept, owned, Event.now(self.state.device))

    def _costs(self, told: Told) -> Tensor:
        width = self._model.median_width
        return self._graphs.run(
            ("align", *told.tokens.shape),
            lambda: costs(self._decoder, told, heads=self._heads, median_width=width),
        )

    def _aligned(self, done: _Pass) -> list[tuple[Slot, Answer]]:
        done.done.wait()
        answers: list[tuple[Slot, Answer]] = []
        for index, (slot, request) in enumerate(done.rows):
            if slot.request is not request:
                continue
            first, count = len(request.prompt) - 1, len(request.tokens) + 1
            picture = done.costs[index, first : first + count, : done.owned[index]]
            at = warp(picture.double().numpy())
            starts = tuple(float(position) * SECONDS_PER_POSITION for position in at)
            slot.request = None
            answers.append((slot, Aligned(starts)))
        return answers

    def _told(self, texts: Sequence[tuple[int, Sequence[int], int]]) -> Told:
        """The fixed memory of a pass that is large enough, with slots, their tokens, and where in
        these the text begins."""
        rows = next(n for n in ROWS if n >= len(texts))
        length = next(n for n in TEXTS if n >= max(len(text) for _, text, _ in texts))
        told = self._passes.get((rows, length))
        if told is None:
            told = self._passes[rows, length] = Told.empty(rows, length, self.state.device)
        packed = pinned(tuple(told.packed.shape), torch.int64, self.state.device)
        said = packed.numpy()
        said[:, :3] = self.state.count, 1, 1
        for index, (slot, text, begin) in enumerate(texts):
            said[index, :3] = slot, begin, len(text)
            said[index, 3 : 3 + len(text)] = text
        told.packed.copy_(packed, non_blocking=True)
        return told


def _split(request: Decode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a row reads in one pass, and what it is stepped through."""
    if request.said:
        return (*request.prompt, *request.said[:-1]), request.said[-1:]
    start = request.start_of_transcript
    return request.prompt[:start], request.prompt[start:]


def _alike(items: "Sequence[Any]", length: Any) -> "list[list[Any]]":
    """Items in groups that fit into one pass, those of like length together."""
    groups: list[list[Any]] = []
    for item in sorted(items, key=length):
        size = next(n for n in TEXTS if n >= length(item))
        if groups:
            together = [*groups[-1], item]
            rows = len(together)
            if rows <= max(ROWS) and next(n for n in ROWS if n >= rows) * size <= TOKENS_AT_ONCE:
                groups[-1] = together
                continue
        groups.append([item])
    return groups


class _Buffers:
    """What goes to the device and comes back of one step, in memory that it can reach."""

    def __init__(self, state: State) -> None:
        size = (state.count, fields.CONTROL)
        self.control = pinned(size, torch.int32, state.device)
        self.said = self.control.numpy()
        self.chosen = pinned((state.count, 2), torch.int32, state.device)
        self.scores = pinned((state.count, 2), torch.float32, state.device)
