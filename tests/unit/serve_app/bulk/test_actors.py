"""What a batch reads out of a profile. Its actors run in tests/cluster."""

import pytest

from serve_app.bulk.actors import Reservation, Staff
from serve_app.start import load, profile_path


@pytest.mark.parametrize(
    ("profile", "worker", "diarizer"),
    [
        ("cpu", Reservation(0.5, 0), Reservation(0.3, 0)),
        ("serve_config.yaml", Reservation(3, 0.77), Reservation(2, 0.23)),
    ],
)
def test_a_worker_reserves_what_its_stages_do(
    profile: str, worker: Reservation, diarizer: Reservation
) -> None:
    staff = Staff.of(load(profile_path(profile), None))
    assert staff.worker == worker
    assert staff.diarizer == diarizer
    assert staff.worker.options()["max_restarts"] == -1


@pytest.mark.parametrize(
    ("profile", "nodes", "speakers", "count"),
    [
        ("cpu", [{"CPU": 2.0}], True, 1),
        ("cpu", [{"CPU": 2.0}, {"CPU": 8.0}, {"CPU": 0.0}], False, 2),
        ("serve_config.yaml", [{"CPU": 0.0}, {"CPU": 20.0, "GPU": 2.0}, {"GPU": 1.0}], True, 3),
        ("multi-gpu", [{"CPU": 40.0, "GPU": 5.0}], True, 4),
        ("multi-gpu", [{"CPU": 40.0, "GPU": 5.0}], False, 5),
    ],
)
def test_there_are_as_many_workers_as_find_a_place(
    profile: str,
    nodes: list[dict[str, float]],
    speakers: bool,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    there = [{"Alive": True, "Resources": node} for node in nodes]
    monkeypatch.setattr("serve_app.bulk.actors.ray.nodes", lambda: [*there, gone])
    assert Staff.of(load(profile_path(profile), None)).places(speakers=speakers) == count
