"""Windows on their way through the real model."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest
import torch

from deployments.recognition.engine.cpu_lanes import AHEAD
from deployments.recognition.engine.whisper import SHARED_STEP
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.window.decode import decode_window
from deployments.recognition.window.questions import Answer, Decode, Piece, WindowDecoding
from deployments.recognition.window.vocabulary import Text
from interchange.errors import InvalidOption, Unavailable
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, RecognitionOptions, Window
from tests.support.processor import in_every_type
from tests.unit.deployments.recognition.support import (
    ANSWER_S,
    ENGLISH,
    Whisper,
    cpu_engine,
    done,
    same_speech,
)

pytestmark = in_every_type


class Bench:
    """An engine that is turned by hand."""

    def __init__(
        self, whisper: Whisper, slots: int, *, silent_suffix: bool = True, threads: int = 1
    ) -> None:
        self.rows: list[int] = []
        """Of each step."""
        self.queue = FairQueue(3600)
        self.engine = cpu_engine(
            whisper.ours,
            self.queue,
            slots=slots,
            silent_suffix=silent_suffix,
            threads=threads,
        )
        self._step = self.engine.batch.step
        setattr(self.engine.batch, "step", self._counted)  # noqa: B010 - a method of the instance
        self._requests = count()

    def _counted(self, *, urgent: bool = False) -> Sequence[tuple[Any, Answer]]:
        self.rows.append(len(self.engine.batch))
        assert self.rows[-1] <= self.engine.batch.capacity
        return self._step(urgent=urgent)

    def put(
        self,
        samples: Float32,
        index: int = 0,
        *,
        request: str | None = None,
        language: str | None = "en",
        words: bool = False,
    ) -> Ticket:
        """Queue a window, of a request of its own unless one is named."""
        name = request or f"request {next(self._requests)}"
        options = RecognitionOptions(name, language=language, word_timestamps=words)
        window = Window(index, index * 30 * SAMPLE_RATE, as_int16(samples), ())
        return self.queue.put(window, options)

    def run(self) -> None:
        while self.engine.turn():
            pass

    def fill(self, windows: int) -> None:
        """Encode until so many windows have slots, and decode nothing meanwhile."""
        engine = self.engine
        with torch.inference_mode():
            while len(engine.decoding) < windows:
                engine.admit()
                while engine.lanes.go_on():
                    pass
                while engine.admission.encoding:
                    engine.admission.collect(ANSWER_S)
                engine.fill_slots()


@pytest.fixture(scope="module")
def speech(sample: Float32) -> Float32:
    """More of it than a clip has."""
    return sample[6 * SAMPLE_RATE : 17 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def said(sample: Float32) -> list[Float32]:
    """Three stretches of speech."""
    bounds = ((6.6, 9.0), (9.8, 13.5), (14.5, 17.0))
    return [sample[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in bounds]


def test_a_window_goes_all_its_way(whisper: Whisper, sample: Float32) -> None:
    """Language detected, decoded, words timed; all inside the window, in the recording's time."""
    bench = Bench(whisper, 2)
    part = sample[6 * SAMPLE_RATE : 14 * SAMPLE_RATE]
    ticket = bench.put(part, 1, language=None, words=True)
    bench.run()
    transcript = done(ticket)
    assert transcript.failed is None
    assert transcript.language == "en"
    assert transcript.language_probabilities[0][1] > 0.5
    assert len(transcript.language_probabilities) == 5
    assert transcript.segments
    for segment in transcript.segments:
        assert 30 <= segment.start <= segment.end <= 38
        assert "".join(word.text for word in segment.words) == segment.text
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)


@pytest.mark.parametrize("silent_suffix", [True, False])
def test_windows_in_one_batch_get_the_text_they_get_alone(
    whisper: Whisper, said: list[Float32], silent_suffix: bool
) -> None:
    together, alone = (Bench(whisper, slots, silent_suffix=silent_suffix) for slots in (3, 1))
    texts = []
    for bench in (together, alone):
        tickets = [bench.put(samples, index) for index, samples in enumerate(said)]
        bench.run()
        texts.append([[segment.text for segment in done(ticket).segments] for ticket in tickets])
    assert texts[0] == texts[1]
    assert all(texts[0])
    assert max(together.rows) == 3
    assert max(alone.rows) == 1


