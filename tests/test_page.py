"""The page in a real browser: what it shows are the numbers of the service, and all can reach it."""

import json
import re
from pathlib import Path

import httpx2
import numpy as np
import pytest

from browser import chromium, quiet
from inscape.results import Prediction
from webservice import COPPER, QUARTZ, listening, numbers

STATIC = Path(__file__).parents[1] / "src" / "inscape" / "web" / "static"
TEXTS = {".html", ".js", ".css"}
SOURCES = [path for path in STATIC.rglob("*") if path.suffix in TEXTS and path.parent.name != "vendor"]
TOTAL = "() => { const all = document.getElementById('dos').data.at(-1); return [[...all.x], [...all.y]]; }"
NUMBERS = "id => document.getElementById(id).data[0].customdata.map(row => Array.from(row, v => isNaN(v) ? null : v))"
NAMES = "id => document.getElementById(id).data.map(trace => trace.name)"
VIEWS = {
    "measurement": "#upload-form",
    "map": "#decoded .main-svg",
    "known/mp-7000": "#known-powder .cbtitle",
    "jobs": "#jobs p",
}
LONG = 300_000  # ms; machines of tests are slow


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    """A running service."""
    with listening(model, tmp_path_factory.mktemp("page") / "store.sqlite") as address:
        yield address


@pytest.fixture(scope="module")
def window():
    """One window of a browser for all pages, which share its cache of scripts; nothing moves, to save time."""
    with chromium() as browser:
        window = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        window.set_default_timeout(LONG)
        yield window


@pytest.fixture
def page(window, address):
    """A new page that asks this service alone and reports no error."""
    page = window.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: "Content Security Policy" in message.text and errors.append(message.text))
    page.goto(f"{address}/")
    page.locator("#examples button").first.wait_for()  # the page listens
    yield page
    page.evaluate("localStorage.clear()")
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert errors == []


def upload(page, text, name="quartz.cif"):
    """Give the page a structure."""
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/plain", "buffer": text.encode()})


def predicted(page, text=QUARTZ, name="quartz.cif"):
    """Give the page a structure and wait for all spectra; the id of the result."""
    upload(page, text, name)
    quiet(page, "#single .cbtitle")
    return re.search(r"#/result/([\w-]+)", page.url)[1]


def drawn(page, plot):
    """The numbers of a heat map, rows upwards; NaN where nothing was measured."""
    return np.array(page.evaluate(NUMBERS, plot), dtype=float)


def asked(address, identifier, name, **settings):
    """The same numbers from the service."""
    query = {"variables": name, "arrays": "base64", **settings}
    answer = httpx2.get(f"{address}/api/v1/results/{identifier}", params=query, timeout=60).json()
    return numbers(answer["variables"][name]["values"])


# ---- from a structure to spectra


def test_a_structure_is_predicted_heated_masked_and_taken_along(page, address):
    made = predicted(page)
    assert page.locator("#result-title").inner_text().startswith("SiO")
    np.testing.assert_allclose(drawn(page, "powder"), asked(address, made, "powder").T, rtol=1e-6)

    page.locator("#temperature").fill("20")
    page.wait_for_url("**temperature=20**")
    page.locator("#command", has_text="--temperature 20").wait_for()
    quiet(page, "#powder .cbtitle")
    np.testing.assert_allclose(drawn(page, "powder"), asked(address, made, "powder", temperature=20).T, rtol=1e-6)
    np.testing.assert_allclose(page.evaluate("document.getElementById('heat').layout.shapes[0].x0"), 20)

    page.locator("#instrument").select_option("kinematics")
    page.locator("#ei").fill("60")
    page.locator("#look-form button").click()
    page.locator("#powder-caption", has_text="no detector").wait_for()
    masked = asked(address, made, "instrument_map", temperature=20, ei=60).T
    assert np.isnan(masked).any()
    np.testing.assert_allclose(drawn(page, "powder"), masked, rtol=1e-6)

    page.locator("#busy").wait_for(state="hidden")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="NetCDF").click()
    taken = Prediction.load(waiting.value.path())
    assert taken.dataset.attrs["temperature_K"] == 20
    assert "instrument_map" in taken.dataset
    assert page.get_by_role("link", name="NXspe").is_visible()


