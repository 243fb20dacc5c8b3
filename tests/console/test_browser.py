"""The console in a real browser."""

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from domain.broker_reports import Position, PositionsSnapshot
from domain.order_events import advance
from domain.position_comparison import Difference
from domain.states import Phase
from tests.console.seeding import TOKEN, House

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PATHS = (
    "/",
    "/positions",
    "/alerts",
    "/trading",
    "/exit",
    "/health",
    "/review",
    "/orders/alert0001-1",
    "/orders/alert0003-1",
)
SEVERAL_LOOKS = 5.0  # seconds; the page looks every two
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser with a fresh profile."""
    chromium, chromedriver = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
    if not chromium or not chromedriver:
        missing = "chromium and chromedriver are not installed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver)) as browser:
        yield browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A few orders of a morning."""
    house = House(tmp_path_factory.mktemp("browser"))
    house.fill(house.alert(signal_id="sig-1")[0])
    house.block(house.alert(symbol="INFY", raw_body="<script>document.title = 'taken'</script>")[0])
    house.lose(house.alert(symbol="RELIANCE-EQ")[0])
    house.clock.advance(3700)
    external = Difference("MCX", "GOLDPETAL26DECFUT", "NRML", Decimal(0), Decimal(-5), is_external=True)
    now = house.clock.now()
    house.store.write(lambda tx: tx.keep_difference("default", external, now, now))
    house.place(house.alert(symbol="BANKNIFTY26NOV52000PE")[0])
    house.beat()
    house.read_positions()
    return house


@pytest.fixture(scope="module")
def base(house: House) -> Iterator[str]:
    """Where the console is served."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def wait(driver: webdriver.Chrome) -> WebDriverWait:
    """Looks again when the page renewed what was just looked at."""
    return WebDriverWait(
        driver, 20, ignored_exceptions=(NoSuchElementException, StaleElementReferenceException)
    )


@pytest.fixture
def book(driver: webdriver.Chrome, base: str, wait: WebDriverWait) -> str:
    """The order book, logged in; where it is."""
    driver.get(f"{base}/")
    if "/login" in driver.current_url:
        driver.find_element(By.ID, "token").send_keys(TOKEN)
        press(wait, ".login button")
    wait.until(lambda d: d.find_elements(By.ID, "orders"))
    return base


def rows(driver: webdriver.Chrome) -> list[str]:
    """Each order's row as text, in one look: the page may renew a row at any moment."""
    found: list[str] = driver.execute_script(
        "return [...document.querySelectorAll('#orders tr')].map(row => row.innerText)"
    )
    return found


def told(driver: webdriver.Chrome, selector: str) -> str:
    """The text of what the selector names, in one look; empty when it is not there."""
    text: str = driver.execute_script(
        "return document.querySelector(arguments[0])?.innerText ?? ''", selector
    )
    return text


def press(wait: WebDriverWait, selector: str) -> None:
    """Click it; again only if the page renewed it before the click could land."""
    wait.until(lambda d: d.find_element(By.CSS_SELECTOR, selector).click() is None)


def why_of(driver: webdriver.Chrome, symbol: str) -> WebElement:
    return driver.find_element(By.XPATH, f"//tr[contains(., '{symbol}')]//*[contains(@class, 'sentence')]")


def test_a_wrong_token_is_told(driver: webdriver.Chrome, base: str, wait: WebDriverWait):
    driver.delete_all_cookies()
    driver.get(f"{base}/health")
    assert "CONSOLE_TOKEN" in told(driver, "body")
    driver.find_element(By.ID, "token").send_keys("wrong")
    press(wait, ".login button")
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "[role=alert]"))
    driver.find_element(By.ID, "token").send_keys(TOKEN)
    press(wait, ".login button")
    wait.until(lambda d: d.current_url == f"{base}/health")


def test_the_orders_and_their_filters(driver: webdriver.Chrome, book: str, wait: WebDriverWait):
    shown = rows(driver)
    assert len(shown) >= 3 and "BANKNIFTY26NOV52000PE" in shown[0]
    press(wait, ".chip.failed")
    wait.until(lambda d: "status=FAILED" in d.current_url)
    assert all("blocked by our rule" in row for row in rows(driver))
    driver.find_element(By.NAME, "symbol").send_keys("NIFTY*")
    press(wait, ".filtering .filters button")
    wait.until(lambda d: "symbol=" in d.current_url)
    assert "No order fits" in rows(driver)[0]
    press(wait, ".clear")
    wait.until(lambda d: d.current_url == f"{book}/")


def test_an_order_says_why_in_a_sentence(driver: webdriver.Chrome, book: str):
    why = why_of(driver, "INFY")
    assert "Daily loss limit hit" in why.text and why.get_attribute("title") == "RISK_BLOCKED:DAILY_LOSS_HIT"


