"""Reading a form whose file goes straight to the blob store.

Starlette's own parser would write the file to a temporary folder of this replica first; here
each chunk goes from the socket to the store, and memory holds one chunk.
"""

import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from interchange.errors import ClientError, InvalidOption, RecordingTooLarge
from interchange.stages import BlobSource
from serve_app.http.around.json_text import parse_json
from serve_app.http.gate.bounds import declared_length
from serve_app.http.services import Uploads

FIELD_BYTES = 16 * 2**20
"""What all fields but the file may take together: reference voices come as data URLs."""

_FIELDS = 1000
_NAME_BYTES = 256
_BOUNDARY_BYTES = 70  # by RFC 2046
_URLENCODED_BYTES = 2**20
_AROUND_BYTES = 2**20
"""What a form may have beside its fields and its file: headers of parts, and what follows."""


class UnsupportedMediaType(ClientError):
    status = 415
    code = "unsupported_media_type"


class FormTooLarge(ClientError):
    status = 413
    code = "request_too_large"


@dataclass(slots=True)
class Form:
    """A form as sent: the fields in order, and the recordings that were uploaded.

    `digest` is the SHA-256 of the last recording, in hexadecimal.
    """

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[BlobSource] = field(default_factory=list)
    digest: str | None = None

    @property
    def file(self) -> BlobSource | None:
        """The recording of a form that has one at most."""
        return self.files[0] if self.files else None


Wrap = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
"""What changes an upload on its way to the store."""

OnFile = Callable[[bytes], None]
"""What looks at the beginning of an upload before any of it is stored; it may raise."""


