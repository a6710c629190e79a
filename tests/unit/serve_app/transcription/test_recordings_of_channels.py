"""Recordings of which channels are recognized by themselves, in a part or all of it."""

from dataclasses import replace

from interchange.stages import (
    Apart,
    RecognitionOptions,
    Voice,
    Window,
)
from interchange.transcript import Turn, WindowTranscript, Word
from serve_app.transcription.events import (
    Progress,
    Resume,
    SegmentReady,
    StretchDone,
    TranscriptReady,
    TurnsReady,
    WindowDone,
)
from tests.fakes.stages import (
    HEARD,
    FakeDiarizer,
    FakeLoader,
    FakeRecognizer,
    window,
    words_of,
)
from tests.unit.serve_app.transcription.support import (
    REQUEST,
    WITH_SPEAKERS,
    events_of,
    transcriber,
)


def two_channels() -> FakeLoader:
    """Windows of 10 s, those of the second channel 4 s later."""
    windows = [
        window(number, start=10 * (number // 2) + 4 * (number % 2), channel=number % 2)
        for number in range(6)
    ]
    return FakeLoader(windows, apart=(Apart(0.0, 34.0, 2),))


async def test_channels_are_recognized_each_by_itself_and_put_in_order() -> None:
    loader, recognizer, diarizer = two_channels(), FakeRecognizer(), FakeDiarizer()
    events = await events_of(transcriber(loader, recognizer, diarizer), WITH_SPEAKERS)
    assert isinstance(events[-1], TranscriptReady)
    transcript = events[-1].transcript
    assert [(got.channel, got.index) for got, _ in recognizer.calls] == [
        (number % 2, number) for number in range(6)
    ]
    said = [event.segment for event in events if isinstance(event, SegmentReady)]
    assert tuple(said) == transcript.segments, "with their speakers at once"
    assert [segment.start for segment in said] == [0, 4, 10, 14, 20, 24]
    assert [segment.channel for segment in said] == [0, 1] * 3
    assert [segment.speaker for segment in said] == ["SPEAKER_00", "SPEAKER_01"] * 3
    assert {word.speaker for word in said[0].words} == {"SPEAKER_00"}
    assert transcript.turns == (Turn(0, 30, "SPEAKER_00"), Turn(4, 34, "SPEAKER_01"))
    assert transcript.duration == 34
    assert transcript.quality.channels == 2
    assert transcript.quality.transcribed + transcript.quality.silent == 68
    assert not diarizer.stretches


async def test_segments_of_channels_come_as_soon_as_none_can_precede_them() -> None:
    """Those of the second window begin before some of the first."""

    def halves(window: Window, options: RecognitionOptions) -> WindowTranscript:
        whole = words_of(window, options)
        (segment,) = whole.segments
        middle = (segment.start + segment.end) / 2
        parts = replace(segment, end=middle), replace(segment, start=middle)
        return replace(whole, segments=parts)

    events = await events_of(transcriber(two_channels(), FakeRecognizer(halves)), WITH_SPEAKERS)
    said = [each for each in events if isinstance(each, SegmentReady | Progress)]
    starts = [each.segment.start for each in said if isinstance(each, SegmentReady)]
    assert starts == [0, 4, 5, 9, 10, 14, 15, 19, 20, 24, 25, 29]
    first = next(n for n, each in enumerate(said) if isinstance(each, SegmentReady))
    recognized = [each.recognized for each in said[first:] if isinstance(each, Progress)]
    assert recognized[0] < recognized[-1] == 34, "before all is recognized"
    assert recognized == sorted(recognized)


async def test_channels_have_the_names_that_were_given_and_none_unless_asked() -> None:
    named = replace(WITH_SPEAKERS, speaker_names=("Ann",))
    transcript = await transcriber(two_channels()).run(named)
    assert {segment.speaker for segment in transcript.segments} == {"Ann", "SPEAKER_01"}
    assert transcript.turns is not None
    assert {turn.speaker for turn in transcript.turns} == {"Ann", "SPEAKER_01"}
    plain = await transcriber(two_channels()).run(REQUEST)
    assert {segment.speaker for segment in plain.segments} == {None}
    assert plain.turns is None
    assert len(plain.segments) == 6


async def test_a_channel_is_called_by_the_voice_that_the_mix_knows() -> None:
    diarizer = FakeDiarizer((Turn(0, 30, "Ann"), Turn(5, 34, "SPEAKER_00")))
    known = replace(WITH_SPEAKERS, known_speakers=(Voice("Ann", ((1.0,),), "model"),))
    events = await events_of(transcriber(two_channels(), diarizer=diarizer), known)
    assert isinstance(events[-1], TranscriptReady)
    transcript = events[-1].transcript
    assert [segment.speaker for segment in transcript.segments] == ["Ann", "SPEAKER_01"] * 3
    assert transcript.turns == (Turn(0, 30, "Ann"), Turn(4, 34, "SPEAKER_01"))
    early = [event.segment.speaker for event in events if isinstance(event, SegmentReady)]
    assert early == [None] * 6, "nobody is named before it is known"


async def test_speakers_of_the_mix_are_those_of_channels_where_they_are_heard_together() -> None:
    """A recording that is mixed first: one of its two speakers talks in a channel later."""
    windows = [window(0), window(1, start=10, channel=0), window(2, start=12, channel=1)]
    loader = FakeLoader(windows, apart=(Apart(10.0, 22.0, 2),))
    turns = (
        Turn(0, 4, "SPEAKER_00"),
        Turn(4, 11, "SPEAKER_01"),
        Turn(12.5, 22, "SPEAKER_01"),
        Turn(11, 12, "SPEAKER_02"),
    )

    def two_words(window: Window, options: RecognitionOptions) -> WindowTranscript:
        (segment,) = words_of(window, options).segments
        middle = window.start + 4
        words = (
            Word(" one.", window.start, middle, 0.9),
            Word(" two", middle, window.end, 0.9),
        )
        segment = replace(segment, words=words, text=" one. two")
        return WindowTranscript(window.index, window.start, window.end, (segment,), "en")

    subject = transcriber(loader, FakeRecognizer(two_words), FakeDiarizer(turns))
    events = await events_of(subject, WITH_SPEAKERS)
    assert isinstance(events[-1], TranscriptReady)
    transcript = events[-1].transcript
    said = [(each.text, each.start, each.speaker) for each in transcript.segments]
    assert said == [
        (" one.", 0, "SPEAKER_02"),  # a stranger to both channels
        (" two", 4, "SPEAKER_01"),
        (" one. two", 10, "SPEAKER_00"),
        (" one. two", 12, "SPEAKER_01"),
    ]
    assert transcript.turns is not None
    assert [(turn.start, turn.end) for turn in transcript.turns] == [
        (0, 4),
        (4, 10),
        (10, 20),
        (12, 22),
    ]
    assert not [event for event in events if isinstance(event, TurnsReady)]


async def test_voices_of_channels_are_heard_in_their_first_minute() -> None:
    windows = [window(n, 30.0, start=30 * (n // 2), channel=n % 2) for n in range(6)]
    diarizer = FakeDiarizer((Turn(0, 90, "Ann"),))
    loader = FakeLoader(windows, apart=(Apart(0.0, 90.0, 2),))
    asked = replace(WITH_SPEAKERS, speaker_embeddings=True)
    transcript = await transcriber(loader, diarizer=diarizer).run(asked)
    assert transcript.voices == {
        "SPEAKER_00": diarizer.heard.embedding,
        "SPEAKER_01": diarizer.heard.embedding,
    }
    assert diarizer.heard_seconds == [60.0, 60.0]
    assert not diarizer.stretches


async def test_a_channel_in_which_nobody_is_heard_has_no_voice() -> None:
    nobody = FakeDiarizer(heard=replace(HEARD, seconds=0.0))
    asked = replace(WITH_SPEAKERS, speaker_embeddings=True)
    assert (await transcriber(two_channels(), diarizer=nobody).run(asked)).voices == {}


async def test_one_channel_is_a_recording_like_any_other() -> None:
    diarizer = FakeDiarizer((Turn(0, 20, "SPEAKER_00"),))
    loader = FakeLoader([window(0), window(1)])
    separate = replace(WITH_SPEAKERS, channels="separate")
    transcript = await transcriber(loader, diarizer=diarizer).run(separate)
    assert loader.loads[0][1].channels == "separate"
    assert diarizer.seconds == 20
    assert [segment.speaker for segment in transcript.segments] == ["SPEAKER_00"] * 2
    assert transcript.quality.channels == 1


async def test_a_resumed_recording_of_channels_goes_on() -> None:
    first = await events_of(transcriber(two_channels()), WITH_SPEAKERS)
    done = {each.window.index: each.window for each in first if isinstance(each, WindowDone)}
    del done[3]
    recognizer = FakeRecognizer()
    again = await events_of(transcriber(two_channels(), recognizer), WITH_SPEAKERS, Resume(done))
    assert [got.index for got, _ in recognizer.calls] == [3]
    assert isinstance(first[-1], TranscriptReady)
    assert isinstance(again[-1], TranscriptReady)
    assert again[-1].transcript.segments == first[-1].transcript.segments


async def test_a_resumed_recording_of_partly_mixed_channels_repeats_no_stretch() -> None:
    windows = [
        *(window(number) for number in range(19)),
        *(window(19 + number, start=190 + 2 * number, channel=number) for number in range(2)),
    ]
    apart = (Apart(190.0, 202.0, 2),)
    turns = (Turn(0, 200, "SPEAKER_00"),)
    first = await events_of(
        transcriber(FakeLoader(windows, apart=apart), diarizer=FakeDiarizer(turns)), WITH_SPEAKERS
    )
    done = {each.stretch.number: each.stretch for each in first if isinstance(each, StretchDone)}
    assert set(done) == {0, 1}
    diarizer = FakeDiarizer(turns)
    again = transcriber(FakeLoader(windows, apart=apart), diarizer=diarizer)
    second = await events_of(again, WITH_SPEAKERS, Resume({}, done))
    assert not diarizer.stretches
    assert isinstance(first[-1], TranscriptReady)
    assert isinstance(second[-1], TranscriptReady)
    assert second[-1].transcript.turns == first[-1].transcript.turns