def test_an_orders_story(driver: webdriver.Chrome, book: str, wait: WebDriverWait):
    wait.until(lambda d: d.find_element(By.LINK_TEXT, "INFY").click() is None)
    wait.until(lambda d: told(d, "#timeline"))
    text = told(driver, "#timeline")
    assert "was registered for the alert" in text and "Blocked: Daily loss limit hit" in text
    assert "RISK_BLOCKED:DAILY_LOSS_HIT" in told(driver, "#head") and "document.title" not in text
    press(wait, "#timeline summary")
    wait.until(lambda d: "<script>document.title" in told(d, "#timeline"))
    time.sleep(SEVERAL_LOOKS)  # what was unfolded stays so while the page renews itself
    assert "<script>document.title" in told(driver, "#timeline") and not told(driver, "#events")
    press(wait, ".engineers > summary")
    wait.until(lambda d: "by webhook" in told(d, "#events"))
    assert "Orderwatch" in driver.title


def test_new_orders_and_changes_appear_by_themselves(
    driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait
):
    link = driver.find_element(By.LINK_TEXT, "INFY")
    driver.execute_script("arguments[0].focus()", link)
    [order] = house.alert(symbol="RELIANCE")
    wait.until(lambda d: "RELIANCE" in rows(d)[0] and "not sent yet" in rows(d)[0])
    house.fill(order)
    wait.until(lambda d: "filled" in rows(d)[0])
    assert driver.switch_to.active_element == link  # what did not change stayed in place
    wait.until(lambda d: int(told(d, ".chip.executed b")) == sum("filled" in row for row in rows(d)))


def test_nothing_moves_while_a_text_is_selected_or_it_is_paused(
    driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait
):
    before = len(rows(driver))
    driver.execute_script("getSelection().selectAllChildren(document.querySelector('#orders .c-symbol'))")
    [order] = house.alert(symbol="SELECTED")
    time.sleep(SEVERAL_LOOKS)
    assert len(rows(driver)) == before
    driver.execute_script("getSelection().removeAllRanges()")
    wait.until(lambda d: len(rows(d)) == before + 1)
    press(wait, "#pause")
    house.block(order)
    time.sleep(SEVERAL_LOOKS)
    assert "not sent yet" in rows(driver)[0]
    press(wait, "#pause")
    wait.until(lambda d: "blocked" in rows(d)[0])


def test_a_session_that_ends_leads_to_the_login(driver: webdriver.Chrome, book: str, wait: WebDriverWait):
    driver.delete_all_cookies()
    wait.until(lambda d: "/login?next=" in d.current_url)


def test_halting_and_resuming_by_hand(driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait):
    house.halt("S9", "news")
    driver.get(f"{book}/health")
    driver.find_element(By.CSS_SELECTOR, ".halt [name=reason]").send_keys("too wild")
    press(wait, ".halt button.danger")
    wait.until(lambda _: house.control.asked)
    assert house.control.asked.pop() == ("halt", "default", None, "console", "too wild")
    wait.until(lambda d: d.current_url == f"{book}/health")
    press(wait, ".legs button")
    wait.until(lambda _: house.control.asked)
    assert house.control.asked.pop() == ("resume", "default", "S9", "console")


def type_into(driver: webdriver.Chrome, **texts: str) -> None:
    for name, text in texts.items():
        box = driver.find_element(By.CSS_SELECTOR, f".resolve [name={name}]")
        box.clear()
        box.send_keys(text)


def test_settling_an_unknown_outcome_by_hand(
    driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait
):
    [order] = house.alert(symbol="TATASTEEL")
    driver.get(f"{book}/orders/{order.command_id}")
    assert not driver.find_elements(By.CSS_SELECTOR, ".resolve")
    house.lose(order)
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".resolve"))  # by itself
    press(wait, ".resolve [value=found]")
    type_into(driver, broker_order_id="26112000000042", filled_quantity="49", reason="terminal", by="ann")
    time.sleep(SEVERAL_LOOKS)  # what was typed survives the page's renewals
    press(wait, ".resolve button")
    wait.until(lambda d: "filled quantity: expected 50" in told(d, "#trouble"))
    time.sleep(SEVERAL_LOOKS)  # and so does what is wrong with it
    box = driver.find_element(By.CSS_SELECTOR, "[aria-invalid]")
    assert (box.get_attribute("name"), box.get_attribute("value")) == ("filled_quantity", "49")
    type_into(driver, filled_quantity="50", average_price="112.45")
    press(wait, ".resolve button")
    wait.until(lambda d: "filled" in told(d, "#head") and "ann (console)" in told(d, "#timeline"))
    wait.until(lambda d: not d.find_elements(By.CSS_SELECTOR, ".resolve"))
    settled = house.store.get_by_id(order.command_id)
    assert settled is not None and (settled.status, settled.broker_order_id) == ("EXECUTED", "26112000000042")


