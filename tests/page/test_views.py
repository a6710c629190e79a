"""The page over a service without models: each thing it does, in a real browser."""

import json
import re
import wave
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.page.conftest import GUEST, KEY, accessible
from tests.page.views import (
    by_address,
    click_word,
    download,
    enter_key,
    marked,
    named,
    transcribed,
    until,
    upload,
)
from tests.support.running.remote import remote_server


def test_a_recording_becomes_a_transcript_that_a_reload_finds_again(
    page: Page, quick_service: str, recording: str
) -> None:
    upload(page, quick_service, recording)
    transcribed(page)
    expect(page.locator("#account")).to_have_text("1 min transcribed, 30 s decoded again.")
    expect(page.locator(".paragraph")).to_have_count(4)
    expect(page.locator(".speaker")).to_have_text(["Speaker 1", "Speaker 2"] * 2)
    colours = page.locator(".paragraph").evaluate_all("all => all.map(p => p.dataset.colour)")
    assert colours == ["0", "1"] * 2
    first = page.locator(".paragraph p").first
    expect(first).to_contain_text("The ferry leaves the harbour at seven")
    page.reload()
    transcribed(page)
    expect(first).to_contain_text("The ferry leaves the harbour at seven")
    page.click(".back")
    expect(page.locator("#mine li")).to_have_count(1)
    expect(page.locator("#mine .state")).to_contain_text("done, 1:00")


def test_words_come_while_it_works_until_it_is_cancelled(
    page: Page, quick_service: str, tmp_path: Path
) -> None:
    upload(page, quick_service, named(tmp_path, "slow.wav"))
    expect(page.locator(".paragraph.live").first).to_contain_text("The ferry")
    expect(page.locator("#stage")).to_have_text(re.compile(r"Recognized \d:\d\d of 2:00"))
    expect(page.locator("#bar")).to_have_attribute("value", re.compile(r"0\.(25|5)"))
    accessible(page)
    page.click("#cancel")
    expect(page.locator("#failure")).to_have_text("This job was cancelled.")
    page.goto(f"{quick_service}/#/")
    expect(page.locator("#mine .state")).to_contain_text("cancelled")


def test_a_failure_is_a_sentence(page: Page, quick_service: str, tmp_path: Path) -> None:
    upload(page, quick_service, named(tmp_path, "broken.wav"))
    said = "'broken.wav' is no recording that can be decoded."
    expect(page.locator("#failure")).to_have_text(said)
    expect(page.locator("#again")).to_be_visible()
    accessible(page)
    page.goto(f"{quick_service}/#/jobs/nothing")
    expect(page.locator("#failure")).to_contain_text("There is no job 'nothing'")
    page.goto(f"{quick_service}/#/")
    page.fill("#url", "ftp://example.com/a")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_contain_text("begins with http")


def test_a_service_that_is_away_is_said_and_tried_again(
    page: Page, context: BrowserContext, quick_service: str, recording: str
) -> None:
    page.goto(f"{quick_service}/#/")
    context.route("**/v1/jobs", lambda route: route.abort())
    page.set_input_files("#files", recording)
    expect(page.locator("#mine .state")).to_contain_text("cannot be reached")
    context.unroute("**/v1/jobs")
    page.click("#mine button:has-text('Try again')")
    page.wait_for_url("**/#/jobs/*")
    transcribed(page)


def test_a_key_is_asked_for_and_kept_for_the_session(
    page: Page, context: BrowserContext, locked_service: str, recording: str
) -> None:
    page.goto(locked_service)
    expect(page.locator("#key-dialog")).to_be_visible()
    accessible(page)
    enter_key(page, "wrong")
    expect(page.locator("#key-wrong")).to_be_visible()
    enter_key(page, KEY)
    expect(page.locator("#key-dialog")).to_be_hidden()
    upload(page, locked_service, recording)
    transcribed(page)
    page.reload()
    transcribed(page)
    audio = page.locator("audio")
    assert audio.evaluate("audio => audio.src").startswith(f"{locked_service}/v1/jobs/")
    until(page, "document.querySelector('audio').duration === 30")
    other = context.new_page()
    other.goto(locked_service)
    expect(other.locator("#key-dialog")).to_be_visible()


def test_a_word_is_played_and_marked(page: Page, quick_service: str, recording: str) -> None:
    upload(page, quick_service, recording)
    transcribed(page)
    click_word(page, "newspaper")
    until(page, "document.querySelector('audio').currentTime > 22")
    until(page, "!!CSS.highlights.get('playing')?.size")
    expect(page.locator(".paragraph.current")).to_have_count(1)
    page.keyboard.press("k")
    expect(page.locator(".play")).to_have_attribute("aria-label", "Play")
    page.keyboard.press("j")
    until(page, "document.querySelector('audio').currentTime < 22")
    peaks = page.locator(".waveform canvas").evaluate(
        """canvas => {
          const { width, height } = canvas;
          const { data } = canvas.getContext('2d').getImageData(0, 4, width, 1);
          return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        }"""
    )
    assert peaks > 20, "bars of the loudest parts reach the edge"


