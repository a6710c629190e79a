import os
import threading
from collections.abc import Callable

import pytest

from deployments.scheduling import compute, give_way, stand_back

pytestmark = pytest.mark.skipif(
    not hasattr(os, "SCHED_BATCH"), reason="only Linux has these policies"
)


def policies(*steps: Callable[[], None]) -> list[int]:
    """The policy after each step, in a thread of its own, and that of a thread it starts last."""
    found: list[int] = []

    def note() -> None:
        found.append(os.sched_getscheduler(0))

    def run() -> None:
        for step in steps:
            step()
            note()
        later = threading.Thread(target=note)
        later.start()
        later.join()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found


def test_who_gives_way_does_so_with_all_that_it_starts() -> None:
    assert policies(give_way) == [os.SCHED_BATCH, os.SCHED_BATCH]


def test_who_computes_no_longer_gives_way() -> None:
    assert policies(give_way, compute) == [os.SCHED_BATCH, os.SCHED_OTHER, os.SCHED_OTHER]


def test_a_system_that_does_not_allow_it_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    give_way()
    monkeypatch.delattr(os, "SCHED_BATCH")
    give_way()


def test_who_stands_back_does_so_alone() -> None:
    before = os.sched_getscheduler(0)
    assert policies(stand_back)[0] == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == before
