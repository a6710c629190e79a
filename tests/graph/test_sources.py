"""URLs that cannot be used: each a 4xx with a sentence of its own."""

import pytest

from tests.support.remote import RemoteServer
from tests.support.service import Service


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
