import numpy as np
import pytest

from deployments.diarization.analysis import Analysis


def analysis(chunks: int, seed: int = 0) -> Analysis:
    rng = np.random.default_rng(seed)
    masks = (rng.random((chunks, 589, 3)) < 0.1).astype(np.uint8)
    masks[:, :, 1] = 0
    embeddings = rng.normal(size=(chunks, 3, 192)).astype(np.float32)
    embeddings[~masks.any(axis=1)] = np.nan
    return Analysis(masks, embeddings, rng.random(chunks) < 0.7)


@pytest.mark.parametrize("chunks", [0, 1, 90])
def test_an_analysis_is_the_same_behind_its_way(chunks: int) -> None:
    before = analysis(chunks)
    after = Analysis.unpack(before.pack())
    np.testing.assert_array_equal(after.masks, before.masks)
    np.testing.assert_array_equal(after.embeddings, before.embeddings)
    np.testing.assert_array_equal(after.looked, before.looked)
    assert after.masks.dtype == np.uint8
    assert after.embeddings.dtype == np.float32


def test_parts_are_joined_in_order() -> None:
    whole = analysis(12)
    parts = [
        Analysis(whole.masks[begin:end], whole.embeddings[begin:end], whole.looked[begin:end])
        for begin, end in [(0, 5), (5, 5), (5, 12)]
    ]
    joined = Analysis.joined(parts)
    np.testing.assert_array_equal(joined.masks, whole.masks)
    np.testing.assert_array_equal(joined.embeddings, whole.embeddings)
    np.testing.assert_array_equal(joined.looked, whole.looked)


def test_where_more_speakers_are_needed_others_are_silent() -> None:
    few, many = analysis(2), analysis(3, seed=1)
    more = np.zeros((3, 589, 2), np.uint8)
    more[1, 100, 0] = 1
    voices = np.full((3, 2, 192), np.nan, np.float32)
    voices[1, 0] = 1
    many = Analysis(
        np.concatenate([many.masks, more], axis=2),
        np.concatenate([many.embeddings, voices], axis=1),
        many.looked,
    )
    joined = Analysis.unpack(Analysis.joined([few, many]).pack())
    assert not joined.masks[:2, :, 3:].any()
    assert np.isnan(joined.embeddings[:2, 3:]).all()
    np.testing.assert_array_equal(joined.masks[2:], many.masks)
    np.testing.assert_array_equal(joined.embeddings[2:], many.embeddings)


@pytest.mark.parametrize("content", [b"", b"something else", analysis(3).pack()[:-30]])
def test_something_else_is_no_analysis(content: bytes) -> None:
    with pytest.raises(ValueError, match="no analysis"):
        Analysis.unpack(content)
