import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from interchange import measures
from interchange.errors import (
    DiarizationFailed,
    QueueFull,
    RecognitionFailed,
    UndecodableRecording,
)
from interchange.stages import (
    DiarizationOptions,
    LoadEvent,
    LoadOptions,
    RecognitionOptions,
    Source,
    SpeechDetection,
    Window,
)
from interchange.tracing import spans as tracing
from interchange.transcript import Turn, WindowTranscript
from serve_app.transcription.events import (
    Progress,
    Resume,
    SegmentReady,
    StretchDone,
    TranscriptReady,
    TurnsReady,
    WindowDone,
)
from serve_app.transcription.request import TranscriptionRequest
from tests.fakes.stages import (
    FakeDiarizer,
    FakeLoader,
    FakeRecognizer,
    window,
    words_of,
)
from tests.support.figures import Figures
from tests.unit.serve_app.transcription.support import (
    REQUEST,
    WITH_SPEAKERS,
    events_of,
    transcriber,
)


async def test_segments_come_in_order_whatever_the_order_of_recognition() -> None:
    gates = {index: asyncio.Event() for index in range(4)}

    class Backwards(FakeRecognizer):
        async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
            await gates[window.index].wait()
            return words_of(window, options)

    loader = FakeLoader([window(index) for index in range(4)])
    running = asyncio.create_task(events_of(transcriber(loader, Backwards())))
    for index in reversed(range(4)):
        await asyncio.sleep(0)
        gates[index].set()
    events = await running

    texts = [event.segment.text for event in events if isinstance(event, SegmentReady)]
    assert texts == [" window 0", " window 1", " window 2", " window 3"]
    assert isinstance(events[-1], TranscriptReady)
    assert events[-1].transcript.text == "".join(texts)
    assert events[-1].transcript.duration == 40.0


