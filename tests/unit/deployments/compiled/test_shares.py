import threading

import pytest

from deployments.compiled import shares


@pytest.mark.parametrize(("count", "threads"), [(10, 3), (2, 5), (1, 1), (7, 0)])
def test_everything_is_done_once(count: int, threads: int) -> None:
    done: list[tuple[int, int]] = []
    shares.share(count, threads, lambda first, last: done.append((first, last)))
    assert len(done) == max(1, min(count, threads))
    assert sorted(i for bounds in done for i in range(*bounds)) == list(range(count))


def test_threads_work_at_a_time() -> None:
    meet = threading.Barrier(2, timeout=60)

    def work(_first: int, _last: int) -> None:
        meet.wait()

    shares.share(2, 2, work)


def test_what_goes_wrong_elsewhere_is_raised() -> None:
    def work(first: int, _last: int) -> None:
        if first:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        shares.share(2, 2, work)


def test_what_is_allowed_is_a_threads_own() -> None:
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(shares.allowed()))
    shares.allow(3)
    other.start()
    other.join()
    assert (shares.allowed(), found) == (3, [1])
    shares.allow(1)
