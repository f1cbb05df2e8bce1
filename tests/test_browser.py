"""The report as people see it: in Chromium, on three widths, by light and by dark, with the keyboard."""

import itertools
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from utkface_mt.config import repository_root
from utkface_mt.experiments.reference import measured_predictions, measured_results
from utkface_mt.experiments.report import write_report
from utkface_mt.experiments.results import ResultStore
from utkface_mt.plots.evaluation import ladder_chart
from utkface_mt.plots.style import use_style

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"desk": (1280, 900), "tablet": (768, 1024), "phone": (390, 844)}
SCHEMES = ("light", "dark")
READABLE = 4.5  # the least contrast of text, level AA of the Web Content Accessibility Guidelines

# What stands on what: for each element with text of its own, its colour and the first ground behind it that has one.
COLOURS = """
const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
};
const elements = [...document.body.querySelectorAll("*")].filter(own);
return elements.map(element => [getComputedStyle(element).color, ground(element), element.outerHTML.slice(0, 80)]);
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as it looks when it has ended: the committed notebooks with their outputs, the measured rows."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "notebooks").mkdir()
    for path in sorted((repository_root() / "notebooks").glob("*.ipynb")):
        shutil.copy(path, folder / "notebooks")
    store = ResultStore(folder)
    for result in measured_results():
        if not result.repeat:
            keyed = replace(result, key=result.row)
            store.save_predictions(keyed.key, "test", measured_predictions(result))
            store.save(keyed)
    use_style("Agg")
    write_report(folder, "cpu", ladder_chart)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert program, f"None of {', '.join(BROWSERS)} is installed; these tests need one, and chromedriver."
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def _open(browser: webdriver.Chrome, page: Path, size: str = "desk", scheme: str = "light") -> None:
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())


def _pages(folder: Path) -> list[Path]:
    return [folder / "index.html", *sorted((folder / "notebooks").glob("*.html"))]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_has_an_error_asks_the_network_or_scrolls_sideways(browser, run_folder: Path, size: str):
    pages = _pages(run_folder)
    assert len(pages) > 12
    for page in pages:
        _open(browser, page, size)
        assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == [], page
        asked = [
            entry["message"] for entry in browser.get_log("performance") if "requestWillBeSent" in entry["message"]
        ]
        assert not [message for message in asked if '"url":"http' in message], page
        wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, page


def test_every_link_leads_somewhere(browser, run_folder: Path):
    for page in _pages(run_folder)[:3]:
        _open(browser, page)
        for link in browser.find_elements(By.TAG_NAME, "a"):
            target = link.get_attribute("href") or ""
            if target.startswith("file:"):
                path, _, anchor = target.removeprefix("file://").partition("#")
                assert Path(path).exists(), target
                if anchor and Path(path) == page:
                    assert browser.find_elements(By.ID, anchor), target


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_dark_in_the_dark_and_all_text_can_be_read(browser, run_folder: Path, scheme: str):
    _open(browser, run_folder / "index.html", scheme=scheme)
    background = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert (_luminance(background) > 0.5) == (scheme == "light")
    for colour, ground, element in browser.execute_script(COLOURS):
        lighter, darker = sorted((_luminance(colour), _luminance(ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= READABLE, element


def _luminance(colour: str) -> float:
    """The relative luminance of a colour such as `rgb(31, 41, 55)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("size", SIZES)
def test_row_age_and_gender_are_seen_without_scrolling(browser, run_folder: Path, size: str):
    _open(browser, run_folder / "index.html", size)
    box = browser.find_element(By.CSS_SELECTOR, ".scroll")
    right = box.rect["x"] + box.rect["width"]
    for line in browser.find_elements(By.CSS_SELECTOR, ".ladder tr"):
        cells = line.find_elements(By.CSS_SELECTOR, "th, td")
        assert cells[2].rect["x"] + cells[2].rect["width"] <= right
    heads = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, ".ladder thead th")]
    assert [head.split()[0] for head in heads[:5]] == ["row", "age", "gender", "published", "published"]
    wide = browser.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", box)
    assert wide == (size == "phone") or size == "tablet"


def test_the_ladder_comes_first(browser, run_folder: Path):
    _open(browser, run_folder / "index.html")
    first = browser.find_element(By.CSS_SELECTOR, "main img, main table, main dl")
    assert first.tag_name == "img"
    assert "published" in browser.find_element(By.TAG_NAME, "figcaption").text


def test_keyboard_and_screen_reader_get_everything(browser, run_folder: Path):
    _open(browser, run_folder / "index.html")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("class") == "skip"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#results")
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    assert all(image.get_attribute("alt") for image in browser.find_elements(By.TAG_NAME, "img"))
    levels = [int(heading.tag_name[1]) for heading in browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for name in ("header", "nav", "main", "footer"):
        assert browser.find_elements(By.TAG_NAME, name)


def test_every_figure_of_the_notebooks_is_there_and_loads(browser, run_folder: Path, tmp_path: Path):
    _open(browser, run_folder / "index.html")
    outputs = [
        output
        for path in sorted((run_folder / "notebooks").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    figures = browser.find_elements(By.TAG_NAME, "figure")
    assert len(figures) == len(outputs) + 1  # and the ladder
    captions = [output.metadata.get("caption", "") for output in outputs]
    shown = [figure.find_element(By.TAG_NAME, "figcaption").text for figure in figures[1:]]
    assert all(captions)
    assert shown == [" ".join(caption.split()) for caption in captions]
    browser.execute_script("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    broken = "return [...document.images].filter(image => image.complete && !image.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    browser.save_screenshot(str(tmp_path / "page.png"))
    with Image.open(tmp_path / "page.png") as picture:
        assert len(picture.convert("L").resize((64, 64)).getcolors()) > 20
