"""Every page in a real browser, in both themes and at the widths of phones, a tablet and a desk: a long slice."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.console.desk_day import day
from tests.console.seeding import TOKEN, House
from tests.console.test_browser import base, driver, press, wait  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.gate, pytest.mark.timeout(300)]

WIDTHS, THEMES = (360, 390, 768, 1440), ("light", "dark")
PAGES = ("/", "/positions", "/alerts", "/trading", "/exit", "/health", "/review", "/orders/{order}",
         "/protections/{stop}", "/find?q={alert}", "/orders/{unknown}", "/alerts/{alert}/replay")  # fmt: skip
AXE, AXE_SUM = "axe-core@4.10.3", "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"

# What is smaller than a finger, and neither in a sentence nor hidden, nor inside what is itself large enough.
SMALL = """
return [...document.querySelectorAll("a, button, summary, select, textarea, input:not([type=hidden])")].filter(each => {
  const box = each.getBoundingClientRect();
  if (!box.width || !box.height || each.matches(".skip")) return false;
  if (each.matches("a") && getComputedStyle(each).display === "inline") return false;
  const target = each.matches("[type=checkbox], [type=radio]") ? each.closest("label").getBoundingClientRect() : box;
  return target.height < 43.5;
}).map(each => each.outerHTML.slice(0, 120));
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return day(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility engine's script, from its registry, of the one version that the sum names."""
    npm, folder = shutil.which("npm") or "", tmp_path_factory.mktemp("axe")
    if not npm:
        missing = "npm is not installed: no axe-core"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    subprocess.run([npm, "pack", AXE, "--silent"], cwd=folder, check=True, capture_output=True, timeout=60)
    [packed] = folder.glob("*.tgz")
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == AXE_SUM
    with tarfile.open(packed) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.fixture
def desk(driver: webdriver.Chrome, base: str, wait) -> Iterator[str]:  # noqa: F811 - fixtures
    driver.get(f"{base}/health")
    if "/login" in driver.current_url:
        driver.find_element(By.ID, "token").send_keys(TOKEN)
        press(wait, ".login button")
        wait.until(lambda d: d.find_elements(By.ID, "vitals"))
    yield base
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def paths(house: House) -> list[str]:
    rows, _ = house.views.orders({}, limit=50)
    [stop, *_] = house.views.protections(client_id=None, open_only=True, limit=5)
    two = next(row for row in rows if row["strategy_name"] == "STRANGLE" and row["leg_index"] == 1)
    unknown = next(row for row in rows if row["phase"] == "UNKNOWN")
    names = {"order": two["command_id"], "alert": two["alert_id"], "unknown": unknown["command_id"],
             "stop": stop["protection_id"]}  # fmt: skip
    return [page.format(**names) for page in PAGES]


def show(driver: webdriver.Chrome, address: str, width: int, theme: str) -> None:  # noqa: F811
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 800}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.get(address)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_screen_or_has_a_target_too_small(driver, desk, house, width, theme):  # noqa: F811
    for path in paths(house):
        show(driver, f"{desk}{path}", width, theme)
        driver.execute_script("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, path
        assert driver.execute_script(SMALL) == [], path


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_is_closed_to_anybody(driver, desk, house, axe, width, theme):  # noqa: F811
    for path in paths(house):
        show(driver, f"{desk}{path}", width, theme)
        driver.execute_script(axe)  # the protocol's own way in: the page's policy lets no script in
        found = driver.execute_async_script("axe.run().then(arguments[0])")
        bad = [
            (each["id"], node["html"][:160], re.sub(r"\s+", " ", node["failureSummary"])[:200])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert bad == [], path