def test_windows_encoded_beside_the_decoding_get_the_text_they_get_between_steps(
    whisper: Whisper, said: list[Float32]
) -> None:
    """Some of one request, so that not all may sit, and words, for which a slot is needed still."""
    texts = []
    for threads in (2, 1):
        bench = Bench(whisper, 2, threads=threads)
        tickets = [
            bench.put(samples, index, request="long", words=True)
            for index, samples in enumerate(said * 2)
        ]
        tickets.append(bench.put(said[0], words=True))
        bench.run()
        texts.append(
            [
                [
                    (word.text, word.start, word.end)
                    for s in done(ticket).segments
                    for word in s.words
                ]
                for ticket in tickets
            ]
        )
    torch.set_num_threads(1)
    assert all(texts[0])
    if whisper.ours.decoder.dtype == torch.float32:
        # In bfloat16 the order of an encoder's sums depends on its threads, and shows in words.
        assert texts[0] == texts[1]


def test_while_few_windows_are_decoded_one_is_encoded_between_the_steps(
    whisper: Whisper, said: list[Float32]
) -> None:
    """Beyond those that are encoded beside, until half the slots are taken; and not while a clip
    is decoded beside a long recording."""
    bench = Bench(whisper, 8, threads=2)
    for _ in range(9):
        bench.put(said[0])

    def admitted() -> int:
        before = len(bench.engine.under_way)
        with torch.inference_mode():
            bench.engine.admit()
        return len(bench.engine.under_way) - before

    bench.fill(1)
    assert admitted() == AHEAD + 1
    bench.fill(4)
    assert admitted() == AHEAD
    bench.run()
    for index in range(2):
        bench.put(said[1], index, request="long")
    bench.put(said[1])
    bench.fill(3)
    for index in range(9):
        bench.put(said[0], index, request="long")
    assert admitted() == AHEAD
    bench.run()
    torch.set_num_threads(1)


@pytest.mark.parametrize("windows", [1, AHEAD + 1])
def test_a_clip_does_not_wait_until_a_window_is_encoded(
    whisper: Whisper, speech: Float32, said: list[Float32], windows: int
) -> None:
    texts = []
    for apart in (True, False):
        bench = Bench(whisper, 2, threads=2)
        long = [bench.put(speech, index, request="long") for index in range(windows)]
        bench.engine.turn()
        if apart:
            bench.run()
        clip = bench.put(said[0])
        if not apart:
            bench.engine.turn()
            assert clip in [window.ticket for window in bench.engine.decoding]
            assert not any(each.future.done() for each in long)
        bench.run()
        texts.append([segment.text for each in (*long, clip) for segment in done(each).segments])
    torch.set_num_threads(1)
    assert texts[0] == texts[1]


def test_who_departs_while_being_encoded_is_let_go(whisper: Whisper, said: list[Float32]) -> None:
    bench = Bench(whisper, 2, threads=2)
    leaving, staying = bench.put(said[0]), bench.put(said[1])
    with torch.inference_mode():
        bench.engine.admit()
    assert leaving.future.cancel()
    bench.run()
    torch.set_num_threads(1)
    assert done(staying).segments
    assert not bench.engine.under_way


@pytest.mark.parametrize("threads", [1, 2])
def test_the_last_slot_is_kept_for_a_request_that_has_none(
    whisper: Whisper, said: list[Float32], threads: int
) -> None:
    bench = Bench(whisper, 3, threads=threads)
    long = [bench.put(samples, i, request="long") for i, samples in enumerate(said * 2)]
    bench.fill(2)
    running = [window.ticket for window in bench.engine.decoding]
    clip = bench.put(said[0])
    with torch.inference_mode():
        bench.engine.admit()
        bench.engine.admission.collect(ANSWER_S)
    bench.engine.turn()
    beside = [window.ticket for window in bench.engine.decoding]
    bench.run()
    torch.set_num_threads(1)
    assert beside == [*running, clip]
    assert all(done(ticket).segments for ticket in long)


@pytest.mark.parametrize("clip_first", [True, False])
def test_most_steps_are_those_of_a_clip_beside_a_long_recording(
    whisper: Whisper, speech: Float32, said: list[Float32], clip_first: bool
) -> None:
    windows = [(speech, "long"), (said[1], "long")]
    windows.insert(0 if clip_first else 2, (said[0], "clip"))
    bench, alone = Bench(whisper, 4, threads=2), Bench(whisper, 1)
    tickets = []
    for index, (samples, request) in enumerate(windows):
        tickets.append(bench.put(samples, index, request=request))
        bench.fill(index + 1)
    tokens = {
        window.ticket.options.request_id: (slot, len(slot.tokens))
        for window, slot in bench.engine.decoding.items()
    }
    for _ in range(SHARED_STEP * 2):
        bench.engine.turn()
    went = {name: len(slot.tokens) - before for name, (slot, before) in tokens.items()}
    bench.run()
    torch.set_num_threads(1)
    assert went == {"long": 2, "clip": 2 * SHARED_STEP}
    expected = [alone.put(samples, index) for index, (samples, _) in enumerate(windows)]
    alone.run()
    for ticket, other in zip(tickets, expected, strict=True):
        same_speech(done(ticket), done(other), whisper.ours.decoder.dtype)


