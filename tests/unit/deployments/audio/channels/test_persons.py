"""Who is a channel's own person, by meters that are made up."""

import numpy as np
import pytest

from deployments.audio.channels.meters import FRAMES, Meters
from deployments.audio.channels.persons import ByContent, ByLevel, Judge
from deployments.audio.speech.voice_activity import STEP
from interchange.stages import Float32

HUSH = 1e-8  # a line's noise
NOBODY = np.zeros((2, STEP), np.float32)


def step(*levels: float, judged: bool = True, same: bool = False) -> Meters:
    """Two channels with speech of these energies throughout, or with noise."""
    energy = np.repeat(np.array(levels, np.float32)[:, None], FRAMES, axis=1)
    return Meters(
        energy=np.zeros_like(energy) if same else energy,
        noise=np.full(len(levels), HUSH, np.float32),
        speech=np.asarray((energy > HUSH) & judged, np.float32),
        judged=judged,
        bass=np.zeros(len(levels), np.bool_),
        same=same,
    )


ONE, OTHER, BOTH = step(1e-3, HUSH), step(HUSH, 1e-3), step(1e-3, 1e-3)
NEAR = step(1e-3, 2e-4)  # 7 dB


def judged(steps: list[Meters], judge: Judge | None = None) -> bool | None:
    judge = judge or ByLevel(2)
    for each in steps:
        judge.hear(each, NOBODY)
    return judge.apart


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], None),
        ([ONE] * 20, None),
        ([ONE, ONE], None),  # not a word of the other one yet
        ([ONE, ONE, OTHER], True),
        ([ONE, OTHER, BOTH, BOTH] * 3, True),  # they interrupt each other
        ([BOTH] * 20, False),
        ([NEAR] * 20, False),  # one is nearer to a microphone
        ([ONE, OTHER, *[NEAR] * 20], False),
        ([step(1e-3, 1e-3, judged=False)] * 20, False),  # alike
        ([step(1e-3, 0, judged=False)] * 20, None),  # one alone, maybe nobody's voice
        ([step(HUSH, HUSH)] * 60, None),
    ],
)
def test_who_is_loud_where(steps: list[Meters], expected: bool | None) -> None:
    assert judged(steps) is expected


def test_what_was_long_ago_does_not_count() -> None:
    judge = ByLevel(2)
    assert judged([NEAR] * 60, judge) is False
    assert judged([ONE, OTHER] * 10, judge) is True
    assert judged([ONE] * 60, judge) is None, "a long answer says nothing new"
    assert judged([NEAR] * 60, judge) is False


def test_a_recording_in_both_channels_to_the_last_bit() -> None:
    judge = ByLevel(2)
    for _ in range(20):
        judge.hear(step(1e-3, 1e-3, same=True), NOBODY)
    assert judge.apart is None, "silence"
    voice = np.full((2, STEP), 0.1, np.float32)
    for _ in range(20):
        judge.hear(step(1e-3, 1e-3, same=True), voice)
    assert judge.apart is False


def noise(seed: int, level: float = 0.1) -> Float32:
    return np.random.default_rng(seed).normal(0, level, STEP).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((noise(1), noise(2)), True),
        ((noise(1), noise(1)), None),
        ((noise(1), -noise(1)), None),
        ((noise(1), np.roll(noise(1), 100) * np.float32(0.2)), None),
        ((noise(1), noise(2, 1e-4)), None),  # 60 dB fainter
        ((noise(1), np.zeros(STEP, np.float32)), None),
    ],
)
def test_who_says_something_of_their_own(
    channels: tuple[Float32, ...], expected: bool | None
) -> None:
    judge = ByContent(2)
    for _ in range(3):
        judge.hear(BOTH, np.stack(channels))
    assert judge.apart is expected
