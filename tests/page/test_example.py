"""The page that docs/live.md gives as an example, in a browser with a microphone."""

import re

from playwright.sync_api import Page, expect

from tests.page.conftest import GUEST
from tests.page.views import PATIENCE_MS
from tests.support.running.service import ROOT, Service


def open_example(page: Page, address: str, key: str) -> None:
    """As somebody would who copied it, with the service's address and a key."""
    (source,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs/live.md").read_text(), re.DOTALL)
    source = source.replace("ws://127.0.0.1:8000", address.replace("http", "ws"))
    source = source.replace("openai-insecure-api-key.KEY", f"openai-insecure-api-key.{key}")
    html = f"<!doctype html><title>Live</title>{source}"
    page.route("**/example.html", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{address}/example.html")


def test_the_example_says_what_is_heard_with_a_key(page: Page, shared_service: str) -> None:
    open_example(page, shared_service, GUEST)
    expect(page.locator("#said")).to_have_text(re.compile(r"word\d+ word\d+"))


def test_the_example_hears_words(page: Page, running_service: Service) -> None:
    open_example(page, running_service.url, "any")
    words = re.compile(r"\w+ \w+ \w+")
    expect(page.locator("#said")).to_have_text(words, timeout=PATIENCE_MS)
