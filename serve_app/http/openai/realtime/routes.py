"""`GET /v1/realtime`, upgraded to a WebSocket."""

from fastapi import APIRouter, WebSocket

from serve_app.http.gate.auth import caller
from serve_app.http.intake.quota import check_hours
from serve_app.http.openai.realtime.connection import Connection
from serve_app.http.services import Given

PATH = "/v1/realtime"

_PROTOCOL = "realtime"
_BETA = "realtime=v1"
_BETA_PROTOCOL = "openai-beta.realtime-v1"

routes = APIRouter()


@routes.websocket(PATH)
async def realtime(services: Given, socket: WebSocket) -> None:
    """A live session. `intent` and `model` of the query change nothing: there is one model, and it
    transcribes."""
    offered = socket.scope.get("subprotocols") or []
    await socket.accept(_PROTOCOL if _PROTOCOL in offered else None)
    beta = _BETA_PROTOCOL in offered or socket.headers.get("openai-beta") == _BETA
    connection = Connection(socket, services.live, services.config.model, beta=beta)
    await connection.run(caller(socket.scope).name, check_hours(services, socket))
