"""Somebody to be known, as they arrive: JSON with `references`, or a form with files."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from interchange.errors import InvalidOption
from interchange.stages import BlobSource
from serve_app.http.around.sentences import describe
from serve_app.http.intake.form_reader import Form, read_form, read_json
from serve_app.http.intake.known_speakers import MOST_REFERENCES, KnownName, Reference
from serve_app.http.services import Services, Uploads

FILE = "file"
_MOST_BYTES = 64 * 2**20
"""Of an uploaded reference: a minute of studio sound is half as large."""


class SpeakerName(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Ann"}]})

    name: KnownName = Field(description="What is written where this person speaks.")


class NewSpeaker(SpeakerName):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Ann", "references": ["https://example.com/ann.wav"]}]
        }
    )

    references: tuple[Reference, ...] = Field(
        (),
        description=f"Recordings of this person alone, up to {MOST_REFERENCES} with those that are "
        "uploaded: data URLs, or addresses to fetch. 2 to 10 s each are best.",
    )


@dataclass(frozen=True, slots=True)
class Introduction:
    """A name, and one recording at least; `param` is the field that these came in."""

    name: str
    recordings: tuple[str | BlobSource, ...]
    param: str


async def read_speaker(services: Services, request: Request, stack: AsyncExitStack) -> Introduction:
    """Who is to be known. What was uploaded is deleted when the stack closes.

    Raises InvalidOption, what `read_form` raises, and ClientError for JSON that is none.
    """
    kind, _ = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/json":
        form, values = Form(), await read_json(request)
    else:
        form = await read_form(
            request,
            services.uploads,
            max_file_bytes=min(_MOST_BYTES, services.config.max_upload_bytes),
            most_files=MOST_REFERENCES,
            file_field=FILE,
        )
        stack.push_async_callback(_delete, services.uploads, form.files)
        values = _values(form)
    try:
        new = NewSpeaker.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(*describe(error.errors())) from error
    param = FILE if form.files else "references"
    recordings = (*form.files, *new.references)
    if not 0 < len(recordings) <= MOST_REFERENCES:
        raise InvalidOption(
            f"There are {len(recordings)} recordings of {new.name!r}; send 1 to "
            f"{MOST_REFERENCES} in which only this person talks, as 'references' in JSON or "
            f"'{FILE}' in a form.",
            param,
        )
    return Introduction(new.name, recordings, param)


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
