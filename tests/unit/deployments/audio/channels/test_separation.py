"""What of a channel is passed on, of noises that stand for voices."""

import numpy as np
import pytest

from deployments.audio.channels.separation import Census, Separation
from interchange.stages import SAMPLE_RATE, Float32

LENGTH = 8 * SAMPLE_RATE


def voice(seed: int, begin: float = 0, end: float = 8, level: float = 0.1) -> Float32:
    """(samples,): a sound of its own from second `begin` to second `end`."""
    made = np.zeros(LENGTH, np.float32)
    part = slice(round(begin * SAMPLE_RATE), round(end * SAMPLE_RATE))
    size = part.stop - part.start
    made[part] = np.random.default_rng(seed).normal(0, level, size).astype(np.float32)
    return made


def leaked(samples: Float32, late: int = 100, level: float = 0.2) -> Float32:
    return np.roll(samples, late) * np.float32(level)


def separated(*channels: Float32, piece: int = 5000) -> tuple[list[Float32], Census]:
    """Each channel by itself, and what was counted."""
    planes = np.stack(channels)
    found = []
    for channel in range(len(planes)):
        census = Census()
        separation = Separation(channel, census, len(planes))
        passed = [
            part
            for start in range(0, planes.shape[1], piece)
            for part in separation.feed(planes[:, start : start + piece])
        ]
        found.append(np.concatenate([*passed, *separation.flush()]))
    return found, census


def test_what_two_say_at_once_is_kept_as_it_is() -> None:
    one, other = voice(1, 0, 5), voice(2, 3, 8)
    (first, second), census = separated(one, other)
    np.testing.assert_array_equal(first, one)
    np.testing.assert_array_equal(second, other)
    assert census.count == 2


@pytest.mark.parametrize("change", [lambda x: x, lambda x: -x, lambda x: np.roll(x, 200) * 0.7])
def test_one_recording_in_two_channels_is_one(change) -> None:  # type: ignore[no-untyped-def]
    one = voice(1)
    (first, second), census = separated(one, change(one).astype(np.float32))
    np.testing.assert_array_equal(first, one)
    assert not second[SAMPLE_RATE // 2 :].any()
    assert census.count == 1


def test_what_leaks_into_the_other_channel_is_left_out_and_what_is_said_over_it_kept() -> None:
    one, other = voice(1, 0, 6), voice(2, 4, 8)
    mixed = other + leaked(one)
    (first, second), census = separated(one, mixed)
    np.testing.assert_array_equal(first, one)
    assert not second[SAMPLE_RATE // 2 : 4 * SAMPLE_RATE].any()
    np.testing.assert_array_equal(second[4 * SAMPLE_RATE :], mixed[4 * SAMPLE_RATE :])
    assert census.count == 2


def test_the_louder_of_two_alike_is_kept_whichever_comes_first() -> None:
    one = voice(1)
    (first, second), _ = separated(leaked(one), one)
    assert not first[SAMPLE_RATE // 2 :].any()
    np.testing.assert_array_equal(second, one)


def test_a_channel_of_noise_alone_is_none() -> None:
    (_, _), census = separated(voice(1), voice(2, level=1e-4))
    assert census.count == 1


def test_a_channel_that_a_part_does_not_have_is_silent() -> None:
    separation = Separation(1, Census(), 1)
    (passed,) = separation.feed(voice(1)[None, : SAMPLE_RATE // 2])
    assert not passed.any()


def test_nothing_depends_on_how_it_is_cut() -> None:
    channels = voice(1, 0, 5), voice(2, 3, 7)
    (first, _), _ = separated(*channels, piece=5000)
    (again, _), _ = separated(*channels, piece=LENGTH)
    np.testing.assert_array_equal(first, again)
