"""Somebody to be known, as they arrive: JSON with `references`, or a form with files."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from interchange.errors import InvalidOption
from interchange.stages import BlobSource
from serve_app.http.around.sentences import describe
from serve_app.http.intake.form_docs import whole_schema
from serve_app.http.intake.form_reader import Form, read_form, read_json
from serve_app.http.intake.known_speakers import MOST_REFERENCES, KnownName, Reference
from serve_app.http.services import Services, Uploads

_FILE = "file"
_MOST_BYTES = 64 * 2**20
"""Of an uploaded reference: a minute of studio sound is half as large."""


class SpeakerChange(BaseModel):
    """What is not sent stays as it is. Unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ann Smith"}]}
    )

    name: KnownName | None = Field(None, description="What is written where this person speaks.")
    references: tuple[Reference, ...] = Field(
        (),
        description=f"Recordings of this person alone, up to {MOST_REFERENCES} with those that are "
        "uploaded: data URLs, or addresses to fetch. 2 to 10 s each are best.",
    )


class NewSpeaker(SpeakerChange):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Ann", "references": ["https://example.com/ann.wav"]}]
        }
    )

    name: KnownName = Field(description="What is written where this person speaks.")


S = TypeVar("S", bound=SpeakerChange)


@dataclass(frozen=True, slots=True)
class Sent(Generic[S]):
    """What was sent, and all recordings of it; `param` is the field that these came in."""

    speaker: S
    recordings: tuple[str | BlobSource, ...]
    param: str

    def check(self, name: str, known: int = 0) -> None:
        """Raises InvalidOption where there are none, or with those that are `known` too many."""
        if not self.recordings or known + len(self.recordings) > MOST_REFERENCES:
            raise InvalidOption(
                f"There are {len(self.recordings)} recordings of {name!r} here, and {known} are "
                f"known; a profile has 1 to {MOST_REFERENCES}, which come as 'references' in JSON "
                f"or {_FILE!r} in a form.",
                self.param,
            )


async def read_speaker(
    services: Services, request: Request, stack: AsyncExitStack, kind: type[S]
) -> Sent[S]:
    """Who is to be known. What was uploaded is deleted when the stack closes.

    Raises InvalidOption, what `read_form` raises, and ClientError for JSON that is none.
    """
    content, _ = parse_options_header(request.headers.get("content-type"))
    if content == b"application/json":
        form, values = Form(), await read_json(request)
    else:
        form = await read_form(
            request,
            services.uploads,
            max_file_bytes=min(_MOST_BYTES, services.config.max_upload_bytes),
            most_files=MOST_REFERENCES,
            file_field=_FILE,
        )
        stack.push_async_callback(_delete, services.uploads, form.files)
        values = _values(form)
    try:
        speaker = kind.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(*describe(error.errors())) from error
    param = _FILE if form.files else "references"
    return Sent(speaker, (*form.files, *speaker.references), param)


def speaker_body(kind: type[SpeakerChange]) -> dict[str, Any]:
    """The `requestBody` of a route that takes one."""
    form, schema = whole_schema(kind), whole_schema(kind)
    form["properties"][_FILE] = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "maxItems": MOST_REFERENCES,
        "description": "Recordings of this person alone, one or several.",
    }
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _values(form: Form) -> dict[str, Any]:
    """A form's fields as JSON would have them. An empty field counts as not sent."""
    values: dict[str, Any] = {}
    for name, text in form.fields:
        key = name.removesuffix("[]")
        if key == "references" and text:
            values.setdefault(key, []).append(text)
        elif text:
            values[key] = text
    return values


async def _delete(uploads: Uploads, files: list[BlobSource]) -> None:
    # The client may have gone, and with it this task been cancelled: the files go all the same.
    with anyio.CancelScope(shield=True):
        for file in files:
            await uploads.delete(file)
