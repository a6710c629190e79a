"""Voice activity of somebody who is still speaking: Silero VAD, two frames at a time or more."""

from collections.abc import Sequence

from deployments.audio.speech.voice_activity import FRAME, Leveller, Listener, shared_network
from interchange.stages import Float32


class LiveVoice:
    """The speech probabilities of one stream, by steps of `step` samples (64 ms).

    They are the same however many steps come at once, and cost less the more there are.
    """

    step = 2 * FRAME

    def __init__(self) -> None:
        self._level = Leveller(self.step)
        self._listen = Listener(shared_network())

    def __call__(self, samples: Float32) -> Sequence[float]:
        """How probably each frame of the next steps is speech."""
        found: list[float] = self._listen(self._level(samples)).tolist()
        return found
