"""Options that several dialects have."""

from typing import Annotated, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyHttpUrl,
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
)

from interchange.stages import ChannelUse
from serve_app.http.around.sentences import wrong
from serve_app.jobs.delivery import WebhookTarget
from serve_app.transcription.language_names import parse_language


def _parse(text: str | None) -> str | None:
    return None if text is None else parse_language(text)


Language = Annotated[str | None, AfterValidator(_parse)]
"""A code, a tag or an English name on the wire, Whisper's code or None once validated."""


def _code(text: str) -> str:
    code = parse_language(text)
    if code is None:
        raise ValueError("an entry of 'languages' has to name a language")
    return code


LanguageCode = Annotated[str, AfterValidator(_code)]
"""A code, a tag or an English name on the wire, Whisper's code once validated; not `None`."""

BatchSize = Annotated[
    int, Field(ge=1, description="Windows of this request that may share one batch.")
]

SpeakerCount = Annotated[
    int | None, Field(ge=1, le=100, description="A bound on the number of speakers.")
]


Channels = Annotated[
    ChannelUse,
    Field(
        description="`separate` recognizes each channel by itself, as of a call with a person in "
        "each: a speaker is a channel then. `mix` takes them as one. `auto` separates them where "
        "they hold different people. Not in OpenAI's API."
    ),
]


SpeakerEmbeddings = Annotated[
    bool,
    Field(
        description="Answer each speaker's voice too, as numbers that are near each other for the "
        "same person. Not in OpenAI's API."
    ),
]


def _one_line(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("a speaker's name is one line of text")
    return name.strip()


SpeakerName = Annotated[str, Field(max_length=100), AfterValidator(_one_line)]

SpeakerNames = Annotated[
    tuple[SpeakerName, ...],
    Field(description="What is written for SPEAKER_00, SPEAKER_01 and so on. Not in OpenAI's API."),
]


Identify = Annotated[
    bool,
    Field(
        description="Look for those of whom this key has made a voice profile (`/v1/speakers`): "
        "where they speak they are called by their names. Not in OpenAI's API."
    ),
]


class _SpeakerBounds(Protocol):
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None


Bounded = TypeVar("Bounded", bound=_SpeakerBounds)


def ordered_bounds(options: Bounded) -> Bounded:
    """Raises pydantic's error where the bounds on the number of speakers exclude each other."""
    low, exact, high = options.min_speakers, options.num_speakers, options.max_speakers
    if low is not None and high is not None and low > high:
        raise wrong("min_speakers", f"min_speakers ({low}) is larger than max_speakers ({high})")
    if exact is not None and not (low or exact) <= exact <= (high or exact):
        raise wrong(
            "num_speakers", f"num_speakers ({exact}) lies outside min_speakers and max_speakers"
        )
    return options


_HTTP_URL: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)


def _http(url: str) -> str:
    """The URL as it was sent: a receiver's secret in it must not be spelled otherwise."""
    url = url.strip()
    try:
        _HTTP_URL.validate_python(url)
    except ValidationError as error:
        raise ValueError(
            f"{url!r} is no address that a webhook can be sent to; give one that begins with "
            "http:// or https:// and names a host"
        ) from error
    return url


class Webhook(BaseModel):
    """Where the end of a task or a job is announced."""

    url: Annotated[str, AfterValidator(_http)] = Field(description="Where to POST the result.")
    header: dict[str, str] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("header", "headers"),
        description="Headers of that POST. `headers` is understood too.",
    )

    def target(self) -> WebhookTarget:
        return WebhookTarget(self.url, self.header)
