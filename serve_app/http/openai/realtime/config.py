"""A session's configuration: what a client may change, in both shapes of OpenAI's API.

Fields that are absent keep their value, `null` turns off, and what is not known here is left out:
clients end at an `error`, so that an option nobody supports is none.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from interchange.errors import InvalidOption
from interchange.stages import SpeechDetection
from serve_app.http.around.sentences import describe, wrong
from serve_app.http.intake.options import Language, LanguageCode
from serve_app.live.audio import AudioFormat, Encoding
from serve_app.live.options import LiveOptions

LOGPROBS = "item.input_audio_transcription.logprobs"
PARTIALS = "item.input_audio_transcription.partial"
"""Not in OpenAI's API: also text that may still change."""

_SILENCE_S = {"low": 1.2, "medium": 0.7, "auto": 0.7, "high": 0.4}
"""What an eagerness to answer is in silence."""

_WITHOUT_TURNS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""OpenAI's models without turn detection, whose clients commit: unless they ask for turns."""

_BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_BETA_FIELDS = {
    "input_audio_format": "format",
    "input_audio_transcription": "transcription",
    "turn_detection": "turn_detection",
    "input_audio_noise_reduction": "noise_reduction",
}


class Format(BaseModel):
    type: Encoding = "audio/pcm"
    rate: int | None = Field(None, ge=8_000, le=96_000)

    @model_validator(mode="after")
    def _rate_of_g711(self) -> Self:
        if self.type != "audio/pcm" and self.rate not in (None, 8_000):
            raise wrong("rate", f"the rate of '{self.type}' is 8000 and nothing else")
        return self

    @property
    def audio(self) -> AudioFormat:
        return AudioFormat(self.type, self.rate or 24_000)


class Transcription(BaseModel):
    """`model` says what the client asked for: whatever it is, the configured one listens. OpenAI's
    for speakers asks for these, as `speakers` does, which is not in OpenAI's API."""

    model: str | None = Field(None, max_length=200)
    language: Language = None
    languages: tuple[LanguageCode, ...] = Field((), max_length=100)
    prompt: str | None = Field(None, max_length=10_000)
    keywords: tuple[str, ...] = Field((), max_length=1000)
    speakers: bool = False

    @property
    def wants_speakers(self) -> bool:
        return self.speakers or (self.model or "").startswith("gpt-4o-transcribe-diarize")

    @property
    def finds_turns(self) -> bool:
        return not (self.model or "").startswith(_WITHOUT_TURNS)

    @property
    def hints(self) -> str | None:
        parts = [", ".join(self.keywords) + "." if self.keywords else "", self.prompt or ""]
        return " ".join(part for part in parts if part) or None


class ServerVad(BaseModel):
    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(300, ge=0, le=5_000)
    silence_duration_ms: int = Field(500, ge=64, le=60_000)

    @property
    def detection(self) -> SpeechDetection:
        silence_s, padding_s = self.silence_duration_ms / 1000, self.prefix_padding_ms / 1000
        return SpeechDetection(self.threshold, silence_s, padding_s)


