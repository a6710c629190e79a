"""The account of quality, as every surface answers it."""

from pydantic import BaseModel, Field

from interchange.transcript import Quality


class QualityAccount(BaseModel):
    """Where each second of the recording went."""

    transcribed: float = Field(description="Seconds that became text.")
    silent: float = Field(description="Seconds without speech.")
    silence_score: float = Field(
        description="How probably nobody speaks in the silent seconds, in mean."
    )
    decoded_again: float = Field(
        description="Seconds of the transcribed that needed another decoding."
    )
    failed: float = Field(description="Seconds with speech that could not be recognized.")
    channels: int = Field(
        description="How many channels were recognized each by itself, and have their seconds "
        "each; 1 where all were taken as one."
    )
    notes: list[str] = Field(
        description="Sentences on what is missing, such as that the file ended early, and on what "
        "was decided, such as that channels were recognized separately."
    )


def notes_header(quality: Quality) -> dict[str, str]:
    """The header of an answer whose body, a file, has no place for notes; empty without any."""
    if not quality.notes:
        return {}
    sentences = " ".join(" ".join(quality.notes).split())
    return {"x-rayscribe-notes": sentences.encode("ascii", "backslashreplace").decode()}
