"""An account in a broker's sandbox costs no money, is another account, and is never mistaken for the real one."""

import pytest

from app.settings import load_settings
from broker.alpaca.settings import API_URL, DATA_URL, SANDBOX_URL
from config.checking import SettingsError
from domain.account import BrokerAccount
from tests.config.test_brokers import at

OWN = {"ACCOUNT_NUMBER": "PA1", "KEY_ID": "K", "SECRET_KEY": "s"}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def client(**own: str):
    return load_settings(at("alpaca", **OWN, **own)).default_client


def test_orders_in_a_sandbox_need_no_live_trading_and_its_rows_are_another_accounts():
    real, trial = client(), client(SANDBOX="true")
    assert (real.is_real, real.policy.live_allowed, real.exits_are_off) == (True, False, True)
    assert (trial.is_real, trial.policy.live_allowed, trial.exits_are_off) == (False, True, False)
    assert trial.broker_account == BrokerAccount("alpaca", "PA1 (sandbox)") != real.broker_account


def test_each_has_the_address_of_its_own():
    assert client().account.credentials().api_url == API_URL
    credentials = client(SANDBOX="true").account.credentials()
    assert (credentials.api_url, credentials.data_url) == (SANDBOX_URL, DATA_URL)
    assert client(SANDBOX="true", API_URL="http://127.0.0.1:9/").account.credentials().api_url == (
        "http://127.0.0.1:9"
    )


@pytest.mark.parametrize(
    ("sandbox", "url"),
    [
        ("true", API_URL),
        ("true", "https://API.alpaca.markets/"),
        ("true", "https://alpaca.markets"),
        ("false", SANDBOX_URL),
    ],
)
def test_an_address_that_contradicts_it_stops_the_start(sandbox, url):
    with pytest.raises(SettingsError) as caught:
        client(SANDBOX=sandbox, API_URL=url)
    [problem] = caught.value.problems
    assert problem.startswith("ALPACA_API_URL: got ") and f"where ALPACA_SANDBOX is {sandbox}" in problem
