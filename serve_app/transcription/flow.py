"""The flow of one recording through the stages.

Loading, recognition and diarization run at the same time. Windows go to recognition as they are
cut, several at once; segments leave in the recording's order as soon as they and all before
them are known.
"""

import asyncio
import logging
import math
import time
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, replace

from interchange import budget, measures
from interchange.errors import ClientError, QueueFull, RecognitionFailed, first_of
from interchange.stages import (
    Apart,
    AudioLoader,
    Diarization,
    Int16,
    Loaded,
    PcmBlock,
    RecognitionOptions,
    SpeakerDiarizer,
    SpeechRecognizer,
    Window,
)
from interchange.tracing.spans import span
from interchange.transcript import Quality, Segment, Transcript, Turn, WindowTranscript
from serve_app.transcription.backlog import Backlog
from serve_app.transcription.channels import FirstSpeech, People, Voices, said_by, speech_of
from serve_app.transcription.events import (
    Event,
    Progress,
    Resume,
    SegmentReady,
    TranscriptReady,
    TurnsReady,
    WindowDone,
)
from serve_app.transcription.language_votes import UNDETERMINED, LanguageVotes
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.speakers import assign, label, name_of, named

log = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Stages:
    """What a recording flows through; `windows_in_flight` bounds how many of its windows are in
    recognition at once."""

    loader: AudioLoader
    recognizer: SpeechRecognizer
    diarizer: SpeakerDiarizer
    windows_in_flight: int


