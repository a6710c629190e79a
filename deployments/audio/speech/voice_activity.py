"""How probably somebody speaks, each 32 ms: Silero VAD, a second at a time.

The package ships an export of its network over whole sequences of frames, without a loop in
Python between them: the same probabilities bit for bit at a third of the time of the usual
export (https://github.com/snakers4/silero-vad). Only its file is used, because importing the
package imports torch.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
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

_SECTION = 58  # steps: a minute
_LEAD = 4  # steps: what the network remembers for longer changes little
_MOST_AT_ONCE = 8  # sections, of 5 MB each

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


class Leveller:
    """What the network is given of one recording: frames as loud as it needs them.

    Quiet recordings are amplified, by at most 46 dB, following the peak of the last ten seconds or
    so, anew each `step` samples: the network misses speech at -50 dB otherwise.
    """

    def __init__(self, step: int = STEP) -> None:
        self._context = np.zeros(_CONTEXT, np.float32)
        self._step = step
        self._decay = _PEAK_DECAY ** (step / STEP)
        self._peak = 0.0

    def __call__(self, samples: Float32) -> Float32:
        """The network's input (n, 64 + 512) for the n frames of whole steps, or of one that is
        shorter."""
        steps = samples.reshape(-1, min(self._step, len(samples)))
        # Cheap converters add an offset, which would pass for the peak of a quiet recording.
        steps = steps - steps.mean(axis=1, keepdims=True)
        gains = [self._gain(peak) for peak in np.abs(steps).max(axis=1).tolist()]
        loud = (steps * np.array(gains, np.float32)[:, None]).reshape(-1, FRAME)
        windows = np.empty((len(loud), _CONTEXT + FRAME), np.float32)
        windows[:, _CONTEXT:] = loud
        windows[0, :_CONTEXT] = self._context
        windows[1:, :_CONTEXT] = loud[:-1, -_CONTEXT:]
        self._context = loud[-1, -_CONTEXT:]
        return windows

    def _gain(self, peak: float) -> float:
        """For a step with such a peak."""
        self._peak = max(self._peak * self._decay, peak)
        return min(max(_TARGET_PEAK / self._peak, 1.0), _MAX_GAIN) if self._peak else _MAX_GAIN


def _levels(samples: Float32) -> Float32:
    """The level of each frame, in dB of full scale."""
    deviation = samples.reshape(-1, FRAME).std(axis=1)
    levels = np.full(len(deviation), _SILENCE_DB, np.float32)
    np.log10(deviation, out=levels, where=deviation > 1e-6)
    levels[deviation > 1e-6] *= 20
    return levels


class Listener:
    """The network with what it remembers of what it heard."""

    def __init__(self, network: SileroNetwork) -> None:
        self._network = network
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)

    def __call__(self, inputs: Float32) -> Float32:
        """The probabilities (n,) of what a `Leveller` made of n frames."""
        probabilities, self._hidden, self._cell = self._network(inputs, self._hidden, self._cell)
        return probabilities


class Section:
    """A stretch of a recording that is judged without what lies before it, but for a lead.

    Its `lead` steps are the end of the section before: a listener needs to hear a while to
    judge as it would have, and what it says of them does not count.
    """

    def __init__(self, network: SileroNetwork, lead: Iterable[Float32] = ()) -> None:
        self._listener = Listener(network)
        self._inputs = list(lead)
        self._passed = sum(map(len, self._inputs))
        self._levels: list[Float32] = []
        self._heard: list[bool] = []

    def add(self, inputs: Float32, levels: Float32, *, heard: bool = True) -> None:
        """A step; one that is not `heard` holds nothing, and the network is not asked of it."""
        if heard:
            self._inputs.append(inputs)
        self._levels.append(levels)
        self._heard.append(heard)

    @property
    def waiting(self) -> bool:
        """Whether anything was added since the last time."""
        return bool(self._levels)

    def judge(self) -> Frames:
        """The frames that were."""
        levels = np.concatenate(self._levels)
        probabilities = np.zeros(len(levels), np.float32)
        if any(self._heard):
            heard = np.repeat(self._heard, [len(step) for step in self._levels])
            probabilities[heard] = self._listener(np.concatenate(self._inputs))[self._passed :]
            self._inputs, self._passed = [], 0
        self._levels, self._heard = [], []
        return Frames(probabilities, levels)


class VoiceActivity:
    """The speech probabilities of one recording, fed in blocks of any length.

    A recording is judged in sections of a minute, each by itself: those that are complete can
    be judged beside each other, in the threads of a `pool`, while later ones are fed. The
    result depends neither on that nor on how the recording is cut into blocks. Of silence to
    the last bit the network hears the first seconds only.
    """

    def __init__(self, network: SileroNetwork, pool: Executor | None = None) -> None:
        self.pool = pool
        self._network = network
        self._level = Leveller()
        self._section = Section(network)
        self._steps = 0  # of the section
        self._empty = 0  # steps without a sound up to here
        self._recent: deque[Float32] = deque(maxlen=_LEAD)
        self._rest = np.zeros(0, np.float32)
        self._judged: deque[Future[Frames]] = deque()

    def feed(self, samples: Float32, *, at_once: bool = True) -> Iterator[Frames]:
        """The frames that `samples` (float32, 16 kHz, mono) settle.

        `at_once` those of all whole steps; otherwise, and only with a pool, those of sections
        that are done, which keeps more of them in work.
        """
        held = np.concatenate((self._rest, samples))
        whole = len(held) - len(held) % STEP
        self._rest = held[whole:]
        for start in range(0, whole, STEP):
            self._add(held[start : start + STEP])
            yield from self._settled(at_once=at_once)

    def flush(self) -> Iterator[Frames]:
        """The frames of the end; the last one is filled up with silence."""
        if len(self._rest):
            missing = -len(self._rest) % FRAME
            self._add(np.pad(self._rest, (0, missing)))
            self._rest = self._rest[:0]
        yield from self._settled(at_once=True)

    def _add(self, samples: Float32) -> None:
        inputs = self._level(samples)
        self._empty = 0 if samples.any() else self._empty + 1
        self._section.add(inputs, _levels(samples), heard=self._empty <= _LEAD)
        self._recent.append(inputs)
        self._steps += 1

    def _settled(self, *, at_once: bool) -> Iterator[Frames]:
        whole = self._steps == _SECTION
        if at_once or self.pool is None:
            while self._judged:
                yield self._judged.popleft().result()
            if self._section.waiting:
                yield self._section.judge()
        elif whole:
            self._judged.append(self.pool.submit(self._section.judge))
        if whole:
            self._section, self._steps = Section(self._network, self._recent), 0
        while self._judged and (self._judged[0].done() or len(self._judged) > _MOST_AT_ONCE):
            yield self._judged.popleft().result()
