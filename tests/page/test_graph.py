"""The page over the running graph, with a real recording: what is heard is read."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.views import PATIENCE_MS, click_word, marked, transcribed, until, upload
from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service

_TEXT = ".paragraph p"


@pytest.fixture
def address(running_service: Service) -> str:
    return running_service.url


def test_an_upload_is_read_by_speaker_and_played_by_word(page: Page, address: str) -> None:
    upload(page, address, str(SAMPLE))
    transcribed(page)
    expect(page.locator(".speaker", has_text="Speaker 2").first).to_be_visible()
    expect(page.locator("#account")).to_contain_text("transcribed")
    click_word(page, "Jersey")
    until(page, "!!CSS.highlights.get('playing')?.size")
    said = page.evaluate("document.querySelector('audio').currentTime")
    assert said > 5, "Jersey is named in the middle of the recording"
    assert marked(page, "doubt") + marked(page, "doubt-strong"), "a telephone leaves doubts"
    page.reload()
    transcribed(page)
    until(page, "document.querySelector('audio').duration > 29")


def test_an_address_is_fetched(page: Page, address: str, recordings_server: RemoteServer) -> None:
    page.goto(address)
    page.uncheck("#speakers")
    page.fill("#url", recordings_server.file(SAMPLE))
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/jobs/*")
    transcribed(page)
    expect(page.locator(_TEXT, has_text="Jersey").first).to_be_visible()
    expect(page.locator(".speaker").first).to_be_hidden()
    click_word(page, "Jersey")
    until(page, "document.querySelector('audio').currentTime > 5")
    page.goto(f"{address}/#/")
    page.fill("#url", f"{recordings_server.url}/status/404")
    page.keyboard.press("Enter")
    expect(page.locator("#failure")).to_contain_text("answered 404", timeout=PATIENCE_MS)


def test_a_microphone_is_heard(page: Page, address: str) -> None:
    page.goto(address)
    page.click("#record")
    expect(page.locator("#recorded")).to_have_text("0:12")
    said = page.locator("#captions p span:first-child").first
    expect(said).to_have_text(re.compile(r"\w+"), timeout=PATIENCE_MS)
    page.click("#stop")
    page.wait_for_url("**/#/jobs/*", timeout=PATIENCE_MS)
    transcribed(page)
    expect(page.locator("h1#name")).to_have_text(re.compile(r"Recording .*\.webm"))
    # It hears the sample from wherever its device is in it.
    expect(page.locator(_TEXT).first).to_have_text(re.compile(r"\w+"))
