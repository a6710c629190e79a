"""The OpenAPI document and its page."""

import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

ROUTES = {
    ("post", "/"),
    ("post", "/v1/audio/transcriptions"),
    ("post", "/v1/audio/translations"),
    ("post", "/asr"),
    ("post", "/detect-language"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{model_id}"),
    ("get", "/tasks"),
    ("get", "/status/{task_id}"),
    ("delete", "/cancel/{task_id}"),
    ("post", "/v1/jobs"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{job_id}"),
    ("delete", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/{job_id}/transcript"),
    ("get", "/v1/jobs/{job_id}/peaks"),
    ("get", "/v1/jobs/{job_id}/recording"),
    ("get", "/v1/jobs/{job_id}/events"),
    ("post", "/v1/jobs/{job_id}/cancel"),
    ("get", "/v1/jobs/{job_id}/deliveries"),
    ("post", "/v1/jobs/{job_id}/deliveries/{delivery_id}/redeliver"),
    ("post", "/v1/speakers"),
    ("get", "/v1/speakers"),
    ("get", "/v1/speakers/{speaker_id}"),
    ("patch", "/v1/speakers/{speaker_id}"),
    ("delete", "/v1/speakers/{speaker_id}"),
    ("get", "/health"),
    ("get", "/ready"),
}


@pytest.fixture
def document(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def test_every_route_is_described(document: Any) -> None:
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == ROUTES
    for operation in operations.values():
        assert operation["summary"]
        assert operation["tags"]


def test_the_page_has_a_place_for_the_key(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    assert [set(each) for each in document["security"]] == [{name} for name in schemes]
    open_operations = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == []
    }
    assert open_operations == {("get", "/health"), ("get", "/ready")}


def test_every_field_is_described(document: Any) -> None:
    bare = []
    theirs = {"HTTPValidationError", "ValidationError"}  # FastAPI's own
    for name, schema in document["components"]["schemas"].items():
        if name not in theirs:
            bare += [f"{name}.{field}" for field, about in _bare(schema)]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            bare += [
                f"{method} {path} {parameter['name']}"
                for parameter in operation.get("parameters", ())
                if not parameter.get("description")
            ]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                bare += [f"{method} {path} {field}" for field, about in _bare(body["schema"])]
    assert bare == []


def _bare(schema: Any) -> list[tuple[str, Any]]:
    fields = schema.get("properties", {}).items()
    return [(field, about) for field, about in fields if not about.get("description")]


def test_every_route_has_an_example_that_calls_it(document: Any) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            example = operation["description"].rpartition("```sh\n")[2].removesuffix("\n```")
            command, *arguments = shlex.split(example)
            assert command == "curl"
            (address,) = [each for each in arguments if each.startswith("http://")]
            called = urlsplit(address).path
            pattern = re.sub(r"\\{\w+\\}", "[$a-z0-9-]+", re.escape(path))
            assert re.fullmatch(pattern, called), example
            sends = {"-F", "-d"} & set(arguments)
            named = arguments[arguments.index("-X") + 1] if "-X" in arguments else None
            assert (named or ("POST" if sends else "GET")) == method.upper(), example


def test_references_resolve(document: Any) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                assert reference.removeprefix("#/components/schemas/") in schemas
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    schemas = document["components"]["schemas"]
    walk(document["paths"])
    walk(schemas)


def test_the_original_dialect(document: Any) -> None:
    operation = document["paths"]["/"]["post"]
    assert {"200", "400", "401", "413", "422", "429", "500", "503"} <= set(operation["responses"])
    schema = document["components"]["schemas"]["SeedRequest"]
    properties = schema["properties"]
    assert schema["required"] == ["url"]
    assert {"webhook", "managed_task_id", "num_speakers", "min_speakers", "max_speakers"} <= set(
        properties
    )
    assert {name: field["default"] for name, field in properties.items() if "default" in field} == {
        "task": "transcribe",
        "language": "None",
        "batch_size": 64,
        "timestamp": "chunk",
        "diarise_audio": False,
        "is_async": False,
        "channels": "auto",
        "known_speakers": [],
        "identify": False,
        "speaker_embeddings": False,
    }


@pytest.mark.parametrize("route", ["transcriptions", "translations"])
def test_the_form_of_an_upload(document: Any, route: str) -> None:
    operation = document["paths"][f"/v1/audio/{route}"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["model"]
    assert form["properties"]["file"]["format"] == "binary"
    assert ("timestamp_granularities[]" in form["properties"]) == (route == "transcriptions")
    assert all(
        field.get("description") or "enum" in field or "anyOf" in field
        for field in form["properties"].values()
    )
    kinds = set(operation["responses"]["200"]["content"])
    assert {"application/json", "text/plain", "text/vtt", "text/event-stream"} <= kinds
    error = operation["responses"]["413"]["content"]["application/json"]["schema"]["$ref"]
    assert error.endswith("/OpenAIError")


def test_the_page_needs_no_other_server(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{asset}" in page.text
        assert client.get(f"/docs/assets/{asset}").status_code == 200
