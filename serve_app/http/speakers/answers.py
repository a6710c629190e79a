"""Voice profiles on the wire. Times are Unix seconds."""

from typing import Literal

from pydantic import BaseModel, Field

from serve_app.profiles import VoiceProfile, not_compared


class SpeakerAnswer(BaseModel):
    id: str = Field(description="What the profile is called in all routes.")
    object: Literal["speaker"] = Field("speaker", description="Always `speaker`.")
    name: str = Field(description="What is written where this person speaks.")
    recordings: int = Field(description="How many recordings the voice was learned from.")
    model: str = Field(description="The model that has learned it.")
    key: str = Field(description="The name of the key that made it; empty for `ADMIN_KEY`.")
    created_at: float = Field(description="When it was made.")
    note: str | None = Field(
        description="Why it is not compared: another model tells speakers apart now."
    )


class SpeakerListAnswer(BaseModel):
    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[SpeakerAnswer] = Field(description="The profiles by name, all of them.")


def speaker_answer(profile: VoiceProfile, model: str) -> SpeakerAnswer:
    """`model` is the one that hears voices now."""
    voice = profile.voice
    return SpeakerAnswer(
        id=profile.id,
        name=voice.name,
        recordings=len(voice.embeddings),
        model=voice.model,
        key=profile.key,
        created_at=profile.created_at,
        note=None if voice.model == model else not_compared([voice.name], model),
    )


def speaker_list(profiles: tuple[VoiceProfile, ...], model: str) -> SpeakerListAnswer:
    return SpeakerListAnswer(data=[speaker_answer(each, model) for each in profiles])
