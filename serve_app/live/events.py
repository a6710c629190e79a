"""What happens in a live session, in order. Positions are samples at 16 kHz from its start."""

from dataclasses import dataclass

from interchange.errors import RayscribeError
from interchange.transcript import Token


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    item_id: str
    start: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    end: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The audio of an item is complete."""

    item_id: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class Cleared:
    """Audio that was not committed is forgotten."""


@dataclass(frozen=True, slots=True)
class Delta:
    """More of an item's text, which stays. `tokens` only where they were asked for."""

    item_id: str
    text: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """What an item may go on with behind its deltas; the next one replaces it."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The whole text of an item: its deltas, joined."""

    item_id: str
    text: str
    tokens: tuple[Token, ...]
    language: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Failed:
    item_id: str
    error: RayscribeError


Event = SpeechStarted | SpeechStopped | Committed | Cleared | Delta | Partial | Completed | Failed