def test_what_came_by_address_is_played_from_there(
    page: Page, quick_service: str, recording: str
) -> None:
    with remote_server(Path(recording).parent) as server:
        by_address(page, quick_service, server.file(Path(recording)))
        transcribed(page)
        until(page, "document.querySelector('audio').duration === 30")
        click_word(page, "newspaper")
        until(page, "document.querySelector('audio').currentTime > 22")
        Path(recording).unlink()
        page.reload()
        transcribed(page)
        expect(page.locator("#player")).to_contain_text("answered 404 Not Found")
        accessible(page)


def test_a_player_asks_for_what_comes_next(page: Page, quick_service: str, tmp_path: Path) -> None:
    """An answer has 8 MiB, which are 44 s here."""
    with wave.open(str(tmp_path / "large.wav"), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 48_000 * 60))
    upload(page, quick_service, str(tmp_path / "large.wav"))
    transcribed(page)
    page.reload()
    transcribed(page)
    page.evaluate("document.querySelector('audio').playbackRate = 16")
    page.click(".play")
    until(page, "document.querySelector('audio').ended")
    assert page.evaluate("document.querySelector('audio').currentTime") == 60


def test_words_come_while_one_records(page: Page, quick_service: str) -> None:
    page.goto(quick_service)
    page.click("#record")
    said = re.compile(r"word\d+")
    expect(page.locator("#captions p span:first-child").first).to_have_text(said)
    expect(page.locator("#recording")).to_be_visible()
    accessible(page)
    page.click("#stop")
    page.wait_for_url("**/#/jobs/*")
    transcribed(page)
    expect(page.locator(".paragraph p").first).to_contain_text("The ferry leaves")
    page.click(".back")
    expect(page.locator("#captions")).to_be_hidden()


def test_recording_goes_on_without_words(page: Page, quick_service: str) -> None:
    full = "16 live sessions are open with this key, and no more may be; close one."
    page.route_web_socket("**/v1/realtime*", lambda socket: socket.close(code=1013, reason=full))
    page.goto(quick_service)
    page.click("#record")
    expect(page.locator("#captions")).to_contain_text(f"{full} The recording goes on.")
    accessible(page)
    page.click("#stop")
    page.wait_for_url("**/#/jobs/*")
    transcribed(page)


def test_no_words_where_a_browser_cannot_send_the_key(page: Page, locked_service: str) -> None:
    page.goto(locked_service)
    enter_key(page, KEY)
    page.click("#record")
    expect(page.locator("#captions")).to_contain_text("the key has characters")
    page.click("#discard")
    expect(page.locator("#captions")).to_be_hidden()


def test_a_key_without_jobs_transcribes_and_keeps_nothing(
    page: Page, shared_service: str, recording: str, tmp_path: Path
) -> None:
    page.goto(shared_service)
    enter_key(page, GUEST)
    expect(page.locator("#limited")).to_contain_text("lacks the scope jobs")
    expect(page.locator("#mine-section")).to_be_hidden()
    accessible(page)
    page.click("#record")
    expect(page.locator("#captions p span:first-child").first).to_have_text(re.compile(r"word\d+"))
    page.click("#discard")

    page.set_input_files("#files", named(tmp_path, "slow.wav"))
    page.wait_for_url("**/#/now")
    expect(page.locator(".paragraph.live").first).to_contain_text("The ferry")
    expect(page.locator("#stage")).to_have_text(re.compile(r"Recognized \d:\d\d of 2:00"))
    page.click("#cancel")
    expect(page.locator("#home")).to_be_visible()

    page.set_input_files("#files", recording)
    transcribed(page)
    expect(page.locator("#account")).to_have_text("1 min transcribed, 30 s decoded again.")
    expect(page.locator(".speaker")).to_have_text(["Speaker 1", "Speaker 2"] * 2)
    expect(page.locator(".paragraph p").first).to_contain_text(
        "The ferry leaves the harbour at seven"
    )
    click_word(page, "newspaper")
    until(page, "document.querySelector('audio').currentTime > 22")
    assert download(page, "srt").read_text().startswith("1\n00:00:00,000 --> 00:00:0")
    accessible(page)
    page.click(".back")

    page.set_input_files("#files", named(tmp_path, "broken.wav"))
    said = "'broken.wav' is no recording that can be decoded."
    expect(page.locator("#failure")).to_have_text(said)
    page.reload()
    expect(page.locator("#home")).to_be_visible()


