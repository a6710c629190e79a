"""The decoder over slots, held against the forward pass of transformers."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from deployments.compiled import shares
from deployments.recognition.attention.silence import Groups
from deployments.recognition.model.encoder import all_layers
from deployments.recognition.model.state import DecoderState
from deployments.recognition.model.whisper import Projected
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.processor import in_every_type
from tests.unit.deployments.recognition.support import ENGLISH, Whisper

CLOSE = 2e-3
"""Logits reach beyond 30, and both sides add up in another order."""

TEXT = (50364, 2425, 11, 577, 366, 291, 30, 50464, 50464, 286, 478, 2489, 13, 50564)


@pytest.fixture(autouse=True, scope="module")
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def windows(whisper: Whisper, sample: Float32, inference: None) -> list[Projected]:
    """A whole window, and trimmed ones of several lengths."""
    whole = all_layers(whisper.ours.encode_padded([sample[: 8 * SAMPLE_RATE]]))
    spans = ((8, 14, 350), (14, 16, 123), (20, 30, 550))
    return whole + [
        all_layers(
            whisper.ours.encode_trimmed([(sample[start * SAMPLE_RATE : end * SAMPLE_RATE], length)])
        )[0]
        for start, end, length in spans
    ]


def published(whisper: Whisper, window: Projected, tokens: Sequence[int]) -> Tensor:
    logits: Tensor = whisper.reference(
        encoder_outputs=(whisper.heard(window),), decoder_input_ids=torch.tensor([list(tokens)])
    ).logits[0]
    return logits


def filled(whisper: Whisper, windows: Sequence[Projected]) -> DecoderState:
    """Slots that hold windows."""
    state = whisper.ours.decoder.state(4, 1500)
    for row, window in enumerate(windows):
        whisper.ours.load_slot(state, row, window)
    return state


def prefill(
    whisper: Whisper, state: DecoderState, prompts: dict[int, Sequence[int]]
) -> dict[int, Tensor]:
    """The logits at every position of each row's prompt."""
    logits: dict[int, Tensor] = {}
    for row, prompt in prompts.items():
        logits |= whisper.ours.decoder.prefill(state, {row: prompt}, range(len(prompt)))
        state.start(row, len(prompt))
    return logits


def step(whisper: Whisper, state: DecoderState, tokens: Sequence[int]) -> Tensor:
    rows = len(tokens)
    state.note(0, torch.tensor(tokens), whisper.ours.rules)
    logits = whisper.ours.decoder.step(state, rows)
    state.advance(rows)
    return logits


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=CLOSE, rtol=0)


def test_the_logits_of_prompts_are_those_of_transformers(
    whisper: Whisper, windows: list[Projected]
) -> None:
    state = filled(whisper, windows)
    prompts: dict[int, Sequence[int]] = {
        0: ENGLISH,
        2: (50361, 2425, 11, 577, *ENGLISH),
        3: (50258,),
    }
    for row, logits in prefill(whisper, state, prompts).items():
        assert logits.shape == (len(prompts[row]), 51865)
        close(logits, published(whisper, windows[row], prompts[row]))


def test_the_logits_of_each_step_are_those_of_transformers(
    whisper: Whisper, windows: list[Projected]
) -> None:
    state = filled(whisper, windows[:1])
    prefill(whisper, state, {0: ENGLISH})
    expected = published(whisper, windows[0], (*ENGLISH, *TEXT))[len(ENGLISH) :]
    for token, logits in zip(TEXT, expected, strict=True):
        close(step(whisper, state, [token])[0], logits)


def test_steps_go_on_past_each_bound_to_the_last_position(
    whisper: Whisper, windows: list[Projected]
) -> None:
    """Up to the limit of 448 tokens, where the bounds on shapes no longer grow."""
    prompt = (*ENGLISH, *(TEXT[1:7] * 72))[:440]
    state = filled(whisper, windows[1:2])
    prefill(whisper, state, {0: prompt})
    rest = TEXT[:8]
    expected = published(whisper, windows[1], (*prompt, *rest))[len(prompt) :]
    for token, logits in zip(rest, expected, strict=True):
        close(step(whisper, state, [token])[0], logits)


def test_rows_do_not_depend_on_their_neighbours(whisper: Whisper, windows: list[Projected]) -> None:
    """Rows of other windows, with longer and shorter prompts, each at its own place."""
    state = filled(whisper, windows)
    prompts = {0: ENGLISH, 1: (50361, *([2425, 11, 577] * 12), *ENGLISH), 2: ENGLISH, 3: (50258,)}
    prefill(whisper, state, dict(prompts))
    texts = [TEXT[row : row + 6] for row in range(4)]
    expected = [published(whisper, windows[row], (*prompts[row], *texts[row])) for row in range(4)]
    for index in range(6):
        logits = step(whisper, state, [text[index] for text in texts])
        for row in range(4):
            close(logits[row], expected[row][len(prompts[row]) + index])


@in_every_type
def test_neither_neighbours_nor_threads_change_a_bit_of_a_rows_logits(
    whisper: Whisper, sample: Float32, inference: None
) -> None:
    """Else a job that is resumed could differ from one that was not."""
    parts = ((0, 550), (9, 300), (14, 123))
    windows = [
        all_layers(whisper.ours.encode_trimmed([(sample[start * SAMPLE_RATE :], length)]))[0]
        for start, length in parts
    ]
    together = filled(whisper, windows)
    prefill(whisper, together, dict.fromkeys(range(len(windows)), ENGLISH))
    expected = [step(whisper, together, [token] * len(windows)) for token in TEXT[:4]]
    for row, window in enumerate(windows):
        torch.set_num_threads(1 + row % 2)
        shares.allow(1 + row % 2)
        alone = filled(whisper, [window])
        prefill(whisper, alone, {0: ENGLISH})
        for token, logits in zip(TEXT[:4], expected, strict=True):
            assert torch.equal(step(whisper, alone, [token])[0], logits[row])
    torch.set_num_threads(1)
    shares.allow(1)


