"""A client of a running service: one recording up, its events down."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx2

from serve_app.client.failures import Unreachable, check, failure_in_stream, unreachable
from serve_app.client.uploads import OnUpload, Source, file_name, opened


class Client:
    """Talks to the service at `server`. `timeout` is its longest silence, in seconds.

    One may be used by several threads.
    """

    def __init__(self, server: str, api_key: str | None = None, *, timeout: float = 600) -> None:
        headers = {"x-admin-api-key": api_key} if api_key is not None else {}
        self._server = server.rstrip("/")
        self._http = httpx2.Client(
            base_url=self._server,
            headers=headers,
            timeout=httpx2.Timeout(timeout, connect=10, pool=None),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def transcribe(
        self,
        recording: Source,
        *,
        translate: bool = False,
        options: Mapping[str, str | list[str]],
        on_upload: OnUpload = lambda sent: None,
    ) -> Iterator[dict[str, Any]]:
        """The service's events for a file, or for a URL that the service fetches.

        The file is read as it is sent. The last event has the type `transcript.text.done` and
        the answers by form as `outputs`, where the options ask for them. Raises ServiceFailure,
        and OSError for the file.
        """
        data = {"model": "whisper-1", "stream": "true", "progress": "true", **options}
        route = "/v1/audio/translations" if translate else "/v1/audio/transcriptions"
        with ExitStack() as stack:
            files: dict[str, Any]
            if isinstance(recording, Path):
                file = stack.enter_context(opened(recording, on_upload))
                files = {"file": (file_name(recording), file)}
            else:
                # In parts too: voices are more than a form of another kind may hold.
                files = {"url": (None, recording)}
            try:
                response = stack.enter_context(
                    self._http.stream("POST", route, data=data, files=files)
                )
                yield from self._events(response)
            except httpx2.TransportError as error:
                raise unreachable(self._server, error) from error

    def models(self) -> list[str]:
        """The ids of the models that the service offers. Raises ServiceFailure."""
        return [model["id"] for model in self._json("GET", "/v1/models")["data"]]

    def _json(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(method, path, **how).json()
        return answer

    def _call(self, method: str, path: str, **how: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **how)
        except httpx2.TransportError as error:
            raise unreachable(self._server, error) from error
        check(response)
        return response

    def _events(self, response: httpx2.Response) -> Iterator[dict[str, Any]]:
        check(response)
        for line in response.iter_lines():
            if line == "data: [DONE]":
                return
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    raise failure_in_stream(event["error"])
                yield event
        raise Unreachable(f"The service at {self._server} ended its answer in the middle.")
