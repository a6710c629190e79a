"""What tests do on the page, in a line each."""

import shutil
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.recordings.speech import SAMPLE

PATIENCE_MS = 180_000


def upload(page: Page, address: str, file: str) -> None:
    """Choose a file, and wait for its job to be in view."""
    page.goto(f"{address}/#/")
    page.set_input_files("#files", file)
    page.wait_for_url("**/#/jobs/*", timeout=PATIENCE_MS)


def enter_key(page: Page, key: str) -> None:
    """Answer the dialog."""
    page.fill("#key", key)
    page.keyboard.press("Enter")


def by_address(page: Page, address: str, url: str) -> None:
    """Enter the address of a recording, and wait for its job to be in view."""
    page.goto(f"{address}/#/")
    page.fill("#url", url)
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/jobs/*", timeout=PATIENCE_MS)


def named(folder: Path, name: str) -> str:
    """The sample under another name."""
    return str(shutil.copy(SAMPLE, folder / name))


def until(page: Page, expression: str) -> None:
    """Wait until it is true. Playwright's own way polls by `eval`, which the page's policy bars."""
    last = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < last, expression
        page.wait_for_timeout(50)


def transcribed(page: Page) -> None:
    """Wait for the transcript of the job in view."""
    expect(page.locator("#tools")).to_be_visible(timeout=PATIENCE_MS)


def click_word(page: Page, word: str) -> None:
    """Click on the first place where the transcript has this text, which no element surrounds."""
    x, y = page.evaluate(
        """(word) => {
          for (const { firstChild } of document.querySelectorAll('.paragraph p')) {
            const at = firstChild.data.indexOf(word);
            if (at < 0) continue;
            firstChild.parentElement.scrollIntoView({ block: 'center' });
            const range = new Range();
            range.setStart(firstChild, at);
            range.setEnd(firstChild, at + word.length);
            const { x, y, width, height } = range.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
          }
        }""",
        word,
    )
    page.mouse.click(x, y)


def marked(page: Page, name: str) -> list[str]:
    """The texts under a highlight of the page."""
    texts: list[str] = page.evaluate(
        """(name) => [...(CSS.highlights.get(name) ?? [])].map(
          ({ startContainer, startOffset, endOffset }) =>
            startContainer.data.slice(startOffset, endOffset))""",
        name,
    )
    return texts


def download(page: Page, ending: str) -> Path:
    """The file that the menu gives."""
    page.click(".menu summary")
    with page.expect_download() as started:
        page.click(f".menu button:has-text('.{ending}')")
    assert started.value.suggested_filename.endswith(f".{ending}")
    return started.value.path()
