"""The page in Chromium: time to the first paint, weight, and the pictures of docs/how-to/web.md.

Start ``inscape serve --engine ase:ase.calculators.emt:EMT`` first, then
``python benchmarks/web_page.py http://127.0.0.1:8765`` prints the figures, and with ``--pictures docs/images`` makes
the pictures too. Needs chromium and the package playwright.
"""

import argparse
import shutil
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = 1280, 390
COLOURS = 160
EMPTY = "data:text/html,<p>word</p>"
PATIENCE = 180_000  # ms

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
WEIGHT = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(e => !e.name.includes('/api/')).map(e => [e.transferSize, e.decodedBodySize])"""


def quiet(page: Page, selector: str) -> None:
    """Wait until something is drawn and nothing is under way."""
    page.locator(selector).first.wait_for(state="attached")
    page.wait_for_timeout(300)
    page.locator("#busy").wait_for(state="hidden")


def weight(page: Page) -> str:
    """What was loaded for the page, without answers of the API."""
    sizes = page.evaluate(WEIGHT)
    sent, whole = (sum(size[i] for size in sizes) / 1e6 for i in range(2))
    return f"{len(sizes)} files, {sent:.2f} MB sent, {whole:.2f} MB unpacked"


def first_paint(browser: Browser, address: str) -> float:
    """Of a browser that was never here, s."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)
    seconds = page.evaluate(PAINT) / 1000
    context.close()
    return float(seconds)


def measure(browser: Browser, address: str, times: int) -> None:
    """Print first paints, those of a page without anything for comparison, and weights."""
    pairs = [(first_paint(browser, f"{address}/"), first_paint(browser, EMPTY)) for _ in range(times)]
    paints, empty = zip(*pairs, strict=True)
    print(f"first contentful paint: median {median(paints):.2f} s, longest {max(paints):.2f} s of {times}")
    print(f"of a page of one word, measured in turn: median {median(empty):.2f} s")
    page = new_page(browser)
    page.goto(f"{address}/", wait_until="load")
    page.get_by_role("button", name="quartz").wait_for()
    print(f"page as it opens: {weight(page)}")
    page.get_by_role("button", name="quartz").click()
    quiet(page, "#cell canvas")
    print(f"with all spectra and the cell: {weight(page)}")
    page.context.close()


def new_page(browser: Browser, *, width: int = WIDE, scheme: Any = "light") -> Page:
    """A page with nothing kept from before."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def picture(page: Page, folder: Path, name: str, height: int | None = None) -> None:
    """Write what the page shows as PNG with few colours."""
    whole = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height or whole})
    page.wait_for_timeout(2500)
    image = Image.open(BytesIO(page.screenshot(timeout=PATIENCE))).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(folder / f"web-{name}.png", optimize=True)
    print(f"web-{name}.png: {(folder / f'web-{name}.png').stat().st_size / 1e3:.0f} kB")
    page.context.close()


def crystal(page: Page, address: str, example: str, options: str = "") -> None:
    """Open an example's result with settings."""
    page.goto(f"{address}/")
    page.get_by_role("button", name=example).click()
    page.wait_for_url("**/#/result/**")
    if options:
        quiet(page, "#single .cbtitle")
        page.goto(f"{page.url}?{options}")
    quiet(page, "#cell canvas")
    page.evaluate("document.activeElement.blur()")


def pictures(browser: Browser, address: str, folder: Path) -> None:
    """Every view, light and dark, wide and narrow."""
    page = new_page(browser)
    crystal(page, address, "quartz", "instrument=ARCS&ei=180&temperature=10")
    picture(page, folder, "crystal-light")

    page = new_page(browser, width=NARROW, scheme="dark")
    crystal(page, address, "rutile")
    picture(page, folder, "crystal-narrow-dark", 2560)

    page = new_page(browser, scheme="dark")
    page.goto(f"{address}/#/map/mp-7000")
    quiet(page, "#decoded .main-svg")
    picture(page, folder, "map-dark")

    page = new_page(browser)
    crystal(page, address, "aluminium")
    page.locator("#simulate").evaluate("node => { node.open = true; }")
    page.locator("#simulate-form button").click()
    quiet(page, "#beside table")
    quiet(page, "#beside-powder .cbtitle")
    picture(page, folder, "simulation-light", 1350)

    page = new_page(browser, scheme="dark")
    crystal(page, address, "corundum", "ei=60")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="NXspe").click()
    page.locator("nav a", has_text="Measurement").click()
    measured = folder / "corundum.nxspe"
    waiting.value.save_as(measured)
    page.locator("#measured-file").set_input_files(measured)
    measured.unlink()
    quiet(page, "#measured .cbtitle")
    page.locator("#denoise").click()
    quiet(page, "#clean .cbtitle")
    page.locator("#look-alike-form button").click()
    page.locator("#hits tbody tr").first.wait_for()
    picture(page, folder, "measurement-dark")

    page = new_page(browser, width=NARROW)
    page.goto(f"{address}/#/jobs")
    page.locator("#jobs .job").first.wait_for()
    picture(page, folder, "jobs-narrow-light", 500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        measure(browser, chosen.address, chosen.times)
        if chosen.pictures:
            pictures(browser, chosen.address, chosen.pictures)
        browser.close()


if __name__ == "__main__":
    main()