def test_a_link_shows_the_same_again(page, address):
    made = predicted(page)
    page.goto(f"{address}/#/result/{made}?temperature=50&plane=H0L&instrument=TOSCA")
    page.reload()
    quiet(page, "#banks .main-svg")
    quiet(page, "#single .cbtitle")
    assert page.locator("#temperature-number").input_value() == "50"
    assert page.locator("#plane").input_value() == "H0L"
    volume = asked(address, made, "crystal", temperature=50, plane="H0L")
    level = int(page.locator("#energy-slider").input_value())
    np.testing.assert_allclose(drawn(page, "single"), volume[:, :, level].T, rtol=1e-6)
    page.locator("#energy-slider").fill(str(level + 5))
    np.testing.assert_allclose(drawn(page, "single"), volume[:, :, level + 5].T, rtol=1e-6)


def test_energies_are_shown_in_other_units_and_areas_stay(page):
    predicted(page)
    before = page.evaluate(TOTAL)
    page.locator("#unit").select_option("THz")
    page.locator("#dos .xtitle", has_text="THz").wait_for()
    x, y = page.evaluate(TOTAL)
    np.testing.assert_allclose(x, 0.2417989242 * np.array(before[0]), rtol=1e-6)
    np.testing.assert_allclose(np.trapezoid(y, x), np.trapezoid(before[1], before[0]), rtol=1e-6)


def test_a_cut_is_that_of_the_service(page, address):
    made = predicted(page)
    page.locator("#cut-low").fill("2")
    page.locator("#cut-high").fill("4")
    page.locator("#cut-form button").click()
    query = {"of": "powder", "axis": "q", "low": 2, "high": 4}
    values = httpx2.get(f"{address}/api/v1/results/{made}/cut", params=query, timeout=60).json()["variable"]["values"]
    page.locator("#busy").wait_for(state="hidden")
    np.testing.assert_allclose(page.evaluate("[...document.getElementById('cut').data[0].y]"), values, rtol=1e-5)
    assert page.evaluate("document.getElementById('powder').layout.shapes[0].x1") == 4


def test_a_file_chosen_before_the_scripts_are_there_is_taken(page):
    held = []
    page.route("**/views/crystal.js", lambda route: held.append(route))
    page.reload(wait_until="commit")  # what is held keeps the page from being loaded
    while not held:
        page.wait_for_timeout(100)
    upload(page, QUARTZ)
    held[0].continue_()
    page.locator("#result-title").wait_for()


def test_bands_are_drawn_where_a_result_has_them(page):
    def with_bands(route):
        answer = route.fetch()
        result = answer.json()
        known = result["variables"]
        known |= {"dos_lower": known["dos"], "dos_upper": known["dos"], "heat_capacity_error": known["heat_capacity"]}
        route.fulfill(response=answer, json=result)

    page.route("**/api/v1/predict?*", with_bands)
    predicted(page)
    for plot in ("dos", "heat"):
        assert "90 % band" in page.evaluate(NAMES, plot)
        assert "nine times out of ten" in page.locator(f"#{plot}-caption").inner_text()
    low, high, capacity = page.evaluate("document.getElementById('heat').data.map(trace => [...trace.y])")
    np.testing.assert_allclose(low, 0, atol=1e-6)
    np.testing.assert_allclose(high, 2 * np.array(capacity), rtol=1e-6)


# ---- refusals


