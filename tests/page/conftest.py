"""Chromium, where this machine has one, and services for it to look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from configs.keys import NamedKey, Scope, digest, write_keys
from tests.page.service import page_service
from tests.support.recordings.speech import SAMPLE

KEY = "schlüssel"
GUEST = "guests-may-transcribe"

_ARGUMENTS = (
    "--no-sandbox",  # nothing is opened but the page, and root may not have one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    f"--use-file-for-fake-audio-capture={SAMPLE}",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen; its microphone hears the sample."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium here; `make test-page` installs it")
    expect.set_options(timeout=60_000)  # however busy the machine is
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def quick_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service whose stages answer at once."""
    with page_service(tmp_path_factory.mktemp("quick"), window_s=0.02) as address:
        yield address


@pytest.fixture(scope="session")
def locked_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same behind a key."""
    with page_service(tmp_path_factory.mktemp("locked"), window_s=0.02, key=KEY) as address:
        yield address


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same behind named keys, of which one may transcribe and have no jobs."""
    folder = tmp_path_factory.mktemp("shared")
    scopes: frozenset[Scope] = frozenset({"transcribe"})
    write_keys(folder / "keys.yaml", {"guest": NamedKey(sha256=digest(GUEST), scopes=scopes)})
    with page_service(folder, window_s=0.02, keys_file=folder / "keys.yaml") as address:
        yield address


class Watched:
    """What a page should not do: ask other hosts, raise errors, break its own policy."""

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("console", lambda message: self._console(message.type, message.text))

    def _console(self, kind: str, text: str) -> None:
        # Chromium logs each answer of 4xx, which tests provoke.
        if kind == "error" and "Failed to load resource" not in text:
            self.errors.append(text)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1100, "height": 800}, locale="en-GB")
    watched = Watched(context)
    yield context
    context.close()
    assert watched.hosts <= {"127.0.0.1", ""}
    assert watched.errors == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def accessible(page: Page) -> None:
    """Raises where axe finds something."""
    found = Axe().run(page).response
    assert found["passes"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """A file whose name says nothing of what becomes of it."""
    return str(shutil.copy(SAMPLE, tmp_path / "call.wav"))
