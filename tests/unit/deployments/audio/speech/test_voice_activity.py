import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.speech.voice_activity import (
    FRAME,
    STEP,
    Frames,
    Leveller,
    Listener,
    SileroNetwork,
    VoiceActivity,
    _network_file,
)
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import tone
from tests.support.recordings.speech import SAMPLE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> SileroNetwork:
    return SileroNetwork()


@pytest.fixture(scope="module")
def speech() -> Float32:
    with SAMPLE.open("rb") as file:
        return np.concatenate(list(Decoder(file, max_duration_s=60)))


def judge(network: SileroNetwork, samples: Float32, block: int = SAMPLE_RATE) -> Float32:
    activity = VoiceActivity(network)
    frames: list[Frames] = []
    for start in range(0, len(samples), block):
        frames += activity.feed(samples[start : start + block])
    frames += activity.flush()
    return np.concatenate([each.probabilities for each in frames])


def long(speech: Float32) -> Float32:
    """Three and a half minutes, of several sections."""
    return np.concatenate([speech * np.float32(scale) for scale in (1, 0.3, 1, 0.1, 1, 0.5, 1)])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [SAMPLE_RATE, 5 * STEP, 20 * SAMPLE_RATE])
def test_sections_beside_each_other_are_the_same(
    network: SileroNetwork, speech: Float32, threads: int, block: int
) -> None:
    samples = long(speech)
    expected = judge(network, samples)
    with ThreadPoolExecutor(threads) as pool:
        activity = VoiceActivity(network, pool)
        frames: list[Frames] = []
        for start in range(0, len(samples), block):
            # In turns, as when a download ends meanwhile, or starts to stutter.
            at_once = (start // block) % 7 == 0
            frames += activity.feed(samples[start : start + block], at_once=at_once)
        frames += activity.flush()
    np.testing.assert_array_equal(np.concatenate([f.probabilities for f in frames]), expected)
    assert sum(len(f.levels) for f in frames) == len(expected)


def test_of_a_long_silence_the_network_hears_the_beginning(
    network: SileroNetwork, speech: Float32, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = speech[: len(speech) - len(speech) % STEP]
    samples = np.concatenate([speech, np.zeros(600 * STEP, np.float32), speech])
    count = 0
    ask = SileroNetwork.__call__

    def counted(self: SileroNetwork, frames: Float32, hidden: Float32, cell: Float32) -> object:
        nonlocal count
        count += len(frames)
        return ask(self, frames, hidden, cell)

    monkeypatch.setattr(SileroNetwork, "__call__", counted)
    found = judge(network, samples)
    assert count < 4 * len(speech) / FRAME
    assert len(found) == -(-len(samples) // FRAME)
    alone = judge(network, speech)
    assert found[len(alone) + 60 : -len(alone) - 60].max() < 0.1
    after = found[-len(alone) :]
    assert np.mean((after > 0.5) != (alone > 0.5)) < 0.03
    np.testing.assert_array_equal(judge(network, samples, 5 * STEP), found)


def test_sections_are_judged_as_one_recording_would_be(
    network: SileroNetwork, speech: Float32
) -> None:
    """But for few frames after a seam."""
    samples = long(speech)
    level, listen = Leveller(), Listener(network)
    whole = len(samples) - len(samples) % STEP
    steps = [samples[start : start + STEP] for start in range(0, whole, STEP)]
    alone = np.concatenate([listen(level(step)) for step in steps])
    sections = judge(network, samples)[: len(alone)]
    assert np.mean((alone > 0.5) != (sections > 0.5)) < 0.002
    np.testing.assert_array_equal(sections[: 58 * 32], alone[: 58 * 32])


def frame_by_frame(samples: Float32) -> Float32:
    """The network as its makers run it: the other export, one frame at a time."""
    file = _network_file().with_name("silero_vad.onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    probabilities = []
    for start in range(0, len(samples) - FRAME + 1, FRAME):
        frame = np.concatenate((context, samples[start : start + FRAME]))[None]
        inputs = {"input": frame, "state": state, "sr": np.array(SAMPLE_RATE)}
        output, state = session.run(None, inputs)
        context = frame[0, -64:]
        probabilities.append(output[0, 0])
    return np.array(probabilities, np.float32)


def test_the_probabilities_are_those_of_the_usual_export(
    network: SileroNetwork, speech: Float32
) -> None:
    usual = frame_by_frame(speech)
    padded = np.concatenate((np.zeros(64, np.float32), speech))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 64 + FRAME)[::FRAME]
    start = np.zeros((1, 1, 128), np.float32)
    probabilities, _, _ = network(np.ascontiguousarray(frames), start, start)
    np.testing.assert_allclose(probabilities[: len(usual)], usual, atol=1e-5)
    # Amplification changes few decisions.
    ours = judge(network, speech)[: len(usual)]
    assert np.mean((ours >= 0.5) == (usual >= 0.5)) > 0.95


def test_blocks_do_not_matter(network: SileroNetwork, speech: Float32) -> None:
    whole = judge(network, speech, len(speech))
    for block in (1000, FRAME, SAMPLE_RATE):
        np.testing.assert_array_equal(judge(network, speech, block), whole)
    assert len(whole) == -(-len(speech) // FRAME)


@pytest.mark.parametrize("gain_db", [0, -30, -50])
def test_speech_is_found_however_quiet(
    network: SileroNetwork, speech: Float32, gain_db: int
) -> None:
    quiet = speech * np.float32(10 ** (gain_db / 20))
    reference = judge(network, speech) >= 0.5
    assert reference.mean() > 0.5
    assert np.mean((judge(network, quiet) >= 0.5) == reference) > 0.95


def test_an_offset_does_not_hide_quiet_speech(network: SileroNetwork, speech: Float32) -> None:
    quiet = speech * np.float32(0.003) + np.float32(0.2)
    assert np.mean(judge(network, quiet) >= 0.5) > 0.4


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(10 * SAMPLE_RATE, np.float32),
        tone(10),
        tone(10) * np.float32(1e-3),
        tone(10, 697) / 2 + tone(10, 1209) / 2,
        np.random.default_rng(0).normal(0, 0.1, 10 * SAMPLE_RATE).astype(np.float32),
        np.random.default_rng(0).normal(0, 1e-4, 10 * SAMPLE_RATE).astype(np.float32),
    ],
    ids=["nothing", "tone", "faint tone", "keypad", "noise", "faint noise"],
)
def test_what_is_no_speech_is_not_found(network: SileroNetwork, samples: Float32) -> None:
    assert judge(network, samples).max() < 0.5


@pytest.mark.parametrize("size", [1, 160, 511, 512, 513])
def test_the_shortest_recordings(network: SileroNetwork, size: int) -> None:
    assert len(judge(network, tone(1)[:size])) == -(-size // FRAME)


def test_levels_are_in_decibels(network: SileroNetwork) -> None:
    (frames,) = VoiceActivity(network).feed(tone(2)[: 32 * FRAME])
    np.testing.assert_allclose(frames.levels, -9.03, atol=0.2)
    activity = VoiceActivity(network)
    (frames,) = activity.feed(np.zeros(32 * FRAME, np.float32))
    assert (frames.levels == -120).all()


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from deployments.audio.speech.voice_activity import SileroNetwork;"
        "SileroNetwork(); import deployments.audio.loader; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
