"""Whether everybody is heard, told from real voices that are looked for in the mix."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.audio.channels.downmix import Downmix
from deployments.audio.decode import Decoder
from deployments.audio.media.part import Whole
from deployments.audio.media.tracks import Report, decode
from deployments.audio.speech.voice_activity import STEP
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import tone
from tests.support.recordings.speech import SAMPLE, SPEECH, needs_speech

Planes = tuple[Float32, ...]


@pytest.fixture(scope="module")
def call() -> Float32:
    """Half a minute of a telephone call, the louder half of which is speech throughout."""
    with SAMPLE.open("rb") as file:
        samples = np.concatenate(list(Decoder(file, max_duration_s=60)))
    normal: Float32 = samples / (2 * np.abs(samples).max())
    return normal


@pytest.fixture(scope="module")
def turns(call: Float32) -> tuple[Float32, Float32]:
    """Two who speak in turn for six seconds each, 24 s in all, the second one from 6 s on."""
    one, other = np.zeros((2, 24 * SAMPLE_RATE), np.float32)
    for start in (0, 12):
        one[seconds(start, start + 6)] = call[seconds(7 + start / 2, 13 + start / 2)]
        other[seconds(start + 6, start + 12)] = call[seconds(22, 28)]
    return one, other


def seconds(start: float, end: float) -> slice:
    return slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))


def mix(*channels: Float32, pieces: int = SAMPLE_RATE) -> Float32:
    downmix = Downmix(len(channels))
    planes = np.stack(channels)
    made = [
        mono
        for start in range(0, planes.shape[1], pieces)
        for mono in downmix.feed(planes[:, start : start + pieces])
    ]
    return np.concatenate([*made, *downmix.flush()])


def share(mixed: Float32, of: Float32) -> float:
    """How much of a signal is in the mix, in dB, at whatever phase."""
    spectrum, wanted = np.fft.rfft(mixed), np.fft.rfft(of)
    return 20 * float(np.log10(abs(np.vdot(wanted, spectrum)) / np.vdot(wanted, wanted).real))


def level(samples: Float32) -> float:
    return 20 * float(np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2)) + 1e-9))


def noise(size: int, level_db: float, seed: int = 0) -> Float32:
    white = np.random.default_rng(seed).standard_normal(size)
    scaled: Float32 = (10 ** (level_db / 20) * white).astype(np.float32)
    return scaled


def music(size: int, level_db: float = -20.0, seed: int = 0) -> Float32:
    """Chords, which nobody takes for speech."""
    rng = np.random.default_rng(seed)
    time = np.arange(size) / SAMPLE_RATE
    made = np.zeros(size)
    for beat in range(0, size, SAMPLE_RATE // 2):
        part = slice(beat, beat + SAMPLE_RATE // 2)
        for note in rng.integers(40, 80, 4):
            made[part] += np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * time[part])
    made *= 10 ** (level_db / 20) / np.sqrt(np.mean(made**2))
    return np.asarray(made, np.float32)


def heard(mixed: Float32, voice: Float32) -> list[float]:
    """The share of a voice in each second in which it is loud."""
    found = []
    for start in range(0, len(voice) - SAMPLE_RATE, SAMPLE_RATE):
        part = slice(start, start + SAMPLE_RATE)
        if level(voice[part]) > level(voice) - 6:
            found.append(share(mixed[part], voice[part]))
    assert found
    return found


# Of two voices a channel each, or both in two channels: what is recorded.
RECORDINGS: dict[str, Callable[[Float32, Float32], Planes]] = {
    "one in each channel": lambda a, b: (a, b),
    "the second one first": lambda a, b: (b, a),
    "both in the middle": lambda a, b: (a + b, a + b),
    "both in the middle, upside down": lambda a, b: (a + b, -a - b),
    "the second one upside down": lambda a, b: (a + b, a - b),
    "the first one upside down": lambda a, b: (b - a, a + b),
    "upside down and fainter": lambda a, b: (a + b, 0.8 * a - 0.6 * b),
    "upside down, with noise": lambda a, b: (
        a + b + noise(len(a), -55), a - b + noise(len(a), -55, 1)
    ),
    "on the right only": lambda a, b: (np.zeros_like(a), a + b),
    "beside music": lambda a, b: (a + b, music(len(a))),
    "beside louder music": lambda a, b: (music(len(a), -10), a + b),
    "two microphones": lambda a, b: (a + 0.3 * np.roll(b, 80), b + 0.3 * np.roll(a, 80)),
    "two microphones far apart": lambda a, b: (a + np.roll(b, 300), b + np.roll(a, 300)),
    "sixteen tracks, one of them live": lambda a, b: (
        *(noise(len(a), -70, i) for i in range(13)), a + b, noise(len(a), -70), 0 * a
    ),
    "film": lambda a, b: (
        music(len(a)), music(len(a), seed=1), a + b, tone(24, 40), music(len(a), seed=2),
        music(len(a), seed=3),
    ),
    "film, a voice behind": lambda a, b: (
        music(len(a)), music(len(a), seed=1), a, tone(24, 40), b, music(len(a), seed=2)
    ),
    "microphones by the names of a film": lambda a, b: (0 * a, a, 0 * a, b, 0 * a, 0 * a),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDINGS)
def test_both_voices_are_heard_all_the_time(name: str, turns: tuple[Float32, Float32]) -> None:
    mixed = mix(*RECORDINGS[name](*turns))
    assert len(mixed) == len(turns[0])
    for voice in turns:
        assert min(heard(mixed, voice)) > (-12 if name == "two microphones far apart" else -7)


@pytest.mark.parametrize("name", ["beside music", "beside louder music", "film",
                                  "film, a voice behind"])  # fmt: skip
def test_music_beside_speech_is_not(name: str, turns: tuple[Float32, Float32]) -> None:
    channels = RECORDINGS[name](*turns)
    mixed = mix(*channels)
    speech = sum(turns, np.zeros_like(turns[0]))
    talking = [
        slice(start, start + SAMPLE_RATE)
        for start in range(3 * SAMPLE_RATE, len(speech) - SAMPLE_RATE, SAMPLE_RATE)
        if level(speech[start : start + SAMPLE_RATE]) > level(speech) - 6
    ]
    for channel in channels:
        if all(share(channel, voice) < -10 for voice in turns):
            assert max(share(mixed[part], channel[part]) for part in talking) < -12


@pytest.mark.parametrize("below_db", [6, 20, 32, 38, 44])
@pytest.mark.parametrize("noise_db", [-200, -90, -75])
def test_a_quiet_side_is_as_loud_as_the_other(
    below_db: int, noise_db: int, turns: tuple[Float32, Float32]
) -> None:
    one, other = turns
    quiet = other * np.float32(10 ** (-below_db / 20))
    added = noise(2 * len(one), noise_db).reshape(2, -1)
    mixed = mix(one + added[0], quiet + added[1])
    assert min(heard(mixed, one)) > -3
    # Noise that loud may not be amplified in full.
    least = {(-75, 38): -13, (-75, 44): -19}.get((noise_db, below_db), -6)
    assert min(heard(mixed, other)) > least


def test_noise_is_not_amplified_to_speech(turns: tuple[Float32, Float32]) -> None:
    one, _ = turns
    hiss = noise(len(one), -50)
    mixed = mix(one, hiss)
    pause = seconds(7, 11)
    assert level(mixed[pause]) <= level(hiss[pause]) + 1


def test_an_echo_is_not_amplified_to_speech(turns: tuple[Float32, Float32]) -> None:
    """As each side of a telephone call has one of the other."""
    one, other = turns
    echo = 10 ** (-40 / 20) * np.roll(one, 2000)
    mixed = mix(one, other + echo)
    assert min(heard(mixed, other)) > -6
    assert max(heard(mixed, np.roll(one, 2000))) < -10


def test_the_bass_of_a_film_is_left_out() -> None:
    nothing = np.zeros(6 * SAMPLE_RATE, np.float32)
    voice = noise(len(nothing), -20)
    mixed = mix(nothing, nothing, voice, tone(6, 50), nothing, nothing)
    np.testing.assert_allclose(mixed, voice, atol=1e-3)


def test_without_speech_all_that_sounds_is_averaged() -> None:
    left, right = noise(6 * SAMPLE_RATE, -30, 1), noise(6 * SAMPLE_RATE, -30, 2)
    mixed = mix(left, right, np.zeros_like(left))
    assert share(mixed, left) == pytest.approx(-6, abs=1)
    assert share(mixed, right) == pytest.approx(-6, abs=1)


def test_like_channels_are_averaged(call: Float32) -> None:
    both = call[: 10 * SAMPLE_RATE]
    np.testing.assert_allclose(mix(both, both), both, atol=1e-6)
    np.testing.assert_allclose(mix(both, -both), both, atol=1e-6)


def test_channels_may_begin_and_cease_to_be_the_same(call: Float32) -> None:
    voice, hiss = call[: 24 * SAMPLE_RATE], noise(24 * SAMPLE_RATE, -50)
    right = voice.copy()
    right[seconds(6, 12)] *= -1
    right[seconds(15, 18)] += hiss[seconds(15, 18)]
    mixed = mix(voice, right)
    assert min(heard(mixed, voice)) > -4
    steps = np.abs(np.diff(mixed))
    assert steps.max() < 1.5 * np.abs(np.diff(voice)).max()


def test_noise_of_two_microphones_is_halved(call: Float32) -> None:
    both = call[: 20 * SAMPLE_RATE]
    mixed = mix(both + noise(len(both), -40, 1), both + noise(len(both), -40, 2))
    assert level(mixed - both) < -42


def test_a_change_of_gains_does_not_click() -> None:
    left, right = tone(8, 200), tone(8, 200)
    right[: 4 * SAMPLE_RATE] = 0
    steps = np.abs(np.diff(mix(left, right)))
    assert steps.max() < 1.05 * np.abs(np.diff(left)).max()


def test_digital_silence_stays_silent() -> None:
    nothing = np.zeros(3 * SAMPLE_RATE, np.float32)
    assert not mix(nothing, nothing, nothing).any()


@pytest.mark.parametrize("size", [1, 100, STEP - 1, STEP, STEP + 1, 2 * STEP, 3 * STEP + 7])
def test_nothing_is_added_or_lost_at_the_ends(size: int, call: Float32) -> None:
    voice = call[7 * SAMPLE_RATE :][:size]
    mixed = mix(voice, voice)
    np.testing.assert_allclose(mixed, voice, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40_000))
def test_the_result_does_not_depend_on_the_pieces(pieces: int) -> None:
    rng = np.random.default_rng(3)
    planes = [noise(5 * SAMPLE_RATE, -20, int(seed)) for seed in rng.integers(0, 99, 3)]
    np.testing.assert_array_equal(mix(*planes, pieces=pieces), mix(*planes))


@needs_speech
@pytest.mark.speech
def test_dialogue_under_music_is_as_good_as_the_centre_alone() -> None:
    data = (SPEECH / "reported" / "film_51.ac3").read_bytes()
    pieces = [piece for _, piece in decode(Whole(io.BytesIO(data)), Report())]
    channels = np.concatenate(pieces, axis=1)
    mixed = mix(*channels)
    assert share(mixed, channels[2]) == pytest.approx(0, abs=1)
