import asyncio
from collections.abc import Mapping

import numpy as np
import pytest

from interchange import samples as cutting
from interchange import stages
from interchange.errors import DiarizationFailed, QueueFull
from interchange.stages import (
    SAMPLE_RATE,
    AnalysisOptions,
    DiarizationOptions,
    Int16,
    Speakers,
    Stretch,
)
from interchange.transcript import Turn
from serve_app.transcription.events import FinishedStretch
from serve_app.transcription.recording import diarization
from serve_app.transcription.recording.diarization import RecordingDiarization
from tests.fakes.stages import FakeDiarizer

STRETCH, REACH = SAMPLE_RATE, SAMPLE_RATE // 10
TURNS = (Turn(0, 10, "SPEAKER_00"),)
OPTIONS = DiarizationOptions(priority="bulk")


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cutting, stages):
        monkeypatch.setattr(module, "STRETCH", STRETCH)
    monkeypatch.setattr(cutting, "STRETCH_REACH", REACH)


def samples(stretches: float) -> Int16:
    return np.arange(round(stretches * STRETCH)).astype(np.int16)


async def diarize(
    diarizer: FakeDiarizer,
    recording: Int16,
    finished: Mapping[int, FinishedStretch] | None = None,
    model: str = "model",
) -> tuple[Speakers, list[FinishedStretch]]:
    told: list[FinishedStretch] = []
    with RecordingDiarization(
        diarizer, "r", OPTIONS, voice_model=model, finished=finished or {}, tell=told.append
    ) as subject:
        subject.feed(recording)
        subject.end()
        return await subject.run(), told


async def test_stretches_are_analysed_and_then_told_apart() -> None:
    diarizer = FakeDiarizer(TURNS)
    recording = samples(2.5)
    found, told = await diarize(diarizer, recording)
    assert found.turns == TURNS
    assert [stretch.number for stretch in diarizer.stretches] == [0, 1, 2]
    assert [each.analysis for each in told] == diarizer.told_apart == [b"0", b"1", b"2"]
    assert diarizer.seconds == len(recording) / SAMPLE_RATE
    assert diarizer.options == OPTIONS
    for stretch in diarizer.stretches:
        begin = stretch.number * STRETCH
        expected = recording[begin : begin + len(stretch.samples)]
        np.testing.assert_array_equal(stretch.samples, expected)


async def test_analyses_are_in_order_whichever_ends_first() -> None:
    class Backwards(FakeDiarizer):
        async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
            while len(done) < 3 - stretch.number:
                await asyncio.sleep(0)
            done.append(stretch.number)
            return await super().analyse(stretch, options)

    done: list[int] = []
    diarizer = Backwards(TURNS)
    _, told = await diarize(diarizer, samples(3.5))
    assert [each.number for each in told] == [3, 2, 1, 0]
    assert diarizer.told_apart == [b"0", b"1", b"2", b"3"]


async def test_a_long_recording_asks_for_some_stretches_at_once() -> None:
    diarizer = FakeDiarizer(TURNS, gate=asyncio.Event())
    running = asyncio.create_task(diarize(diarizer, samples(11)))
    while diarizer.running < diarization.IN_FLIGHT:
        await asyncio.sleep(0.001)
    assert diarizer.gate is not None
    diarizer.gate.set()
    await running
    assert max(diarizer.in_flight) == diarization.IN_FLIGHT
    assert len(diarizer.told_apart) == 11


async def test_what_an_earlier_try_finished_is_not_analysed_again() -> None:
    _, first = await diarize(FakeDiarizer(TURNS), samples(2.5))
    finished = {each.number: each for each in first if each.number != 1}
    diarizer = FakeDiarizer(TURNS)
    _, told = await diarize(diarizer, samples(2.5), finished)
    assert [stretch.number for stretch in diarizer.stretches] == [1]
    assert told == first[1:2]
    assert diarizer.told_apart == [b"0", b"1", b"2"]


async def test_other_samples_and_another_model_are_analysed_again() -> None:
    _, first = await diarize(FakeDiarizer(TURNS), samples(2.5))
    finished = {each.number: each for each in first}
    changed = samples(2.5)
    changed[STRETCH + 1] += 1
    diarizer = FakeDiarizer(TURNS)
    await diarize(diarizer, changed, finished)
    assert [stretch.number for stretch in diarizer.stretches] == [0, 1], "which have it in common"
    diarizer = FakeDiarizer(TURNS)
    await diarize(diarizer, samples(2.5), finished, model="another")
    assert len(diarizer.stretches) == 3


async def test_a_recording_waits_for_a_diarizer_that_is_full() -> None:
    class Full(FakeDiarizer):
        async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
            if refusals:
                raise refusals.pop()
            return await super().analyse(stretch, options)

        async def speakers(self, *_: object) -> Speakers:
            if refusals_in_the_end:
                raise refusals_in_the_end.pop()
            return Speakers(TURNS)

    refusals = [QueueFull("Full.", 0) for _ in range(3)]
    refusals_in_the_end = [QueueFull("Full.", 0)]
    found, _ = await diarize(Full(), samples(1.5))
    assert found.turns == TURNS


async def test_a_fault_ends_what_else_is_in_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeDiarizer):
        async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
            if stretch.number == 1:
                while self.running < 2:
                    await asyncio.sleep(0.001)
                raise DiarizationFailed("No.")
            return await super().analyse(stretch, options)

    monkeypatch.setattr(diarization, "IN_FLIGHT", 3)
    diarizer = Broken(gate=asyncio.Event())
    with pytest.raises(ExceptionGroup) as caught:
        await diarize(diarizer, samples(5))
    assert [str(error) for error in caught.value.exceptions] == ["No."]
    assert diarizer.cancelled == 2
    assert not diarizer.told_apart
