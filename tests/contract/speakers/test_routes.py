"""Voice profiles: made, listed, renamed, removed, and what cannot be one."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from configs.keys import NamedKey, Scope, digest, write_keys
from interchange.errors import InvalidOption, QueueFull
from interchange.stages import UrlSource
from serve_app.http.services import HttpConfig
from serve_app.jobs.store import profiles as store
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL, FakeUploads, FakeVoices

PATH = "/v1/speakers"
SOUND = b"RIFF, or so"
FILE = ("ann.wav", SOUND, "audio/wav")
DATA_URL = f"data:audio/wav;base64,{base64.b64encode(SOUND).decode()}"
FETCHED = "https://example.com/ann.wav"


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client(HttpConfig(model=MODEL, voice_model="model"))


def add(client: TestClient, name: str = "Ann", **headers: str) -> Any:
    answer = client.post(PATH, json={"name": name, "references": [DATA_URL]}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx2.Response, status: int, param: str | None, said: str) -> None:
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert error["param"] == param
    assert said in error["message"]
    assert error["message"].endswith(".")


def test_a_profile_from_files(client: TestClient, voices: FakeVoices, uploads: FakeUploads) -> None:
    answer = client.post(PATH, data={"name": " Ann "}, files=[("file", FILE), ("file", FILE)])
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert made == {
        "id": made["id"],
        "object": "speaker",
        "name": "Ann",
        "recordings": 2,
        "model": "model",
        "key": "",
        "created_at": made["created_at"],
        "note": None,
    }
    assert [(name, param) for _, name, param in voices.asked] == [("Ann", "file")] * 2
    assert not uploads.kept, "recordings go as soon as they were heard"
    assert client.get(PATH).json() == {"object": "list", "data": [made]}
    assert client.get(answer.headers["location"]).json() == made


def test_a_profile_from_data_and_addresses(
    client: TestClient, voices: FakeVoices, uploads: FakeUploads
) -> None:
    answer = client.post(PATH, json={"name": "Ann", "references": [DATA_URL, FETCHED]})
    assert answer.json()["recordings"] == 2
    assert ("reference", len(SOUND)) in uploads.saved
    assert not uploads.kept
    assert voices.asked[1][0] == UrlSource(FETCHED)
    form = client.post(PATH, data={"name": "Bo", "references[]": [FETCHED]}, files={"file": FILE})
    assert form.json()["recordings"] == 2


def test_a_name_is_changed_and_somebody_forgotten(client: TestClient) -> None:
    made = add(client)
    renamed = client.patch(f"{PATH}/{made['id']}", json={"name": "Ann Smith"})
    assert renamed.json() == made | {"name": "Ann Smith"}
    gone = client.delete(f"{PATH}/{made['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(PATH).json()["data"] == []
    for answer in (
        client.get(f"{PATH}/{made['id']}"),
        client.patch(f"{PATH}/{made['id']}", json={"name": "Bo"}),
        client.delete(f"{PATH}/{made['id']}"),
    ):
        refused(answer, 404, None, "There is no voice profile")


@pytest.mark.parametrize(
    ("body", "status", "param", "said"),
    [
        ({"references": [DATA_URL]}, 422, "name", "'name' is missing"),
        ({"name": "", "references": [DATA_URL]}, 422, "name", "one line"),
        ({"name": " ", "references": [DATA_URL]}, 422, "name", "one line"),
        ({"name": "a\nb", "references": [DATA_URL]}, 422, "name", "one line"),
        ({"name": "a" * 101, "references": [DATA_URL]}, 422, "name", "at most 100"),
        ({"name": "SPEAKER_00", "references": [DATA_URL]}, 422, "name", "take another"),
        ({"name": 7, "references": [DATA_URL]}, 422, "name", "a text"),
        ({"name": "bo", "references": [DATA_URL]}, 409, None, "called 'bo' already"),
        ({"name": "Ann"}, 422, "references", "0 recordings of 'Ann' here"),
        ({"name": "Ann", "references": [DATA_URL] * 6}, 422, "references", "1 to 5"),
        ({"name": "Ann", "references": ["ann.wav"]}, 422, "references", "no data URL"),
        ({"name": "Ann", "references": [DATA_URL[:-4] + "!"]}, 422, "references", "base64"),
        ({"name": "Ann", "references": DATA_URL}, 422, "references", "a list"),
        ({"name": "Ann", "voice": DATA_URL}, 422, "voice", "no option 'voice'"),
        ([], 422, None, "an object"),
    ],
)
def test_what_makes_no_profile(
    client: TestClient,
    uploads: FakeUploads,
    body: Any,
    status: int,
    param: str | None,
    said: str,
) -> None:
    add(client, "Bo")
    refused(client.post(PATH, json=body), status, param, said)
    assert [each["name"] for each in client.get(PATH).json()["data"]] == ["Bo"]
    assert not uploads.kept


def test_forms_that_make_no_profile(client: TestClient, uploads: FakeUploads) -> None:
    refused(client.post(PATH, files={"file": FILE}), 422, "name", "'name' is missing")
    refused(client.post(PATH, data={"name": "Ann"}), 422, "references", "0 recordings")
    many = client.post(PATH, data={"name": "Ann"}, files=[("file", FILE)] * 6)
    refused(many, 422, "file", "more than 5 files")
    both = {"name": "Ann", "references": [FETCHED] * 5}
    refused(client.post(PATH, data=both, files={"file": FILE}), 422, "file", "6 recordings")
    refused(client.post(PATH, content=b"RIFF"), 415, None, "has to be a form")
    json = {"content-type": "application/json"}
    refused(client.post(PATH, content=b"{", headers=json), 400, None, "not valid JSON")
    assert not uploads.kept


@pytest.mark.parametrize(
    ("error", "status", "param"),
    [
        (InvalidOption("Nobody speaks.", "file"), 422, "file"),
        (QueueFull("Too much waits.", 5), 429, None),
    ],
)
def test_a_recording_that_no_voice_is_learned_from(
    client: TestClient,
    voices: FakeVoices,
    uploads: FakeUploads,
    error: Any,
    status: int,
    param: str | None,
) -> None:
    voices.error = error
    answer = client.post(PATH, data={"name": "Ann"}, files={"file": FILE})
    refused(answer, status, param, error.message)
    assert not uploads.kept
    assert client.get(PATH).json()["data"] == []


def test_a_name_that_is_taken_is_refused_before_anything_is_heard(
    client: TestClient, voices: FakeVoices
) -> None:
    ann, bo = add(client), add(client, "Bo")
    voices.asked.clear()
    answer = client.post(PATH, json={"name": "ANN", "references": [DATA_URL]})
    refused(answer, 409, None, "'ANN' already")
    assert not voices.asked
    refused(client.patch(f"{PATH}/{bo['id']}", json={"name": "Ann"}), 409, None, "already")
    refused(client.patch(f"{PATH}/{ann['id']}", json={"name": ""}), 422, "name", "one line")
    refused(client.patch(f"{PATH}/{ann['id']}", json={}), 422, "name", "nothing to change")


def test_further_recordings_of_somebody(
    client: TestClient, make_client: MakeClient, uploads: FakeUploads, voices: FakeVoices
) -> None:
    made = add(client)
    path = f"{PATH}/{made['id']}"
    more = client.patch(path, files=[("file", FILE), ("file", FILE)])
    assert more.json() == made | {"recordings": 3}
    large = {"name": "Bo", "references": [f"data:audio/wav;base64,{'A' * 2**21}", FETCHED]}
    assert client.patch(path, json=large).json() == made | {"recordings": 5, "name": "Bo"}
    assert [name for _, name, _ in voices.asked][-4:] == ["Ann", "Ann", "Bo", "Bo"]
    voices.asked.clear()
    refused(client.patch(path, files={"file": FILE}), 422, "file", "5 are known")
    missing = client.patch(f"{PATH}/x", files={"file": FILE})
    refused(missing, 404, None, "There is no voice profile 'x'")
    assert not voices.asked
    voices.heard = replace(voices.heard, model="another")
    other = make_client(HttpConfig(model=MODEL, voice_model="another"))
    assert other.get(path).json()["note"] is not None
    again = other.patch(path, files={"file": FILE}).json()
    assert again == made | {"recordings": 1, "name": "Bo", "model": "another"}
    assert not uploads.kept


def test_there_are_so_many_and_no_more(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_PROFILES", 1)
    add(client)
    answer = client.post(PATH, json={"name": "Bo", "references": [DATA_URL]})
    refused(answer, 409, None, "at most 1")


def test_a_voice_of_another_model_says_so(make_client: MakeClient, client: TestClient) -> None:
    made = add(client)
    other = make_client(HttpConfig(model=MODEL, voice_model="another"))
    note = other.get(f"{PATH}/{made['id']}").json()["note"]
    assert "'Ann' was learned by another model than another" in note
    assert other.get(PATH).json()["data"][0]["note"] == note


def test_turned_off_every_route_says_how_to_turn_it_on(make_client: MakeClient) -> None:
    client = make_client(keeps_voices=False)
    for method, path in (
        ("POST", PATH),
        ("GET", PATH),
        ("GET", f"{PATH}/x"),
        ("PATCH", f"{PATH}/x"),
        ("DELETE", f"{PATH}/x"),
    ):
        answer = client.request(method, path)
        refused(answer, 403, None, "RAYSCRIBE_SPEAKERS__PROFILES=true")


def test_profiles_are_their_keys_and_the_admins(make_client: MakeClient, tmp_path: Path) -> None:
    scopes: dict[str, set[Scope]] = {"ann": {"jobs"}, "bob": {"transcribe"}, "boss": {"admin"}}
    keys = {n: NamedKey(sha256=digest(n), scopes=frozenset(s)) for n, s in scopes.items()}
    write_keys(tmp_path / "keys", keys)
    client = make_client(HttpConfig(model=MODEL, keys_file=tmp_path / "keys"))

    def key(name: str) -> dict[str, str]:
        return {"x-admin-api-key": name}

    hers, his = (add(client, "Cy", **key(name)) for name in ("ann", "bob"))
    assert (hers["key"], his["key"]) == ("ann", "bob")
    for name, seen in {"ann": [hers], "bob": [his], "boss": [hers, his]}.items():
        listed = client.get(PATH, headers=key(name)).json()["data"]
        assert sorted(listed, key=lambda each: str(each["key"])) == seen
    path = f"{PATH}/{hers['id']}"
    for method in ("GET", "DELETE"):
        assert client.request(method, path, headers=key("bob")).status_code == 404
    assert client.patch(path, json={"name": "Di"}, headers=key("bob")).status_code == 404
    assert client.patch(path, json={"name": "Di"}, headers=key("boss")).status_code == 200
    assert client.delete(path, headers=key("boss")).status_code == 204