def test_a_row_that_starts_late_disturbs_nobody(whisper: Whisper, windows: list[Projected]) -> None:
    state = filled(whisper, windows[:2])
    prefill(whisper, state, {0: ENGLISH, 1: ENGLISH})
    for token in TEXT[:5]:
        step(whisper, state, [token, token])
    whisper.ours.load_slot(state, 2, windows[2])
    prefill(whisper, state, {2: (50361, *([2425] * 40), *ENGLISH)})
    logits = step(whisper, state, [TEXT[5], TEXT[5], TEXT[0]])
    for row in (0, 1):
        close(logits[row], published(whisper, windows[row], (*ENGLISH, *TEXT[:6]))[-1])
    late = (50361, *([2425] * 40), *ENGLISH, TEXT[0])
    close(logits[2], published(whisper, windows[2], late)[-1])


def test_a_row_started_again_knows_nothing_of_what_it_decoded_before(
    whisper: Whisper, windows: list[Projected]
) -> None:
    state = filled(whisper, windows[3:])
    prefill(whisper, state, {0: (*ENGLISH, *TEXT)})
    step(whisper, state, [TEXT[0]])
    whisper.ours.load_slot(state, 0, windows[2])
    prefill(whisper, state, {0: ENGLISH})
    close(step(whisper, state, [50364])[0], published(whisper, windows[2], (*ENGLISH, 50364))[-1])


def test_rows_that_move_up_go_on_as_they_would_have(
    whisper: Whisper, windows: list[Projected]
) -> None:
    state = filled(whisper, windows)
    prefill(whisper, state, dict.fromkeys(range(4), ENGLISH))
    for token in TEXT[:3]:
        step(whisper, state, [token] * 4)
    state.move(3, 1)
    state.move(2, 0)
    logits = step(whisper, state, [TEXT[3]] * 2)
    for row, came_from in ((0, 2), (1, 3)):
        close(logits[row], published(whisper, windows[came_from], (*ENGLISH, *TEXT[:4]))[-1])


def test_silence_that_rows_share_is_silence_behind_each(
    whisper: Whisper, windows: list[Projected]
) -> None:
    """Rows of unequal lengths, one of which sees no silence."""
    decoder = whisper.ours.decoder
    groups = Groups.of(windows[0].output[:700])
    means = decoder.cross(groups.means(windows[0].output[:700]))
    silent = [each[:, :, groups.numbers] for each in means]
    shared, apart = (decoder.state(3, 700) for _ in range(2))
    shared.cross.set_silence(groups, *means)
    for row, (window, length) in enumerate(zip(windows[1:], (350, 123, 550), strict=True)):
        keys, values = decoder.cross(window.output[:length])
        sees = row != 2
        shared.load(row, keys, values, silent=sees)
        rest = length if sees else 700
        behind = [
            torch.cat([own, other[:, :, rest:]], 2)
            for own, other in zip((keys, values), silent, strict=True)
        ]
        apart.load(row, behind[0], behind[1])
    prompts: dict[int, Sequence[int]] = dict.fromkeys(range(3), ENGLISH)
    first, expected = prefill(whisper, shared, prompts), prefill(whisper, apart, prompts)
    for row in prompts:
        close(first[row], expected[row])
    for token in TEXT[:2]:
        close(step(whisper, shared, [token] * 3), step(whisper, apart, [token] * 3))


def test_where_heads_look_is_where_those_of_transformers_look(
    whisper: Whisper, windows: list[Projected]
) -> None:
    heads = ((3, 1), (4, 7), (5, 2), (4, 2))
    state = filled(whisper, windows[:1])
    texts = {0: (*ENGLISH, *TEXT)}
    scores = whisper.ours.decoder.align(state, texts, sorted(heads))[0]
    before = whisper.reference.config._attn_implementation
    whisper.reference.set_attn_implementation("eager")
    try:
        theirs = whisper.reference(
            encoder_outputs=(whisper.heard(windows[0]),),
            decoder_input_ids=torch.tensor([texts[0]]),
            output_attentions=True,
        ).cross_attentions
    finally:
        whisper.reference.set_attn_implementation(before)
    for ours, (layer, head) in zip(scores.softmax(-1), sorted(heads), strict=True):
        torch.testing.assert_close(ours, theirs[layer][0, head], atol=1e-4, rtol=0)


def test_alignment_sees_a_windows_own_positions_and_disturbs_no_decoding(
    whisper: Whisper, windows: list[Projected]
) -> None:
    state = filled(whisper, windows[:3])
    prefill(whisper, state, dict.fromkeys(range(3), ENGLISH))
    scores = whisper.ours.decoder.align(state, {1: TEXT, 2: TEXT[:5]}, [(3, 1), (5, 2)])
    assert scores[1].shape == (2, len(TEXT), 350)
    assert scores[2].shape == (2, 5, 123)
    logits = step(whisper, state, [50364] * 3)
    for row in range(3):
        close(logits[row], published(whisper, windows[row], (*ENGLISH, 50364))[-1])