async def test_all_windows_are_in_recognition_at_once_up_to_the_bound() -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    loader = FakeLoader([window(index) for index in range(20)])
    running = asyncio.create_task(events_of(transcriber(loader, recognizer, in_flight=5)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert recognizer.running == 5
    assert loader.yielded <= 8, "a recognition that is busy holds the loader back"
    assert recognizer.gate is not None
    recognizer.gate.set()
    await running
    assert recognizer.most_running == 5
    assert len(recognizer.calls) == 20


async def test_diarization_does_not_wait_for_a_busy_recognition() -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    diarizer = FakeDiarizer((Turn(0, 200, "SPEAKER_00"),))
    loader = FakeLoader([window(index) for index in range(20)])
    subject = transcriber(loader, recognizer, diarizer, in_flight=2)
    async with aclosing(subject.transcribe(WITH_SPEAKERS)) as events:
        async for event in events:
            if isinstance(event, TurnsReady):
                break
    assert diarizer.seconds == 200
    assert [stretch.seconds for stretch in diarizer.stretches] == [180, 20]
    assert len(recognizer.calls) == 2, "nothing was recognized yet"


async def test_diarization_does_not_wait_for_a_slow_loader() -> None:
    """Nor does a loader that has not ended keep a diarizer busy."""
    rest = asyncio.Event()

    class Slow(FakeLoader):
        async def load(
            self, source: Source, options: LoadOptions
        ) -> AsyncGenerator[LoadEvent, None]:
            async with aclosing(super().load(source, options)) as events:
                async for event in events:
                    if isinstance(event, Window) and event.index == 20:
                        await rest.wait()
                    yield event

    diarizer = FakeDiarizer((Turn(0, 400, "SPEAKER_00"),))
    subject = transcriber(Slow([window(index) for index in range(40)]), diarizer=diarizer)
    done = []
    async with aclosing(subject.transcribe(WITH_SPEAKERS)) as events:
        async for event in events:
            if isinstance(event, StretchDone):
                done.append(event.stretch.number)
                assert diarizer.running == 0
                assert rest.is_set() or done == [0]
                rest.set()
    assert done == [0, 1, 2]
    assert diarizer.told_apart == [b"0", b"1", b"2"]


async def test_windows_parked_on_disk_come_back_whole() -> None:
    windows = [window(index) for index in range(30)]
    recognizer = FakeRecognizer()
    subject = transcriber(FakeLoader(windows), recognizer, in_flight=1)
    transcript = await subject.run(WITH_SPEAKERS)
    assert len(transcript.segments) == 30
    for given, (got, _) in zip(windows, recognizer.calls, strict=True):
        assert (got.index, got.offset, got.speech) == (given.index, given.offset, given.speech)
        assert (got.samples == given.samples).all()


async def test_speakers_are_given_to_words() -> None:
    turns = (Turn(0, 10, "SPEAKER_00"), Turn(10, 20, "SPEAKER_01"))
    diarizer = FakeDiarizer(turns)
    subject = transcriber(FakeLoader([window(0), window(1)]), diarizer=diarizer)
    transcript = await subject.run(replace(WITH_SPEAKERS, num_speakers=2))
    assert diarizer.options == DiarizationOptions(num_speakers=2)
    assert [segment.speaker for segment in transcript.segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert transcript.turns == turns
    called = await subject.run(replace(WITH_SPEAKERS, speaker_names=("Ann",)))
    assert [segment.speaker for segment in called.segments] == ["Ann", "SPEAKER_01"]


async def test_voices_of_speakers_are_given_where_they_are_asked_for() -> None:
    turns = (Turn(0, 10, "SPEAKER_00"), Turn(10, 20, "SPEAKER_01"))
    subject = transcriber(FakeLoader([window(0), window(1)]), diarizer=FakeDiarizer(turns))
    asked = replace(WITH_SPEAKERS, speaker_embeddings=True, speaker_names=("Ann",))
    assert (await subject.run(asked)).voices == {"Ann": (0.0,), "SPEAKER_01": (1.0,)}
    assert (await subject.run(WITH_SPEAKERS)).voices == {}


async def test_no_speakers_unless_asked_for() -> None:
    loader = FakeLoader([window(0)])
    transcript = await transcriber(loader).run(REQUEST)
    assert transcript.turns is None
    assert not loader.loads[0][1].pcm


async def test_a_recording_without_speech_has_an_empty_transcript() -> None:
    diarizer = FakeDiarizer()
    transcript = await transcriber(FakeLoader([]), diarizer=diarizer).run(WITH_SPEAKERS)
    assert transcript.text == ""
    assert transcript.language == "und"
    assert transcript.turns == ()
    assert not diarizer.stretches
    assert transcript.quality.silent == transcript.duration == 3.0
    assert transcript.quality.silence_score == 1.0


async def test_what_loading_says_is_missing_comes_into_the_account() -> None:
    loader = FakeLoader([window(0)], notes=("The file ends early.",))
    transcript = await transcriber(loader).run(REQUEST)
    assert transcript.quality.notes == ("The file ends early.",)


async def test_every_second_is_accounted_for() -> None:
    def answer(window: Window, options: RecognitionOptions) -> WindowTranscript:
        said = words_of(window, options)
        match window.index:
            case 0:
                return replace(said, segments=(), no_speech_prob=0.7)
            case 1:
                return replace(said, segments=(), failed="The device was lost.")
            case 2:
                return replace(said, decoded_again=1)
        return said

    windows = [window(index, start=20 * index) for index in range(4)]
    quality = (await transcriber(FakeLoader(windows), FakeRecognizer(answer)).run(REQUEST)).quality
    assert quality.transcribed == 20.0
    assert quality.failed == 10.0
    assert quality.decoded_again == 10.0
    assert quality.transcribed + quality.silent + quality.failed == 70.0
    assert quality.notes == (
        "10.0 s of the recording could not be recognized, the first of them from 20.0 s to "
        "30.0 s: The device was lost.",
    )
    # Thirty seconds between the windows, in which voice activity found nobody, and the first.
    assert quality.silence_score == pytest.approx((30 * 1 + 10 * 0.7) / 40)


async def test_a_recording_of_which_nothing_was_recognized_is_an_error() -> None:
    def fail(window: Window, options: RecognitionOptions) -> WindowTranscript:
        return replace(words_of(window, options), segments=(), failed="The device was lost.")

    with pytest.raises(RecognitionFailed, match="device was lost"):
        await transcriber(FakeLoader([window(0)]), FakeRecognizer(fail)).run(REQUEST)


@pytest.mark.parametrize("request_", [REQUEST, WITH_SPEAKERS])
async def test_a_fault_of_the_loader_ends_all_work(request_: TranscriptionRequest) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    loader = FakeLoader([window(0), window(1)], UndecodableRecording("This is not audio."))
    with pytest.raises(UndecodableRecording):
        await transcriber(loader, recognizer).run(request_)
    assert recognizer.running == 0


async def test_a_fault_of_diarization_is_reported_as_itself() -> None:
    diarizer = FakeDiarizer(error=DiarizationFailed("No."))
    with pytest.raises(DiarizationFailed):
        await transcriber(FakeLoader([window(0)]), diarizer=diarizer).run(WITH_SPEAKERS)


async def test_closing_the_events_cancels_every_stage() -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    loader = FakeLoader([window(index) for index in range(50)])
    events = transcriber(loader, recognizer, in_flight=3).transcribe(REQUEST)
    reading = asyncio.create_task(anext(events))
    while recognizer.running < 3:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert recognizer.cancelled == 3
    assert loader.closed


async def test_closing_the_events_cancels_diarization() -> None:
    diarizer = FakeDiarizer(gate=asyncio.Event())
    loader = FakeLoader([window(index) for index in range(50)])
    running = asyncio.create_task(events_of(transcriber(loader, diarizer=diarizer), WITH_SPEAKERS))
    while diarizer.running < 3:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (diarizer.running, diarizer.cancelled) == (0, 3)


async def test_a_begun_recording_waits_for_room_but_a_new_one_is_turned_away() -> None:
    refusals = iter([None, QueueFull("Full.", 0), QueueFull("Full.", 0), None])

    def answer(window: Window, options: RecognitionOptions) -> WindowTranscript:
        if (refusal := next(refusals)) is not None:
            raise refusal
        return words_of(window, options)

    windows = [window(0), window(1)]
    subject = transcriber(FakeLoader(windows), FakeRecognizer(answer), in_flight=1)
    assert (await subject.run(REQUEST)).text == " window 0 window 1"

    refusals = iter([QueueFull("Full.", 0)])
    with pytest.raises(QueueFull):
        await subject.run(REQUEST)


async def test_an_outvoted_window_is_decoded_again_in_the_language_of_the_others() -> None:
    def answer(window: Window, options: RecognitionOptions) -> WindowTranscript:
        said = words_of(window, options)
        if window.index == 2 and options.language is None:
            detected = (("cy", 0.4), ("en", 0.3))
            return replace(said, language="cy", language_probabilities=detected)
        return said

    recognizer = FakeRecognizer(answer)
    windows = [window(index) for index in range(3)]
    events = await events_of(transcriber(FakeLoader(windows), recognizer, in_flight=1))
    assert [options.language for _, options in recognizer.calls] == [None, None, None, "en"]
    done = {event.window.index: event.window for event in events if isinstance(event, WindowDone)}
    assert [each.language for each in done.values()] == ["en", "en", "en"]
    assert done[2].decoded_again == 1
    calls = len(recognizer.calls)
    resumed = await events_of(transcriber(FakeLoader(windows), recognizer), resume=Resume(done))
    assert len(recognizer.calls) == calls, "what was overruled once is not decoded a third time"
    assert isinstance(events[-1], TranscriptReady)
    assert isinstance(resumed[-1], TranscriptReady)
    assert resumed[-1].transcript.segments == events[-1].transcript.segments
    assert resumed[-1].transcript.language == events[-1].transcript.language


async def test_a_window_sure_of_another_language_keeps_it() -> None:
    def answer(window: Window, options: RecognitionOptions) -> WindowTranscript:
        language = "de" if window.index == 2 else "en"
        return replace(
            words_of(window, options), language=language, language_probabilities=((language, 0.9),)
        )

    recognizer = FakeRecognizer(answer)
    windows = [window(index) for index in range(3)]
    transcript = await transcriber(FakeLoader(windows), recognizer).run(REQUEST)
    assert len(recognizer.calls) == 3
    assert transcript.language == "en"


async def test_a_resumed_recording_repeats_no_finished_window_and_stretch() -> None:
    windows = [window(index) for index in range(40)]
    turns = (Turn(0, 250, "SPEAKER_00"), Turn(250, 400, "SPEAKER_01"))
    first = await events_of(
        transcriber(FakeLoader(windows), diarizer=FakeDiarizer(turns)), WITH_SPEAKERS
    )
    kept = Resume(
        {
            event.window.index: event.window
            for event in first
            if isinstance(event, WindowDone) and event.window.index != 2
        },
        {
            event.stretch.number: event.stretch
            for event in first
            if isinstance(event, StretchDone) and event.stretch.number != 1
        },
    )
    recognizer, diarizer = FakeRecognizer(), FakeDiarizer(turns)
    asked = replace(WITH_SPEAKERS, speaker_embeddings=True)
    second = await events_of(
        transcriber(FakeLoader(windows), recognizer, diarizer), asked, resume=kept
    )
    assert [window.index for window, _ in recognizer.calls] == [2]
    assert [stretch.number for stretch in diarizer.stretches] == [1]
    assert diarizer.told_apart == [b"0", b"1", b"2"]
    assert isinstance(first[-1], TranscriptReady)
    assert isinstance(second[-1], TranscriptReady)
    assert second[-1].transcript.segments == first[-1].transcript.segments
    assert set(second[-1].transcript.voices) == {"SPEAKER_00", "SPEAKER_01"}


async def test_progress_ends_at_the_whole_recording() -> None:
    events = await events_of(transcriber(FakeLoader([window(0), window(1)])))
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1] == Progress(loaded=20.0, recognized=20.0, total=20.0)
    assert [event.recognized for event in progress] == sorted(e.recognized for e in progress)


async def test_what_nobody_said_is_recognized_too() -> None:
    """Silence behind the last window must not look like work that is left."""
    events = await events_of(transcriber(FakeLoader([])))
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1] == Progress(loaded=3.0, recognized=3.0, total=3.0)


async def test_a_window_is_kept_as_soon_as_it_is_recognized() -> None:
    class FirstIsStuck(FakeRecognizer):
        async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
            if window.index == 0:
                await asyncio.Event().wait()
            return words_of(window, options)

    loader = FakeLoader([window(index) for index in range(3)])
    done = []
    async with aclosing(transcriber(loader, FirstIsStuck()).transcribe(REQUEST)) as events:
        async for event in events:
            if isinstance(event, WindowDone):
                done.append(event.window.index)
            if len(done) == 2:
                break
    assert done == [1, 2]


async def test_a_window_of_a_changed_recording_is_recognized_again() -> None:
    recognizer = FakeRecognizer()
    before = {0: words_of(window(0, seconds=9.0), RecognitionOptions("r"))}
    subject = transcriber(FakeLoader([window(0)]), recognizer)
    await events_of(subject, resume=Resume(before))
    assert len(recognizer.calls) == 1


async def test_a_failed_window_is_given_another_chance() -> None:
    def fail(window: Window, options: RecognitionOptions) -> WindowTranscript:
        said = words_of(window, options)
        return replace(said, segments=(), failed="No.") if window.index == 1 else said

    loader = FakeLoader([window(0), window(1)])
    events = await events_of(transcriber(loader, FakeRecognizer(fail)))
    assert [e.window.index for e in events if isinstance(e, WindowDone)] == [0]


async def test_what_is_asked_of_loading_and_recognition_reaches_them() -> None:
    loader, recognizer = FakeLoader([window(0)]), FakeRecognizer()
    detection = SpeechDetection(threshold=0.7, silence_s=0.5, padding_s=0.1)
    asked = replace(REQUEST, first_window_s=8.0, detection=detection, logprobs=True)
    await events_of(transcriber(loader, recognizer), asked)
    assert loader.loads[0][1] == LoadOptions(False, 8.0, detection, "auto")
    assert recognizer.calls[0][1].logprobs


async def test_what_became_of_a_recording_is_measured() -> None:
    with measures.heard_by(Figures()) as figures:
        await events_of(transcriber(FakeLoader([window(0), window(1)])), WITH_SPEAKERS)
    assert figures.of(measures.RECORDINGS, outcome="completed") == [1]
    assert len(figures.of(measures.REAL_TIME_FACTOR)) == 1
    for stage in ("load", "recognize", "diarize", "total"):
        assert len(figures.of(measures.STAGE_SECONDS, stage=stage)) == 1
    (transcribed,) = figures.of(measures.RECORDING_AUDIO, became="transcribed")
    assert transcribed > 0


async def test_how_a_recording_ends_is_measured() -> None:
    with measures.heard_by(Figures()) as figures:
        for error in (UndecodableRecording("no audio"), RecognitionFailed("broken")):
            with pytest.raises(type(error)):
                await events_of(transcriber(FakeLoader([window(0)], error=error)))
    assert figures.of(measures.RECORDINGS, outcome="refused") == [1]
    assert figures.of(measures.RECORDINGS, outcome="failed") == [1]


async def test_one_recording_is_one_trace_with_a_span_for_each_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    loader = FakeLoader([window(0), window(1)])
    await events_of(transcriber(loader, diarizer=FakeDiarizer((Turn(0, 20, "S"),))), WITH_SPEAKERS)
    spans = exporter.get_finished_spans()
    assert Counter(each.name for each in spans) == Counter(
        {"recording": 1, "load": 1, "window": 2, "diarize": 1, "merge": 1}
    )
    (recording,) = (each for each in spans if each.name == "recording")
    assert recording.context is not None
    for each in spans:
        if each is not recording:
            assert each.parent is not None
            assert each.parent.span_id == recording.context.span_id, each.name


async def test_a_window_says_how_many_of_its_recording_are_in_recognition() -> None:
    gate = asyncio.Event()
    recognizer = FakeRecognizer(gate=gate)
    subject = transcriber(FakeLoader([window(n) for n in range(5)]), recognizer, in_flight=3)
    work = asyncio.create_task(subject.run(REQUEST))
    while recognizer.running < 3:
        await asyncio.sleep(0)
    gate.set()
    await work
    told = [options.in_flight for _, options in recognizer.calls]
    assert max(told[:3]) == 3
    assert all(1 <= each <= 3 for each in told)
