"""Chromium as the tests of the page and `benchmarks/web_page.py` use it: without a sandbox, drawing without a GPU, and
asking no hosts of its own."""

import shutil
from contextlib import contextmanager

import pytest

FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium():
    """The browser of the system; tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("the page is tested in Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS, timeout=180_000)
        yield browser
        browser.close()


def quiet(page, selector):
    """Wait until something is drawn and nothing is under way any more."""
    page.locator(selector).first.wait_for(state="attached")
    page.locator("#busy").wait_for(state="hidden")
