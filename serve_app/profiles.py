"""Voice profiles: people who are known for longer than a request, and looked for by voice."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from interchange.stages import Voice
from serve_app.transcription.events import Event, Resume, TranscriptReady
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import ResumableTranscriber

OFF = (
    "This service keeps no voice profiles, as voices are biometric data; whoever runs it turns "
    "them on by RAYSCRIBE_SPEAKERS__PROFILES=true."
)


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """`key` names the key that made it, empty for the operator's; `created_at` is in Unix
    seconds."""

    id: str
    key: str
    voice: Voice
    created_at: float


class Profiles(Protocol):
    """`serve_app.jobs.store.profiles.ProfileStore`, as far as this module uses it."""

    async def made_by(self, key: str) -> tuple[VoiceProfile, ...]:
        """The profiles of the key of that name. Raises StoreUnavailable."""
        ...


def not_compared(names: Sequence[str], model: str) -> str:
    """What is said of profiles that another model than this has learned."""
    whose = ", ".join(map(repr, names))
    return (
        f"The voice of {whose} was learned by another model than {model}, which tells speakers "
        "apart now, and is not compared; give its recordings again."
    )


class Identifying:
    """A transcriber that looks for those who have a profile, where a request wants that: as
    profiles are when its work begins, so that one that was removed is in no job.

    `model` is the one that hears voices now. `profiles` is None where they are turned off.
    """

    def __init__(
        self, transcriber: ResumableTranscriber, profiles: Profiles | None, model: str
    ) -> None:
        self._transcriber = transcriber
        self._profiles = profiles
        self._model = model

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        """`Transcriber.transcribe`. Raises StoreUnavailable, too."""
        request, notes = await self._with_profiles(request)
        async with aclosing(self._transcriber.transcribe(request, resume)) as events:
            async for event in events:
                yield _noted(event, notes) if isinstance(event, TranscriptReady) else event

    async def _with_profiles(
        self, request: TranscriptionRequest
    ) -> tuple[TranscriptionRequest, tuple[str, ...]]:
        """The request with the voices of its key's profiles, and what is to be said of them.

        Whom the request itself makes known by the same name is known by those recordings alone.
        """
        if request.identify is None:
            return request, ()
        if self._profiles is None:
            return request, (f"Nobody was looked for by a profile. {OFF}",)
        found = [each.voice for each in await self._profiles.made_by(request.identify)]
        if not found:
            return request, ("Nobody has a voice profile; POST /v1/speakers makes one.",)
        own = {voice.name.casefold() for voice in request.known_speakers}
        others = [voice for voice in found if voice.name.casefold() not in own]
        strange = [voice.name for voice in others if voice.model != self._model]
        known = [voice for voice in others if voice.model == self._model]
        return (
            replace(request, known_speakers=(*request.known_speakers, *known)),
            (not_compared(strange, self._model),) if strange else (),
        )


def _noted(event: TranscriptReady, notes: tuple[str, ...]) -> TranscriptReady:
    found = event.transcript
    quality = replace(found.quality, notes=(*found.quality.notes, *notes))
    return TranscriptReady(replace(found, quality=quality))
