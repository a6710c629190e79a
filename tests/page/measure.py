"""How fast the page is, in this machine's Chromium: `python -m tests.page.measure`.

Prints when it first paints, what it weighs, and the longest tasks of its main thread while
30,000 words are opened, scrolled, searched and edited: by the clock, and by the processor's time,
which says more on a machine that does other work too.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.page.service import page_service
from tests.page.views import named, transcribed, upload

_CATEGORIES = ["toplevel", "disabled-by-default-devtools.timeline"]
_SCROLLS = 150
_SCROLL_PX = 500


def main() -> None:
    path = shutil.which("chromium") or sys.exit("There is no Chromium here: make test-page")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        with page_service(folder, window_s=0.01) as address:
            page.goto(address, wait_until="networkidle")
            _say_paint(page)
            upload(page, address, named(folder, "long.wav"))
            transcribed(page)
            job = page.url
            page.goto(f"{address}/#/")
            _say_tasks(browser, page, "open", lambda: _open(page, job))
            _say_tasks(browser, page, "scroll", lambda: _scroll(page))
            _say_tasks(browser, page, "search", lambda: _search(page))
            _say_tasks(browser, page, "edit", lambda: _edit(page))
        browser.close()


def _open(page: Page, job: str) -> None:
    page.goto(job)
    transcribed(page)
    page.wait_for_timeout(1000)


def _scroll(page: Page) -> None:
    page.mouse.move(500, 400)
    for _ in range(_SCROLLS):
        page.mouse.wheel(0, _SCROLL_PX)
        page.wait_for_timeout(16)


def _search(page: Page) -> None:
    page.fill("[type=search]", "river")
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")


def _edit(page: Page) -> None:
    page.keyboard.press("e")
    box = page.locator(".paragraph textarea")
    box.fill(f"{box.input_value()} Yes.")
    box.press("Enter")
    page.wait_for_timeout(1000)


def _say_paint(page: Page) -> None:
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    size = page.evaluate(
        "performance.getEntries().reduce((sum, each) => sum + (each.encodedBodySize ?? 0), 0)"
    )
    print(f"first paint after {paint:.0f} ms, {size / 1000:.0f} kB compressed")


def _say_tasks(browser: Browser, page: Page, name: str, work: Callable[[], None]) -> None:
    browser.start_tracing(page=page, categories=_CATEGORIES)
    work()
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    main_threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event
        for event in events
        if event["name"] == "RunTask" and (event["pid"], event["tid"]) in main_threads
    ]
    clock, processor = (max(task.get(what, 0) for task in tasks) for what in ("dur", "tdur"))
    print(
        f"{name}: {len(tasks)} tasks, the longest {clock / 1000:.0f} ms by the clock, "
        f"{processor / 1000:.0f} ms of the processor"
    )


if __name__ == "__main__":
    main()
