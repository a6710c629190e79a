"""The page that docs/live.md gives as an example, in a browser with a microphone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import GUEST
from tests.page.views import PATIENCE_MS
from tests.support.running.remote import remote_server
from tests.support.running.service import ROOT, Service

OpenExample = Callable[[str, str], None]


@pytest.fixture
def open_example(page: Page, tmp_path: Path) -> Iterator[OpenExample]:
    """Opens it as somebody would who copied it, with a service's address and a key."""
    (source,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs/live.md").read_text(), re.DOTALL)
    file = tmp_path / "example.html"
    with remote_server(tmp_path) as server:

        def goto(address: str, key: str) -> None:
            html = source.replace("ws://127.0.0.1:8000", address.replace("http", "ws"))
            file.write_text(f"<!doctype html><title>Live</title>{html.replace('KEY', key)}")
            page.goto(server.file(file))

        yield goto


def test_it_says_what_is_heard_with_a_key(
    page: Page, open_example: OpenExample, shared_service: str
) -> None:
    open_example(shared_service, GUEST)
    expect(page.locator("#said")).to_have_text(re.compile(r"word\d+ word\d+"))


def test_it_hears_words(page: Page, open_example: OpenExample, running_service: Service) -> None:
    open_example(running_service.url, "any")
    words = re.compile(r"\w+ \w+ \w+")
    expect(page.locator("#said")).to_have_text(words, timeout=PATIENCE_MS)