def test_edits_are_kept_undone_and_taken_away(
    page: Page, quick_service: str, recording: str
) -> None:
    upload(page, quick_service, recording)
    transcribed(page)
    job = page.url.rpartition("/")[2]
    for ending in ("txt", "srt", "vtt", "json"):
        theirs = httpx2.get(f"{quick_service}/v1/jobs/{job}/transcript?format={ending}").text
        assert download(page, ending).read_text() == theirs
    page.dblclick(".paragraph p >> nth=0")
    box = page.locator(".paragraph textarea")
    box.fill(
        box.input_value().replace("ferry", "last <boat> & crew").replace("bridge? ", "bridge?\n")
    )
    accessible(page)
    box.press("Enter")
    expect(page.locator(".paragraph")).to_have_count(5)
    page.click(".speaker >> nth=0")
    accessible(page)
    page.fill("dialog[open] input", "Ann")
    page.keyboard.press("Enter")
    expect(page.locator(".speaker").first).to_have_text("Ann")
    page.click(".speaker >> nth=1")
    page.click("dialog[open] button:has-text('Somebody else')")
    expect(page.locator(".speaker").nth(1)).to_have_text("Speaker 3")

    assert download(page, "txt").read_text().startswith("Ann: The last <boat> & crew leaves")
    assert "Ann: The last &lt;boat&gt; &amp; crew" in download(page, "vtt").read_text()
    assert "1\n00:00:00,000 --> 00:00:0" in download(page, "srt").read_text()
    data = json.loads(download(page, "json").read_text())
    assert [word["word"] for word in data["words"][:6]] == [
        "The",
        "last",
        "<boat>",
        "&",
        "crew",
        "leaves",
    ]
    times = [word["start"] for word in data["words"]]
    assert times == sorted(times)
    assert data["segments"][0]["speaker"] == "Ann"
    with zipfile.ZipFile(download(page, "docx")) as archive:
        assert archive.testzip() is None
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}
    words = "".join(parts["word/document.xml"].itertext())
    assert "Ann  0:00The last <boat> & crew leaves" in words

    page.wait_for_timeout(700)  # edits are written a moment after the last
    page.reload()
    transcribed(page)
    expect(page.locator(".speaker").first).to_have_text("Ann")
    page.click("button:has-text('Original')")
    expect(page.locator(".paragraph")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator(".paragraph")).to_have_count(5)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".paragraph")).to_have_count(4)


def test_words_are_found_and_doubtful_ones_stepped_through(
    page: Page, quick_service: str, recording: str
) -> None:
    upload(page, quick_service, recording)
    transcribed(page)
    doubtful = len(marked(page, "doubt")) + len(marked(page, "doubt-strong"))
    assert doubtful
    expect(page.locator(".check span")).to_have_text(f"Doubtful words: {doubtful}")
    page.keyboard.press("n")
    said = re.compile(rf"“\S+”, \d\d? % sure\. 1 of {doubtful}\.")
    expect(page.locator("#said")).to_have_text(said)
    (word,) = marked(page, "current")
    assert f"“{word}”" in page.locator("#said").inner_text()
    page.uncheck(".tools [type=checkbox]")
    assert marked(page, "doubt") == []
    page.keyboard.press("/")
    page.keyboard.type("RIVER")
    expect(page.locator(".search [role=status]")).to_have_text("1 of 4")
    assert marked(page, "found") == ["river"] * 4
    page.keyboard.press("Enter")
    expect(page.locator(".search [role=status]")).to_have_text("2 of 4")
    page.fill("[type=search]", "nowhere")
    expect(page.locator(".search [role=status]")).to_have_text("not found")


def test_two_tabs_list_the_same_jobs(
    page: Page, context: BrowserContext, quick_service: str, recording: str
) -> None:
    page.goto(quick_service)
    other = context.new_page()
    upload(other, quick_service, recording)
    transcribed(other)
    expect(page.locator("#mine .state")).to_contain_text("done")
    other.close()
    page.click("#mine a")
    transcribed(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#remove")
    expect(page.locator("#none")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_every_view_is_accessible_and_fits(
    browser: Browser, quick_service: str, recording: str, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()

    def look() -> None:
        accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto(quick_service)
    page.click("#more summary")
    look()
    upload(page, quick_service, recording)
    transcribed(page)
    look()
    page.click(".menu summary")
    look()
    page.goto(f"{quick_service}/#/")
    expect(page.locator("#mine li")).to_have_count(1)
    look()
    context.close()


def test_three_hours_are_a_few_hundred_elements(
    page: Page, quick_service: str, tmp_path: Path
) -> None:
    upload(page, quick_service, named(tmp_path, "long.wav"))
    transcribed(page)
    words = page.evaluate(
        "[...document.querySelectorAll('.paragraph p')]"
        ".reduce((count, p) => count + p.textContent.split(' ').length, 0)"
    )
    assert words > 30_000
    assert page.evaluate("document.querySelectorAll('*').length") < 6000
    page.fill("[type=search]", "river")
    expect(page.locator(".search [role=status]")).to_have_text(re.compile(r"1 of \d{3}"))
