"""Units as the lines of a subtitle."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from serve_app.transcription.formats.units import Unit, width

LINE_COLUMNS = 42

_CLAUSE_WORTH = 8
"""Columns by which lines may differ more, so that one ends with its clause."""
_WORD_WORTH = 16
"""Columns by which they may differ more, so that no word is parted at its hyphen."""

SENTENCE_ENDS = tuple(".!?…。！？｡؟۔।။។።")
CLAUSE_ENDS = (*SENTENCE_ENDS, *",;:、，；：､،؛၊፣")
_QUOTES = "\"'”’»」』)）]"


class Strip:
    """The units of a run side by side, as if on one line; `label` columns go before each cue.

    A cue is named by its first unit and by the one behind its last.
    """

    def __init__(self, units: Sequence[Unit], label: int, *, spaceless: bool) -> None:
        """`spaceless` says that the script has no spaces: units count as words there."""
        self.units = units
        widths = [width(unit.text) for unit in units]
        steps = (unit.spaced + wide for unit, wide in zip(units, widths, strict=True))
        self._ends = list(accumulate(steps))
        self._starts = [end - wide for end, wide in zip(self._ends, widths, strict=True)]
        self._label = label
        self._spaceless = spaceless

    def width(self, first: int, end: int) -> int:
        """Columns of a line of these units."""
        return self._ends[end - 1] - self._starts[first]

    def words(self, first: int, end: int) -> int:
        if self._spaceless:
            return end - first
        return 1 + sum(unit.spaced for unit in self.units[first + 1 : end])

    def fits(self, first: int, end: int) -> bool:
        """Whether these units fit on two lines, the label with them."""
        if self._label + self.width(first, end) <= LINE_COLUMNS:
            return True
        cut = self._fullest(first)
        return first < cut < end and self.width(cut, end) <= LINE_COLUMNS

    def lines(self, first: int, end: int) -> tuple[str, ...]:
        """These units on one line, or on two that are about as long as each other."""
        if self._label + self.width(first, end) <= LINE_COLUMNS:
            return (self._text(first, end),)
        cuts = [
            cut
            for cut in range(first + 1, min(end, self._fullest(first) + 1))
            if self.width(cut, end) <= LINE_COLUMNS
        ]
        if not cuts:
            return (self._text(first, end),)
        cut = min(cuts, key=lambda cut: self._ugliness(first, cut, end))
        return self._text(first, cut), self._text(cut, end)

    def _fullest(self, first: int) -> int:
        """The last place where a first line that begins there can end."""
        return bisect_right(self._ends, self._starts[first] + LINE_COLUMNS - self._label)

    def _ugliness(self, first: int, cut: int, end: int) -> int:
        difference = abs(self._label + self.width(first, cut) - self.width(cut, end))
        if self.ends_clause(cut):
            difference -= _CLAUSE_WORTH
        if self.parts_word(cut):
            difference += _WORD_WORTH
        return difference

    def ends_sentence(self, cut: int) -> bool:
        return self._before(cut).endswith(SENTENCE_ENDS)

    def ends_clause(self, cut: int) -> bool:
        """By a mark, or by a timestamp of Whisper's: some scripts have no marks."""
        parted = self.units[cut - 1].segment != self.units[cut].segment
        return parted or self._before(cut).endswith(CLAUSE_ENDS)

    def parts_word(self, cut: int) -> bool:
        return not (self._spaceless or self.units[cut].spaced)

    def _before(self, cut: int) -> str:
        return self.units[cut - 1].text.rstrip(_QUOTES)

    def _text(self, first: int, end: int) -> str:
        rest = (" " * unit.spaced + unit.text for unit in self.units[first + 1 : end])
        return self.units[first].text + "".join(rest)
