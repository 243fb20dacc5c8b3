"""Who may come in, and from where."""

from pathlib import Path

import pytest
from flask import request
from flask.testing import FlaskClient

from console import Access, create_console
from console.access import COOKIE, local_path
from tests.console.seeding import BEARER, TOKEN, House

PAGES = ["/", "/orders/x", "/health"]
API = ["/api/orders", "/api/orders/x", "/api/diagnostics/recent-signals", "/api/health"]
WISHES = ["/api/halt", "/api/resume", "/api/marks", "/api/latches/lift", "/api/holdings/adopt", "/logout"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_a_stranger_to_the_login(house: House, path: str):
    answer = house.anonymous().get(f"{path}?symbol=A")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=")
    assert house.anonymous().get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer é"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=a.99999999999.00"},
        {"Cookie": f"{COOKIE}=.."},
        {"Cookie": f"{COOKIE}=é.é.é"},
    ],
)
def test_the_api_refuses_a_stranger(house: House, path: str, headers: dict[str, str]):
    answer = house.plain().get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == "UNAUTHORIZED"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", WISHES)
def test_a_stranger_changes_nothing(house: House, path: str):
    assert house.anonymous().post(path, json={}).status_code == 401
    assert house.control.asked == []


def test_the_bearer_of_the_token_comes_in_everywhere(house: House):
    for path in ["/", "/health", "/api/orders", "/api/health"]:
        assert house.get(path).status_code == 200, path
    assert house.anonymous().post("/api/halt", json={}, headers=BEARER).status_code == 200


def session_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return str(cookie.value)


def test_the_session_is_not_the_token_and_scripts_cannot_read_it(house: House):
    answer = house.anonymous().post("/login", data={"token": TOKEN, "next": "/health"})
    assert answer.status_code == 303 and answer.headers["Location"] == "/health"
    cookie = answer.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie
    assert "Max-Age=43200" in cookie


def test_over_https_the_session_stays_on_https(house: House):
    answer = house.anonymous().post("/login", data={"token": TOKEN}, base_url="https://desk.example")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_no_two_sessions_are_the_same(house: House):
    assert session_of(house.browser()) != session_of(house.browser())


def test_a_session_ends_after_twelve_hours(house: House):
    browser = house.browser()
    house.clock.advance(12 * 3600 - 5)
    assert browser.get("/").status_code == 200
    house.clock.advance(10)
    assert browser.get("/").status_code == 303


def test_a_session_cannot_be_prolonged(house: House):
    genuine = session_of(house.browser())
    nonce, expiry, signature = genuine.split(".")
    answer = house.plain().get("/api/orders", headers={"Cookie": f"{COOKIE}={genuine}"})
    assert answer.status_code == 200
    for forged in (f"{nonce}.{int(expiry) + 1}.{signature}", f"x{nonce}.{expiry}.{signature}"):
        answer = house.plain().get("/api/orders", headers={"Cookie": f"{COOKIE}={forged}"})
        assert answer.status_code == 401


def test_a_session_holds_in_every_process_and_ends_with_the_token(house: House, tmp_path: Path):
    headers = {"Cookie": f"{COOKIE}={session_of(house.browser())}"}
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other")
    assert other.plain().get("/api/orders", headers=headers).status_code == 200
    with house.app.test_request_context("/api/orders", headers=headers):
        assert Access(TOKEN, house.clock).refusal(request) is None
        assert Access("another token", house.clock).refusal(request) is not None


def test_logging_out(house: House):
    browser = house.browser()
    answer = browser.post("/logout", headers={"Origin": "http://localhost"})
    assert answer.status_code == 303 and answer.headers["Location"] == "/login"
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://localhost"}, 200),  # the proxy in front took the https off
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:8080"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
    ],
)
def test_a_session_changes_something_only_from_our_own_page(house: House, headers, status):
    answer = house.browser().post("/api/halt", json={"reason": "news"}, headers=headers)
    assert answer.status_code == status, answer.text
    assert bool(house.control.asked) == (status == 200)


def test_guessing_is_slowed_down_for_each_sender_alone(house: House):
    client = house.anonymous()
    for _ in range(10):
        assert client.post("/login", data={"token": "guess"}).status_code == 401
    assert client.post("/login", data={"token": TOKEN}).status_code == 429
    elsewhere = {"REMOTE_ADDR": "10.1.1.1"}
    assert client.post("/login", data={"token": TOKEN}, environ_overrides=elsewhere).status_code == 303
    house.clock.advance(301)
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


@pytest.mark.parametrize("path", ["/api/orders", "/api/halt"])
def test_guesses_at_the_api_are_slowed_down_and_the_right_token_comes_in_all_the_same(
    house: House, path: str
):
    client, wrong = house.plain(), {"Authorization": "Bearer guess"}
    assert [client.get(path, headers=wrong).status_code for _ in range(12)] == [401] * 10 + [429] * 2
    assert client.get("/api/orders", headers=wrong).headers["Retry-After"] == "300"
    assert client.get("/api/orders", headers=BEARER).status_code == 200
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
    elsewhere = {"REMOTE_ADDR": "10.1.1.1"}
    assert client.get("/api/orders", headers=wrong, environ_overrides=elsewhere).status_code in (200, 401)
    house.clock.advance(301)
    assert house.plain().get("/api/orders", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/\t/evil.example", "javascript:x", "",
     "evil", "/\n/evil", "///evil"],
)  # fmt: skip
def test_a_login_leads_only_to_this_site(house: House, target: str):
    assert local_path(target) == "/"
    answer = house.anonymous().post("/login", data={"token": TOKEN, "next": target})
    assert answer.headers["Location"] == "/"


def test_a_login_leads_where_one_wanted_to_go(house: House):
    to_login = house.anonymous().get("/?symbol=A%26B&status=FAILED").headers["Location"]
    page = house.anonymous().get(to_login).text
    assert 'value="/?symbol=A%26B&amp;status=FAILED"' in page


def test_the_login_page_says_which_token_is_meant(house: House):
    page = house.anonymous().get("/login").text
    assert "CONSOLE_TOKEN" in page and "secrets.json" in page


def test_an_empty_token_opens_no_console(house: House):
    with pytest.raises(ValueError, match="token"):
        create_console(
            house.views, house.control, house.records, house.alert_door, token="", clock=house.clock
        )


@pytest.mark.parametrize("path", ["/", "/login", "/api/orders", "/orders/none"])
def test_every_answer_is_guarded_by_headers(house: House, path: str):
    headers = house.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_static_files_are_open_and_kept(house: House):
    for name in ("console.css", "console.js", "icon.svg"):
        answer = house.anonymous().get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers.get("Cache-Control") != "no-store"
    assert house.anonymous().get("/static/../access.py").status_code == 404


def test_a_body_has_a_limit(house: House):
    answer = house.anonymous().post(
        "/api/halt", data=b"x" * 70_000, headers={**BEARER, "Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert house.anonymous().post("/login", data={"token": "x" * 70_000}).status_code == 413
