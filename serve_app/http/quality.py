"""The account of quality, as every surface answers it."""

from pydantic import BaseModel, Field


class QualityAccount(BaseModel):
    """Where each second of the recording went."""

    transcribed: float
    silent: float
    silence_score: float = Field(
        description="How probably nobody speaks in the silent seconds, in mean."
    )
    decoded_again: float
    failed: float
