"""Agreeing on the language of a recording whose windows were detected one by one.

Windows are recognized side by side, so none waits for another's language. A window with a
few words can be heard as the wrong language; the others outvote it, and it alone is decoded
again. A window that is sure of its own language keeps it: people do switch.
"""

from collections import Counter

from interchange.transcript import WindowTranscript

UNDETERMINED = "und"
"""ISO 639-2's code for a recording in which nobody was understood."""

_SURE = 0.7
"""Probability above which a window's own language stands against any vote."""

_MAJORITY = 2.0
"""How many times a window's own language the winner has to have."""


class LanguageVotes:
    """Probability × seconds of each language, over the windows of one recording."""

    def __init__(self) -> None:
        self._votes: Counter[str] = Counter()

    def add(self, window: WindowTranscript) -> None:
        if not window.segments:
            return
        seconds = window.end - window.start
        for language, probability in window.language_probabilities or ((window.language, 1.0),):
            self._votes[language] += probability * seconds  # type: ignore[assignment]

    @property
    def winner(self) -> str:
        return max(self._votes, key=self._votes.__getitem__, default=UNDETERMINED)

    def correction(self, window: WindowTranscript) -> str | None:
        """The language in which to decode an already counted window again, if any."""
        probabilities = dict(window.language_probabilities)
        if not window.segments or probabilities.get(window.language, 1.0) >= _SURE:
            return None
        winner = self.winner
        outvoted = self._votes[winner] >= _MAJORITY * self._votes[window.language]
        return winner if winner != window.language and outvoted else None