def test_a_window_takes_a_slot_while_others_are_being_decoded(
    whisper: Whisper, said: list[Float32]
) -> None:
    bench = Bench(whisper, 2)
    first = bench.put(said[1])
    bench.engine.turn()
    second = bench.put(said[0])
    bench.engine.turn()
    assert bench.rows == [1, 2]
    bench.run()
    assert done(first).segments
    assert done(second).segments


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Windows that fail, by index: at once, or once they are decoded."""
    where: dict[int, str] = {}

    def scripted(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
        if where.get(window.index) == "first":
            raise ValueError("not even once")
        transcript = yield from decode_window(window, options, text)
        if where.get(window.index) == "last":
            raise ValueError("too bad")
        return transcript

    monkeypatch.setattr("deployments.recognition.engine.whisper.decode_window", scripted)
    return where


@pytest.mark.parametrize("when", ["first", "last"])
def test_a_window_that_fails_fails_alone(
    whisper: Whisper, said: list[Float32], faults: dict[int, str], when: str
) -> None:
    bench = Bench(whisper, 2)
    faults[1] = when
    tickets = [bench.put(samples, index) for index, samples in enumerate(said)]
    bench.run()
    first, second, third = map(done, tickets)
    reason = "not even once" if when == "first" else "too bad"
    assert second.failed == f"Recognition failed: {reason}"
    assert second.segments == ()
    assert (second.index, second.start) == (1, 30)
    for fine in (first, third):
        assert fine.failed is None
        assert fine.segments


def test_a_wrong_option_is_the_clients_fault_and_disturbs_nobody(
    whisper: Whisper, said: list[Float32]
) -> None:
    bench = Bench(whisper, 2)
    wrong = bench.put(said[0], 0, language="tlh")
    right = bench.put(said[1], 1)
    bench.run()
    with pytest.raises(InvalidOption, match="tlh"):
        done(wrong)
    assert done(right).segments


def test_a_caller_who_departs_frees_the_slot_at_the_next_turn(
    whisper: Whisper, said: list[Float32], endless: set[int]
) -> None:
    endless.add(0)
    bench = Bench(whisper, 1)
    leaving = bench.put(said[0], 0)
    staying = bench.put(said[1], 1)
    for _ in range(3):
        assert bench.engine.turn()
    assert bench.queue.audio_s > 0
    assert leaving.future.cancel()
    bench.engine.turn()
    assert bench.queue.audio_s == 0
    bench.run()
    assert done(staying).segments


def test_rows_beside_one_that_leaves_go_on_as_if_nothing_had_happened(
    whisper: Whisper, said: list[Float32]
) -> None:
    undisturbed, disturbed = Bench(whisper, 3), Bench(whisper, 3)
    texts = []
    for bench in (undisturbed, disturbed):
        tickets = [bench.put(samples, index) for index, samples in enumerate(said)]
        for _ in range(3):
            bench.engine.turn()
        if bench is disturbed:
            tickets[0].future.cancel()
        bench.run()
        texts.append([[s.text for s in done(ticket).segments] for ticket in tickets[1:]])
    assert texts[0] == texts[1]
    assert min(disturbed.rows[3:6]) == 2


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """Windows, by index, that are decoded again and again."""
    which: set[int] = set()

    def scripted(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
        while window.index in which:
            yield Decode(Piece(0, len(window.samples)), ENGLISH, 0)
        return (yield from decode_window(window, options, text))

    monkeypatch.setattr("deployments.recognition.engine.whisper.decode_window", scripted)
    yield which
    which.clear()


def test_stopping_answers_what_runs_and_what_waits(
    whisper: Whisper, said: list[Float32], endless: set[int]
) -> None:
    endless.update({1, 2})  # the window of the warm-up is 0
    bench = Bench(whisper, 1)
    bench.engine.start()
    running, waiting = bench.put(said[0], 1), bench.put(said[1], 2)
    bench.engine.stop(ANSWER_S)
    for ticket in (running, waiting):
        with pytest.raises(Unavailable) as error:
            done(ticket)
        assert error.value.retry_after == 1
    with pytest.raises(Unavailable, match="not running"):
        bench.engine.check()


def test_an_engine_with_a_thread_answers(whisper: Whisper, said: list[Float32]) -> None:
    bench = Bench(whisper, 2)
    bench.engine.start()
    assert bench.rows, "it warmed up"
    assert bench.queue.audio_s == 0
    tickets = [bench.put(samples, index) for index, samples in enumerate(said)]
    assert all(done(ticket).segments for ticket in tickets)
    bench.engine.check()
    bench.engine.stop(ANSWER_S)
