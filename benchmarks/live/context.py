"""What does a turn lose by being heard by itself? `python -m benchmarks.live.context`.

Of the English utterances those count in which somebody pauses for as long as ends a turn. Each turn
is heard by itself; behind the turns before it as far as those fit in so many seconds, of which the
words are left out; behind so many seconds with the words that were heard in them, as sessions do
it; and with the text before it as a prompt. Then turns that a longer silence ends, and the whole
utterance as a file. No hypotheses, and no clock: it is what the model can know of a turn when it
ends.
"""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech, Spoken, clips, cut, waveform
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import word_error_rate
from configs.settings import AudioSettings, RecognitionSettings
from deployments.audio.speech.live_voice import LiveVoice
from deployments.recognition.engine.base import Engine
from deployments.recognition.engines import build_engine
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Int16, RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from serve_app.live import agreement
from serve_app.live.events import Completed, Event
from serve_app.live.item import FARTHEST_S
from serve_app.live.options import LiveOptions
from serve_app.live.session import LiveSession, Work
from tests.fakes.live import DETECTION

_FRAME = SAMPLE_RATE // 20
_TAIL = round(0.3 * SAMPLE_RATE)
_FARTHEST = round(FARTHEST_S * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Heard:
    """A window on its way, of which the words from `since` on, in seconds, are the turn's."""

    future: Future[WindowTranscript]
    since: float

    @property
    def text(self) -> str:
        said = (word for segment in self.future.result().segments for word in segment.words)
        return "".join(w.text for w in said if (w.start + w.end) / 2 >= self.since)


class Ways:
    """One utterance on all its ways at once."""

    def __init__(
        self, engine: Engine, spoken: Spoken, lengths: list[float], silences: list[float]
    ) -> None:
        samples = waveform(spoken.path)
        self.text = spoken.text
        self._engine = engine
        # Silence lets the last turn end.
        self._pcm = as_int16(np.concatenate((samples, np.zeros(4 * SAMPLE_RATE, np.float32))))
        self._turns = _turns(self._pcm, DETECTION.silence_s)
        count = len(self._turns)
        self.ways: dict[str, list[Heard]] = {}
        self.texts: dict[str, str] = {}
        if count > 1:
            self.ways["by itself"] = [self._heard(at, at) for at in range(count)]
            for length in lengths:
                self.ways[f"with {length:g} s before"] = [
                    self._heard(self._first(at, length), at) for at in range(count)
                ]
                self.texts[f"behind {length:g} s and their words"] = self._behind(length)
            self.texts["behind their text as a prompt"] = self._prompted()
            for silence_s in silences:
                self._turns = _turns(self._pcm, silence_s)
                self.ways[f"by itself, ended by {silence_s:g} s"] = [
                    self._heard(at, at) for at in range(len(self._turns))
                ]
            windows = cut(samples, AudioSettings())
            self.ways["as a file"] = [Heard(self._put(each), 0.0) for each in windows]

    def pairs(self) -> dict[str, tuple[str, str]]:
        heard = {name: " ".join(each.text for each in way) for name, way in self.ways.items()}
        return {name: (self.text, text) for name, text in (heard | self.texts).items()}

    def _first(self, turn: int, length: float) -> int:
        """The earliest turn within so many seconds before another, with short pauses only."""
        first, begin = turn, self._turns[turn][0]
        while first > 0:
            start, end = self._turns[first - 1]
            if begin - start > length * SAMPLE_RATE or self._turns[first][0] - end > _FARTHEST:
                break
            first -= 1
        return first

    def _heard(self, first: int, turn: int) -> Heard:
        start, end = self._turns[first][0], self._turns[turn][1]
        since = 0.0
        if first < turn:
            since = (self._turns[turn - 1][1] + self._turns[turn][0]) / 2 / SAMPLE_RATE
        return Heard(self._put(Window(0, start, self._pcm[start:end], ())), since)

    def _behind(self, length: float) -> str:
        said: list[agreement.Heard] = []
        for start, end in self._turns:
            near = [word for word in said if word.start >= start / SAMPLE_RATE - length]
            if near and start / SAMPLE_RATE - near[-1].end > FARTHEST_S:
                near = []
            begin = max(0, round((near[0].start - 0.1) * SAMPLE_RATE)) if near else start
            text = "".join(word.text for word in near)
            transcript = self._put(Window(0, begin, self._pcm[begin:end], ()), said=text).result()
            words = agreement.words(transcript, begin / SAMPLE_RATE, end / SAMPLE_RATE)
            said += words[agreement.said_before(near, words) :]
        return "".join(word.text for word in said)

    def _prompted(self) -> str:
        said = ""
        for start, end in self._turns:
            window = Window(0, start, self._pcm[start:end], ())
            heard = self._put(window, prompt=said).result()
            said += "".join(segment.text for segment in heard.segments)
        return said

    def _put(self, window: Window, **options: Any) -> Future[WindowTranscript]:
        asked = RecognitionOptions("context", language="en", word_timestamps=True)
        return self._engine.queue.put(window, replace(asked, **options)).future


def main(
    *,
    count: Annotated[int, typer.Option(min=1, help="English utterances, 8 s each in mean.")] = 73,
    before: Annotated[list[float] | None, typer.Option(help="Seconds before; 5 and 10.")] = None,
    silence: Annotated[list[float] | None, typer.Option(help="Seconds that end a turn; 1.")] = None,
) -> None:
    """Measure word errors of turns by what is heard with them."""
    try:
        spoken = clips(count)
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    engine = build_engine(RecognitionSettings())
    engine.start()
    try:
        ways = [Ways(engine, one, before or [5, 10], silence or [1.0]) for one in spoken]
        found = [each.pairs() for each in ways]
    finally:
        engine.stop()
    paused = [each for each in found if each]
    if not paused:
        typer.echo("Nobody pauses in these.", err=True)
        raise typer.Exit(2)
    errors = {name: word_error_rate([each[name] for each in paused]) for name in paused[0]}
    words = sum(len(each["as a file"][0].split()) for each in paused)
    typer.echo(
        table(["a turn is heard", "word errors"], [[k, percent(e)] for k, e in errors.items()])
    )
    typer.echo(f"{len(paused)} of {len(found)} utterances have pauses; {words} words")
    typer.echo(f"Written to {results.write('live-context', {'errors': errors, 'words': words})}")


def _turns(pcm: Int16, silence_s: float) -> list[tuple[int, int]]:
    """Where each turn begins, and where its speech ends with what is kept behind it."""
    detection = replace(DETECTION, silence_s=silence_s)
    session = LiveSession("turns", LiveVoice(), LiveOptions(detection, detection, language="en"))
    found: list[tuple[int, int]] = []

    def take(events: list[Event]) -> None:
        quiet = round(silence_s * SAMPLE_RATE)
        found.extend((e.start, e.end - quiet + _TAIL) for e in events if isinstance(e, Completed))

    for start in range(0, len(pcm), _FRAME):
        take(session.append(pcm[start : start + _FRAME]))
        while isinstance(work := session.work(), Work):
            window = work.window
            nothing = WindowTranscript(window.index, window.start, window.end, (), "en")
            take(session.heard(work, nothing))
    return found


if __name__ == "__main__":
    typer.run(main)
