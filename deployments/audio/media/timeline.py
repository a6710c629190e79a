"""Keeping the times of a recording right where its container leaves gaps.

A track may start later than its video, recorders in browsers drop what they could not send,
and damaged packets are skipped. Joined end to end, what is left would be earlier than what a
player shows, more so with each gap.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import av

from deployments.audio.media.resample import planes

_TOLERANCE_S = 0.25
_LONGEST_S = 3600.0


def fill_gaps(
    frames: Iterable[av.AudioFrame], start_s: float | None, gaps: list[float]
) -> Iterator[av.AudioFrame]:
    """`frames`, with silent ones where their timestamps say that sound is missing.

    The seconds of each gap between two frames are appended to `gaps`. `start_s` is the timestamp
    at which the recording starts, None where that is not known. A jump that the following frame
    does not confirm, one backwards, and one of more than an hour are faults of the timestamps
    rather than gaps: what comes after is taken to follow at once.
    """
    due = start_s
    ahead = 0.0  # of the timestamps, by faults so far
    begun = False
    for frame, following in pairwise(chain(frames, (None,))):
        assert frame is not None
        seconds = frame.samples / frame.sample_rate
        if frame.time is not None:
            due = frame.time if due is None else due
            gap = frame.time - ahead - due
            if abs(gap) > _TOLERANCE_S:
                if 0 < gap <= _LONGEST_S and _goes_on(frame, seconds, following):
                    if begun:
                        gaps.append(gap)
                    yield from _silence(frame, gap)
                    due += gap
                else:
                    ahead += gap
        if due is not None:
            due += seconds
        begun = True
        yield frame


def _goes_on(frame: av.AudioFrame, seconds: float, following: av.AudioFrame | None) -> bool:
    if following is None or following.time is None or frame.time is None:
        return False
    return abs(following.time - frame.time - seconds) <= _TOLERANCE_S


def _silence(like: av.AudioFrame, seconds: float) -> Iterator[av.AudioFrame]:
    """Silent frames of the kind of `like`, of a second at most: a gap may be long."""
    missing = round(seconds * like.sample_rate)
    # Unsigned samples are silent in the middle of their range.
    silent = b"\x80" if like.format.name.startswith("u8") else b"\0"
    while missing > 0:
        frame = av.AudioFrame(like.format.name, like.layout.name, min(missing, like.sample_rate))
        frame.sample_rate = like.sample_rate
        for plane in planes(frame):
            plane[:] = silent * len(plane)
        missing -= frame.samples
        yield frame
