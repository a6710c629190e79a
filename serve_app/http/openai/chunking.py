"""`chunking_strategy`: how voice activity cuts a recording."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interchange.errors import InvalidOption
from interchange.stages import SpeechDetection
from serve_app.http.around.json_text import parse_json
from serve_app.http.around.sentences import wrong

NAME = "chunking_strategy"


class ChunkingStrategy(BaseModel):
    """With `auto` the service's own settings hold; with `server_vad` these, or their defaults."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["auto", "server_vad"]
    prefix_padding_ms: int = Field(
        300, ge=0, le=2000, description="Kept of what comes before speech, in milliseconds."
    )
    silence_duration_ms: int = Field(
        200, ge=32, le=3000, description="Silence that ends speech, in milliseconds."
    )
    threshold: float = Field(0.5, ge=0, le=1, description="Speech probability of a word.")

    @model_validator(mode="after")
    def _values_of_server_vad(self) -> Self:
        if self.type == "auto" and len(self.model_fields_set) > 1:
            raise wrong(f"{NAME}.type", f"values of '{NAME}' need its type to be 'server_vad'")
        return self

    @property
    def detection(self) -> SpeechDetection | None:
        if self.type == "auto":
            return None
        return SpeechDetection(
            threshold=self.threshold,
            silence_s=self.silence_duration_ms / 1000,
            padding_s=self.prefix_padding_ms / 1000,
        )


def add_chunking(values: dict[str, Any], name: str, text: str) -> None:
    """Put a field of a form among the values of its model.

    It is `auto`, an object as JSON, or one member of the object as `chunking_strategy[type]`.
    Raises InvalidOption.
    """
    _, bracket, member = name.partition("[")
    if bracket:
        strategy = values.setdefault(NAME, {})
        strategy[member.removesuffix("]")] = text
    elif text.startswith("{"):
        try:
            values[NAME] = parse_json(text)
        except ValueError as error:
            raise InvalidOption(f"'{NAME}' is not valid JSON: {error}.", NAME) from error
    else:
        values[NAME] = {"type": text}
