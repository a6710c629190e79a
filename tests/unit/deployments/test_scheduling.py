import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.settings import usable_cores
from deployments import scheduling
from deployments.scheduling import compute, cores, give_way, stand_back

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


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's control groups, without a limit."""
    monkeypatch.setattr(scheduling, "_GROUPS", tmp_path)
    monkeypatch.setattr(scheduling, "_OWN_GROUPS", tmp_path / "own")
    return tmp_path


def test_who_stands_back_does_so_alone(groups: Path) -> None:
    before = os.sched_getscheduler(0)
    assert policies(stand_back)[0] == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/pod/me\n", {"pod/me/cpu.max": "30000 100000", "pod/cpu.max": "max 100000"}, 0.3),
        ("0::/pod/me\n", {"pod/cpu.max": "70000 100000", "cpu.max": "60000 100000"}, 0.6),
        ("0::/gone\n", {"cpu.max": "20000 100000"}, 0.2),
        (
            "7:cpuset:/x\n3:cpu,cpuacct:/pod\n",
            {"cpu/pod/cpu.cfs_quota_us": "25000", "cpu/pod/cpu.cfs_period_us": "100000"},
            0.25,
        ),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("0::/\n", {}, None),
        (None, {}, None),
    ],
)
def test_a_share_of_time_limits_the_cores(
    groups: Path, own: str | None, files: dict[str, str], expected: float | None
) -> None:
    if own is not None:
        (groups / "own").write_text(own)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    assert cores() == (usable_cores() if expected is None else expected)


def test_nobody_stands_back_where_a_container_caps_the_time(groups: Path) -> None:
    """There, who computes takes all that there is, and who stands back would starve."""
    (groups / "own").write_text("0::/\n")
    (groups / "cpu.max").write_text("10000 100000\n")
    assert policies(stand_back)[0] == os.sched_getscheduler(0)
