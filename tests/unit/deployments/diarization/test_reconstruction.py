"""Reconstruction, against pyannote's own where that is defined."""

from typing import Any

import numpy as np
import pytest
from pyannote.audio.pipelines.utils.diarization import SpeakerDiarizationMixin
from pyannote.core import SlidingWindow, SlidingWindowFeature

from deployments.diarization import reconstruction
from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.reconstruction import Speakers, Spoken

GRID = Grid(chunk=160_000, hop=270, field=991, frames=589, step=59)


def reconstruct(masks: UInt8, speakers: Speakers, grid: Grid, **options: float) -> list[Spoken]:
    looked = np.ones(len(masks), np.bool_)
    return reconstruction.reconstruct(masks, looked, speakers, grid, **options)


def pyannotes(masks: UInt8, speakers: Speakers, gap: float) -> set[tuple[float, float, int]]:
    """What pyannote's steps make of the same, its speakers kept apart in each chunk."""
    mixin: Any = SpeakerDiarizationMixin
    frames = SlidingWindow(start=0.0, duration=991 / 16_000, step=270 / 16_000)
    chunks = SlidingWindow(start=0.0, duration=10.0, step=59 * 270 / 16_000)
    of_speakers = np.zeros((*masks.shape[:2], speakers.max() + 1))
    for chunk, known in enumerate(speakers):
        for local, speaker in enumerate(known):
            if speaker >= 0:
                of_speakers[chunk, :, speaker] = np.maximum(
                    of_speakers[chunk, :, speaker], masks[chunk, :, local]
                )
    count = mixin.speaker_count(
        SlidingWindowFeature(masks.astype(float), chunks), frames, warm_up=(0.0, 0.0)
    )
    binary = mixin.to_diarization(SlidingWindowFeature(of_speakers, chunks), count)
    annotation = mixin.to_annotation(binary, min_duration_off=gap)
    return {
        (round(segment.start, 4), round(segment.end, 4), label)
        for segment, _, label in annotation.itertracks(yield_label=True)
    }


def blocky(random: np.random.Generator, chunks: int) -> tuple[UInt8, Speakers]:
    """One recording's random speech, seen by chunks that agree on it, each with an order of
    local speakers of its own."""
    total = GRID.total(chunks)
    speech = np.repeat(random.random((total // 40 + 1, 3)) > 0.6, 40, axis=0)[:total]
    masks, speakers = [], []
    for chunk in range(chunks):
        order = random.permutation(3)
        masks.append(speech[chunk * 59 : chunk * 59 + 589, order])
        speakers.append(order)
    return np.array(masks, np.uint8), np.array(speakers, np.int16)


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_equals_pyannotes(gap: float) -> None:
    masks, speakers = blocky(np.random.default_rng(0), 23)
    found = reconstruct(masks, speakers, GRID, gap=gap)
    ours = {(round(each.start, 4), round(each.end, 4), each.speaker) for each in found}
    assert len(ours) > 20
    assert ours == pyannotes(masks, speakers, gap)


def test_chunks_that_were_not_looked_at_have_no_vote() -> None:
    masks, speakers = blocky(np.random.default_rng(1), 40)
    looked = np.arange(40) % 3 != 1
    found = reconstruction.reconstruct(
        masks * looked[:, None, None].astype(np.uint8), looked, speakers, GRID
    )
    assert found == reconstruct(masks, speakers, GRID)


def test_local_speakers_of_one_person_have_one_vote() -> None:
    masks = np.zeros((2, 589, 2), np.uint8)
    masks[0, 100:200] = 1
    masks[0, 300:400, 1] = 1
    speakers = np.zeros((2, 2), np.int16)
    found = reconstruct(masks[:1], speakers[:1], GRID)
    assert [each.speaker for each in found] == [0, 0]


def test_most_bounds_how_many_talk_at_once() -> None:
    masks = np.zeros((1, 589, 2), np.uint8)
    masks[0, 100:300, 0] = 1
    masks[0, 200:400, 1] = 1
    speakers = np.array([[0, 1]], np.int16)
    found = reconstruct(masks, speakers, GRID, most=1)
    assert [(each.speaker, round(each.start), round(each.end)) for each in found] == [
        (0, 2, 5),
        (1, 5, 7),
    ]


def test_nobody_known_is_nobody_heard() -> None:
    masks = np.ones((3, 589, 2), np.uint8)
    assert reconstruct(masks, np.full((3, 2), -2, np.int16), GRID) == []


def test_a_recording_of_hours_is_decided_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    masks, speakers = blocky(np.random.default_rng(1), 40)
    whole = reconstruct(masks, speakers, GRID)
    monkeypatch.setattr("deployments.diarization.reconstruction._SLAB", 100)
    assert reconstruct(masks, speakers, GRID) == whole


def test_quiet_pauses_are_filled_and_others_are_not() -> None:
    masks = np.zeros((1, 589, 2), np.uint8)
    masks[0, 100:200, 0] = masks[0, 220:300, 0] = masks[0, 330:400, 0] = 1
    masks[0, 310:320, 1] = 1
    speakers = np.array([[0, 1]], np.int16)
    found = reconstruct(masks, speakers, GRID, quiet_gap=0.6)
    assert [round(each.start, 1) for each in found if each.speaker == 0] == [1.7, 5.6]
    every = reconstruct(masks, speakers, GRID, gap=0.6)
    assert [round(each.start, 1) for each in every if each.speaker == 0] == [1.7]
