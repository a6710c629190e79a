"""From who talks in each chunk to turns of the whole recording.

As pyannote does it (H. Bredin, "pyannote.audio 2.1 speaker diarization pipeline", Interspeech
2023): the chunks that see a frame vote on how many talk in it and on who does. Written out
here because pyannote's goes through a recording a frame at a time.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.diarization.grid import Bool, Grid, UInt8, at_once

Speakers = npt.NDArray[np.int16]
"""(chunks, local speakers): a speaker of the recording, or less than 0 for nobody."""

_SLAB = 65_536
"""Frames that are decided at once: what bounds the memory of long recordings."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One speaker talks from `start` to `end`, in seconds."""

    start: float
    end: float
    speaker: int


def reconstruct(
    masks: UInt8,
    looked: Bool,
    speakers: Speakers,
    grid: Grid,
    *,
    most: float = math.inf,
    gap: float = 0.0,
    quiet_gap: float = 0.0,
) -> list[Spoken]:
    """What was spoken, speaker by speaker.

    `masks` is (chunks, frames, local speakers), 1 where one talks, `looked` (chunks,) which of them
    have a vote, and `speakers` says who that is. At most `most` talk at once; pauses of one
    speaker up to `gap` seconds are filled, and up to `quiet_gap` seconds where nobody else talks
    in them.
    """
    if not (speakers >= 0).any():
        return []
    count = np.minimum(talking(masks, looked, grid), most).astype(np.uint8)
    votes = _votes(masks, speakers, grid)
    active = np.zeros(votes.shape, np.bool_)
    for first in range(0, len(votes), _SLAB):
        slab = slice(first, first + _SLAB)
        active[slab] = _most_voted(votes[slab], count[slab])
    return _runs(active, grid, gap, quiet_gap)


def talking(masks: UInt8, looked: Bool, grid: Grid) -> npt.NDArray[np.float32]:
    """(all frames,): how many talk, as the mean over the chunks that were looked at and see it."""
    return np.rint(_summed(at_once(masks), grid) / seen(looked, grid)).astype(np.float32)


def seen(looked: Bool, grid: Grid) -> npt.NDArray[np.uint16]:
    """(all frames,): how many of the chunks that were looked at see a frame, at least 1."""
    frames = np.broadcast_to(looked.astype(np.uint8)[:, None], (len(looked), grid.frames))
    return np.maximum(_summed(frames, grid), 1)


def _summed(values: UInt8, grid: Grid) -> npt.NDArray[np.uint16]:
    """(chunks, frames) → (all frames,), summed over the chunks that see a frame."""
    chunks = len(values)
    total = np.zeros((chunks + math.ceil(grid.frames / grid.step), grid.step), np.uint16)
    for first in range(0, grid.frames, grid.step):
        part = values[:, first : first + grid.step]
        row = first // grid.step
        total[row : row + chunks, : part.shape[1]] += part
    return total.ravel()[: grid.total(chunks)]


def _votes(masks: UInt8, speakers: Speakers, grid: Grid) -> UInt8:
    """(all frames, speakers): how many of the chunks that see a frame hear a speaker in it."""
    chunks, frames, local = masks.shape
    known = int(speakers.max()) + 1
    rows = chunks + math.ceil(frames / grid.step)
    votes = np.zeros((rows, grid.step, known), np.uint8)
    for one in range(local):
        # A chunk has one vote for a speaker, however many of its own were taken for that one.
        mask = masks[:, :, one]
        for other in range(one):
            same = (speakers[:, one] == speakers[:, other])[:, None]
            mask = np.where(same, mask & ~masks[:, :, other] & 1, mask)
        (heard,) = np.nonzero(speakers[:, one] >= 0)
        for first in range(0, frames, grid.step):
            part = mask[heard, first : first + grid.step]
            row = heard + first // grid.step
            votes[row, : part.shape[1], speakers[heard, one]] += part
    return votes.reshape(-1, known)[: grid.total(chunks)]


def _most_voted(votes: UInt8, count: UInt8) -> npt.NDArray[np.bool_]:
    """(frames, speakers): the `count` speakers of each frame with the most votes, if any."""
    left = votes.copy()
    active = np.zeros(votes.shape, np.bool_)
    frames = np.arange(len(votes))
    for rank in range(int(count.max(initial=0))):
        best = left.argmax(axis=1)
        active[frames, best] |= (rank < count) & (left[frames, best] > 0)
        left[frames, best] = 0
    return active


def _runs(active: npt.NDArray[np.bool_], grid: Grid, gap: float, quiet_gap: float) -> list[Spoken]:
    """Uninterrupted speech, from the middle of its first frame to that of the first after it."""
    found = []
    # How many frames with speech there are before each frame.
    heard = np.concatenate([[0], active.any(axis=1).cumsum()])
    for speaker in range(active.shape[1]):
        edges = np.diff(active[:, speaker].view(np.int8), prepend=np.int8(0), append=np.int8(0))
        begins, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        if len(begins) == 0:
            continue
        pauses = grid.seconds(begins[1:]) - grid.seconds(stops[:-1])
        quiet = heard[begins[1:]] == heard[stops[:-1]]
        apart = pauses > np.where(quiet, max(gap, quiet_gap), gap)
        starts = grid.seconds(begins[np.r_[True, apart]])
        ends = grid.seconds(stops[np.r_[apart, True]])
        found += [
            Spoken(float(start), float(end), speaker)
            for start, end in zip(starts, ends, strict=True)
        ]
    return found
