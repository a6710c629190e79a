"""How probably somebody speaks, each 32 ms: Silero VAD, a second at a time.

The package ships an export of its network over whole sequences of frames, without a loop in
Python between them: the same probabilities bit for bit at a third of the time of the usual
export (https://github.com/snakers4/silero-vad). Only its file is used, because importing the
package imports torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

from interchange.errors import ServerError
from interchange.stages import Float32

FRAME = 512
"""Samples that one speech probability stands for: 32 ms."""

STEP = 32 * FRAME
"""Samples that are judged together: about a second."""

_CONTEXT = 64
_STATE = (1, 1, 128)
_TARGET_PEAK = 0.5
_MAX_GAIN = 200.0
_PEAK_DECAY = 0.93  # a step; halves in ten seconds
_SILENCE_DB = -120.0


@dataclass(frozen=True, slots=True)
class Frames:
    """Consecutive frames: how probably each is speech, and its level in dB of full scale."""

    probabilities: Float32
    levels: Float32


class SileroNetwork:
    """The network itself; one serves any number of recordings and threads at once."""

    def __init__(self, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            _network_file(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(
        self, frames: Float32, hidden: Float32, cell: Float32
    ) -> tuple[Float32, Float32, Float32]:
        """Probabilities (n,) of frames (n, 64 + 512), and the state to go on with."""
        probabilities, hidden, cell = self._session.run(
            ["speech_probs", "hn", "cn"], {"input": frames, "h": hidden, "c": cell}
        )
        return probabilities.reshape(-1), hidden, cell


@cache
def shared_network() -> SileroNetwork:
    """The one of this process that computes in its caller's thread."""
    return SileroNetwork()


def _network_file() -> Path:
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise ServerError("Voice activity detection needs the package silero-vad; install it.")
    return Path(package.origin).parent / "data" / "silero_vad_16k_sequence.onnx"


class VoiceActivity:
    """The speech probabilities of one recording, fed in blocks of any length.

    The result does not depend on how the recording is cut into blocks. Quiet recordings are
    amplified for the network, by at most 46 dB, following the peak of the last ten seconds or
    so: it misses speech at -50 dB otherwise.
    """

    def __init__(self, network: SileroNetwork) -> None:
        self._network = network
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._peak = 0.0

    def feed(self, samples: Float32) -> Iterator[Frames]:
        """The frames that can be judged with `samples` (float32, 16 kHz, mono)."""
        held = np.concatenate((self._rest, samples))
        whole = len(held) - len(held) % STEP
        self._rest = held[whole:]
        for start in range(0, whole, STEP):
            yield self._judge(held[start : start + STEP])

    def flush(self) -> Iterator[Frames]:
        """The frames of the end; the last one is filled up with silence."""
        if len(self._rest):
            missing = -len(self._rest) % FRAME
            yield self._judge(np.pad(self._rest, (0, missing)))
            self._rest = self._rest[:0]

    def _judge(self, samples: Float32) -> Frames:
        frames = samples.reshape(-1, FRAME)
        # Cheap converters add an offset, which would pass for the peak of a quiet recording.
        samples = samples - samples.mean()
        self._peak = max(self._peak * _PEAK_DECAY, float(np.abs(samples).max()))
        gain = min(max(_TARGET_PEAK / self._peak, 1.0), _MAX_GAIN) if self._peak else _MAX_GAIN
        loud = samples * np.float32(gain)
        contexts = np.concatenate((self._context, loud))[: len(loud) + _CONTEXT]
        windows = np.lib.stride_tricks.sliding_window_view(contexts, _CONTEXT + FRAME)[::FRAME]
        self._context = loud[-_CONTEXT:]
        probabilities, self._hidden, self._cell = self._network(
            np.ascontiguousarray(windows), self._hidden, self._cell
        )
        deviation = frames.std(axis=1)
        levels = np.full(len(frames), _SILENCE_DB, np.float32)
        np.log10(deviation, out=levels, where=deviation > 1e-6)
        levels[deviation > 1e-6] *= 20
        return Frames(probabilities, levels)
