"""URLs that cannot be used, each a 4xx with its sentence, and what is passed on of others."""

import httpx2
import pytest

from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service


@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        ("{remote}/status/404", 400, "404"),
        ("{remote}/status/500", 400, "500"),
        ("{remote}/redirect/loop", 400, "redirects more than"),
        ("{remote}/slow", 400, "sent nothing for 3 s"),
        ("{remote}/endless", 413, "larger than"),
        ("{remote}/page", 400, "not audio"),
        ("http://recordings.invalid/a.wav", 400, "does not resolve"),
        ("http://10.1.2.3/a.wav", 400, "private or reserved"),
        ("http://169.254.169.254/latest/meta-data", 400, "private or reserved"),
        ("http://[::1]:80/a.wav", 400, "private or reserved"),
        ("{remote}/redirect?to=http://192.168.0.1/a.wav", 400, "private or reserved"),
        ("{remote}/redirect?to=file:///etc/passwd", 400, "only http"),
        ("http://127.0.0.1:1/a.wav", 400, "No connection"),
        ("http:///a.wav", 400, "cannot be fetched"),
        ("ftp://example.com/a.wav", 400, "Invalid URL"),
    ],
)
def test_a_url_that_cannot_be_used(
    running_service: Service,
    recordings_server: RemoteServer,
    url: str,
    status: int,
    sentence: str,
) -> None:
    with running_service.client() as client:
        response = client.post("/", json={"url": url.format(remote=recordings_server.url)})
    assert response.status_code == status, response.text
    assert sentence in response.json()["detail"]


def test_a_recording_by_url_is_passed_on(
    running_service: Service, recordings_server: RemoteServer
) -> None:
    content = SAMPLE.read_bytes()
    with running_service.client() as client:

        def recording(url: str, **headers: str) -> httpx2.Response:
            job = client.post("/v1/jobs", json={"url": url}).json()["id"]
            return client.get(f"/v1/jobs/{job}/recording", headers=headers)

        url = recordings_server.file(SAMPLE)
        assert recording(url).content == content
        part = recording(url, Range="bytes=1000-500999")
        assert (part.status_code, part.content) == (206, content[1000:501_000])
        assert part.headers["content-range"] == f"bytes 1000-500999/{len(content)}"
        refused = recording("http://10.1.2.3/a.wav")
        assert refused.status_code == 400
        assert "private or reserved" in refused.json()["error"]["message"]
