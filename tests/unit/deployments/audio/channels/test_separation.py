"""What of a channel is passed on, of noises that stand for voices."""

import numpy as np
import pytest

from deployments.audio.channels.separation import SPAN, Separation, own
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.voices import call_sides, decibels

LENGTH = 16 * SPAN


def voice(seed: int, begin: int = 0, end: int = 16, level: float = 0.1) -> Float32:
    """(samples,): a sound of its own from span `begin` to span `end`."""
    made = np.zeros(LENGTH, np.float32)
    size = (end - begin) * SPAN
    made[begin * SPAN : end * SPAN] = np.random.default_rng(seed).normal(0, level, size)
    return made


def leaked(samples: Float32, late: int = 100, level: float = 0.2) -> Float32:
    return np.roll(samples, late) * np.float32(level)


def separated(*channels: Float32, piece: int = 2 * SPAN) -> Float32:
    separation = Separation(len(channels))
    planes = np.stack(channels)
    starts = range(0, planes.shape[1], piece)
    return np.concatenate([separation(planes[:, s : s + piece]) for s in starts], axis=1)


def test_what_two_say_at_once_is_kept_as_it_is() -> None:
    one, other = voice(1, 0, 10), voice(2, 6, 16)
    first, second = separated(one, other)
    np.testing.assert_array_equal(first, one)
    np.testing.assert_array_equal(second, other)


@pytest.mark.parametrize("change", [lambda x: x, lambda x: -x, lambda x: np.roll(x, 200) * 0.7])
def test_one_recording_in_two_channels_is_one(change) -> None:  # type: ignore[no-untyped-def]
    one = voice(1)
    first, second = separated(one, change(one).astype(np.float32))
    np.testing.assert_array_equal(first, one)
    assert not second[SPAN:].any()


def test_what_leaks_into_the_other_channel_is_left_out_and_what_is_said_over_it_kept() -> None:
    one, other = voice(1, 0, 12), voice(2, 8, 16)
    mixed = other + leaked(one)
    first, second = separated(one, mixed)
    np.testing.assert_array_equal(first, one)
    assert not second[SPAN : 8 * SPAN].any()
    np.testing.assert_array_equal(second[8 * SPAN :], mixed[8 * SPAN :])


@pytest.mark.parametrize("late", [-300, 300, 2000, 7000])
@pytest.mark.parametrize("change", [0.2, -0.2, 0.01])
def test_what_comes_back_over_a_line_is_left_out(late: int, change: float) -> None:
    one = voice(1)
    echo = np.roll(one, late) * np.float32(change)
    first, second = separated(one, echo)
    np.testing.assert_array_equal(first, one)
    assert not second[SPAN + 7000 :].any()


def test_the_louder_of_two_alike_is_kept_whichever_comes_first() -> None:
    one = voice(1)
    first, second = separated(leaked(one), one)
    assert not first[SPAN:].any()
    np.testing.assert_array_equal(second, one)


@pytest.mark.parametrize("seconds", [0.4, 0.8])
def test_what_comes_through_a_room_is_left_out_and_a_faint_voice_is_not(seconds: float) -> None:
    one, other = call_sides()
    talk = np.concatenate((one[: 6 * SAMPLE_RATE], one[12 * SAMPLE_RATE : 18 * SAMPLE_RATE]))
    answer = np.tile(other[6 * SAMPLE_RATE : 12 * SAMPLE_RATE], 2)
    size = round(seconds * SAMPLE_RATE)
    echoes = np.random.default_rng(0).standard_normal(size) * np.exp(-6.9 * np.arange(size) / size)
    room = np.convolve(talk, decibels(-20) * echoes / np.sqrt(np.sum(echoes**2)))[: len(talk)]
    _, passed = separated(talk, room.astype(np.float32))
    silent = np.abs(passed[2 * SAMPLE_RATE :]) == 0
    assert silent.mean() > 0.9
    faint = decibels(-20) * answer
    _, passed = separated(talk, faint)
    np.testing.assert_array_equal(passed, faint)


def test_a_channel_closes_softly_and_opens_at_once() -> None:
    one = voice(1)
    other = voice(2, 0, 4) + voice(3, 8, 16) + leaked(one) * (np.arange(LENGTH) // SPAN % 8 > 3)
    _, passed = separated(one, other)
    closing = passed[4 * SPAN : 5 * SPAN]
    fade = SAMPLE_RATE // 50
    assert 0 < np.abs(closing[:fade]).max() < np.abs(other[4 * SPAN :][:fade]).max()
    assert not closing[fade:].any()
    np.testing.assert_array_equal(passed[8 * SPAN :], other[8 * SPAN :])


def test_a_silent_channel_says_nothing_of_its_own() -> None:
    span = np.stack((voice(1), np.zeros(LENGTH, np.float32), voice(2)))[:, :SPAN]
    assert own(span).tolist() == [True, False, True]


def test_nothing_depends_on_how_it_is_cut() -> None:
    channels = voice(1, 0, 10), voice(2, 6, 14) + leaked(voice(1))
    np.testing.assert_array_equal(separated(*channels), separated(*channels, piece=LENGTH))
