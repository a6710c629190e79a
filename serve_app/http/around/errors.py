"""How errors look on the wire, in the dialect of the path.

Under /v1 it is OpenAI's `{"error": {"message", "type", "param", "code"}}`, elsewhere the
original service's `{"detail": ...}`. Under /v1/audio the status of a wrong option is OpenAI's too.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interchange.errors import InvalidOption, NoRoom, RayscribeError
from serve_app.http.around.request_id import request_id
from serve_app.http.around.sentences import describe

log = logging.getLogger("ray.serve")

ROOM_HEADER = "x-rayscribe-another-in"
"""Of a 429 for want of room: the seconds after which there is room for one more. It is for what
stands around Serve's proxy, which takes it off."""

_CODES = {
    401: "invalid_api_key",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def is_openai_path(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _status(path: str, status: int) -> int:
    """OpenAI answers 400 to what is 422 elsewhere, and its clients catch a BadRequestError."""
    return 400 if status == 422 and path.startswith("/v1/audio/") else status


def openai_error(
    status: int, message: str, *, code: str | None, param: str | None = None
) -> dict[str, Any]:
    """The body of an error under /v1; all four keys are always there."""
    kinds = {
        401: "authentication_error",
        403: "permission_error",
        429: "rate_limit_error",
    }
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(
    scope: Scope,
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error in the dialect of the request's path."""
    status = _status(scope["path"], status)
    body: dict[str, Any] = {"detail": message}
    if is_openai_path(scope["path"]):
        body = openai_error(status, message, code=code or _CODES.get(status), param=param)
    return JSONResponse(body, status, headers)


def rayscribe_error(error: RayscribeError) -> dict[str, Any]:
    """The body of one of our own errors under /v1, also sent in the middle of a stream."""
    return openai_error(error.status, error.message, code=error.code, param=error.param)


def install(app: FastAPI) -> None:
    """Give the app its exception handlers."""
    app.add_exception_handler(RayscribeError, _on_rayscribe_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_rayscribe_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RayscribeError)
    if error.status == 500:
        _log_failure(request.scope, error)
    headers = {}
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, NoRoom):
        headers[ROOM_HEADER] = f"{error.each_s:.3f}"
    return error_response(
        request.scope,
        error.status,
        error.message,
        code=error.code,
        param=error.param,
        headers=headers,
    )


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if is_openai_path(request.url.path):
        message, param = describe(error.errors())
        return error_response(request.scope, 422, message, code=InvalidOption.code, param=param)
    # In ASCII: what was sent stands in it, and half a character has no bytes in UTF-8.
    body = json.dumps({"detail": jsonable_encoder(_without_causes(error.errors()))})
    return Response(body, 422, media_type="application/json")


def _without_causes(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A validator's exception object sits in `ctx` and has no JSON form; `msg` quotes it."""
    return [{key: value for key, value in error.items() if key != "ctx"} for error in errors]


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        request.scope, error.status_code, str(error.detail), headers=error.headers
    )


async def _on_disconnect(request: Request, error: Exception) -> Response:
    """Nobody reads this answer; the log's status says what happened."""
    log.info("The client went away from request %s.", request_id(request.scope))
    return Response(status_code=499)


class UnexpectedErrors:
    """The last net: an exception that reaches it is a fault of ours.

    It is logged with its traceback, and answered by a 500 that names the request's id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            _log_failure(scope, error)
            sentence = (
                "An unexpected error of the service; its log has the details under the request "
                f"id {request_id(scope)}."
            )
            response = error_response(scope, 500, sentence, code="internal_error")
            await response(scope, receive, send)


def _log_failure(scope: Scope, error: Exception) -> None:
    # The route and not the path, in which names stand.
    log.error(
        "%s %s failed, request %s: %s",
        scope["method"],
        getattr(scope.get("route"), "path", "?"),
        request_id(scope),
        error,
        exc_info=error,
        extra={"request_id": request_id(scope)},
    )
