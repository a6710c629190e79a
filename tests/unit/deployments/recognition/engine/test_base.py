"""The loop that every engine has, and its end."""

import threading
from collections.abc import Callable

import pytest

from deployments.recognition.engine.base import STUCK_S, Engine
from deployments.recognition.fair_queue import FairQueue, Ticket
from interchange.errors import Unavailable
from interchange.samples import as_int16
from interchange.stages import RecognitionOptions, Window
from tests.unit.deployments.recognition.support import ANSWER_S, done, noise


class Scripted(Engine):
    """Does what it is told to do, once it is told to."""

    def __init__(self, turn: Callable[[], bool]) -> None:
        super().__init__(FairQueue(3600))
        self._turn = turn
        self.warmed: list[str] = []
        self.abandoned = threading.Event()
        self.turned = threading.Event()

    def turn(self) -> bool:
        self.turned.set()
        return self._turn()

    def warm_up(self) -> None:
        self.warmed.append(threading.current_thread().name)

    def abandon(self, error: Exception) -> None:
        assert isinstance(error, Unavailable)
        self.abandoned.set()


def idle() -> bool:
    return False


def put(queue: FairQueue, seconds: float = 1.0, request: str = "a") -> Ticket:
    return queue.put(Window(0, 0, as_int16(noise(seconds)), ()), RecognitionOptions(request))


def test_an_engine_warms_up_before_its_start_returns() -> None:
    engine = Scripted(idle)
    engine.start()
    assert engine.warmed == ["Scripted"]
    engine.check()
    engine.stop(ANSWER_S)


def test_a_start_raises_what_the_warming_up_raises() -> None:
    class Cold(Scripted):
        def warm_up(self) -> None:
            raise Unavailable("Too cold.")

    engine = Cold(idle)
    with pytest.raises(Unavailable, match="Too cold"):
        engine.start()
    with pytest.raises(Unavailable, match="Too cold"):
        engine.check()


def test_an_engine_that_was_not_started_is_not_healthy() -> None:
    with pytest.raises(Unavailable, match="not running"):
        Scripted(idle).check()


def test_an_engine_that_was_stopped_is_not_healthy_and_answers_all() -> None:
    engine = Scripted(idle)
    engine.start()
    waiting = put(engine.queue)
    engine.stop(ANSWER_S)
    with pytest.raises(Unavailable, match="shutting down"):
        done(waiting)
    assert engine.abandoned.wait(ANSWER_S)
    with pytest.raises(Unavailable, match="not running"):
        engine.check()
    with pytest.raises(Unavailable):
        put(engine.queue)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_broke_is_not_healthy_says_why_and_answers_all() -> None:
    go = threading.Event()

    def broken() -> bool:
        assert go.wait(ANSWER_S)
        raise MemoryError("the device fell off")

    engine = Scripted(broken)
    engine.start()
    waiting = put(engine.queue)
    go.set()
    with pytest.raises(Unavailable, match="ended before it was done") as error:
        done(waiting)
    assert error.value.retry_after == 1
    assert engine.abandoned.wait(ANSWER_S)
    with pytest.raises(Unavailable, match="failed: the device fell off"):
        engine.check()
    engine.stop(ANSWER_S)


def test_an_engine_that_no_longer_moves_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def stuck() -> bool:
        assert go.wait(ANSWER_S)
        return False

    engine = Scripted(stuck)
    engine.start()
    assert engine.turned.wait(ANSWER_S)
    engine.check()
    monkeypatch.setattr(engine, "_alive_at", engine._alive_at - STUCK_S)
    with pytest.raises(Unavailable, match="has not moved for 12"):
        engine.check()
    go.set()
    engine.stop(ANSWER_S)
