"""Each kernel does what `plain` does, whatever the rows hold."""

import importlib
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention.silence import Groups
from deployments.recognition.captured import plain
from deployments.recognition.captured import state as fields
from deployments.recognition.captured.state import Masks, Shape, State
from deployments.recognition.model.linear import Linear
from deployments.recognition.model.weights import FeedForward, Norm

pytestmark = pytest.mark.slow

pytest.importorskip("triton", reason="there is no Triton for this machine")
kernels: Any = importlib.import_module("deployments.recognition.captured.kernels")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SHAPE = Shape(layers=2, heads=3, head_size=16, source=300, target=150, vocabulary=5000)
EOT, BEGIN, NO_SPEECH = 4000, 4200, 4100
MASKS_SEED = 3


def drawn(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def state(count: int = 4) -> State:
    made = State(count, SHAPE, torch.float32, DEVICE)
    for index, field in enumerate((made.keys, made.values, made.window_keys, made.window_values)):
        field.copy_(drawn(*field.shape, seed=index))
    silence = drawn(SHAPE.source, SHAPE.width, seed=9).cpu()
    groups = Groups.of(silence)
    size = (SHAPE.layers, SHAPE.heads, groups.count, SHAPE.head_size)
    made.set_silence(groups, drawn(*size, seed=5), drawn(*size, seed=6))
    return made


def seated(made: State, positions: list[int], owned: list[int]) -> None:
    made.rows.copy_(torch.arange(made.count))
    made.positions[: made.count] = torch.tensor(positions, dtype=torch.int32)
    for slot, own in enumerate(owned):
        made.own(slot, own, silent=slot != 1)


def twins() -> tuple[State, State]:
    return state(), state()


def test_a_sum_is_normalised() -> None:
    norm = Norm(drawn(48, seed=1), drawn(48, seed=2), 1e-5)
    x, added = drawn(5, 48, seed=3), drawn(5, 48, seed=4)
    for ours, theirs in zip(
        kernels.add_norm(x, added, norm), plain.add_norm(x, added, norm), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_sum_of_what_lies_apart_is_that_of_what_lies_together() -> None:
    """As windows do that were cut out of longer ones."""
    norm = Norm(drawn(48, seed=1), drawn(48, seed=2), 1e-5)
    x, added = drawn(2, 7, 48, seed=3)[:, :5], drawn(2, 5, 48, seed=4)
    limit = 0.5
    for ours, theirs in zip(
        kernels.add_norm(x, added, norm, limit), plain.add_norm(x, added, norm, limit), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


ROWS = [1, 3, 17, 64, 65]


def linear(outputs: int, inputs: int, *, bias: bool) -> Linear:
    return Linear(drawn(outputs, inputs, seed=1), drawn(outputs, seed=2) if bias else None)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("outputs", [80, 240])
def test_few_rows_are_multiplied(outputs: int, rows: int, *, bias: bool) -> None:
    x, product = drawn(rows, 80, seed=3), linear(outputs, 80, bias=bias)
    torch.testing.assert_close(kernels.multiply(x, product), product(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("activation", [F.gelu, F.relu])
@pytest.mark.parametrize("rows", ROWS)
def test_few_rows_are_widened(rows: int, activation: Any) -> None:
    norm = Norm(drawn(80), drawn(80), 1e-5)
    layer = FeedForward(norm, linear(320, 80, bias=True), linear(80, 320, bias=True), activation)
    x = drawn(rows, 80, seed=3)
    torch.testing.assert_close(kernels.widen(x, layer), plain.widen(x, layer), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("inputs", [80, 1000])
def test_a_product_is_added_and_the_sum_normalised(inputs: int, rows: int, *, bias: bool) -> None:
    norm = Norm(drawn(80, seed=5), drawn(80, seed=6), 1e-5)
    x, found = drawn(rows, 80, seed=3), drawn(rows, inputs, seed=4)
    product = linear(80, inputs, bias=bias)
    for ours, theirs in zip(
        kernels.add_product(x, found, product, norm),
        plain.add_product(x, found, product, norm),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_attend_to_their_own_past(rows: int) -> None:
    ours, theirs = twins()
    for made in (ours, theirs):
        seated(made, [0, 64, 149, 7], [10, 20, 30, 40])
        # What an earlier tenant left behind a row's own position is never read.
        made.keys[1, 0, :, 1:] = math.nan
    projected = drawn(rows, 3 * SHAPE.width, seed=7)
    found = kernels.self_attention(ours, 1, projected)
    torch.testing.assert_close(found, plain.self_attention(theirs, 1, projected))
    for row, position in enumerate([0, 64, 149][:rows]):
        assert torch.equal(ours.keys[1, row, :, position], theirs.keys[1, row, :, position])
        assert torch.equal(ours.values[1, row, :, position], theirs.values[1, row, :, position])


@pytest.mark.parametrize("texts", [1, 20])
def test_rows_attend_to_their_own_window_and_the_silence_behind_it(texts: int) -> None:
    ours, theirs = twins()
    for made in (ours, theirs):
        seated(made, [0] * 4, [1, 128, 300, 257])
        made.window_keys[:, 0, :, 1:] = math.nan
        made.window_values[:, 0, :, 1:] = math.nan
    queries = drawn(4, texts, SHAPE.width, seed=8)
    slots = torch.tensor([2, 0, 3, 4], device=DEVICE)  # the last one is nobody's
    found = kernels.cross_attention(ours, 1, queries, slots)[:3]
    assert bool(torch.isfinite(found).all())
    torch.testing.assert_close(found, plain.cross_attention(theirs, 1, queries, slots)[:3])


def test_what_a_row_finds_does_not_depend_on_its_neighbours() -> None:
    made = state()
    seated(made, [0] * 4, [70, 128, 300, 257])
    queries = drawn(4, 1, SHAPE.width, seed=8)
    slots = torch.arange(4, device=DEVICE)
    together = kernels.cross_attention(made, 0, queries, slots)
    for row in range(4):
        some = slice(row, row + 1)
        alone = kernels.cross_attention(made, 0, queries[some], slots[some])
        assert torch.equal(alone, together[some])


def masks() -> Masks:
    generator = torch.Generator().manual_seed(MASKS_SEED)
    never = (torch.rand(2, SHAPE.vocabulary, generator=generator) < 0.1).to(torch.int8)
    never[1, :BEGIN] = 1
    never[:, EOT] = 0
    never[1, BEGIN + 50 :] = 1
    return Masks(never.to(DEVICE), EOT, BEGIN, NO_SPEECH)


CASES: list[dict[str, Any]] = [
    {"position": 0, "length": 3},  # told what comes next
    {"position": 2, "length": 3},  # its first token
    {"position": 9, "base": 9, "length": -30, "last": 0, "following": 30},  # behind text
    {"position": 9, "last": 0, "before": 0},
    {"position": 9, "last": 1, "before": 0, "following": 30},
    {"position": 9, "last": 1, "before": 1, "following": 700},
    {"position": 9, "last": 0, "before": 1, "following": 799},
    {"position": 148, "last": 0, "before": 0},  # the last one
    {"position": 9, "done": 1},
    {"position": 11, "temperature": 0.6, "seed": 12},
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_the_same_token_is_chosen_by_the_same_rules(case: dict[str, Any], seed: int) -> None:
    ours, theirs = twins()
    control = {"length": 3, "last": 1, "before": 1, "following": 0, "done": 0, "temperature": 0.0}
    control |= {"seed": 1, "limit": 150, "sot": 0, "base": 0, "position": 0} | case
    for made in (ours, theirs):
        made.rows.copy_(torch.arange(made.count))
        made.positions[0] = control["position"]
        for name in ("length", "last", "before", "following", "done", "temperature"):
            getattr(made, name)[0] = control[name]
        for name in ("seed", "limit", "sot", "base"):
            getattr(made, name)[0] = control[name]
        made.prompt[0, :3] = torch.tensor([7, 8, 9])
    logits = 4 * drawn(1, SHAPE.vocabulary, seed=seed)
    if seed == 1:
        logits[:, EOT] = 40
    if seed == 2:
        logits[:, BEGIN:] += 3
    kernels.choose(logits, ours, masks())
    plain.choose(logits, theirs, masks())
    if not control["temperature"]:
        assert torch.equal(ours.chosen[0], theirs.chosen[0])
        torch.testing.assert_close(ours.scores[0], theirs.scores[0], atol=2e-5, rtol=1e-5)
        for name in ("tokens", "positions", "last", "before", "following", "done"):
            assert getattr(ours, name)[0] == getattr(theirs, name)[0], name
    else:
        # Either draws in its own way, and again the same.
        first = ours.chosen.clone()
        ours.positions[0], ours.tokens[0] = case["position"], 0
        ours.last[0], ours.before[0], ours.following[0], ours.done[0] = 1, 1, 0, 0
        kernels.choose(logits, ours, masks())
        assert torch.equal(ours.chosen[0], first[0])


def test_drawn_tokens_are_as_frequent_as_they_are_likely() -> None:
    """Of three tokens that the rules leave, by either way."""
    for operations in (kernels, plain):
        made = state()
        made.rows.copy_(torch.arange(made.count))
        for name, value in {
            **{"length": 1, "limit": 150, "last": 0, "before": 0, "temperature": 1.0},
            **{"positions": 5, "done": 0},
        }.items():
            getattr(made, name)[:] = value
        logits = torch.full((4, SHAPE.vocabulary), -1e4, device=DEVICE)
        chances = torch.tensor([0.6, 0.3, 0.1], device=DEVICE)
        free = (masks().never[0, :100] == 0).nonzero()[:3, 0]
        logits[:, free] = chances.log()
        counts = torch.zeros(3)
        for draw in range(60):
            made.seed[:4] = torch.arange(4, dtype=torch.int32) + 4 * draw
            made.positions[:] = 5
            operations.choose(logits, made, masks())
            for token in made.chosen[:4, fields.TOKEN].tolist():
                counts[(free == token).nonzero()[0, 0]] += 1
        assert torch.all((counts / counts.sum() - chances.cpu()).abs() < 0.09), counts


@pytest.mark.parametrize("length", [3, 0, -31])
def test_what_begins_is_taken_in_and_the_others_stay(length: int) -> None:
    ours, theirs = twins()
    control = torch.randint(0, 90, (4, fields.CONTROL), dtype=torch.int32)
    control[:, fields.SLOT] = torch.tensor([3, 0, 4, 4])
    control[:, fields.FRESH] = torch.tensor([1, 0, 0, 0])
    control[0, fields.LENGTH] = length
    for made in (ours, theirs):
        made.control.copy_(control)
    kernels.begin(ours, 4)
    plain.begin(theirs, 4)
    for name, field in vars(ours).items():
        if isinstance(field, Tensor):
            assert torch.equal(field, getattr(theirs, name)), name
    assert ours.done[3] == 0
    assert int(ours.last[3]) == (length > 0)
    assert int(ours.following[3]) == max(-length, 0)
    assert ours.done[0] == 1


@pytest.mark.parametrize("width", [3, 7])
def test_pictures_are_smoothed(width: int) -> None:
    weights = drawn(3, 2, 4, 300, seed=1)
    owned = torch.tensor([300, 2, 17], dtype=torch.int32, device=DEVICE)
    ours, theirs = (op.smooth(weights, owned, width) for op in (kernels, plain))
    for row, count in enumerate(owned.tolist()):
        torch.testing.assert_close(ours[row, :, :count], theirs[row, :, :count])
