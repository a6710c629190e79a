"""Where channels are heard each by itself, told from real voices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.audio.channels.division import MOST_CHANNELS, mixer
from deployments.audio.channels.downmix import Downmix
from deployments.audio.speech.voice_activity import STEP
from interchange.errors import InvalidOption
from interchange.stages import SAMPLE_RATE, ChannelUse, Float32
from tests.support.recordings.voices import (
    Planes,
    call_sides,
    decibels,
    in_a_room,
    music,
    noise,
    seconds,
)

pytestmark = pytest.mark.slow

A, B = call_sides()
NOTHING = np.zeros_like(A)
TOGETHER = A[seconds(0, 6)], B[seconds(6, 12)]


def divided(*channels: Float32, use: ChannelUse = "auto", piece: int = 50_000) -> list[Float32]:
    planes = np.stack(channels)
    subject = mixer(use)(len(planes))
    parts = [
        each
        for start in range(0, planes.shape[1], piece)
        for each in subject.feed(planes[:, start : start + piece])
    ]
    return [*parts, *subject.flush()]


def mix_of(parts: list[Float32]) -> Float32:
    return np.concatenate([each if each.ndim == 1 else each[0] for each in parts])


def rows(parts: list[Float32]) -> set[int]:
    """How many channels there are by themselves; 0 is the mix alone."""
    return {0 if each.ndim == 1 else len(each) - 1 for each in parts}


# Of two who talk in turn.
A_PERSON_A_CHANNEL: dict[str, Planes] = {
    "a call": (A, B),
    "its other side": (B, A),
    "with the lines' noise": (A + noise(A, -60), B + noise(B, -60, 1)),
    "a quiet side": (A, decibels(-32) * B),
    "a quiet side with noise": (A + noise(A, -75), decibels(-26) * B + noise(B, -75, 1)),
    "with what leaks": (A + decibels(-24) * np.roll(B, 90), B + decibels(-24) * np.roll(A, 90)),
    "with an echo": (A, B + decibels(-30) * np.roll(A, 2000)),
    "both at once": (np.tile(TOGETHER[0], 4), np.tile(TOGETHER[1], 4)),
    "six microphones": (NOTHING, A, NOTHING, B, NOTHING, NOTHING),
}

ONE_SOUND: dict[str, Planes] = {
    "in the middle": (A + B, A + B),
    "upside down": (A + B, -A - B),
    "one of two upside down": (A + B, A - B),
    "fainter": (A + B, 0.3 * (A + B)),
    "with noise": (A + B + noise(A, -55), A + B + noise(B, -55, 1)),
    "on one side": (A + B, NOTHING),
    "one side and noise": (A + B, noise(A, -60)),
    "beside music": (A + B, music(A)),
    "over music": (A + B + music(A), A + B + music(A, seed=1)),
    "music": (music(A), music(A, seed=1)),
    "a film": (music(A), music(A, seed=1), A + B, music(A, -40), music(A, seed=2), NOTHING),
    "sitting left and right": (A + 0.6 * np.roll(B, 8), B + 0.6 * np.roll(A, 8)),
    "a room": in_a_room(A, B),
    "sixteen tracks": (*(noise(A, -70, seed) for seed in range(14)), A, B),
    "silence": (NOTHING, NOTHING),
}


@pytest.mark.parametrize("name", A_PERSON_A_CHANNEL)
def test_channels_with_a_person_each_are_heard_by_themselves(name: str) -> None:
    channels = A_PERSON_A_CHANNEL[name]
    parts = divided(*channels)
    assert rows(parts) == {len(channels)}
    found = np.concatenate(parts, axis=1)
    assert found.shape == (1 + len(channels), len(A))
    assert found[1:].any(axis=1).tolist() == [voice.any() for voice in channels]


@pytest.mark.parametrize("name", ["a call", "a quiet side", "both at once", "six microphones"])
def test_nothing_of_what_is_said_is_touched(name: str) -> None:
    found = np.concatenate(divided(*A_PERSON_A_CHANNEL[name]), axis=1)
    np.testing.assert_array_equal(found[1:], A_PERSON_A_CHANNEL[name])


def test_what_leaks_is_not_said_twice() -> None:
    found = np.concatenate(divided(*A_PERSON_A_CHANNEL["with what leaks"]), axis=1)
    for heard, silent in ((found[1], seconds(7, 11)), (found[2], seconds(1, 5))):
        assert not heard[silent].any()


@pytest.mark.parametrize("name", ONE_SOUND)
@pytest.mark.parametrize("use", ["auto", "mix"])
def test_what_is_one_sound_is_mixed_as_ever(name: str, use: ChannelUse) -> None:
    channels = ONE_SOUND[name]
    parts = divided(*channels, use=use)
    assert rows(parts) == {0}
    mixed = Downmix(len(channels))
    expected = [*mixed.feed(np.stack(channels)), *mixed.flush()]
    np.testing.assert_array_equal(mix_of(parts), np.concatenate(expected))


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((A, B), {2}),
        (in_a_room(A, B), {2}),  # asked for, though nobody is much louder anywhere
        ((A + B, A + B), {0}),
        ((A + B, NOTHING), {0}),
    ],
)
def test_who_asks_for_separate_channels_has_them_where_there_are_any(
    channels: Planes, expected: set[int]
) -> None:
    assert rows(divided(*channels, use="separate")) == expected


def test_more_channels_than_can_be_separate() -> None:
    with pytest.raises(InvalidOption, match=f"{MOST_CHANNELS + 1} channels"):
        mixer("separate")(MOST_CHANNELS + 1)


def test_a_mono_recording_in_two_channels_does_not_wait() -> None:
    subject = mixer("auto")(2)
    both = np.stack((A + B, A + B))
    early = [each for start in range(3) for each in subject.feed(both[:, start * STEP :][:, :STEP])]
    assert sum(map(len, early)) == 2 * STEP


def test_one_sound_is_known_in_seconds() -> None:
    subject = mixer("auto")(2)
    early = list(subject.feed(np.stack(in_a_room(A, B))[:, : 12 * SAMPLE_RATE]))
    assert early


@pytest.mark.parametrize("back", [False, True])
def test_the_kind_changes_in_a_pause(back: bool) -> None:
    """A conversation in a room, then a call; or the other way round."""
    room, call = np.stack(in_a_room(*[np.tile(each, 2) for each in (A, B)])), np.tile((A, B), 2)
    channels = np.concatenate((call, room) if back else (room, call), axis=1)
    parts = divided(*channels)
    kinds = [each.ndim for each in parts]
    assert sorted(kinds, reverse=back) == kinds
    assert set(kinds) == {1, 2}
    boundary = sum(each.shape[-1] for each in parts if (each.ndim == 2) == back)
    assert abs(boundary - len(call[0])) < 30 * SAMPLE_RATE
    mixed = mix_of(parts)
    assert len(mixed) == channels.shape[1]
    around = np.abs(mixed[boundary - STEP // 8 : boundary + STEP // 8]).max()
    assert around < 0.05 * np.abs(mixed).max()


@settings(max_examples=8, deadline=None)
@given(st.integers(300, 40_000))
def test_the_result_does_not_depend_on_the_pieces(piece: int) -> None:
    channels = np.concatenate((np.stack((A, B)), np.stack(in_a_room(A, B))), axis=1)
    one, other = divided(*channels), divided(*channels, piece=piece)
    assert [each.shape for each in one] == [each.shape for each in other]
    for part, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(part, same)
