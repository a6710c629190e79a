"""An example call of each route, and what stands in paths and queries, for the OpenAPI document."""

from typing import Any

from fastapi import FastAPI

_SERVER = "http://127.0.0.1:8000"
_FILE = "-F file=@sample.wav"

_EXAMPLES = {
    "post /": '-H "Content-Type: application/json" '
    '-d \'{"url": "https://example.com/interview.mp3", "diarise_audio": true}\'',
    "post /v1/audio/transcriptions": f"-F model=whisper-1 {_FILE} -F speakers=true "
    "-F response_format=verbose_json",
    "post /v1/audio/translations": f"-F model=whisper-1 {_FILE} -F response_format=srt",
    "post /asr": "-F audio_file=@sample.wav",
    "post /detect-language": "-F audio_file=@sample.wav",
    "post /v1/jobs": f"{_FILE} -F speakers=true -F words=true",
    "post /v1/speakers": f"-F name=Ann {_FILE}",
    "patch /v1/speakers/{speaker_id}": '-H "Content-Type: application/json" '
    '-d \'{"name": "Ann Smith"}\'',
    "post /v1/jobs/{job_id}/cancel": "-X POST",
    "post /v1/jobs/{job_id}/deliveries/{delivery_id}/redeliver": "-X POST",
    "get /v1/jobs/{job_id}/events": "-N",
    "get /v1/jobs/{job_id}/recording": "-H 'Range: bytes=0-65535' -o start.wav",
}
"""What follows the address in a call of curl, where anything does."""

_QUERIES = {
    "post /asr": "?output=srt&word_timestamps=true",
    "get /v1/jobs": "?status=running&limit=5",
    "get /v1/jobs/{job_id}/transcript": "?format=srt",
}

_IN_PATHS = {
    "{job_id}": "$job",
    "{task_id}": "$task",
    "{delivery_id}": "$delivery",
    "{model_id}": "whisper-1",
    "{speaker_id}": "$speaker",
}

_PARAMETERS = {
    "job_id": "The `id` of the job, as its acceptance answered.",
    "task_id": "The `task_id` of the task.",
    "delivery_id": "The `id` of the delivery.",
    "model_id": "The `id` of the model.",
    "speaker_id": "The `id` of the profile.",
    "status": "Only jobs in this state.",
    "limit": "How many at most.",
    "cursor": "The `next_cursor` of the page before.",
    "format": "What the transcript is written as.",
    "output": "What the transcript is written as.",
}
"""What a parameter means, where its route does not say it."""


def install(app: FastAPI) -> None:
    """Give each operation of the app's document its example, and its parameters a meaning."""
    describe = app.openapi

    def with_examples() -> dict[str, Any]:
        return app.openapi_schema or _with_examples(describe())

    app.openapi = with_examples  # type: ignore[method-assign]


def _with_examples(document: dict[str, Any]) -> dict[str, Any]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            call = f"```sh\n{example(method, path)}\n```"
            said = operation.get("description")
            operation["description"] = f"{said}\n\n{call}" if said else call
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in _PARAMETERS:
                    parameter.setdefault("description", _PARAMETERS[parameter["name"]])
    return document


def example(method: str, path: str) -> str:
    """A call in a shell of an operation, such as of `get` and `/ready`."""
    name = f"{method} {path}"
    for part, variable in _IN_PATHS.items():
        path = path.replace(part, variable)
    address = f"{_SERVER}{path}{_QUERIES.get(name, '')}"
    how = "" if method in ("get", "post") else f"-X {method.upper()} "
    quoted = f'"{address}"' if {"?", "$"} & set(address) else address
    return f"curl {how}{quoted} {_EXAMPLES.get(name, '')}".rstrip()
