"""The text of one turn, as its audio comes: what is said for good, and what may still change."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from interchange.errors import RayscribeError
from interchange.stages import SAMPLE_RATE
from interchange.transcript import Token
from serve_app.live.agreement import Heard, agreed, said_before
from serve_app.live.events import Delta

GUARD_S = 0.3
"""A word that ends nearer to the end of what was heard may be cut off: it is not agreed on."""
CONTEXT_S = 5.0
"""So much of what was said before is heard again, with its words, where it is near enough: words
are told by those around them."""
FARTHEST_S = 2.0
"""What follows a longer silence is not told by what was said before it."""
TRIM_S = 6.5
"""From so many seconds on, a window is cut behind a sentence that was said."""
LONGEST_S = 7.5
"""From here on it is cut behind any word, said or not: it would grow for ever otherwise. A
window of up to 10 s goes as fast as a clip in the recognizer."""
WELL_BEHIND_S = 0.7
"""Words nearer to the end are not said by one hypothesis alone."""

_SENTENCE_ENDS = tuple(".!?…。！？｡？؟۔।")


@dataclass(eq=False, slots=True)
class Item:
    """One turn, from sample `start` to `end`, None while it goes on.

    `cut` is where the next window begins, and `said` is what was said since then, perhaps in the
    turn before: a hypothesis goes on behind it. `heard_until` is how far speech was heard for good
    by the last hypothesis, in the language `heard_in`, whose words behind what was said are `rest`.
    With `quiet` text waits until the item is committed. `language` is what a window is to be heard
    in. `error` says why a part of it has no text. `speaker` is whose voice it is, where that is
    asked for.
    """

    id: str
    start: int
    cut: int
    quiet: bool = False
    end: int | None = None
    heard_until: int = 0
    heard_in: str | None = None
    said: list[Heard] = field(default_factory=list)
    rest: list[Heard] = field(default_factory=list)
    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    language: str | None = None
    error: RayscribeError | None = None
    voice: Literal["unasked", "wanted", "asked", "known"] = "unasked"
    speaker: int | None = None
    _waiting: list[Delta] = field(default_factory=list)
    _last: Heard | None = None

    @property
    def closed(self) -> bool:
        return self.end is not None

    def hear(
        self,
        words: list[Heard],
        until: int,
        voiced: int,
        *,
        seldom: bool = False,
        doubtful: bool = False,
    ) -> Iterator[Delta]:
        """Take a hypothesis of the window from `cut` to `until`, in which speech ends at `voiced`:
        what it has in common with the one before is said, and where hypotheses come `seldom`, what
        ends well before its end. A `doubtful` one says nothing alone, and cannot be the last."""
        words = self._without_seam(words)
        words = words[said_before(self.said, words) :]
        count = min(agreed(self.rest, words), _until(words, until, GUARD_S))
        if seldom and not doubtful:
            count = max(count, _until(words, until, WELL_BEHIND_S))
        # Of what is doubtful a last sample is still to be heard, so that it is once speech ended.
        self.rest, self.heard_until = words, voiced - 1 if doubtful else voiced
        yield from self.say(count)
        self._trim(until)

    def settle(self, until: int) -> Iterator[Delta]:
        """Say all of the last hypothesis, which stands, up to `until`."""
        yield from self.say(len(self.rest))
        if self.near(until):
            self._cut_behind(self._older(until))
        else:
            self.cut_at(until)

    def near(self, sample: int) -> bool:
        """Whether what was said last tells what may be said from a sample on."""
        return bool(self.said) and sample / SAMPLE_RATE - self.said[-1].end <= FARTHEST_S

    def follow(self, before: "Item") -> None:
        """Begin the window with what was said at the end of the item before, if that is near."""
        if before.near(self.start):
            self.cut, self.said, self._last = before.cut, [*before.said], before._last
            self._cut_behind(self._older(self.start))

    def force(self, until: int) -> Iterator[Delta]:
        """Say what ends well before `until` of the last hypothesis, and go on behind it."""
        safe = _until(self.rest, until, WELL_BEHIND_S)
        if not safe and not self.said:
            # Nothing that ever ends: a window may not grow for its sake.
            yield from self.settle(until)
            return
        yield from self.say(safe)
        self._cut_behind(self._older(until))

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
        older = self._older(until)
        for index in range(older - 1, -1, -1):
            if self.said[index].text.rstrip().endswith(_SENTENCE_ENDS):
                self._cut_behind(index + 1)
                return
        if length >= LONGEST_S:
            self._cut_behind(older)

    def _older(self, until: int) -> int:
        """How many words were said before those that are context at `until`."""
        return sum(word.start < until / SAMPLE_RATE - CONTEXT_S for word in self.said)

    def cut_at(self, sample: int) -> None:
        """Begin the next window without what was said."""
        self.said = []
        self.cut = max(self.cut, sample)
        self.language = None  # people do switch

    def _cut_behind(self, count: int) -> None:
        """Cut in the middle between a word that was said and the next."""
        if not count:
            return
        following = [*self.said[count:], *self.rest]
        end = self.said[count - 1].end
        middle = (end + following[0].start) / 2 if following else end
        self.said = self.said[count:]
        self.cut = max(self.cut, round(max(middle, end) * SAMPLE_RATE))
        self.language = None  # people do switch

    def _without_seam(self, words: list[Heard]) -> list[Heard]:
        """Without a word before the cut, the end of which was heard again."""
        if self.said or not words or self._last is None:
            return words
        again = words[0].bare == self._last.bare and words[0].end - self._last.end < 0.2
        return words[1:] if again else words


def _until(words: list[Heard], end: int, guard_s: float) -> int:
    """How many words end so many seconds before a sample."""
    return sum(word.end <= end / SAMPLE_RATE - guard_s for word in words)


def _without_leading_space(tokens: list[Token]) -> list[Token]:
    """As the text, which begins without."""
    for index, token in enumerate(tokens):
        if content := bytes(token.content).lstrip():
            return [replace(token, content=tuple(content)), *tokens[index + 1 :]]
    return []
