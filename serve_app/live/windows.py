"""Which stretch of an item is worth hearing next, and when."""

from dataclasses import dataclass

from interchange.stages import SAMPLE_RATE, SpeechDetection
from serve_app.live.item import Item
from serve_app.live.speech import SpeechTracker

PAUSE_S = 0.3
"""Silence after which what was said before is heard at once: it may have been the end."""
_SELDOM_PAUSE_S = 0.6
"""The same where hypotheses come seldom: most pauses are over by then, or have ended a turn."""
_BREATH_S = 0.1
"""Silence that may become such a pause: a hypothesis waits for it."""
SETTLED_S = 0.7
"""Silence after which what was said before stands, although its item goes on."""
_TAIL = round(0.3 * SAMPLE_RATE)
_SPEECH_PAD = round(0.1 * SAMPLE_RATE)
_BEHIND_S = 9.6
"""Longer audio that waits came faster than it was worked on: it is heard in large windows."""
_LARGEST_S = 28.0

_CLOSEST_S = 0.6
_FARTHEST_S = 2.5
_SELDOM_S = 1.4
_ALONE_S = 0.1
_SHARE = 4.0  # an interval is at least so many times what a hypothesis takes more than that

_LONG_TURN_S = 60.0
_SHORT_PAUSE_S = 0.2


class Pace:
    """Seconds of new speech between two hypotheses: more where the recognizer is slow."""

    def __init__(self) -> None:
        self._took_s = 0.0

    def took(self, seconds: float) -> None:
        self._took_s += 0.3 * (seconds - self._took_s)

    @property
    def interval_s(self) -> float:
        return min(max(_CLOSEST_S, _SHARE * (self._took_s - _ALONE_S)), _FARTHEST_S)

    @property
    def seldom(self) -> bool:
        """Whether to wait for a second hypothesis takes long."""
        return self.interval_s >= _SELDOM_S

    @property
    def pause_s(self) -> float:
        return _SELDOM_PAUSE_S if self.seldom else PAUSE_S


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `start` to `end` of the session, and the speech in it, the last of it at `voiced`.

    `settles` says that all of it can be said: more is to come behind a pause, or not at all.
    `provisional`: somebody goes on speaking behind it, so that it is heard again.
    """

    start: int
    end: int
    voiced: int
    speech: tuple[tuple[int, int], ...]
    settles: bool = False
    provisional: bool = False


def pause_s(turns: SpeechDetection, turn_s: float) -> float:
    """Seconds of silence that end a turn which has lasted for so long: whoever speaks without a
    pause gets an end at the next breath."""
    return turns.silence_s if turn_s < _LONG_TURN_S else min(turns.silence_s, _SHORT_PAUSE_S)


def next_stretch(item: Item, speech: SpeechTracker, limit: int, pace: Pace) -> Stretch | None:
    """What of an item is to be heard next, up to sample `limit`; None where nothing is new."""
    spans = speech.spans(item.cut, limit)
    if not spans:
        return None
    start = max(item.cut, spans[0][0] - _TAIL)
    voiced, heard = spans[-1][1], max(item.heard_until, start)
    if min(limit, voiced) - heard > _BEHIND_S * SAMPLE_RATE:
        return _large(start, heard, spans, limit, closed=item.closed)
    new_s = (voiced - heard) / SAMPLE_RATE
    quiet_s = (limit - voiced) / SAMPLE_RATE
    if new_s <= 0:
        return None
    due = quiet_s >= pace.pause_s or (new_s >= pace.interval_s and quiet_s < _BREATH_S)
    if not item.closed and not due:
        return None
    end = min(limit, voiced + _TAIL)
    going_on = quiet_s < pace.pause_s and not item.closed
    return Stretch(start, end, voiced, _padded(spans, start, end), provisional=going_on)


def _large(
    start: int, heard: int, spans: list[tuple[int, int]], limit: int, *, closed: bool
) -> Stretch:
    """As much as a window holds, up to a pause behind what was `heard` if there is one: what is
    cut off is guessed."""
    most = start + round(_LARGEST_S * SAMPLE_RATE)
    inside = [(s, e) for s, e in spans if e <= most]
    if len(inside) == len(spans) > 1 and not closed:
        inside.pop()
    if not inside or inside[-1][1] <= heard:
        end = min(most, limit)
        return Stretch(start, end, end, _padded([(spans[0][0], end)], start, end))
    voiced = inside[-1][1]
    following = [s for s, _ in spans if s >= voiced]
    end = min(voiced + _TAIL, (voiced + following[0]) // 2 if following else limit)
    return Stretch(start, end, voiced, _padded(inside, start, end), settles=bool(following))


def _padded(spans: list[tuple[int, int]], start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Spans widened a little, as detectors lag, and joined where they touch then."""
    padded: list[tuple[int, int]] = []
    for begin, stop in spans:
        first, last = max(start, begin - _SPEECH_PAD), min(end, stop + _SPEECH_PAD)
        if padded and first <= padded[-1][1]:
            padded[-1] = (padded[-1][0], last)
        else:
            padded.append((first, last))
    return tuple(padded)
