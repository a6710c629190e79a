"""Where the chunks that segmentation looks at, and their frames, lie in a recording."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from interchange.stages import SAMPLE_RATE

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]


def at_once(masks: UInt8) -> UInt8:
    """(chunks, frames, local speakers), 1 where one talks → (chunks, frames): how many do.

    One speaker after the other: numpy sums over so short a last axis ten times as slowly.
    """
    found = np.zeros(masks.shape[:2], np.uint8)
    for local in range(masks.shape[2]):
        found += masks[..., local]
    return found


def lone(masks: UInt8) -> UInt8:
    """Masks without the frames in which several talk."""
    found: UInt8 = masks * (at_once(masks) < 2)[..., None]
    return found


def frames_of(masks: UInt8) -> npt.NDArray[np.uint16]:
    """(chunks, frames, local speakers), 1 where one talks → (chunks, local speakers): for how many
    frames. A speaker's are laid beside each other first, for the same reason."""
    found: npt.NDArray[np.uint16] = np.ascontiguousarray(masks.transpose(0, 2, 1)).sum(
        axis=2, dtype=np.uint16
    )
    return found


def talks(masks: UInt8) -> Bool:
    """(chunks, local speakers): who talks at all."""
    return frames_of(masks) > 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Chunks of one length, a whole number of frames apart, so that their frames coincide.

    `chunk`, `hop` and `field` are samples: of a chunk, between two frames, and that one frame
    sees. `frames` are those of a chunk, `step` those between the beginnings of two chunks.
    """

    chunk: int
    hop: int
    field: int
    frames: int
    step: int

    @property
    def step_samples(self) -> int:
        return self.step * self.hop

    @property
    def tiles(self) -> int:
        """Every so many chunks leave no frame between them unseen."""
        return max(1, self.frames // self.step)

    def chunks(self, samples: int) -> int:
        """How many chunks a recording has; the last may reach past its end."""
        return 1 + max(0, math.ceil((samples - self.chunk) / self.step_samples))

    def begun(self, begin: int, end: int, samples: int) -> range:
        """The chunks of a recording of so many samples that begin from `begin` on, before `end`."""
        first, last = (-(-at // self.step_samples) for at in (begin, end))
        return range(first, max(first, min(last, self.chunks(samples))))

    def span(self, chunks: int) -> int:
        """Samples of so many chunks."""
        return (chunks - 1) * self.step_samples + self.chunk

    def total(self, chunks: int) -> int:
        """Frames of so many chunks."""
        return (chunks - 1) * self.step + self.frames

    def seconds(self, frame: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The middle of frames, as pyannote places them."""
        middle: npt.NDArray[np.float64] = (
            np.asarray(frame, np.float64) * self.hop + self.field / 2
        ) / SAMPLE_RATE
        return middle

    def united(self, active: Bool) -> Bool:
        """(chunks, frames) → (all frames,): whether a chunk that sees a frame has it marked."""
        chunks = len(active)
        shared = np.zeros((chunks + math.ceil(self.frames / self.step), self.step), np.bool_)
        for first in range(0, self.frames, self.step):
            part = active[:, first : first + self.step]
            row = first // self.step
            shared[row : row + chunks, : part.shape[1]] |= part
        return shared.ravel()[: self.total(chunks)]
