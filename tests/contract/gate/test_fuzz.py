"""What the OpenAPI document allows, and what it does not: no answer is a fault of ours."""

from functools import partial
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from serve_app.http.app import create_app
from tests.contract.intake.test_uploads import no_jobs
from tests.fakes.services import services
from tests.support.drawn import each_drawn

BASE = "http://service"


def operations() -> list[Any]:
    document = create_app(services(no_jobs())).openapi()
    found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    return [result.ok() for result in found]


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_no_request_is_answered_by_a_fault(
    client: TestClient, operation: Any, mode: GenerationMode
) -> None:
    if not each_drawn(operation, mode, 5, partial(_send, client)):
        pytest.skip("nothing of this request can be wrong")


def _send(client: TestClient, case: Any) -> None:
    request = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
    body: Any = request.body.encode() if isinstance(request.body, str) else request.body
    answer = client.request(
        request.method or "GET",
        str(request.url).removeprefix(BASE),
        content=body,
        headers={name.encode(): _bytes(value) for name, value in request.headers.items()},
    )
    assert answer.status_code < 500, (request.method, request.url, body, answer.text)


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value
