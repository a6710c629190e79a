import pytest

from benchmarks.endurance.soak import growth

MB = 1_000_000


def minutes(*loader: int, **others: list[int]) -> list[dict[str, int]]:
    named = {"loader": list(loader)} | others
    return [
        {name: MB * each[at] for name, each in named.items() if each[at]}
        for at in range(len(loader))
    ]


def test_what_goes_up_and_down_does_not_grow() -> None:
    taken = minutes(600, 690, 610, 690, 600, 690, 690, 600)
    assert growth(taken) == {"loader": 0.0}


def test_a_leak_raises_the_highest() -> None:
    taken = minutes(600, 690, 610, 700, 620, 710, 630, 781)
    assert growth(taken)["loader"] == pytest.approx(0.1)


def test_what_is_small_or_a_fixed_region_is_not_judged() -> None:
    small = minutes(*range(10, 18))
    assert growth(small) == {}
    store = [{"Ray's object store": MB * each} for each in range(100, 900, 100)]
    assert growth(store) == {}


def test_who_came_late_is_not_judged() -> None:
    taken = minutes(*[600] * 8, late=[0, 0, 0, 0, 0, 0, 500, 700])
    assert set(growth(taken)) == {"loader"}
