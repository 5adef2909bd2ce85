"""The page in Chromium: time to the first paint, weight, and the pictures of docs/how-to/web.md.

Start ``inscape serve --engine ase:ase.calculators.emt:EMT`` first, then
``python benchmarks/web_page.py http://127.0.0.1:8765`` prints the figures, and with ``--pictures docs/images`` makes
the pictures instead. Needs chromium and the package playwright.
"""

import argparse
import sys
from io import BytesIO
from pathlib import Path
from statistics import median

from PIL import Image
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import chromium, quiet

WIDE, NARROW, GAP = 1280, 390, 20
COLOURS = 160
EMPTY = "data:text/html,<p>word</p>"
PATIENCE = 400_000  # ms
SETTLED = 2500  # ms after a change of width

PAINTED = "performance.getEntriesByName('first-contentful-paint').length"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
WEIGHT = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .filter(e => !e.name.includes('/api/')).map(e => [e.transferSize, e.decodedBodySize])"""


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
    while not page.evaluate(PAINTED):  # it may be told late
        page.wait_for_timeout(200)
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


def new_page(browser: Browser) -> Page:
    """A page with nothing kept from before."""
    page = browser.new_context(viewport={"width": WIDE, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def pictures_of(page: Page, folder: Path, view: str, tallest: int = 3000) -> None:
    """Write what the page shows, light and dark, each wide and narrow side by side, as PNG with few colours."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        wide = _shot(page, WIDE, tallest)
        narrow = _shot(page, NARROW, wide.height)
        both = Image.new("RGB", (WIDE + GAP + NARROW, wide.height), "#808080")
        both.paste(wide, (0, 0))
        both.paste(narrow, (WIDE + GAP, 0))
        path = folder / f"web-{view}-{scheme}.png"
        both.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
    page.context.close()


def _shot(page: Page, width: int, tallest: int) -> Image.Image:
    """The page at a width, from its top."""
    page.set_viewport_size({"width": width, "height": 700})
    page.wait_for_timeout(SETTLED)
    whole = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(whole, tallest)})
    page.wait_for_timeout(SETTLED)
    return Image.open(BytesIO(page.screenshot(timeout=PATIENCE))).convert("RGB")


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
    """Every view."""
    page = new_page(browser)
    crystal(page, address, "quartz", "instrument=ARCS&ei=180&temperature=10")
    pictures_of(page, folder, "crystal")

    page = new_page(browser)
    crystal(page, address, "aluminium")
    page.locator("#simulate").evaluate("node => { node.open = true; }")
    page.locator("#simulate-form button").click()
    quiet(page, "#beside table")
    quiet(page, "#beside-powder .cbtitle")
    pictures_of(page, folder, "simulation", 1500)

    page = new_page(browser)
    measured_corundum(page, address, folder)
    pictures_of(page, folder, "measurement")

    for view, place, ready in (
        ("map", "map/mp-7000", "#decoded .main-svg"),
        ("known", "known/mp-7000", "#known-powder .cbtitle"),
        ("jobs", "jobs", "#jobs .job"),
    ):
        page = new_page(browser)
        page.goto(f"{address}/#/{place}")
        quiet(page, ready)
        pictures_of(page, folder, view)


def measured_corundum(page: Page, address: str, folder: Path) -> None:
    """What a detector would see of corundum, cleaned and searched with."""
    crystal(page, address, "corundum", "ei=60")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="NXspe").click()
    page.locator("nav a", has_text="Measurement").click()
    measured = folder / "corundum.nxspe"
    waiting.value.save_as(measured)
    page.locator("#measured-temperature").fill("300")  # which the file does not hold
    page.locator("#measured-file").set_input_files(measured)
    measured.unlink()
    quiet(page, "#measured .cbtitle")
    page.locator("#denoise").click()
    quiet(page, "#clean .cbtitle")
    page.locator("#look-alike-form button").click()
    page.locator("#hits tbody tr").first.wait_for()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    with chromium() as browser:
        if chosen.pictures:
            pictures(browser, chosen.address, chosen.pictures)
        else:
            measure(browser, chosen.address, chosen.times)


if __name__ == "__main__":
    main()