def test_taking_an_order_back_by_hand(driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait):
    [order] = house.alert(symbol="HDFCBANK")
    driver.get(f"{book}/orders/{order.command_id}")
    assert "Not sent yet" in told(driver, "#cancel")
    driver.find_element(By.CSS_SELECTOR, ".cancel [name=by]").send_keys("ann")
    order = house.place(order)
    wait.until(lambda d: "The broker has it" in told(d, "#cancel"))  # what was typed survives that
    press(wait, ".cancel button")
    wait.until(lambda d: "reason: is missing" in told(d, "#trouble"))
    time.sleep(SEVERAL_LOOKS)  # and so does what is wrong with it
    assert "reason: is missing" in told(driver, "#trouble")
    assert driver.find_element(By.CSS_SELECTOR, ".cancel [name=by]").get_attribute("value") == "ann"
    driver.find_element(By.CSS_SELECTOR, ".cancel [name=reason]").send_keys("too wild")
    press(wait, ".cancel button")
    wait.until(lambda d: "asked for by console:ann" in told(d, "#cancel"))
    assert "(too wild), not sent to the broker yet" in told(driver, "#cancel")
    asked = house.store.get_by_id(order.command_id)
    assert asked is not None
    sent = {"cancel_sent_at": house.clock.now()}
    house.apply(advance(asked, Phase.WORKING, at=house.clock.now(), actor="watcher-1", **sent))
    wait.until(lambda d: "sent to the broker at" in told(d, "#cancel"))  # by itself
    assert not driver.find_elements(By.CSS_SELECTOR, ".cancel button")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_wider_than_the_screen(driver: webdriver.Chrome, book: str, width: int, path: str):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 800}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(f"{book}{path}")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_console_of_the_browser_stays_clean(driver: webdriver.Chrome, book: str):
    driver.get_log("browser")
    for path in PATHS:
        driver.get(f"{book}{path}")
    assert driver.get_log("browser") == []


def test_adopting_units_that_no_strategy_holds(
    driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait
):
    position = Position("MCX", "GOLDPETAL26DECFUT", "NRML", Decimal(-5))
    read = PositionsSnapshot(house.clock.now(), (position,))
    house.store.save_positions("default", read, house.clock.now().date())
    driver.get(f"{book}/review")
    press(wait, ".adopt summary")
    for name, text in {"strategy_name": "S1", "reason": "sold for it", "by": "ann"}.items():
        driver.find_element(By.CSS_SELECTOR, f".adopt [name={name}]").send_keys(text)
    time.sleep(SEVERAL_LOOKS)  # what was typed survives the page's renewals
    press(wait, ".adopt button")
    assert held_by(house, "S1") == [], "nothing goes without the box"
    press(wait, ".adopt [type=checkbox]")
    press(wait, ".adopt button")
    wait.until(lambda _: held_by(house, "S1") == ["-5"])
    wait.until(lambda d: d.current_url == f"{book}/review" and not d.find_elements(By.CSS_SELECTOR, ".adopt"))


def held_by(house: House, strategy_name: str) -> list[str]:
    return [h["net_quantity"] for h in house.views.holdings() if h["strategy_name"] == strategy_name]


NATIVE = {
    "secret_key": "***", "execution_type": "ENTRY", "strategy_name": "STRADDLE", "exchange": "NFO",
    "legs": [{"tradingsymbol": "NIFTY26NOV26000CE", "direction": "BUY", "qty": 50, "product_type": "MIS",
              "order_type": "MARKET"}],
}  # fmt: skip


def test_a_blocked_alert_is_replayed_after_a_look_at_what_it_would_do(
    driver: webdriver.Chrome, book: str, house: House, wait: WebDriverWait
):
    [order] = house.alert(symbol="NIFTY26NOV26000CE", raw_body=json.dumps(NATIVE))
    house.block(order)
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(f"{book}/alerts/{order.alert_id}/replay")
    assert "BUY 50 NIFTY26NOV26000CE" in told(driver, "#would")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    for name, text in {"reason": "the limit was raised", "by": "ann"}.items():
        box = driver.find_element(By.CSS_SELECTOR, f".filters [name={name}]")
        box.clear()
        box.send_keys(text)
    press(wait, ".filters button")
    wait.until(lambda d: "ann (console) had alert" in told(d, "#timeline"))
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