async def read_form(
    request: Request,
    uploads: Uploads,
    *,
    max_file_bytes: int,
    most_files: int = 1,
    file_field: str = "file",
    wrap: Wrap | None = None,
    on_file: OnFile = lambda beginning: None,
) -> Form:
    """Read the request's form; parts named `file_field` are stored while they arrive.

    Where anything goes wrong, nothing stays stored. Raises UnsupportedMediaType, FormTooLarge,
    RecordingTooLarge, ClientError for a damaged form, and starlette's ClientDisconnect.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/x-www-form-urlencoded":
        return await _urlencoded(request)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType(
            "The request body has to be a form (multipart/form-data) with the recording in a field "
            f"{file_field!r}."
        )
    if declared_length(request.headers) > most_files * max_file_bytes + FIELD_BYTES:
        raise _too_large(max_file_bytes)
    boundary = options.get(b"boundary")
    if not boundary:
        raise ClientError("The form's Content-Type names no boundary; send it again.")
    if len(boundary) > _BOUNDARY_BYTES:
        raise ClientError(
            f"The form's boundary has {len(boundary)} bytes; at most {_BOUNDARY_BYTES} are allowed."
        )
    reader = _Multipart(
        request,
        boundary,
        uploads,
        max_file_bytes,
        most_files,
        file_field=file_field,
        wrap=wrap,
        on_file=on_file,
    )
    return await reader.read()


def _too_large(limit: int) -> RecordingTooLarge:
    return RecordingTooLarge(
        f"The recording is larger than the limit of {limit} bytes; compress it or cut it."
    )


async def read_body(request: Request, max_bytes: int = FIELD_BYTES) -> bytes:
    """A body that is no recording. Raises FormTooLarge beyond `max_bytes`."""
    too_large = FormTooLarge(f"The request body is larger than {max_bytes} bytes; send less.")
    if declared_length(request.headers) > max_bytes:
        raise too_large
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > max_bytes:
            raise too_large
    return bytes(chunks)


async def read_json(request: Request) -> Any:
    """The value of a body of JSON. Raises FormTooLarge, and ClientError for what is none."""
    try:
        return parse_json(await read_body(request))
    except ValueError as error:
        raise ClientError(f"The request body is not valid JSON: {error}.") from error


async def _urlencoded(request: Request) -> Form:
    text = (await read_body(request, _URLENCODED_BYTES)).decode("utf-8", "replace")
    try:
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError as error:
        raise _too_many_fields() from error


def _too_many_fields() -> FormTooLarge:
    return FormTooLarge(f"The form has more than {_FIELDS} fields; send fewer.")


@dataclass(frozen=True, slots=True)
class _PartBegins:
    name: str
    filename: str | None


class _PartEnds:
    pass


_Event = _PartBegins | _PartEnds | bytes


class _Multipart:
    """One multipart body, pulled: whoever asks for the next event reads the socket for it."""

    def __init__(
        self,
        request: Request,
        boundary: bytes,
        uploads: Uploads,
        max_file_bytes: int,
        most_files: int,
        *,
        file_field: str,
        wrap: Wrap | None,
        on_file: OnFile,
    ) -> None:
        self._stream = request.stream()
        self._uploads = uploads
        self._max_file_bytes = max_file_bytes
        self._most_files = most_files
        self._file_field = file_field
        self._wrap = wrap
        self._on_file = on_file
        self._events: deque[_Event] = deque()
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._field_bytes = 0
        self._parts = 0
        self._received = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                "on_part_end": lambda: self._events.append(_PartEnds()),
                "on_end": self._on_end,
            },
        )

    async def read(self) -> Form:
        form = Form()
        try:
            while (event := await self._next()) is not None:
                if isinstance(event, _PartBegins):
                    await self._read_part(event, form)
        except BaseException:
            for file in form.files:
                await self._uploads.delete(file)
            raise
        return form

    async def _read_part(self, part: _PartBegins, form: Form) -> None:
        if part.name != self._file_field:
            value = b"".join([chunk async for chunk in self._field()])
            form.fields.append((part.name, value.decode("utf-8", "replace")))
            return
        if len(form.files) >= self._most_files:
            allowed = "one file; send one recording"
            if self._most_files > 1:
                allowed = f"{self._most_files} files; send fewer"
            raise InvalidOption(f"The form has more than {allowed}.", self._file_field)
        digest = hashlib.sha256()
        chunks = self._file(digest)
        if self._wrap is not None:
            chunks = self._wrap(chunks)
        form.files.append(await self._uploads.save(chunks, part.filename or "recording"))
        form.digest = digest.hexdigest()

    async def _field(self) -> AsyncIterator[bytes]:
        while (chunk := await self._next_chunk()) is not None:
            self._field_bytes += len(chunk)
            if self._field_bytes > FIELD_BYTES:
                raise FormTooLarge(
                    f"The form's fields take more than {FIELD_BYTES} bytes; send less."
                )
            yield chunk

    async def _file(self, digest: "hashlib._Hash") -> AsyncIterator[bytes]:
        size = 0
        while (chunk := await self._next_chunk()) is not None:
            if size == 0:
                self._on_file(chunk)
            size += len(chunk)
            if size > self._max_file_bytes:
                raise _too_large(self._max_file_bytes)
            digest.update(chunk)
            yield chunk

    async def _next_chunk(self) -> bytes | None:
        """More of the current part, None at its end."""
        event = await self._next()
        return event if isinstance(event, bytes) else None

    async def _next(self) -> _Event | None:
        while not self._events:
            try:
                chunk = await anext(self._stream, None)
                if chunk is None and self._ended:
                    return None
                if chunk is None:
                    raise ClientError("The multipart form ends early; send it again.")
                self._received += len(chunk)
                most = self._most_files * self._max_file_bytes
                if self._received > most + FIELD_BYTES + _AROUND_BYTES:
                    raise _too_large(self._max_file_bytes)
                self._parser.write(chunk)
            except FormParserError as error:
                raise ClientError(
                    f"The multipart form is damaged ({error}); send it again."
                ) from error
        return self._events.popleft()

    def _on_end(self) -> None:
        self._ended = True

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _FIELDS:
            raise _too_many_fields()
        self._disposition = b""

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise ClientError("A part of the form has no name; name each part.")
        if len(options[b"name"]) > _NAME_BYTES:
            raise FormTooLarge(f"A field's name has more than {_NAME_BYTES} bytes.")
        filename = options.get(b"filename")
        self._events.append(
            _PartBegins(_text(options[b"name"]), None if filename is None else _text(filename))
        )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
