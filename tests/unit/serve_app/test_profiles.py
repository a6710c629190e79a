from dataclasses import replace
from typing import Any

import pytest

from interchange.stages import UrlSource, Voice
from interchange.transcript import Transcript
from serve_app.profiles import Identifying, VoiceProfile
from serve_app.transcription.events import TranscriptReady
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, window

NOW = "bundled:diarization"


def voice(name: str, model: str = NOW) -> Voice:
    return Voice(name, ((1.0, 0.0),), model)


class Kept:
    """Profiles of a key called "phone"."""

    def __init__(self, *voices: Voice) -> None:
        self.voices = voices

    async def made_by(self, key: str) -> tuple[VoiceProfile, ...]:
        found = self.voices if key == "phone" else ()
        return tuple(VoiceProfile(each.name, key, each, 1.0) for each in found)


async def transcribe(
    profiles: Kept | None, known: tuple[Voice, ...] = (), identify: str | None = "phone"
) -> tuple[tuple[Voice, ...], Transcript]:
    """The voices that diarization was given, and the transcript."""
    diarizer = FakeDiarizer()
    stages = Transcriber(FakeLoader([window(0)], notes=("It ends.",)), FakeRecognizer(), diarizer)
    request = TranscriptionRequest(
        "r", UrlSource("https://a.test"), speakers=True, known_speakers=known, identify=identify
    )
    events = [each async for each in Identifying(stages, profiles, NOW).transcribe(request)]
    ready = events[-1]
    assert isinstance(ready, TranscriptReady)
    assert diarizer.options is not None
    return diarizer.options.known, ready.transcript


async def test_those_who_have_a_profile_are_looked_for_beside_those_given() -> None:
    known, transcript = await transcribe(Kept(voice("Ann"), voice("Bo")), (voice("Cy"),))
    assert known == (voice("Cy"), voice("Ann"), voice("Bo"))
    assert transcript.quality.notes == ("It ends.",)


async def test_nobody_is_looked_for_unasked() -> None:
    known, transcript = await transcribe(Kept(voice("Ann")), (voice("Cy"),), identify=None)
    assert known == (voice("Cy"),)
    assert transcript.quality.notes == ("It ends.",)


async def test_whom_the_request_knows_itself_is_known_by_that_alone() -> None:
    given = replace(voice("ann"), embeddings=((0.0, 1.0),))
    known, _ = await transcribe(Kept(voice("Ann"), voice("Bo")), (given,))
    assert known == (given, voice("Bo"))


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        (Kept(voice("Ann"), voice("Bo", "old"), voice("Cy", "older")), ["'Bo', 'Cy'", NOW]),
        (Kept(), ["POST /v1/speakers"]),
        (None, ["RAYSCRIBE_SPEAKERS__PROFILES=true"]),
    ],
)
async def test_what_could_not_be_compared_is_said(profiles: Any, said: list[str]) -> None:
    known, transcript = await transcribe(profiles)
    assert [each.name for each in known] == (["Ann"] if NOW in said else [])
    first, note = transcript.quality.notes
    assert first == "It ends."
    assert all(part in note for part in said)
