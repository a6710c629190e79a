"""A recording that is uploaded for as long as its request lasts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import anyio
from fastapi import Depends, Request

from interchange.stages import BlobSource
from serve_app.http.intake.form_reader import Form, Wrap, read_form
from serve_app.http.services import Services, Uploads


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
    """The request's form. Its recording is deleted when the stack closes.

    Raises what `read_form` raises.
    """
    received = await read_form(
        request,
        services.uploads,
        max_file_bytes=services.config.max_upload_bytes,
        file_field=file_field,
        wrap=wrap,
    )
    if received.file is not None:
        stack.push_async_callback(_delete, services.uploads, received.file)
    return received


async def _delete(uploads: Uploads, source: BlobSource) -> None:
    # The client may have gone, and with it this task been cancelled: the file goes all the same.
    with anyio.CancelScope(shield=True):
        await uploads.delete(source)
