"""One recording followed through the processes of the graph, by its trace and by its log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import ROOT, Service, service

STAGES = ("AudioLoader", "SpeechRecognizer", "SpeakerDiarizer")
SECRET = "Nobodys-business"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("followed")
    profile = yaml.safe_load((ROOT / "configs/cpu.yaml").read_text())
    # What is said does not matter here.
    profile["applications"][0]["args"]["recognition"]["model"] = "sleeping:0"
    profile["logging_config"] = {"encoding": "JSON"}
    profile["tracing_config"] = {"enabled": True, "sampling_ratio": 1.0}
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    env = {
        "RAYSCRIBE_STORAGE": f"file://{folder}/storage",
        "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite",
    }
    path = str(folder / "profile.yaml")
    with (folder / "log").open("w") as log, service(log, path, env) as running:
        yield running


def written(running: Service, deployment: str, ending: str) -> str:
    """What its replicas wrote into files whose names end so."""
    found = ""
    for process in running.replicas(deployment):
        paths = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()}
        found += "".join(Path(p).read_text() for p in sorted(paths) if p.endswith(ending))
    return found


def logged(running: Service, deployment: str) -> list[dict[str, Any]]:
    lines = written(running, deployment, ".log").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def spans(running: Service, deployment: str) -> list[dict[str, Any]]:
    text, found = written(running, deployment, "_tracing.json").lstrip(), []
    while text:
        span, end = json.JSONDecoder().raw_decode(text)
        found.append(span)
        text = text[end:].lstrip()
    return found


def test_a_recording_leaves_one_trace_and_one_id_in_all_stages(followed: Service) -> None:
    with followed.client() as client, SAMPLE.open("rb") as file:
        answer = client.post(
            "/v1/audio/transcriptions",
            headers={"x-request-id": "followed-7"},
            data={"model": "whisper-1", "speakers": "true", "prompt": SECRET},
            files={"file": (f"{SECRET}.wav", file)},
        )
    assert answer.status_code == 200, answer.text

    own = {span["name"]: span for span in spans(followed, "Ingress")}
    assert {"recording", "load", "window", "diarize", "merge"} <= set(own)
    recording = own["recording"]
    for name in ("load", "window", "diarize", "merge"):
        assert own[name]["parent_id"] == recording["context"]["span_id"], name
    trace = recording["context"]["trace_id"]
    for deployment, call in zip(STAGES, ("load", "recognize", "analyse"), strict=True):
        name = f"replica_handle_request {deployment} {call}"
        found = [span for span in spans(followed, deployment) if span["name"] == name]
        assert found, deployment
        assert {span["context"]["trace_id"] for span in found} == {trace}

    for deployment in ("Ingress", *STAGES):
        ids = [line.get("request_id") for line in logged(followed, deployment)]
        assert "followed-7" in ids, deployment
        everything = written(followed, deployment, ".log")
        everything += written(followed, deployment, "_tracing.json")
        assert SECRET not in everything, deployment


def test_a_jobs_id_is_in_the_log_of_each_stage(followed: Service) -> None:
    with followed.client() as client, SAMPLE.open("rb") as file:
        answer = client.post("/v1/jobs", data={"speakers": "true"}, files={"file": file})
        assert answer.status_code in {200, 201, 202}, answer.text
        job = answer.json()["id"]
        client.get(f"/v1/jobs/{job}/events")  # until its end
        assert client.get(f"/v1/jobs/{job}").json()["status"] == "completed"
    for deployment in ("JobManager", *STAGES):
        ids = [line.get("request_id") for line in logged(followed, deployment)]
        assert job in ids, deployment
