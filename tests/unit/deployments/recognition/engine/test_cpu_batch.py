"""Who sits where in the running batch."""

import random

import torch

from deployments.recognition.engine.cpu_batch import CpuBatch, Slot
from tests.unit.deployments.recognition.support import Whisper


def test_whoever_comes_and_goes_the_urgent_have_the_last_of_the_rows_in_use(
    whisper: Whisper,
) -> None:
    draw = random.Random(0)
    batch = CpuBatch(whisper.ours, 6)
    slots: list[Slot] = []
    with torch.inference_mode():
        for _ in range(300):
            if batch.room and (not slots or draw.random() < 0.55):
                slots.append(batch.take(urgent=draw.random() < 0.4))
                # Stands for all that a row holds, and moves with it.
                batch._state.tokens[slots[-1].row] = id(slots[-1]) % 10_000
            else:
                batch.leave(slots.pop(draw.randrange(len(slots))))
            slots.sort(key=lambda slot: slot.row)
            assert [slot.row for slot in slots] == list(range(len(batch)))
            assert [slot.urgent for slot in slots] == sorted(slot.urgent for slot in slots)
            assert batch.mixed == (len({slot.urgent for slot in slots}) == 2)
            held = batch._state.tokens[: len(batch)].tolist()
            assert held == [id(slot) % 10_000 for slot in slots]
