"""The text of one turn, as its audio comes: what is said for good, and what may still change."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from interchange.errors import RayscribeError
from interchange.stages import SAMPLE_RATE
from interchange.transcript import Token
from serve_app.live.agreement import Heard, agreed, said_before
from serve_app.live.events import Delta

GUARD_S = 0.3
"""A word that ends nearer to the end of what was heard may be cut off: it is not agreed on."""
TRIM_S = 5.0
"""From so many seconds on, a window is cut behind the last sentence that was said."""
LONGEST_S = 8.0
"""From here on it is cut behind the last word, said or not: it would grow for ever otherwise. A
window of up to 10 s goes as fast as a clip in the recognizer."""
FORCED_GUARD_S = 1.0
"""Words nearer to the end are not forced out."""

_SENTENCE_ENDS = tuple(".!?…。！？｡？؟۔।")


@dataclass(eq=False, slots=True)
class Item:
    """One turn, from sample `start` to `end`, None while it goes on.

    `cut` is where the next window begins: all before it is said. `heard_until` is how far speech
    was heard in the last hypothesis, whose words behind what was said are `rest`. With `quiet`
    text waits until the item is committed. `error` says why a part of it has no text.
    """

    id: str
    start: int
    cut: int
    quiet: bool = False
    end: int | None = None
    heard_until: int = 0
    said: list[Heard] = field(default_factory=list)
    rest: list[Heard] = field(default_factory=list)
    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    language: str | None = None
    error: RayscribeError | None = None
    _waiting: list[Delta] = field(default_factory=list)
    _last: Heard | None = None

    @property
    def closed(self) -> bool:
        return self.end is not None

    def hear(self, words: list[Heard], until: int, voiced: int) -> Iterator[Delta]:
        """Take a hypothesis of the window from `cut` to `until`, in which speech ends at `voiced`:
        what it has in common with the one before is said."""
        words = self._without_seam(words)
        words = words[said_before(self.said, words) :]
        safe = sum(word.end <= until / SAMPLE_RATE - GUARD_S for word in words)
        count = min(agreed(self.rest, words), safe)
        self.rest, self.heard_until = words, voiced
        yield from self.say(count)
        self._trim(until)

    def settle(self, until: int) -> Iterator[Delta]:
        """Say all of the last hypothesis; the next window begins at `until`."""
        yield from self.say(len(self.rest))
        self._cut_at(until)

    def force(self, until: int) -> Iterator[Delta]:
        """Say what ends well before `until` of the last hypothesis, and go on behind it."""
        safe = [w for w in self.rest if w.end <= until / SAMPLE_RATE - FORCED_GUARD_S]
        if not safe and not self.said:
            # Nothing that ever ends: a window may not grow for its sake.
            yield from self.settle(until)
            return
        yield from self.say(len(safe))
        self._cut_behind(len(self.said))

    def say(self, count: int) -> Iterator[Delta]:
        """Say the next words for good."""
        now, self.rest = self.rest[:count], self.rest[count:]
        self.said += now
        if not now:
            return
        self._last = now[-1]
        text = "".join(word.text for word in now)
        tokens = [token for word in now for token in word.tokens]
        if not self.text:
            text, tokens = text.lstrip(), _without_leading_space(tokens)
        if not text:
            return
        self.text += text
        self.tokens += tokens
        delta = Delta(self.id, text, tuple(tokens))
        if self.quiet:
            self._waiting.append(delta)
        else:
            yield delta

    def speak(self) -> Iterator[Delta]:
        """What had to wait; nothing waits from here on."""
        self.quiet = False
        yield from self._waiting
        self._waiting = []

    # ------------------------------------------------------------------------------ windows

    def _trim(self, until: int) -> None:
        """Begin the next window later, where this one is long."""
        length = (until - self.cut) / SAMPLE_RATE
        if length < TRIM_S:
            return
        for index in range(len(self.said) - 1, -1, -1):
            if self.said[index].text.rstrip().endswith(_SENTENCE_ENDS):
                self._cut_behind(index + 1)
                return
        if length >= LONGEST_S and self.said:
            self._cut_behind(len(self.said))

    def _cut_behind(self, count: int) -> None:
        """Cut in the middle between a word that was said and the next."""
        following = [*self.said[count:], *self.rest]
        end = self.said[count - 1].end
        middle = (end + following[0].start) / 2 if following else end
        self._cut_at(round(max(middle, end) * SAMPLE_RATE), count)

    def _cut_at(self, sample: int, count: int | None = None) -> None:
        self.said = [] if count is None else self.said[count:]
        self.cut = max(self.cut, sample)
        self.language = None  # people do switch

    def _without_seam(self, words: list[Heard]) -> list[Heard]:
        """Without a word before the cut, the end of which was heard again."""
        if self.said or not words or self._last is None:
            return words
        again = words[0].bare == self._last.bare and words[0].end - self._last.end < 0.2
        return words[1:] if again else words


def _without_leading_space(tokens: list[Token]) -> list[Token]:
    """As the text, which begins without."""
    for index, token in enumerate(tokens):
        if content := bytes(token.content).lstrip():
            return [replace(token, content=tuple(content)), *tokens[index + 1 :]]
    return []
