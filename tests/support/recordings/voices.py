"""Two real voices, and what may be recorded beside them."""

import numpy as np

from deployments.audio.decode import Decoder
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.speech import SAMPLE

Planes = tuple[Float32, ...]


def seconds(start: float, end: float) -> slice:
    return slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))


def decibels(value: float) -> np.float32:
    return np.float32(10 ** (value / 20))


def call_sides() -> tuple[Float32, Float32]:
    """Two who speak in turn for six seconds each, 24 s in all, the second one from 6 s on."""
    with SAMPLE.open("rb") as file:
        call = np.concatenate(list(Decoder(file, max_duration_s=60)))
    call /= 2 * np.abs(call).max()
    one, other = np.zeros((2, 24 * SAMPLE_RATE), np.float32)
    for start in (0, 12):
        one[seconds(start, start + 6)] = call[seconds(7 + start / 2, 13 + start / 2)]
        other[seconds(start + 6, start + 12)] = call[seconds(22, 28)]
    return one, other


def noise(like: Float32, level_db: float, seed: int = 0) -> Float32:
    white = np.random.default_rng(seed).standard_normal(len(like))
    return decibels(level_db) * white.astype(np.float32)


def music(like: Float32, level_db: float = -20.0, seed: int = 0) -> Float32:
    """Chords, which nobody takes for speech."""
    rng = np.random.default_rng(seed)
    time = np.arange(len(like)) / SAMPLE_RATE
    made = np.zeros(len(like))
    for beat in range(0, len(like), SAMPLE_RATE // 2):
        part = slice(beat, beat + SAMPLE_RATE // 2)
        for note in rng.integers(40, 80, 4):
            made[part] += np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * time[part])
    made *= decibels(level_db) / np.sqrt(np.mean(made**2))
    return np.asarray(made, np.float32)


def in_a_room(*voices: Float32, level: float = 0.7) -> Planes:
    """Voices from several sides, as a pair of microphones hears them: each a little later and
    fainter at the farther one, with an echo of half a second that is another at each."""
    size = SAMPLE_RATE // 2
    fading = np.exp(-np.arange(size) / (0.1 * SAMPLE_RATE))
    heard = []
    for microphone in range(2):
        total = np.zeros_like(voices[0])
        for number, voice in enumerate(voices):
            far = microphone != number % 2
            room = np.random.default_rng((microphone, number)).standard_normal(size) * fading
            room *= 0.5 * level / np.sqrt(np.sum(room**2))
            room[8 * far] += level if far else 1.0
            length = len(voice) + size - 1
            wet = np.fft.irfft(np.fft.rfft(voice, length) * np.fft.rfft(room, length), length)
            total += wet[: len(voice)].astype(np.float32)
        heard.append(total)
    return tuple(heard)
