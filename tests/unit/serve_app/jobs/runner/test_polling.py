import asyncio
from collections.abc import Callable, Coroutine

import pytest

from serve_app.jobs.runner.polling import Polling


async def test_it_calls_at_once_and_later() -> None:
    subject = Polling(poll_s=10**6)
    subject.about_to_look()
    subject.wake()
    await subject.wait()
    subject.about_to_look()
    subject.wake(in_s=0.001)
    await subject.wait()


async def test_a_ring_ends_the_wait() -> None:
    subject = Polling(poll_s=10**6)
    subject.about_to_look()
    waiting = asyncio.create_task(subject.wait())
    await asyncio.sleep(0)
    subject.wake()
    await waiting


@pytest.mark.parametrize("again", [Polling.wake, Polling.found])
async def test_without_a_ring_it_calls_more_and_more_seldom(
    monkeypatch: pytest.MonkeyPatch, again: Callable[[Polling], None]
) -> None:
    waits: list[float] = []

    async def never_rung(ring: Coroutine[object, object, bool], seconds: float) -> None:
        ring.close()
        waits.append(seconds)
        raise TimeoutError

    monkeypatch.setattr("asyncio.wait_for", never_rung)
    monkeypatch.setattr("random.uniform", lambda low, _: low)
    subject = Polling(poll_s=0.5)
    for _ in range(6):
        await subject.wait()
    assert waits == [0.5, 1, 2, 4, 5, 5]
    again(subject)
    await subject.wait()
    assert waits[-1] == 0.5
