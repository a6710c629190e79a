import time

import pytest

from benchmarks.measuring.disturbance import Disturbance, share_of_others


def test_what_is_busy_and_not_ours_is_others() -> None:
    assert share_of_others(busy=15, ours=5, total=20) == pytest.approx(0.5)
    assert share_of_others(busy=5, ours=5.2, total=20) == 0
    assert share_of_others(busy=0, ours=0, total=0) == 0


def test_our_own_work_is_none_of_others() -> None:
    with Disturbance() as disturbance:
        until = time.process_time() + 0.5
        while time.process_time() < until:
            pass
    assert 0 <= disturbance.share <= 1
