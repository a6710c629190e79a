import pytest

from benchmarks.measuring.figures import percentile, ratio, spread


def test_a_percentile_is_a_measured_figure() -> None:
    figures = [float(each) for each in range(20, 0, -1)]
    assert percentile(figures, 0.5) == 10
    assert percentile(figures, 0.95) == 19
    assert percentile(figures, 1) == 20
    assert percentile([3.0], 0.95) == 3


@pytest.mark.parametrize(("figures", "share"), [([], 0.5), ([1.0], 0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(figures: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"There is no percentile|A share is"):
        percentile(figures, share)


def test_the_spread_is_a_share_of_the_median() -> None:
    assert spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)
    assert spread([0.0, 0.0]) == 0


def test_a_ratio_needs_both_figures() -> None:
    assert ratio(3, 2) == 1.5
    assert ratio(None, 2) is None
    assert ratio(3, None) is None
    assert ratio(3, 0) is None
