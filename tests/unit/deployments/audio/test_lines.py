"""Windows of one line after another, or of several beside each other."""

import numpy as np
import pytest

from configs.settings import AudioSettings
from deployments.audio.lines import Lines
from deployments.audio.segmentation import Segmenter
from deployments.audio.speech.voice_activity import shared_network
from interchange.stages import SAMPLE_RATE, Apart, Float32, LoadOptions, Window
from tests.support.recordings.voices import call_sides

A, B = call_sides()
SETTINGS = AudioSettings()
APART = np.stack((A + B, A, B))


def windows(*parts: Float32, block: int = SAMPLE_RATE, first: float | None = None) -> list[Window]:
    lines = Lines(shared_network(), SETTINGS, LoadOptions(first_window_s=first))
    found: list[Window] = []
    for part in parts:
        for start in range(0, part.shape[-1], block):
            found += lines.feed(part[..., start : start + block])
    found += lines.flush()
    assert lines.samples == sum(part.shape[-1] for part in parts)
    assert lines.speech == sum(
        end - start for each in found if not each.faint for start, end in each.speech
    )
    assert [each.index for each in found] == list(range(len(found)))
    assert [each.offset for each in found] == sorted(each.offset for each in found)
    return found


def alone(samples: Float32, offset: int = 0) -> list[tuple[int, int]]:
    segmenter = Segmenter(shared_network(), SETTINGS)
    found = [*segmenter.feed(samples), *segmenter.flush()]
    return [(offset + each.offset, len(each.samples)) for each in found]


def of(found: list[Window], channel: int | None) -> list[tuple[int, int]]:
    return [(each.offset, len(each.samples)) for each in found if each.channel == channel]


@pytest.mark.parametrize("block", [SAMPLE_RATE, 5000, 10**9])
def test_each_line_has_the_windows_that_it_would_have_by_itself(block: int) -> None:
    mix = APART[0]
    found = windows(mix, APART, mix, block=block)
    assert of(found, None) == alone(mix) + alone(mix, 2 * len(mix))
    assert of(found, 0) == alone(A, len(mix))
    assert of(found, 1) == alone(B, len(mix))


def test_a_window_does_not_wait_for_a_line_that_is_silent() -> None:
    """Beyond the pause by which it is known that nobody begins before it."""
    lines = Lines(shared_network(), SETTINGS)
    pause = np.zeros((3, 8 * SAMPLE_RATE), np.float32)
    speech = np.stack((A, A, np.zeros_like(A)))
    found = list(lines.feed(np.concatenate((speech[:, : 6 * SAMPLE_RATE], pause), axis=1)))
    assert [each.channel for each in found] == [0]


def test_only_who_waits_for_the_first_window_gets_a_short_one() -> None:
    talk = np.concatenate((A[: 6 * SAMPLE_RATE], B[6 * SAMPLE_RATE : 12 * SAMPLE_RATE]))
    early = windows(talk, np.stack((talk, talk, talk)), first=3.0)
    assert len(early[0].samples) <= 3 * SAMPLE_RATE
    assert max(len(each.samples) for each in early if each.channel == 0) > 3 * SAMPLE_RATE


def test_where_channels_were_apart_is_told() -> None:
    lines = Lines(shared_network(), SETTINGS)
    for part in (APART[0], APART, APART[0], APART[:2]):
        list(lines.feed(part))
    list(lines.flush())
    assert lines.apart == (Apart(24.0, 48.0, 2),)
