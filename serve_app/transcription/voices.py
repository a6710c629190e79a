"""Learning voices: from recordings of a person to what tells them from others."""

from contextlib import aclosing

import numpy as np

from interchange.errors import ClientError, InvalidOption, QueueFull
from interchange.stages import (
    SAMPLE_RATE,
    AudioLoader,
    Int16,
    LoadOptions,
    PcmBlock,
    Source,
    SpeakerDiarizer,
    VoiceSample,
)

LEAST_S = 1.0
"""Of speech; less says too little of a voice."""
LONGEST_S = 60.0


class VoiceReader:
    """Learns voices with the stages that transcribe recordings."""

    def __init__(self, loader: AudioLoader, diarizer: SpeakerDiarizer) -> None:
        self._loader = loader
        self._diarizer = diarizer

    async def learn(self, source: Source, name: str, param: str) -> VoiceSample:
        """The voice of a recording in which that person alone talks.

        Raises InvalidOption, with `param` as the field at fault, for a recording that cannot be
        loaded, is too long, or has too little speech or several people in it; QueueFull where too
        much waits already.
        """
        heard = await self._diarizer.voice(await self._samples(source, name, param))
        if heard.seconds < LEAST_S:
            raise InvalidOption(
                f"The recording of {name!r} has {heard.seconds:.1f} s of speech, which is too "
                "little to know a voice by; send 2 to 10 s in which only this person talks.",
                param,
            )
        if heard.several:
            raise InvalidOption(
                f"More than one person talks in the recording of {name!r}; send 2 to 10 s in "
                "which only this person talks.",
                param,
            )
        return heard

    async def _samples(self, source: Source, name: str, param: str) -> Int16:
        blocks: list[Int16] = []
        seconds = 0.0
        try:
            async with aclosing(self._loader.load(source, LoadOptions(pcm=True))) as events:
                async for event in events:
                    if isinstance(event, PcmBlock):
                        blocks.append(event.samples)
                        seconds += len(event.samples) / SAMPLE_RATE
                    if seconds > LONGEST_S:
                        raise InvalidOption(
                            f"The recording of {name!r} is longer than {LONGEST_S:.0f} s; 2 to "
                            "10 s are enough to know a voice by.",
                            param,
                        )
        except (InvalidOption, QueueFull):
            raise
        except ClientError as error:
            raise InvalidOption(
                f"The recording of {name!r} cannot be used: {error.message}", param
            ) from error
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
