"""A recording that is uploaded for as long as its request lasts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import anyio
from fastapi import Depends, Request
from starlette.types import Scope

from interchange.stages import BlobSource
from serve_app.http.gate.auth import caller
from serve_app.http.gate.bounds import declared_length
from serve_app.http.gate.crossing import admitted
from serve_app.http.intake.estimate import estimated_seconds
from serve_app.http.intake.form_reader import Form, Wrap, read_form
from serve_app.http.services import Services, Uploads
from serve_app.transcription.admission import UNKNOWN_S, take


async def _request_stack() -> AsyncIterator[AsyncExitStack]:
    """What a request has opened is closed once its answer was sent, or its client is gone."""
    async with AsyncExitStack() as stack:
        yield stack


RequestStack = Annotated[AsyncExitStack, Depends(_request_stack)]


async def read_upload(
    services: Services,
    request: Request,
    stack: AsyncExitStack,
    *,
    file_field: str = "file",
    wrap: Wrap | None = None,
) -> Form:
    """The request's form, once there is a place for its recording: that is asked when the file's
    beginning is here, and not its end. The recording is deleted, and the place left, when the
    stack closes.

    Raises what `read_form` and `admit` raise.
    """
    length = declared_length(request.headers)

    def let_in(beginning: bytes) -> None:
        admit(services, request.scope, stack, estimated_seconds(beginning, length))

    received = await read_form(
        request,
        services.uploads,
        max_file_bytes=services.config.max_upload_bytes,
        file_field=file_field,
        wrap=wrap,
        on_file=let_in,
    )
    if received.file is not None:
        stack.push_async_callback(_delete, services.uploads, received.file)
    else:
        admit(services, request.scope, stack)
    return received


def admit(services: Services, scope: Scope, stack: AsyncExitStack, seconds: float = 0.0) -> None:
    """Give the request a place until the stack closes. `seconds` of audio are expected; 0: who
    knows? Raises QueueFull, and Unavailable where a stage has been down for a while."""
    services.watch.check()
    place = services.admission.enter(seconds or UNKNOWN_S, caller(scope).name)
    stack.callback(place.leave)
    take(place)
    admitted(scope)


async def _delete(uploads: Uploads, source: BlobSource) -> None:
    # The client may have gone, and with it this task been cancelled: the file goes all the same.
    with anyio.CancelScope(shield=True):
        await uploads.delete(source)