class RecordingFlow:
    """The state of one recording on its way. What happens to it is put into `events`."""

    def __init__(
        self,
        stages: Stages,
        request: TranscriptionRequest,
        resume: Resume | None,
        events: asyncio.Queue[Event | None],
    ) -> None:
        self.stages = stages
        self.request = request
        self.resume = resume or Resume({})
        self.events = events
        self.options = request.recognition
        self.votes = LanguageVotes()
        self.windows: list[WindowTranscript] = []
        # Segments in order of time, and those that one of another channel may yet precede.
        self.segments: list[Segment] = []
        self.held: list[Segment] = []
        # Whether any window is of the mix, and when somebody speaks in each channel by itself.
        self.mixed = False
        self.spoken: list[Turn] = []
        # An earlier try kept no voices.
        known = request.speakers and not request.speaker_embeddings
        self.turns = self.resume.turns if known else None
        self.voices: Voices = {}
        # Of channels: what their voices are known by, and these.
        self.first_speech: defaultdict[int, FirstSpeech] = defaultdict(FirstSpeech)
        self.heard: dict[int, tuple[float, ...]] = {}
        self.loaded: Loaded | None = None
        self.loaded_until = 0.0
        self.recognized_until = 0.0
        self.all_recognized = False
        self.began = time.monotonic()
        self.stage_seconds: dict[str, float] = {}
        # Windows in recognition, in order; None after the last.
        self.tasks: asyncio.Queue[tuple[Window, asyncio.Task[WindowTranscript]] | None] = (
            asyncio.Queue()
        )
        self.room = asyncio.Semaphore(stages.windows_in_flight)
        self.in_flight = 0

    async def run(self) -> None:
        """Until the transcript is out. Cancelling stops all the work.

        Raises the errors of `interchange.errors`.
        """
        outcome = "failed"
        request = self.request
        try:
            with span("recording", priority=request.priority, speakers=request.speakers):
                async with budget.within(budget.left()):
                    await self._run()
            outcome = "completed"
        except ClientError:
            outcome = "refused"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            measures.RECORDINGS.record(outcome=outcome)
            took = time.monotonic() - self.began
            named = {"recording": request.id}
            log.info("A recording %s after %.1f s.", outcome, took, extra=named)

    async def _run(self) -> None:
        diarization: Diarization | None = None
        if self.request.speakers and self.turns is None:
            diarization = self.stages.diarizer.begin(self.request.diarization)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._load(group, diarization))
                group.create_task(self._emit())
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        self.stage_seconds["total"] = time.monotonic() - self.began
        with span("merge", windows=len(self.windows)):
            transcript = self._transcript()
        _measure(transcript)
        self.events.put_nowait(TranscriptReady(transcript))

    # ------------------------------------------------------------------ loading

    async def _load(self, group: asyncio.TaskGroup, diarization: Diarization | None) -> None:
        windows: asyncio.Queue[Window | None] = asyncio.Queue(1)
        with Backlog() as backlog:
            starter = group.create_task(self._start_windows(group, windows))
            options = self.request.loading(pcm=diarization is not None)
            load = self.stages.loader.load(self.request.source, options)
            with span("load") as loading:
                async with aclosing(load) as events:
                    async for event in events:
                        match event:
                            case Window():
                                self._note(event)
                                self.loaded_until = max(self.loaded_until, event.end)
                                park = diarization is not None
                                await self._hand_over(event, windows, backlog, park)
                            case PcmBlock() if diarization is not None:
                                await diarization.feed(event)
                            case Loaded():
                                self.loaded = event
                                self.loaded_until = event.duration
                                loading.set_attribute("audio_s", event.duration)
            self.stage_seconds["load"] = time.monotonic() - self.began
            self._progress()
            if diarization is not None and self._ask_diarizer:
                group.create_task(self._diarize(diarization))
            for channel, speech in self.first_speech.items():
                group.create_task(self._hear(channel, speech.samples))
            while backlog:
                await windows.put(backlog.get())
            await windows.put(None)
            await starter

    def _note(self, window: Window) -> None:
        """Keep in mind who speaks in a window, if that is to be known."""
        if window.channel is None:
            self.mixed = True
            return
        self.spoken += speech_of(window)
        if self.request.speaker_embeddings:
            self.first_speech[window.channel].add(window)

    @property
    def _ask_diarizer(self) -> bool:
        """Whether anybody has to be told by voice: not where each channel has a speaker."""
        return self.mixed or not self.spoken or bool(self.request.known_speakers)

    async def _hand_over(
        self, window: Window, windows: asyncio.Queue[Window | None], backlog: Backlog, park: bool
    ) -> None:
        """Pass a window on; where it has to wait, hold the loader, or park it on disk."""
        if not park:
            await windows.put(window)
            return
        backlog.put(window)
        while backlog and not windows.full():
            windows.put_nowait(backlog.get())
            await asyncio.sleep(0)  # let the starter take it

    async def _start_windows(
        self, group: asyncio.TaskGroup, windows: asyncio.Queue[Window | None]
    ) -> None:
        """Start each window's recognition as soon as there is room."""
        while (window := await windows.get()) is not None:
            await self.room.acquire()
            self.in_flight += 1
            self.tasks.put_nowait((window, group.create_task(self._recognize(window))))
        self.tasks.put_nowait(None)

    # -------------------------------------------------------------- recognition

    async def _recognize(self, window: Window) -> WindowTranscript:
        finished = self.resume.windows.get(window.index)
        # The recording behind a URL can have changed since it was cut.
        if finished is not None and (finished.start, finished.end) == (window.start, window.end):
            return finished
        with span("window", index=window.index, audio_s=window.end - window.start):
            result = await self._when_there_is_room(window, self.options)
        self._done(result)
        return result

    async def _agree(self, window: Window, result: WindowTranscript) -> WindowTranscript:
        """Decode a window again whose language those before it outvote.

        Votes are counted in the recording's order, so that the same recording gets the same
        languages whatever finished first, and whatever a resumed job had finished before.
        """
        self.votes.add(result)
        if (language := self.votes.correction(result)) is None:
            return result
        options = replace(self.options, language=language)
        again = await self._when_there_is_room(window, options)
        result = replace(
            again,
            language_probabilities=result.language_probabilities,
            decoded_again=result.decoded_again + again.decoded_again + 1,
        )
        self._done(result)
        return result

    def _done(self, result: WindowTranscript) -> None:
        # A failed window is not finished: a resumed job gives it another chance.
        if result.failed is None:
            self.events.put_nowait(WindowDone(result))

    async def _when_there_is_room(
        self, window: Window, options: RecognitionOptions
    ) -> WindowTranscript:
        """Recognize a window. A full queue turns a new recording away, but not a begun one:
        what was accepted is finished."""
        while True:
            try:
                asked = replace(options, in_flight=self.in_flight)
                return await self.stages.recognizer.recognize(window, asked)
            except QueueFull as full:
                if not self.windows:
                    raise
                await asyncio.sleep(full.retry_after)

    async def _emit(self) -> None:
        """Hand out finished windows in the recording's order."""
        while (started := await self.tasks.get()) is not None:
            window, task = started
            result = await self._agree(window, await task)
            self.room.release()
            self.in_flight -= 1
            self.windows.append(result)
            self.recognized_until = max(self.recognized_until, result.end)
            # Windows come in order of their start.
            self._hand_out(window.start)
            self.held += [self._of_channel(each, window.channel) for each in result.segments]
            if window.channel is None:
                self._hand_out()
            self._progress()
        self._hand_out()
        self.stage_seconds["recognize"] = time.monotonic() - self.began
        self.all_recognized = True
        self._progress()

    def _hand_out(self, before: float = math.inf) -> None:
        """The segments that none of another channel can precede any more."""
        self.held.sort(key=lambda each: each.start)
        ready = [each for each in self.held if each.start < before]
        del self.held[: len(ready)]
        self.segments += ready
        # A channel may yet get the name of a voice that is known.
        withheld = bool(self.request.known_speakers)
        for segment in ready:
            said = said_by(segment, None) if withheld else self._called(segment)
            self.events.put_nowait(SegmentReady(said))

    def _of_channel(self, segment: Segment, channel: int | None) -> Segment:
        if channel is None:
            return segment
        heard = replace(segment, channel=channel)
        return said_by(heard, label(channel)) if self.request.speakers else heard

    def _called(self, segment: Segment) -> Segment:
        """A segment with the name that its speaker was given."""
        if segment.speaker is None:
            return segment
        return said_by(segment, name_of(segment.speaker, self.request.speaker_names))

    def _progress(self) -> None:
        recognized = self.recognized_until
        total = self.loaded.duration if self.loaded else None
        if self.all_recognized and total is not None:
            recognized = total  # nobody speaks after the last window
        self.events.put_nowait(Progress(self.loaded_until, recognized, total))

    # -------------------------------------------------------------- diarization

    async def _diarize(self, diarization: Diarization) -> None:
        began = time.monotonic()
        with span("diarize"):
            found = await diarization.speakers()
        self.turns, self.voices = found.turns, found.voices
        self.stage_seconds["diarize"] = time.monotonic() - began
        if not self.spoken:  # else they are not all there is to know of who speaks
            self.events.put_nowait(TurnsReady(self.turns))

    async def _hear(self, channel: int, samples: Int16) -> None:
        voice = await self.stages.diarizer.voice(samples)
        if voice.seconds:
            self.heard[channel] = voice.embedding

    # ------------------------------------------------------------------- result

    def _transcript(self) -> Transcript:
        if self.loaded is None:
            raise RecognitionFailed("Loading ended without saying how long the recording is.")
        failed = [window for window in self.windows if window.failed]
        if failed and len(failed) == len(self.windows):
            raise RecognitionFailed(f"No part of the recording was recognized: {failed[0].failed}")
        loaded = self.loaded
        if self.turns and not self.segments and not failed:
            # Music and ringing sound like somebody to diarization; nobody said a word.
            self.turns = ()
        segments, turns, voices = self._speakers(loaded.apart)
        return Transcript(
            segments=segments,
            language=self._language(),
            duration=loaded.duration,
            turns=turns,
            quality=Quality.of(
                self.windows,
                loaded.duration,
                loaded.notes,
                [(each.end - each.start, each.channels) for each in loaded.apart],
            ),
            stage_seconds=self.stage_seconds,
            waveform=loaded.waveform,
            voices=voices,
        )

    def _speakers(
        self, apart: tuple[Apart, ...]
    ) -> tuple[tuple[Segment, ...], tuple[Turn, ...] | None, Voices]:
        """Who says what, the turns, None where nobody asked, and the voices that were asked for."""
        segments = tuple(self.segments)
        if not self.request.speakers:
            return segments, None, {}
        names = self.request.speaker_names
        turns, voices = self.turns or (), self.voices
        if not apart:
            turns = named(turns, names)
            segments = assign(segments, turns)
        else:
            people = People(turns, self.spoken, apart)
            segments, turns = people.told(segments)
            segments = tuple(map(self._called, segments))
            turns, voices = named(turns, names), people.voices(voices, self.heard)
        if not self.request.speaker_embeddings:
            return segments, turns, {}
        return segments, turns, {name_of(who, names): voice for who, voice in voices.items()}

    def _language(self) -> str:
        if self.request.language:
            return self.request.language
        return self.votes.winner if any(w.segments for w in self.windows) else UNDETERMINED


def _measure(transcript: Transcript) -> None:
    for stage, seconds in transcript.stage_seconds.items():
        measures.STAGE_SECONDS.record(seconds, stage=stage)
    if transcript.duration:
        factor = transcript.stage_seconds["total"] / transcript.duration
        measures.REAL_TIME_FACTOR.record(factor)
    for became in measures.BECAME:
        measures.RECORDING_AUDIO.record(getattr(transcript.quality, became), became=became)
