"""What was worked off is known for a day."""

from serve_app.transcription.usage import Usage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_day_counts_and_what_is_older_is_forgotten() -> None:
    clock = Clock()
    usage = Usage(clock)
    for hour in range(30):
        clock.now = hour * 3600.0
        usage.add("phone", 60)
        usage.add("tablet", 1)
    clock.now += 600  # what is forgotten at once
    assert usage.seconds("phone") == 60 * 24
    assert usage.seconds("tablet") == 24
    clock.now += 25 * 3600
    assert usage.seconds("phone") == 0
    assert usage.seconds("phone") == 0


def test_what_has_no_key_has_no_quota() -> None:
    usage = Usage(Clock())
    usage.add("", 60)
    assert usage.seconds("") == 0
    assert usage.seconds("nobody") == 0
