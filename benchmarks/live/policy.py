"""What the policy of live sessions brings: `python -m benchmarks.live.policy`, on any machine.

Recordings are spoken to a session in this process by a clock that counts audio only: each window is
answered so many seconds of audio later, however long it took. So delays are those of the policy and
not of the machine, and two sessions with the same recordings are the same. Beside it stands the
other policy, by which nothing is said before a turn ends, on the same turns.
"""

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.measuring import results
from benchmarks.measuring.figures import median, percentile
from benchmarks.measuring.recordings import NoSpeech, Spoken, clips, cut, waveform
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import normaliser, word_error_rate
from configs.settings import AudioSettings, RecognitionSettings
from deployments.audio.speech.live_voice import LiveVoice
from deployments.recognition.engine.base import Engine
from deployments.recognition.engines import build_engine
from interchange.samples import as_int16
from interchange.stages import (
    SAMPLE_RATE,
    Float32,
    RecognitionOptions,
    SpeechDetection,
    Window,
)
from interchange.transcript import Word
from serve_app.live.events import Completed, Delta, Event, SpeechStopped
from serve_app.live.options import LiveOptions
from serve_app.live.session import LiveSession, Work

_FRAME = SAMPLE_RATE // 20
_TURNS = SpeechDetection(threshold=0.5, silence_s=0.5, padding_s=0.3)


@dataclass
class _Session:
    """One recording: what happened and when, in seconds of audio, and what was heard for it."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    def texts(self, kind: type[Delta | Completed]) -> list[tuple[float, str]]:
        return [(at, event.text) for at, event in self.events if isinstance(event, kind)]

    @property
    def finals_s(self) -> list[float]:
        stopped = {e.item_id: at for at, e in self.events if isinstance(e, SpeechStopped)}
        ends = [(at, e.item_id) for at, e in self.events if isinstance(e, Completed)]
        return [at - stopped[item] for at, item in ends]


def main(
    *,
    count: Annotated[int, typer.Option(min=1, help="English utterances, 8 s each in mean.")] = 24,
    answer_s: Annotated[float, typer.Option(help="Seconds until a window is answered.")] = 0.25,
) -> None:
    """Measure delays, word errors and work of the policy by a clock of its own."""
    try:
        recordings = clips(count)
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    engine = build_engine(RecognitionSettings())
    engine.start()
    try:
        found = _compare(engine, recordings, answer_s)
    finally:
        engine.stop()
    typer.echo(f"Written to {results.write('live-policy', found)}")


def _compare(engine: Engine, recordings: list[Spoken], answer_s: float) -> dict[str, Any]:
    deltas: list[float] = []
    wholes: list[float] = []
    finals: list[float] = []
    pairs: dict[str, list[tuple[str, str]]] = {"agreement": [], "whole turns": [], "file": []}
    spoken_s = heard_s = 0.0
    for recording in recordings:
        samples = waveform(recording.path)
        session = _speak(engine, samples, answer_s)
        words = _as_file(engine, samples)
        deltas += _delays(session.texts(Delta), words)
        wholes += _delays(session.texts(Completed), words)
        finals += session.finals_s
        turns = [event for _, event in session.events if isinstance(event, Completed)]
        said = " ".join(turn.text for turn in turns)
        pairs["agreement"].append((recording.text, said))
        pairs["whole turns"].append((recording.text, _by_turns(engine, samples, turns)))
        pairs["file"].append((recording.text, "".join(word.text for word in words)))
        spoken_s += len(samples) / SAMPLE_RATE
        heard_s += sum(len(window.samples) for window in session.windows) / SAMPLE_RATE
    errors = {name: word_error_rate(each) for name, each in pairs.items()}
    print(
        table(
            ["", "word errors", "word to text, median, s", "p95"],
            [
                [
                    "agreement",
                    percent(errors["agreement"]),
                    median(deltas),
                    percentile(deltas, 0.95),
                ],
                [
                    "whole turns",
                    percent(errors["whole turns"]),
                    median(wholes),
                    percentile(wholes, 0.95),
                ],
                ["file", percent(errors["file"]), None, None],
            ],
        )
    )
    print(
        f"from speech_stopped to completed: median {median(finals):.2f} s; "
        f"{heard_s / spoken_s:.1f} s heard for each spoken"
    )
    return {"errors": errors, "deltas": deltas, "wholes": wholes, "finals": finals}


def _speak(engine: Engine, samples: Float32, answer_s: float) -> _Session:
    options = LiveOptions(_TURNS, _TURNS, language="en")
    session, found = LiveSession("live", LiveVoice(), options), _Session()
    # Silence lets the last turn end, and its last window be answered.
    pcm = as_int16(np.concatenate((samples, np.zeros(4 * SAMPLE_RATE, np.float32))))
    work: Work | None = None
    due = 0.0
    for start in range(0, len(pcm), _FRAME):
        now = (start + _FRAME) / SAMPLE_RATE
        found.events += ((now, event) for event in session.append(pcm[start : start + _FRAME]))
        if work is not None and due <= now:
            heard = engine.queue.put(work.window, work.options).future.result()
            found.events += ((now, event) for event in session.heard(work, heard, answer_s))
            work = None
        if work is None and isinstance(asked := session.work(), Work):
            work, due = asked, now + answer_s
            found.windows.append(asked.window)
    return found


def _by_turns(engine: Engine, samples: Float32, turns: list[Completed]) -> str:
    pcm = as_int16(np.concatenate((samples, np.zeros(SAMPLE_RATE, np.float32))))
    options = RecognitionOptions("turns", language="en")
    windows = [Window(0, turn.start, pcm[turn.start : turn.end], ()) for turn in turns]
    heard = [engine.queue.put(window, options).future.result() for window in windows]
    return " ".join(segment.text for each in heard for segment in each.segments)


def _as_file(engine: Engine, samples: Float32) -> list[Word]:
    options = RecognitionOptions("file", language="en", word_timestamps=True)
    tickets = [engine.queue.put(window, options) for window in cut(samples, AudioSettings())]
    segments = [segment for each in tickets for segment in each.future.result().segments]
    return [word for segment in segments for word in segment.words]


def _delays(texts: list[tuple[float, str]], words: list[Word]) -> list[float]:
    """From each word's end, by the file's times, to the first of `texts` that has it."""
    normal = normaliser("en")
    came = [(normal(word), at) for at, text in texts for word in text.split()]
    spoken = [normal(word.text) for word in words]
    pairs = SequenceMatcher(None, spoken, [word for word, _ in came], autojunk=False)
    return [
        came[block.b + n][1] - words[block.a + n].end
        for block in pairs.get_matching_blocks()
        for n in range(block.size)
    ]


if __name__ == "__main__":
    typer.run(main)
