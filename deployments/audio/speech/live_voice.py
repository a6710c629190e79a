"""Voice activity of somebody who is still speaking: Silero VAD, two frames at a time."""

from collections.abc import Sequence

from deployments.audio.speech.voice_activity import FRAME, Leveller, Listener, shared_network
from interchange.stages import Float32


class LiveVoice:
    """The speech probabilities of one stream, `step` samples (64 ms) at a time."""

    step = 2 * FRAME

    def __init__(self) -> None:
        self._level = Leveller(self.step)
        self._listen = Listener(shared_network())

    def __call__(self, samples: Float32) -> Sequence[float]:
        """How probably each frame of the next `step` samples is speech."""
        inputs, _ = self._level(samples)
        found: list[float] = self._listen(inputs).tolist()
        return found