@pytest.mark.parametrize("text", ["no structure at all", QUARTZ.replace("4.916", "-1"), QUARTZ.replace(" Si ", " Qq ")])
def test_what_is_refused_is_told_in_the_words_of_the_service(page, address, text):
    body = {"structure": {"text": text, "name": "bad.cif"}}
    problem = httpx2.post(f"{address}/api/v1/predict", json=body, timeout=60).json()
    upload(page, text, "bad.cif")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert problem["message"] in alert.inner_text()
    assert page.locator("#welcome").is_visible()


def test_isotopes_that_need_force_constants_are_refused_by_codes_with_the_reason(page):
    predicted(page)
    sharp = drawn(page, "powder")
    page.locator("#road").select_option("code")
    page.locator("#look-form button").click()
    page.locator("#result-facts dd", has_text=re.compile("^direct$")).wait_for()
    page.wait_for_function("!document.querySelector('#exactness').innerText.includes('force constants')")
    before = drawn(page, "powder")
    assert before.shape != sharp.shape or not np.allclose(before, sharp)
    page.locator("#isotopes").fill("O=18O")
    page.locator("#look-form button").click()
    page.locator("#look-error", has_text="force constants").wait_for()
    np.testing.assert_array_equal(drawn(page, "powder"), before)


def test_a_result_that_is_not_there_is_told(page, address):
    page.goto(f"{address}/#/result/nothing")
    page.locator("#page-error", has_text="nothing").wait_for()


# ---- simulations


def simulate(page, length):
    """Start a simulation of copper by a potential that needs no weights."""
    made = predicted(page, COPPER, "copper.vasp")
    page.locator("#simulate").evaluate("node => { node.open = true; }")
    page.locator("#supercell").fill(str(length))
    page.locator("#relax").uncheck()
    page.locator("#simulate-form button").click()
    return made


def test_a_simulation_runs_to_its_end_and_lies_beside_the_prediction(page):
    simulate(page, 6)
    page.locator("#result-jobs .job").wait_for()
    page.locator("#beside table").wait_for()
    quiet(page, "#beside-powder .cbtitle")
    assert "done" in page.locator("#result-jobs").inner_text()
    assert page.evaluate("document.getElementById('dos').data.at(-1).name") == "simulation"
    assert "beside=" in page.url


def test_a_simulation_is_cancelled(page):
    simulate(page, 25)
    page.locator("#result-jobs button", has_text="Cancel").click()
    page.locator("#result-jobs .job[data-state=cancelled]").wait_for()
    page.locator("nav a", has_text="Jobs").click()
    assert "was cancelled" in page.locator("#jobs .job").first.inner_text()


# ---- the other views


def test_the_map_of_codes_opens_crystals_and_decodes(page, address):
    page.goto(f"{address}/#/map/mp-7000")
    quiet(page, "#decoded .main-svg")
    assert page.locator("#hovered-title").inner_text().startswith("SiO")
    atlas = httpx2.get(f"{address}/api/v1/codes/dos/map", timeout=60).json()
    assert page.evaluate("document.getElementById('map').data[0].x.length") == len(atlas["ids"])
    before = page.evaluate("[...document.getElementById('decoded').data.at(-1).y]")
    page.locator("#code-0").press("ArrowRight")
    page.locator("#busy").wait_for(state="hidden")
    assert page.evaluate("[...document.getElementById('decoded').data.at(-1).y]") != before


def test_a_search_of_the_library_opens_a_crystal(page, address):
    page.locator("#search").fill("SiO2")
    page.locator("#search").press("Enter")
    page.locator("#search-hits button").first.click()
    quiet(page, "#known-powder .cbtitle")
    assert page.locator("#known-title").inner_text().startswith("SiO")
    identifier = re.search(r"#/known/(mp-\d+)", page.url)[1]
    page.locator("#known-temperature").fill("50")
    page.locator("#known-temperature").press("Enter")
    page.wait_for_url("**temperature=50")
    page.locator("#busy").wait_for(state="hidden")
    query = {"temperature": 50, "arrays": "base64"}
    answer = httpx2.get(f"{address}/api/v1/library/{identifier}", params=query, timeout=60).json()
    found = numbers(answer["variables"]["powder"]["values"])
    np.testing.assert_allclose(drawn(page, "known-powder"), found.T, rtol=1e-6)
    page.locator("#known-on-map").click()
    quiet(page, "#decoded .main-svg")
    assert page.locator("#hovered-title").inner_text().startswith("SiO")


