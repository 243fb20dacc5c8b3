"""The doors of the whole application: what programs ask for is answered as JSON, what people ask for as a page."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.container import build_services
from app.settings import load_settings
from trading_bot import make_app

TOKEN = "a-long-console-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    environ = {"ORDERS_DB": str(tmp_path / "orders.db"), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": TOKEN}
    return make_app(build_services(load_settings(environ, dotenv_path=None))).test_client()


@pytest.mark.parametrize("path", ["/metrics", "/api/orders", "/api/nothing"])
def test_without_the_token_programs_are_told_so_as_json(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "UNAUTHORIZED"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_with_it_they_get_what_there_is(client):
    assert client.get("/metrics", headers=BEARER).status_code == 200
    missing = client.get("/api/nothing", headers=BEARER)
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing"])
def test_other_doors_that_are_none_answer_as_before(client, path):
    answer = client.get(path)
    assert answer.status_code == 404 and answer.json is None


def test_the_webhooks_refusals_stay_its_own(client):
    assert client.post("/webhook", data="{}").status_code == 401
    assert client.get("/webhook").status_code == 405
