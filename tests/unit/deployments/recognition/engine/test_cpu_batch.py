"""Who sits where in the running batch."""

import random

import torch

from deployments.recognition.engine.batch import Batch, Seat
from tests.unit.deployments.recognition.support import Whisper


def test_whoever_comes_and_goes_the_hurried_have_the_last_of_the_rows_in_use(
    whisper: Whisper,
) -> None:
    draw = random.Random(0)
    batch = Batch(whisper.ours, 6)
    seats: list[Seat] = []
    with torch.inference_mode():
        for _ in range(300):
            if batch.room and (not seats or draw.random() < 0.55):
                seats.append(batch.sit(hurried=draw.random() < 0.4))
                # Stands for all that a row holds, and moves with it.
                batch._slots.tokens[seats[-1].row] = id(seats[-1]) % 10_000
            else:
                batch.leave(seats.pop(draw.randrange(len(seats))))
            seats.sort(key=lambda seat: seat.row)
            assert [seat.row for seat in seats] == list(range(len(batch)))
            assert [seat.hurried for seat in seats] == sorted(seat.hurried for seat in seats)
            assert batch.mixed == (len({seat.hurried for seat in seats}) == 2)
            held = batch._slots.tokens[: len(batch)].tolist()
            assert held == [id(seat) % 10_000 for seat in seats]
