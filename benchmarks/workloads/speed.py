"""What contenders are given: the workloads that are the same for all of them."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring.recordings import Spoken, beginning, clips, long_recording
from benchmarks.measuring.text_errors import word_error_rate

_SLOW = "transformers"
_SLOW_S = 120.0
"""What the slowest peer is given of the long recording: all of it takes more than ten minutes."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Recordings, asked for by so many clients; `items` names them where they are counted."""

    name: str
    title: str
    recordings: tuple[Spoken, ...]
    clients: int = 1
    items: str | None = None
    judged: bool = True

    @property
    def paths(self) -> list[Path]:
        return [recording.path for recording in self.recordings]

    @property
    def audio_s(self) -> float:
        return sum(recording.seconds for recording in self.recordings)

    def word_errors(self, texts: list[str]) -> float | None:
        """The word error rate of the texts; None where the recordings are only parts."""
        if not self.judged:
            return None
        pairs = ((r.text, text) for r, text in zip(self.recordings, texts, strict=True))
        return word_error_rate(pairs)


def workload(name: str, system: str, folder: Path) -> Workload:
    """Workload a, b or c for a system. What has to be made of recordings goes into `folder`.

    Raises NoSpeech.
    """
    if name == "a":
        return _long(system, folder)
    if name == "b":
        title = "64 clips from 16 clients at once"
        return Workload("b", title, tuple(clips(64)), clients=16, items="clips")
    return Workload("c", "one clip at a time", tuple(clips(60)[::3]), items="clips")


def _long(system: str, folder: Path) -> Workload:
    recording = long_recording()
    title = f"a recording of {recording.seconds / 60:.1f} min"
    if system != _SLOW:
        return Workload("a", title, (recording,))
    part = folder / "beginning.mka"
    if not part.exists():
        beginning(recording.path, _SLOW_S, part)
    return Workload("a", title, (Spoken(part, recording.language, "", _SLOW_S),), judged=False)
