"""The host's side of the captured way, over a small model of random weights."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from deployments.graphs import Graphs
from deployments.recognition.captured import plain
from deployments.recognition.captured.batch import CapturedBatch
from deployments.recognition.captured.lanes import CapturedLanes, Held, _in_sizes
from deployments.recognition.device import DevicePolicy
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue
from deployments.recognition.model.whisper import WhisperModel
from deployments.recognition.window.questions import Decode, Decoded, Piece, WindowDecoding
from deployments.recognition.window.vocabulary import Text
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from tests.unit.deployments.recognition.support import ENGLISH, NO_PIECE, Whisper, noise

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def small(whisper: Whisper, inference: None) -> WhisperModel:
    """The shape of Whisper with two narrow layers; nobody looks at what it says."""
    with torch.inference_mode(mode=False):
        config = WhisperConfig.from_dict(whisper.reference.config.to_dict())
        config.d_model, config.encoder_layers, config.decoder_layers = 32, 2, 2
        config.encoder_attention_heads = config.decoder_attention_heads = 2
        config.encoder_ffn_dim = config.decoder_ffn_dim = 64
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = whisper.reference.generation_config
    policy = DevicePolicy(CPU, torch.float32, "sdpa", "for a test", way="captured")
    made = WhisperModel(model, whisper.extractor, whisper.tokenizer, policy)
    made.alignment_heads = ((0, 1), (1, 0))
    return made


def lanes(small: WhisperModel) -> CapturedLanes:
    return CapturedLanes(small, silent_suffix=True, graphs=False)


def batch(small: WhisperModel, capacity: int) -> CapturedBatch:
    return CapturedBatch(small, capacity, plain, Graphs(enabled=False))


def window(seconds: float, seed: int = 0) -> Window:
    samples = (32767 * noise(seconds, seed)).astype(np.int16)
    return Window(0, 0, samples, ((0, len(samples)),))


def held(some: CapturedLanes, windows: list[Window]) -> list[Held]:
    return some.beside([(each, Piece(0, len(each.samples))) for each in windows]).result()


def decode(
    some: CapturedBatch,
    windows: list[Held],
    seeds: int = 0,
    said: Sequence[tuple[int, ...]] = ((),) * 8,
) -> list[Decoded]:
    slots = [some.take() for _ in windows]
    for slot, each in zip(slots, windows, strict=True):
        some.load(slot, each)
    some.ask(
        [
            (slot, Decode(NO_PIECE, ENGLISH, 0, 0.0, seeds, begun))
            for slot, begun in zip(slots, said, strict=False)
        ]
    )
    done: dict[int, Decoded] = {}
    while len(done) < len(slots):
        for slot, answer in some.step():
            assert isinstance(answer, Decoded)
            done[slots.index(slot)] = answer
    for slot in slots:
        some.leave(slot)
    return [done[index] for index in range(len(slots))]


def test_windows_are_cut_into_sizes_that_are_recorded() -> None:
    assert [list(some) for some in _in_sizes(range(13), 8)] == [
        list(range(8)),
        list(range(8, 12)),
        [12],
    ]


def test_a_window_is_encoded_the_same_whoever_it_is_encoded_with(small: WhisperModel) -> None:
    """Of many lengths, in batches of those of one rounded length; and by itself."""
    windows = [window(seconds, i) for i, seconds in enumerate((1, 6, 2.5, 9, 24, 3, 8, 7.5))]
    together = held(lanes(small), windows)
    assert [len(each.output) for each in together] == [250, 500, 250, 500, 1250, 250, 500, 500]
    for each, one in zip(windows, together, strict=True):
        [alone] = held(lanes(small), [each])
        torch.testing.assert_close(one.output, alone.output, atol=1e-5, rtol=0)


def test_places_are_used_again_and_run_out_with_an_error_in_the_future(
    small: WhisperModel,
) -> None:
    some = lanes(small)
    places = len(some._places)
    kept = [held(some, [window(1, i)])[0] for i in range(places)]
    assert len({each.place for each in kept}) == places
    with pytest.raises(IndexError, match="places"):
        held(some, [window(1)])
    some.release(kept[3])
    [again] = held(some, [window(1)])
    assert again.place == kept[3].place


def test_the_same_tokens_in_any_slot_beside_anybody(small: WhisperModel) -> None:
    windows = held(lanes(small), [window(s, i) for i, s in enumerate((1, 6, 2, 9))])
    together = decode(batch(small, 4), windows)
    some = batch(small, 1)
    for each, one in zip(windows, together, strict=True):
        [alone] = decode(some, [each])
        assert alone.tokens == one.tokens
        assert alone.no_speech_prob == pytest.approx(one.no_speech_prob, abs=1e-5)


def test_a_decoding_that_is_given_its_beginning_goes_on_as_it_did(small: WhisperModel) -> None:
    """Beside one that is given nothing."""
    [one] = held(lanes(small), [window(6)])
    [whole] = decode(batch(small, 1), [one])
    texts = [at for at, token in enumerate(whole.tokens) if token < small.vocabulary.eot]
    for end in (texts[0] + 1, texts[len(texts) // 2] + 1):
        told, untold = decode(batch(small, 2), [one, one], said=[whole.tokens[:end], ()])
        assert told.tokens == untold.tokens == whole.tokens
        assert (told.given, untold.given) == (end, 0)
        assert told.logprobs[end:] == pytest.approx(whole.logprobs[end:], abs=1e-4)


def test_a_slot_is_clean_for_its_next_tenant_even_after_nan(small: WhisperModel) -> None:
    windows = held(lanes(small), [window(9, 1), window(2, 2)])
    some = batch(small, 1)
    [expected] = decode(some, windows[1:])
    broken = dataclasses.replace(windows[0], output=torch.full_like(windows[0].output, math.nan))
    decode(some, [broken])
    [after] = decode(some, windows[1:])
    assert after.tokens == expected.tokens
    assert after.logprobs == expected.logprobs


def test_slots_that_do_not_fit_are_laid_out_anew_in_fewer(small: WhisperModel) -> None:
    some = batch(small, 4)
    windows = held(lanes(small), [window(2, 1), window(3, 2)])
    expected = decode(some, windows)
    some.capacity = 2
    some.free_memory()
    assert some.state.count == 2
    assert some.state.window_keys.shape[1] == 2
    assert [d.tokens for d in decode(some, windows)] == [d.tokens for d in expected]


def test_memory_that_runs_out_costs_no_window_and_the_service_goes_on(
    small: WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, ahead = batch(small, 4), lanes(small)
    engine = WhisperEngine(small.text, some, ahead, FairQueue(3600))
    step = some._decoder.__class__.step

    def guarded(self: object, rows: int) -> torch.Tensor:
        if rows > 2:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
        return step(self, rows)  # type: ignore[arg-type]

    def once(its: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
        yield Decode(Piece(0, len(its.samples)), ENGLISH, 0)
        return WindowTranscript(its.index, 0, 1, (), "en")

    monkeypatch.setattr("deployments.recognition.engine.whisper.decode_window", once)
    monkeypatch.setattr(some._decoder.__class__, "step", guarded)
    tickets = [
        engine.queue.put(
            dataclasses.replace(window(2, i), index=i), RecognitionOptions("r", language="en")
        )
        for i in range(6)
    ]
    for _ in range(20_000):
        if all(ticket.future.done() for ticket in tickets):
            break
        engine.turn()
    assert [ticket.future.result().failed for ticket in tickets] == [None] * 6
    assert engine.capacity == 2
    assert some.state.count == 2


def test_everything_that_occurs_is_recorded_while_warming_up(small: WhisperModel) -> None:
    some, ahead = batch(small, 4), lanes(small)
    ahead.warm_up()
    some.warm_up()
    sizes = {"step": set[object](), "align": set[object](), "read": set[object]()}
    run = some._graphs.run

    def noted(size: tuple[object, ...], work: object) -> object:
        sizes[str(size[0])].add(size[1:])
        return run(size, work)  # type: ignore[arg-type]

    some._graphs.run = noted  # type: ignore[method-assign, assignment]
    some.warm_up()
    assert sizes["step"] == {(1,), (2,), (4,)}
    assert (1, 448) in sizes["align"]
    assert sizes["align"] == sizes["read"]
    assert bool((some.state.done == 1).all()), "nobody's rows"


def test_a_row_that_is_left_in_the_middle_disturbs_nobody(small: WhisperModel) -> None:
    windows = held(lanes(small), [window(s, i) for i, s in enumerate((1, 6, 2))])
    expected = decode(batch(small, 3), windows)
    some = batch(small, 3)
    slots = [some.take() for _ in windows]
    for slot, each in zip(slots, windows, strict=True):
        some.load(slot, each)
    some.ask([(slot, Decode(NO_PIECE, ENGLISH, 0)) for slot in slots])
    for _ in range(5):
        some.step()
    some.leave(slots[1])
    done: dict[int, Decoded] = {}
    while len(done) < 2:
        for slot, answer in some.step():
            assert isinstance(answer, Decoded)
            done[slots.index(slot)] = answer
    assert done[0].tokens == expected[0].tokens
    assert done[2].tokens == expected[2].tokens
