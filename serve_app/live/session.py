"""A live session as a state machine: audio and wishes in, events and windows to recognize out.

It knows neither sockets nor clocks nor the graph. Whoever drives it asks for `work` after each
step, has the window recognized, and brings back what was heard.

Turns are items. Text is worked on for one item at a time, and for one window of it: items cannot
interleave, and whoever is slow gets fewer hypotheses instead of a queue of them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from interchange.errors import ClientError, RayscribeError, RecognitionFailed
from interchange.stages import (
    SAMPLE_RATE,
    Int16,
    RecognitionOptions,
    VoiceSample,
    Window,
)
from interchange.transcript import WindowTranscript
from serve_app.live.agreement import words
from serve_app.live.events import (
    Cleared,
    Committed,
    Completed,
    Event,
    Failed,
    Partial,
    SpeechStarted,
    SpeechStopped,
    Spoken,
)
from serve_app.live.hearing import Hearing
from serve_app.live.item import LONGEST_S, Item
from serve_app.live.options import LiveOptions
from serve_app.live.speakers import SessionSpeakers
from serve_app.live.speech import VoiceDetector
from serve_app.live.windows import SETTLED_S, Pace, Stretch, next_stretch, pause_s
from serve_app.transcription.language_votes import UNDETERMINED, LanguageVotes

SHORTEST_COMMIT_S = 0.1

_VOICE = 10 * SAMPLE_RATE
"""Of a turn's end, to know a voice by."""


class NothingToCommit(ClientError):
    code = "input_audio_buffer_commit_empty"


@dataclass(frozen=True, slots=True)
class Work:
    """A window that is to be recognized for an item."""

    item: Item
    stretch: Stretch
    window: Window
    options: RecognitionOptions


@dataclass(frozen=True, slots=True)
class VoiceWork:
    """The end of a turn, whose speaker is to be known."""

    item: Item
    samples: Int16


