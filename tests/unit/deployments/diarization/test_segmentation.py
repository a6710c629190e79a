"""Segmentation with shared filters and silence skipped, against the network by itself."""

import numpy as np
import pytest
import torch

from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.networks.sincnet import SharedSincNet
from deployments.diarization.pipeline import Diarizer
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.sparing import NONE_SPARED, Sparing
from interchange.stages import SAMPLE_RATE, STRETCH, STRETCH_REACH, Int16
from tests.support.processor import needs_integers


@pytest.fixture(params=["diarizer", pytest.param("integer_diarizer", marks=needs_integers)])
def segmenter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """The bundled one, looking at all chunks, in each type."""
    diarizer: Diarizer = request.getfixturevalue(request.param)
    segmenter = diarizer._pipeline.segmenter
    monkeypatch.setattr(segmenter, "_sparing", NONE_SPARED)
    return segmenter


def segmented(segmenter: Segmenter, waveform: Int16) -> UInt8:
    found, looked = segmenter.segment(torch.from_numpy(waveform), lambda done, total: None)
    assert looked.all()
    return found


def tolerated(segmenter: Segmenter) -> float:
    """Which share of the frames may fall to the other side."""
    in_integers = segmenter._shared is not None and segmenter._shared.sincnet is not None
    return 4e-3 if in_integers else 1e-3


def alone(segmenter: Segmenter, waveform: Int16) -> UInt8:
    """Each chunk passed through the whole network by itself."""
    grid = segmenter.grid
    sets = segmenter._sets
    assert sets is not None
    found = []
    for chunk in range(grid.chunks(len(waveform))):
        samples = np.zeros(grid.chunk, np.float32)
        part = waveform[chunk * grid.step_samples :][: grid.chunk]
        samples[: len(part)] = part / 32768
        with torch.inference_mode():
            scores = segmenter._model(torch.from_numpy(samples)[None, None])
        found.append(sets[scores[0].argmax(dim=-1)].numpy())
    return np.array(found)


@pytest.mark.parametrize("seconds", [0.4, 10.0, 14.2, 30.0])
def test_chunks_are_as_if_by_themselves(
    segmenter: Segmenter, conversation: Int16, seconds: float
) -> None:
    waveform = conversation[-round(seconds * SAMPLE_RATE) :]
    theirs = alone(segmenter, waveform)
    ours = segmented(segmenter, waveform)
    assert ours.shape == theirs.shape
    assert theirs.any()
    # Sums in another order, or of fewer digits: hardly a frame may fall to the other side.
    assert np.mean(ours != theirs) < tolerated(segmenter)


def test_an_offset_of_the_recording_is_normalised_away(
    segmenter: Segmenter, conversation: Int16
) -> None:
    """The filters have a sum: what is subtracted before them must be subtracted behind them."""
    waveform = conversation[10 * SAMPLE_RATE : 22 * SAMPLE_RATE] // 2 + 3000
    difference = segmented(segmenter, waveform) != alone(segmenter, waveform)
    assert np.mean(difference) < tolerated(segmenter)


def test_chunks_between_silent_ones_are_not_looked_at(
    segmenter: Segmenter, conversation: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = np.zeros(120 * SAMPLE_RATE, np.int16)
    waveform = np.concatenate([conversation, silence, conversation])
    looked: list[int] = []
    features = SharedSincNet.features

    def counted(self: SharedSincNet, chunks: torch.Tensor) -> torch.Tensor:
        looked.append(len(chunks))
        return features(self, chunks)

    monkeypatch.setattr(SharedSincNet, "features", counted)
    found = segmented(segmenter, waveform)
    assert sum(looked) < 0.6 * len(found)
    assert np.mean(found != alone(segmenter, waveform)) < 1e-3


def test_chunks_are_spared_where_their_neighbours_agree(
    segmenter: Segmenter, conversation: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = segmented(segmenter, conversation)
    waveform = torch.from_numpy(conversation)

    def spared(sparing: Sparing) -> Bool:
        monkeypatch.setattr(segmenter, "_sparing", sparing)
        found, looked = segmenter.segment(waveform, lambda done, total: None)
        assert not found[~looked].any()
        assert np.mean(found[looked] != every[looked]) < 1e-3
        return looked

    some = spared(Sparing(dense_s=7.0, every=3, apart=0.05))
    assert some[:4].all()
    assert some[::3].all()
    assert some[-1]
    none = spared(Sparing(dense_s=0.0, every=3, apart=1.0))
    assert np.flatnonzero(none).tolist() == [*range(0, len(every) - 1, 3), len(every) - 1]
    assert none.sum() < some.sum() < len(every)
    assert spared(Sparing(dense_s=0.0, every=3, apart=-1.0)).all()
    assert spared(Sparing(dense_s=60.0, every=3, apart=1.0)).all()


def test_chunks_that_leave_frames_unseen_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="leaves frames that no chunk sees"):
        Segmenter(segmenter._model, torch.device("cpu"), 8, 0.2, sparing=Sparing(0.0, 5, 0.1))


def test_frames_of_chunks_coincide() -> None:
    grid = Grid(chunk=160_000, hop=270, field=991, frames=589, step=120)
    assert grid.chunks(1) == grid.chunks(160_000) == 1
    assert grid.chunks(160_001) == 2
    active = np.zeros((3, 589), np.bool_)
    active[0, 400] = active[2, 3] = True
    assert np.flatnonzero(grid.united(active)).tolist() == [243, 400]
    assert len(grid.united(active)) == grid.total(3) == 829


@pytest.mark.parametrize("step", [59, 119, 589])
def test_every_chunk_begins_in_one_stretch_and_ends_in_it(step: int) -> None:
    grid = Grid(chunk=160_000, hop=270, field=991, frames=589, step=step)
    rng = np.random.default_rng(step)
    for samples in [
        1,
        STRETCH,
        STRETCH + STRETCH_REACH,
        *rng.integers(1, 9 * STRETCH, 50).tolist(),
    ]:
        chunks: list[int] = []
        for begin in range(0, samples, STRETCH):
            given = min(samples, begin + STRETCH + STRETCH_REACH)
            some = grid.begun(begin, begin + STRETCH, given)
            for chunk in some:
                end = chunk * grid.step_samples + grid.chunk
                assert end <= given or given == samples, "or it reaches behind the recording"
            chunks += some
        assert chunks == list(range(grid.chunks(samples)))