def test_a_measurement_is_shown_with_its_gaps_cleaned_and_compared(page, address, tmp_path):
    predicted(page)
    page.locator("#instrument").select_option("kinematics")
    page.locator("#ei").fill("60")
    page.locator("#look-form button").click()
    page.locator("#powder-caption", has_text="no detector").wait_for()
    page.locator("#busy").wait_for(state="hidden")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="NXspe").click()
    waiting.value.save_as(tmp_path / "quartz.nxspe")
    page.locator("nav a", has_text="Measurement").click()
    page.locator("#measured-temperature").fill("300")  # NXspe does not hold it, and a search needs it
    page.locator("#measured-file").set_input_files(tmp_path / "quartz.nxspe")
    quiet(page, "#measured .cbtitle")
    assert np.isnan(drawn(page, "measured")).any()
    page.locator("#denoise").click()
    quiet(page, "#clean .cbtitle")
    assert np.isfinite(drawn(page, "clean")).all()
    page.locator("#look-alike-form button").click()
    page.locator("#hits tbody tr").first.wait_for()
    page.locator("#compare-form button").click()
    quiet(page, "#comparison-plot .cbtitle")


# ---- for everyone


def test_all_is_done_with_the_keyboard(page):
    def tab_to(selector):
        for _ in range(80):
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached")

    tab_to(".skip")
    tab_to("#view-crystal summary")
    page.keyboard.press("Enter")
    tab_to("#paste")
    page.keyboard.insert_text(QUARTZ)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    quiet(page, "#single .cbtitle")
    assert page.evaluate("document.activeElement.id") == "result-title"
    tab_to("#temperature")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**temperature=299**")
    tab_to("#dos")
    wide = page.evaluate("document.getElementById('dos')._fullLayout.xaxis.range")
    page.keyboard.press("+")
    low, high = page.evaluate("document.getElementById('dos')._fullLayout.xaxis.range")
    assert high - low < wide[1] - wide[0]
    page.locator("#busy").wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_views_have_no_serious_fault_of_accessibility(page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="accessibility is checked with axe").Axe()
    page.emulate_media(color_scheme=scheme)
    predicted(page)
    for view, ready in {"result": "#single .cbtitle", **VIEWS}.items():
        if view != "result":
            page.evaluate("view => { location.hash = `#/${view}`; }", view)
        quiet(page, ready)
        found = axe.run(page).response["violations"]
        serious = [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] in {"serious", "critical"}]
        assert not serious, f"{view}: {json.dumps(serious, indent=1)}"


def test_nothing_is_wider_than_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    predicted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# ---- what needs no browser


def test_elements_that_scripts_look_for_are_in_the_page():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    known = set(re.findall(r'\bid="([^"]+)"', page))
    scripts = [path.read_text("utf-8") for path in STATIC.glob("js/**/*.js")]
    wanted = {name for script in scripts for name in re.findall(r'byId\("([\w-]+)"\)', script)}
    assert wanted
    assert wanted <= known
    assert set(re.findall(r'(?:for|aria-labelledby)="([^"]+)"', page)) <= known


def test_scripts_import_what_there_is():
    for path in STATIC.glob("js/**/*.js"):
        for name in re.findall(r'(?:from |import\()"(\.[^"]+)";?', path.read_text("utf-8")):
            assert (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_nothing_of_the_page_lies_on_other_hosts():
    for path in SOURCES:
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[\w-]+\.\w", path.read_text("utf-8")), path.name
