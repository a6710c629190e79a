"""What the service's own OpenAPI document allows, and what it does not, sent at random."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import requests
import schemathesis
from schemathesis import GenerationMode

from benchmarks.attack.target import KEY, Line, Target
from tests.support.drawn import each_drawn

_STAGES = ("Ingress", "AudioLoader", "SpeechRecognizer", "SpeakerDiarizer", "JobManager")


def document(target: Target, examples: int) -> Iterator[Line]:
    """So many requests of each route, of what is right and of what is wrong."""
    before = {stage: target.service.replicas(stage) for stage in _STAGES}
    statuses: Counter[int] = Counter()
    faults: set[str] = set()
    with target.client(timeout=120) as client:
        schema: Any = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in GenerationMode:
                send = partial(_send, target.service.url, statuses, faults, operation.label)
                each_drawn(operation, mode, examples, send)
    dead = [stage for stage in _STAGES if target.service.replicas(stage) != before[stage]]
    number = sum(statuses.values())
    said = f"{dict(sorted(statuses.items()))}; faults: {sorted(faults) or 'none'}"
    yield Line(f"{number} requests by the document", said, not faults)
    yield Line("… replicas that died", ", ".join(dead) or "none", not dead)


def _send(url: str, statuses: Counter[int], faults: set[str], label: str, case: Any) -> None:
    asked = requests.Request(**case.as_transport_kwargs(base_url=url))
    asked.headers = {**(asked.headers or {}), "x-admin-api-key": KEY}
    try:
        with requests.Session() as session:
            answer = session.send(session.prepare_request(asked), timeout=120, stream=True)
            status = answer.status_code
            answer.close()
    except (requests.exceptions.InvalidHeader, UnicodeError, ValueError):
        return  # the client itself will not send it
    except requests.RequestException as error:
        status = 0
        faults.add(f"{label}: {type(error).__name__}")
    statuses[status] += 1
    if status >= 500:
        faults.add(f"{label}: {status}")
