"""The page at `/`, as a browser gets it."""

import gzip
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serve_app.http.services import HttpConfig
from serve_app.transcription.language_names import NAMES
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL

PAGE = Path(str(files("serve_app"))) / "page"
_MOST_BYTES = 500_000


def paths() -> list[str]:
    kinds = {".js", ".css", ".svg"}
    found = [path for path in PAGE.rglob("*") if path.suffix in kinds]
    return [f"/assets/{path.relative_to(PAGE).as_posix()}" for path in found]


def test_the_page_is_open_to_all_and_asks_no_other_host(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key="secret"))
    for path in ["/", *paths()]:
        answer = client.get(path)
        assert answer.status_code == 200
        assert not re.search(r"""(src|href|url\(|from|import)\W+(https?:)?//""", answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/jobs").status_code == 401
    assert client.post("/", json={"url": "x"}).status_code == 401
    assert client.post("/assets/style.css").status_code == 401


def test_what_the_page_names_is_there(client: TestClient) -> None:
    named = re.findall(r'(?:src|href)="(assets/[^"]+)"', client.get("/").text)
    assert len(named) > 3
    for path in paths():
        text = client.get(path).text
        folder = path.rpartition("/")[0]
        named += [f"{folder}/{name}" for name in re.findall(r'^import .*from "(.+)";', text, re.M)]
    for name in named:
        assert client.get(f"/{name.lstrip('/')}").status_code == 200, name


def test_a_browser_that_has_it_is_told_so(client: TestClient) -> None:
    first = client.get("/")
    again = client.get("/", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert client.get("/", headers={"if-none-match": '"other"'}).status_code == 200
    assert client.head("/").headers["content-length"] == first.headers["content-length"]


def test_it_is_small_and_compressed_where_that_is_understood(client: TestClient) -> None:
    total = 0
    for path in ["/", *paths()]:
        with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        total += len(raw)
        plain = client.get(path, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert gzip.decompress(raw) == plain.content
    assert total < _MOST_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "/assets/README.md",
        "/assets/index.html",
        "/assets/../http/app.py",
        "/assets/%2e%2e/start.py",
    ],
)
def test_nothing_else_of_the_folder_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_offers_the_languages_that_the_service_knows() -> None:
    source = (PAGE / "app" / "home" / "languages.js").read_text()
    codes = re.search(r'CODES =\s+"([a-z ]+)"', source)
    assert codes is not None
    assert codes[1].split() == sorted(NAMES)


def test_a_wheel_brings_it(tmp_path: Path) -> None:
    root = PAGE.parents[1]
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build"]
    subprocess.run([*build, "-b", str(tmp_path)], cwd=root, check=True, capture_output=True)
    built = tmp_path / "lib" / "serve_app" / "page"
    for path in ["/assets/index.html", *paths()]:
        assert (built / path.removeprefix("/assets/")).is_file(), path


def test_a_cookie_gives_a_recording_and_nothing_else(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key="café"))
    key = {b"x-admin-api-key": "café".encode()}
    job = client.post("/v1/jobs", files={"file": ("a.wav", b"RIFF")}, headers=key).json()
    path = f"/v1/jobs/{job['id']}"
    cookie = {"cookie": "other=1; rayscribe-key=caf%C3%A9"}
    assert client.get(f"{path}/recording", headers=cookie).content == b"RIFF"
    assert client.get(f"{path}/recording", headers={"cookie": "rayscribe-key=a"}).status_code == 401
    assert client.get(f"{path}/recording").status_code == 401
    wrong = cookie | {"x-admin-api-key": "wrong"}
    assert client.get(f"{path}/recording", headers=wrong).status_code == 401
    for method, other in [("GET", path), ("DELETE", path), ("POST", f"{path}/recording")]:
        assert client.request(method, other, headers=cookie).status_code == 401
