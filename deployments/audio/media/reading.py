"""All that FFmpeg makes of a file, in order: pieces of sound, and an account of each part."""

from collections.abc import Generator
from dataclasses import dataclass

from deployments.audio.media.part import Readable
from deployments.audio.media.parts import parts
from deployments.audio.media.tracks import Report, decode
from interchange.errors import UndecodableRecording
from interchange.stages import Float32


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples (channels, n) at 16 kHz; `kind` changes where that of the audio does."""

    kind: int
    samples: Float32


@dataclass(frozen=True, slots=True)
class Account:
    """The end of a part: what its report says, what its header announced beside, and what kept it
    from being decoded, None where nothing did."""

    report: Report
    missing_s: float = 0.0
    cut_off: bool = False
    failure: UndecodableRecording | None = None


Reading = Generator[Piece | Account]


def read(file: Readable) -> Reading:
    """Each part's pieces and then its account. Raises what reading the file raises."""
    for part in parts(file):
        report = Report()
        failure: UndecodableRecording | None = None
        try:
            for kind, samples in decode(part, report):
                yield Piece(kind, samples)
        except UndecodableRecording as error:
            failure = error
        yield Account(report, part.missing_s, part.cut_off, failure)