class LiveSession:
    """One client's audio, from its first sample on."""

    def __init__(self, session_id: str, detector: VoiceDetector, options: LiveOptions) -> None:
        self._id = session_id
        self._options = options
        self._hearing = Hearing(detector, options.threshold)
        self._audio, self._speech = self._hearing.audio, self._hearing.speech
        self._floor = 0  # where audio begins that belongs to no item
        self._items: deque[Item] = deque()  # the last may still go on
        self._before: Item | None = None  # the last that is done with
        self._previous: str | None = None
        self._numbers = count(1)
        self._windows = count()
        self._working: Work | VoiceWork | None = None
        self._speakers = SessionSpeakers()
        self._votes = LanguageVotes()
        self._pace = Pace()
        self._open_if_manual()

    # ----------------------------------------------------------------------- what comes in

    @property
    def held_s(self) -> float:
        """Seconds of audio in memory."""
        return (self._audio.end - self._audio.start) / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Of audio that came."""
        return self._audio.end / SAMPLE_RATE

    @property
    def uncommitted(self) -> int:
        """Samples that no item has for good."""
        return self._audio.end - self._floor

    def configure(self, options: LiveOptions) -> None:
        """Go on by other options. Who says where turns end changes behind the present one."""
        manual_before, self._options = self._options.turns is None, options
        self._speech.use(options.threshold)
        going_on = self._going_on
        if manual_before and options.turns is not None and going_on is not None:
            self._items.remove(going_on)
            self._floor = self._audio.end
        self._open_if_manual()

    def append(self, samples: Int16) -> list[Event]:
        """More audio (16 kHz)."""
        events: list[Event] = []
        before = self._speech.position
        for _ in self._hearing.listen(samples):
            events += self._turn()
        return [*events, *self._progress()] if self._speech.position > before else []

    def commit(self) -> list[Event]:
        """End the present item here. Raises NothingToCommit for less than 100 ms of audio."""
        seconds = self.uncommitted / SAMPLE_RATE
        if seconds < SHORTEST_COMMIT_S:
            raise NothingToCommit(
                f"The buffer has {1000 * seconds:.0f} ms of audio, and an item takes at least "
                f"{1000 * SHORTEST_COMMIT_S:.0f} ms: append more before you commit."
            )
        item = self._going_on or self._open(self._floor)
        events = list(self._close(item, self._audio.end))
        self._open_if_manual()
        return [*events, *self._progress()]

    def clear(self) -> list[Event]:
        """Forget what was not committed."""
        events: list[Event] = [Cleared()]
        if (item := self._going_on) is not None:
            self._items.remove(item)
            if item.text and not item.quiet:
                sentence = "The audio of this item was cleared before it was committed."
                events.append(Failed(item.id, ClientError(sentence)))
        self._floor, self._before = self._audio.end, None
        self._open_if_manual()
        return [*events, *self._progress()]

    def heard(self, work: Work, transcript: WindowTranscript, seconds: float = 0.0) -> list[Event]:
        """What a window said, so many seconds after it was asked for."""
        self._working = None
        self._pace.took(seconds)
        item, stretch = work.item, work.stretch
        if item not in self._items:
            return []  # cleared meanwhile
        if transcript.failed is not None:
            return self._lost(item, RecognitionFailed(transcript.failed))
        if not self._language_agrees(item, transcript):
            return []
        start, end = stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE
        events: list[Event] = []
        heard, first = words(transcript, start, end), item.heard_in is None
        item.heard_in = transcript.language
        events += item.hear(
            heard,
            stretch.end,
            stretch.voiced,
            seldom=self._pace.seldom,
            doubtful=transcript.doubtful,
        )
        if first and not item.said:
            self._follow(item)
        if stretch.settles:
            self._votes.add(transcript)
            events += item.settle(stretch.end)
        elif stretch.end - stretch.start >= LONGEST_S * SAMPLE_RATE:
            events += item.force(stretch.end)
        if self._options.partials and not item.quiet and not item.closed:
            rest = "".join(word.text for word in item.rest)
            events.append(Partial(item.id, rest if item.text else rest.lstrip()))
        return [*events, *self._progress()]

    def known(self, work: VoiceWork, voice: VoiceSample | None) -> list[Event]:
        """Whose turn it was; None where nobody could tell."""
        self._working = None
        work.item.voice = "known"
        if voice is not None:
            work.item.speaker = self._speakers.number(voice)
        return self._progress()

    def lost(self, work: Work, error: RayscribeError) -> list[Event]:
        """A window could not be recognized."""
        self._working = None
        return self._lost(work.item, error) if work.item in self._items else []

    # ------------------------------------------------------------------------------- work

    def work(self) -> Work | VoiceWork | None:
        """The next window to recognize, or voice to know; None while one is, or where nothing new
        was said."""
        if self._working is not None or not self._items or not self._options.transcribe:
            return None
        item = self._items[0]
        if item.voice == "wanted":
            item.voice = "asked"
            end = self._end_of(item)
            samples = self._audio.cut(max(item.start, end - _VOICE), end)
            self._working = VoiceWork(item, samples)
            return self._working
        stretch = next_stretch(item, self._speech, self._end_of(item), self._pace)
        if stretch is None:
            return None
        item.cut = stretch.start
        samples = self._audio.cut(stretch.start, stretch.end)
        speech = tuple((s - stretch.start, e - stretch.start) for s, e in stretch.speech)
        window = Window(next(self._windows), stretch.start, samples, speech)
        said = "".join(word.text for word in item.said)
        options = self._options.recognition(
            self._id,
            item.language,
            said,
            provisional=stretch.provisional,
            hurried=not stretch.provisional and not self._pace.seldom,
        )
        self._working = Work(item, stretch, window, options)
        return self._working

    # ------------------------------------------------------------------------------ turns

    @property
    def _going_on(self) -> Item | None:
        last = self._items[-1] if self._items else None
        return None if last is None or last.closed else last

    def _open_if_manual(self) -> None:
        if self._options.turns is None and self._going_on is None:
            self._open(self._floor)

    def _open(self, start: int) -> Item:
        item = Item(f"item_{self._id}_{next(self._numbers)}", start, start, heard_until=start)
        item.quiet = self._options.turns is None
        if not self._items:
            self._follow(item)
        self._items.append(item)
        return item

    def _turn(self) -> Iterator[Event]:
        """Whether a turn begins or ends with the frame that was judged last."""
        turns = self._options.turns
        if turns is None:
            return
        now, item = self._speech.position, self._going_on
        if item is None:
            if spans := self._speech.spans(self._floor, now):
                start = spans[0][0] - round(turns.padding_s * SAMPLE_RATE)
                item = self._open(max(self._floor, start))
                yield SpeechStarted(item.id, item.start)
            return
        quiet = now - max(item.start, self._speech.voiced_end)
        if quiet >= pause_s(turns, (now - item.start) / SAMPLE_RATE) * SAMPLE_RATE:
            yield SpeechStopped(item.id, now)
            yield from self._close(item, now)

    def _close(self, item: Item, end: int) -> Iterator[Event]:
        item.end = self._floor = end
        yield Committed(item.id, self._previous)
        self._previous = item.id
        yield from item.speak()

    def _follow(self, item: Item) -> None:
        """Let an item go on behind what was said before it, once both are known to be in one
        language: the ear for another would be deaf."""
        language = item.heard_in or self._options.language
        before = self._before
        if before is not None and language is not None and before.heard_in == language:
            item.follow(before)

    # --------------------------------------------------------------------------- progress

    def _progress(self) -> list[Event]:
        """Let go of items and audio that are done with."""
        events: list[Event] = []
        while self._items:
            item = self._items[0]
            if self._working is not None and self._working.item is item:
                break
            voiced = self._speech.voiced_until(item.cut, self._end_of(item))
            unheard = voiced is not None and voiced > item.heard_until
            if unheard and self._options.transcribe:
                break
            if item.closed:
                events += item.settle(self._end_of(item))
                if self._options.speakers and item.text and item.voice != "known":
                    item.voice = "wanted"
                    break
                if self._options.transcribe:
                    events += self._ended(item)
                self._before = self._items.popleft()
                if self._items:
                    self._follow(self._items[0])
                continue
            # Behind a pause within an item a new window may begin.
            quiet_since = item.cut if voiced is None else voiced
            if self._end_of(item) - quiet_since >= SETTLED_S * SAMPLE_RATE:
                events += item.settle(max(item.cut, self._end_of(item) - self._padding))
            break
        self._forget()
        return events

    def _ended(self, item: Item) -> Iterator[Event]:
        assert item.end is not None
        if item.error is not None:
            yield Failed(item.id, item.error)
            return
        if item.speaker is not None:
            yield Spoken(item.id, item.text, item.speaker, item.start, item.end)
        winner = self._votes.winner
        language = self._options.language or (winner if winner != UNDETERMINED else None)
        yield Completed(item.id, item.text, tuple(item.tokens), language, item.start, item.end)

    def _lost(self, item: Item, error: RayscribeError) -> list[Event]:
        """Go on behind what was lost; the item it belongs to fails when it ends."""
        item.error = error
        item.rest.clear()
        item.heard_until = self._end_of(item)
        item.cut_at(item.heard_until)
        return self._progress()

    def _language_agrees(self, item: Item, transcript: WindowTranscript) -> bool:
        """Whether a window's language can be that of its item; otherwise it is heard again, in
        the language that the session voted for."""
        sure = dict(transcript.language_probabilities).get(transcript.language, 1.0) >= 0.7
        winner = self._votes.winner
        if sure or winner in (UNDETERMINED, transcript.language) or item.language:
            return True
        item.language = winner
        return False

    def _end_of(self, item: Item) -> int:
        return self._speech.position if item.end is None else item.end

    @property
    def _padding(self) -> int:
        """Samples to keep of silence, which turn out to be before speech."""
        return round((self._options.padding_s + 0.2) * SAMPLE_RATE)

    def _forget(self) -> None:
        """Drop audio that nobody needs: behind the first item, or but for what pads a turn."""
        if self._items:
            first = self._items[0]
            needed = first.cut
            if self._before is not None and not first.said and self._before.near(first.start):
                needed = min(needed, self._before.cut)
            if self._options.speakers:
                needed = min(needed, max(first.start, self._end_of(first) - _VOICE))
        else:
            needed = max(self._floor, self._speech.position - self._padding)
            if self._before is not None and self._before.near(self._speech.position):
                needed = min(needed, self._before.cut)
        self._hearing.forget_before(needed)