class SemanticVad(BaseModel):
    """Judged by silence here: the more eager, the less of it."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"

    @property
    def detection(self) -> SpeechDetection:
        return SpeechDetection(0.5, _SILENCE_S[self.eagerness], 0.3)


class Input(BaseModel):
    format: Format = Format()
    transcription: Transcription | None = Transcription()
    turn_detection: Annotated[ServerVad | SemanticVad, Field(discriminator="type")] | None = (
        ServerVad()
    )

    @property
    def turns(self) -> ServerVad | SemanticVad | None:
        """How turns are found; None where the client commits."""
        given = "turn_detection" in self.model_fields_set
        if not given and self.transcription is not None and not self.transcription.finds_turns:
            return None
        return self.turn_detection


class SessionConfig(BaseModel):
    input: Input = Input()
    include: tuple[str, ...] = Field((), max_length=20)

    def updated(self, session: Any) -> "SessionConfig":
        """With what a client sent as `session`, in either shape. Raises InvalidOption."""
        if not isinstance(session, Mapping):
            raise InvalidOption(
                "'session' has to be an object; send what should change.", "session"
            )
        kind = session.get("type", "transcription")
        if kind != "transcription":
            raise InvalidOption(
                f"'session.type' is {kind!r}, and only 'transcription' is served here.",
                "session.type",
            )
        values = self.model_dump(exclude_unset=True)
        values.setdefault("input", {})
        _merge(values["input"], _input(session))
        if "include" in session:
            values["include"] = session["include"] or ()
        try:
            return SessionConfig.model_validate(values)
        except ValidationError as error:
            sentence, param = describe(error.errors())
            raise InvalidOption(sentence, param and f"session.audio.{param}") from error

    def options(self, detection: SpeechDetection) -> LiveOptions:
        """For the session; `detection` where the client says itself where turns end."""
        said = self.input.transcription or Transcription()
        turns = self.input.turns
        return LiveOptions(
            turns=None if turns is None else turns.detection,
            detection=detection,
            language=said.language,
            languages=said.languages,
            prompt=said.hints,
            logprobs=LOGPROBS in self.include,
            partials=PARTIALS in self.include,
            transcribe=self.input.transcription is not None,
            speakers=said.wants_speakers,
        )

    def shown(self, session_id: str, model: str, expires_at: int, *, beta: bool) -> dict[str, Any]:
        """The whole effective configuration, in the shape that the client speaks."""
        said = self.input.transcription
        transcription = said and {
            "model": model,
            **said.model_dump(mode="json", include={"language", "prompt"}),
            **said.model_dump(mode="json", include=said.model_fields_set - {"model"}),
        }
        turns = self.input.turns
        turn_detection = turns and turns.model_dump(mode="json")
        head = {
            "id": session_id,
            "object": "realtime.transcription_session",
            "expires_at": expires_at,
            "include": [name for name in self.include if name in (LOGPROBS, PARTIALS)] or None,
        }
        audio = self.input.format.audio
        if beta:
            formats = {name: beta_name for beta_name, name in _BETA_FORMATS.items()}
            return {
                **head,
                "input_audio_format": formats[audio.encoding],
                "input_audio_transcription": transcription,
                "turn_detection": turn_detection,
                "input_audio_noise_reduction": None,
            }
        form: dict[str, Any] = {"type": audio.encoding}
        if audio.encoding == "audio/pcm":
            form["rate"] = audio.rate
        shown = {
            "format": form,
            "transcription": transcription,
            "turn_detection": turn_detection,
            "noise_reduction": None,
        }
        return {**head, "type": "transcription", "audio": {"input": shown}}


def _input(session: Mapping[str, Any]) -> dict[str, Any]:
    """The changes to `audio.input`, from wherever a client's shape has them."""
    audio = session.get("audio") or {}
    given = audio.get("input") or {} if isinstance(audio, Mapping) else audio
    if not isinstance(given, Mapping):
        raise InvalidOption("'session.audio.input' has to be an object.", "session.audio.input")
    changes = dict(given)
    for beta, name in _BETA_FIELDS.items():
        if beta not in session:
            continue
        value = session[beta]
        if name == "format":
            if value not in _BETA_FORMATS:
                raise InvalidOption(
                    f"'session.{beta}' has to be one of {', '.join(_BETA_FORMATS)}, not {value!r}.",
                    f"session.{beta}",
                )
            value = {"type": _BETA_FORMATS[value]}
        if changes.get(name, value) != value:
            raise InvalidOption(
                f"'session.{beta}' contradicts 'session.audio.input.{name}'; send one of them.",
                f"session.{beta}",
            )
        changes[name] = value
    return {name: changes[name] for name in changes if name in Input.model_fields}


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, new in changes.items():
        old = values.get(name)
        if (
            isinstance(old, dict)
            and isinstance(new, Mapping)
            and new.get("type", old.get("type")) == old.get("type")
        ):
            values[name] = {**old, **new}
        elif name == "turn_detection" and isinstance(new, Mapping) and "type" not in new:
            values[name] = {"type": "server_vad", **new}
        elif name == "format" and new is None:
            values.pop(name, None)
        else:
            values[name] = new
