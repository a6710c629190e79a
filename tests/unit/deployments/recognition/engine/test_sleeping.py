import pytest

from deployments.recognition.engine.sleeping import SleepingEngine
from deployments.recognition.fair_queue import FairQueue
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from tests.unit.deployments.recognition.support import noise


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the engine would have slept."""
    slept: list[float] = []
    monkeypatch.setattr("deployments.recognition.engine.sleeping.time.sleep", slept.append)
    return slept


@pytest.mark.parametrize(
    ("name", "nap"), [("sleeping:0.5", 0.5), ("sleeping:0.1,0.02", 0.14), ("sleeping:0", 0.0)]
)
def test_a_window_takes_the_time_that_the_name_says(
    naps: list[float], name: str, nap: float
) -> None:
    engine = SleepingEngine.named(name, FairQueue(3600))
    engine.queue.put(Window(0, 0, as_int16(noise(2)), ()), RecognitionOptions("a"))
    assert engine.turn()
    assert naps == [pytest.approx(nap)]


def test_windows_are_served_one_at_a_time_until_none_waits(naps: list[float]) -> None:
    engine = SleepingEngine(FairQueue(3600), per_window=1)
    tickets = [
        engine.queue.put(
            Window(index, index * SAMPLE_RATE, as_int16(noise(1)), ()),
            RecognitionOptions("a", language=language),
        )
        for index, language in enumerate((None, "de"))
    ]
    assert [engine.turn() for _ in range(3)] == [True, True, False]
    assert len(naps) == 2
    first, second = (ticket.future.result(0) for ticket in tickets)
    assert (first.index, first.start, first.end, first.language) == (0, 0, 1, "en")
    assert (second.index, second.start, second.end, second.language) == (1, 1, 2, "de")
    assert [segment.text for segment in second.segments] == [" Window 1."]


@pytest.mark.parametrize("name", ["sleeping:", "sleeping:soon", "sleeping:1,2,3", "sleeping:1,x"])
def test_a_name_without_sense_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names no sleeping engine: write sleeping:SECONDS"):
        SleepingEngine.named(name, FairQueue(3600))


@pytest.mark.parametrize("name", ["sleeping:-1", "sleeping:nan", "sleeping:1,inf"])
def test_a_time_that_cannot_be_slept_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names no sleeping engine"):
        SleepingEngine.named(name, FairQueue(3600))
