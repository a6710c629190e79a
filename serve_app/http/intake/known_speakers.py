"""Speakers that a request knows: their names, and recordings of their voices."""

import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from interchange.errors import InvalidOption
from interchange.stages import BlobSource, Source, UrlSource, Voice
from serve_app.http.intake.options import SpeakerName
from serve_app.http.services import Services

MOST_REFERENCES = 5
"""Recordings of one person."""


def _not_a_label(name: str) -> str:
    if name.startswith("SPEAKER_"):
        raise ValueError(
            f"the name {name!r} begins as those of strangers do, with SPEAKER_; take another"
        )
    return name


KnownName = Annotated[SpeakerName, AfterValidator(_not_a_label)]
Reference = Annotated[
    str, Field(description="A recording of this person alone: a data URL, or an address to fetch.")
]


class KnownSpeaker(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: KnownName = Field(description="What is written where they speak.")
    references: Annotated[
        tuple[Reference, ...],
        Field(min_length=1, max_length=MOST_REFERENCES, description="2 to 10 s each are best."),
    ]


def _different(speakers: tuple[KnownSpeaker, ...]) -> tuple[KnownSpeaker, ...]:
    if name := repeated(speaker.name for speaker in speakers):
        raise ValueError(f"two known speakers are called {name!r}; give each another name")
    return speakers


KnownSpeakers = Annotated[
    tuple[KnownSpeaker, ...],
    Field(
        max_length=20,
        description="People by their voices: those who speak are called by their names.",
    ),
    AfterValidator(_different),
]


def repeated(names: Iterable[str]) -> str | None:
    """The first name that is there twice, whatever its case."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


async def learn(
    services: Services, speakers: Sequence[KnownSpeaker], param: str
) -> tuple[Voice, ...]:
    """The voices of known speakers. Raises InvalidOption for `param`."""
    return tuple(
        [await learn_one(services, each.name, each.references, param) for each in speakers]
    )


async def learn_one(
    services: Services, name: str, references: Sequence[str | BlobSource], param: str
) -> Voice:
    """The voice of who is heard in all these recordings, of which there is one at least. Raises
    InvalidOption for `param`."""
    heard = []
    for reference in references:
        async with _stored(services, reference, name, param) as source:
            heard.append(await services.voices.learn(source, name, param))
    return Voice(name, tuple(each.embedding for each in heard), heard[0].model)


@asynccontextmanager
async def _stored(
    services: Services, reference: str | BlobSource, name: str, param: str
) -> AsyncIterator[Source]:
    """Where the loader finds a reference; what was stored for it is gone after the block."""
    if isinstance(reference, BlobSource):
        yield reference
        return
    if reference.lower().startswith(("http://", "https://")):
        yield UrlSource(reference)
        return
    content = _content(reference, name, param)

    async def once() -> AsyncIterator[bytes]:
        yield content

    source = await services.uploads.save(once(), "reference")
    try:
        yield source
    finally:
        await services.uploads.delete(source)


def _content(reference: str, name: str, param: str) -> bytes:
    """What a data URL (RFC 2397) holds. Raises InvalidOption."""
    scheme, _, rest = reference.partition(":")
    kind, comma, data = rest.partition(",")
    if scheme.strip().lower() != "data" or not comma:
        raise InvalidOption(
            f"The recording of {name!r} is no data URL; send it as data:audio/wav;base64,… with "
            "its bytes.",
            param,
        )
    if not kind.lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error as error:
        raise InvalidOption(
            f"The data URL of {name!r} is not valid base64 ({error}); encode it again.", param
        ) from error
