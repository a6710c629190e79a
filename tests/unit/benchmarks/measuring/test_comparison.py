import pytest

from benchmarks.measuring.comparison import Measured, best_peer, show, summary


def run(system: str, seconds: float, *, audio: float = 100, wer: float | None = 0.1) -> Measured:
    return Measured(
        workload="a",
        system=system,
        title=system.title(),
        ours=system == "ours",
        items=1,
        audio_s=audio,
        seconds=seconds,
        memory=int(seconds) * 1_000_000,
        wer=wer,
    )


RUNS = [
    run("ours", 10),
    run("slow", 40),
    run("fast", 20),
    run("ours", 12),
    run("fast", 22),
    run("ours", 11),
]


def test_the_best_peer_is_the_fastest_that_is_not_ours() -> None:
    assert best_peer(RUNS) == "fast"
    assert best_peer([run("ours", 1)]) is None


def test_systems_are_compared_by_their_medians() -> None:
    ours, slow, fast = summary(RUNS)
    assert (ours.runs, ours.seconds, ours.memory) == (3, 11, 12_000_000)
    assert ours.to_best_peer == pytest.approx(100 / 11 / ((100 / 20 + 100 / 22) / 2))
    assert slow.to_best_peer is not None
    assert slow.to_best_peer < 1
    assert fast.to_best_peer == pytest.approx(1)


def test_a_peer_that_was_given_less_is_compared_by_its_speed() -> None:
    ours, part = summary([run("ours", 10), run("part", 5, audio=20, wer=None)])
    assert ours.to_best_peer == pytest.approx(2.5)
    assert part.wer is None


def test_nothing_is_compared_without_peers() -> None:
    (ours,) = summary([run("ours", 10)])
    assert ours.to_best_peer is None


def test_the_table_counts_items_where_they_have_a_name() -> None:
    shown = show(summary(RUNS), "clips")
    assert "clips a second" in shown
    assert "clips a second" not in show(summary(RUNS))
    assert shown.count("\n") == 4
