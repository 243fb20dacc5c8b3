"""The brokers that BROKER can name: each has its preset, its settings and its address."""

import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from app.container import Services
from app.settings import load_settings
from app.system import SystemClock
from broker.noren.adapter import NorenBroker
from broker.noren.presets import PRESETS
from broker.registry import BROKERS
from config.checking import SettingsError
from config.clients import account_model
from tests.adapters import adapter_of

SECRETS = {"WEBHOOK_SECRET": "knock-knock-who-is-there", "CONSOLE_TOKEN": "open-sesame-please"}
BY_PASSWORD = dict.fromkeys(("USER_ID", "PASSWORD", "TOTP_SECRET", "VENDOR_CODE", "API_SECRET", "IMEI"), "x")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def at(broker: str, **own: str) -> dict[str, str]:
    """Settings of an account there."""
    return {**SECRETS, "BROKER": broker, **{f"{broker.upper()}_{name}": value for name, value in own.items()}}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return list(caught.value.problems)


def broker_of(environ: dict[str, str]) -> NorenBroker:
    services = Services(load_settings(environ), SystemClock())
    broker = adapter_of(services)
    assert isinstance(broker, NorenBroker)
    return broker


def test_every_preset_can_be_named_and_every_name_has_a_preset():
    names = get_args(account_model(BROKERS).model_fields["broker"].annotation)
    assert set(names) == {"paper", "zerodha", "dhan", "alpaca", *PRESETS}


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_of_a_broker_is_read(name: str):
    fields = account_model(BROKERS).model_fields
    own = {field.removeprefix(f"{name}_") for field in fields if field.startswith(f"{name}_")}
    assert {"api_url", "user_id", "access_token", "ws_url"} <= own == set(BROKERS[name].account.model_fields)
    given = {field: f"{field}-1" for field in own} | {
        "api_url": "https://x.y/api/",
        "ws_url": "wss://x.y/ws",
        "market_orders": "plain",
        "calls_per_minute": "77",
    }
    client = load_settings(at(name, **{field.upper(): text for field, text in given.items()})).default_client
    assert client.broker == name and client.is_real
    shown = {field: getattr(client.account, field) for field in own}
    plain = {
        field: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for field, value in shown.items()
    }
    assert plain == given | {"api_url": "https://x.y/api", "calls_per_minute": 77}
    secret = own & {"password", "totp_secret", "api_secret", "access_token"}
    assert not any(f"{field}-1" in repr(client) for field in secret)
    assert not client.policy.live_allowed  # a real broker is sent nothing before LIVE_TRADING says so


@pytest.mark.parametrize("name", ["flattrade", "zebu"])
def test_with_an_access_token_the_public_address_stands_in(name: str):
    broker = broker_of(at(name, USER_ID="U1", ACCESS_TOKEN="t"))
    assert broker.traits.name == name and broker.traits.is_real
    assert broker._wire._calls._base_url == PRESETS[name].api_url
    own = broker_of(at(name, USER_ID="U1", ACCESS_TOKEN="t", API_URL="https://127.0.0.1:9/api"))
    assert own._wire._calls._base_url == "https://127.0.0.1:9/api"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("own", "places", "kept"), [({}, 100, 20), ({"CALLS_PER_MINUTE": "60"}, 60, 12)])
def test_the_minute_is_counted_with_some_left_for_other_programs_and_for_exits(name, own, places, kept):
    broker = broker_of(at(name, USER_ID="U1", ACCESS_TOKEN="t", API_URL="https://x.y", **own))
    assert (broker._budget._minute.places, broker._budget._minute.kept) == (places, kept)
    assert places < PRESETS[name].per_minute


def test_the_minute_need_not_be_counted():
    assert not broker_of(
        at("zebu", USER_ID="U1", ACCESS_TOKEN="t", CALLS_PER_MINUTE="0")
    )._budget._minute.places


@pytest.mark.parametrize("given", ["39", "-1", "many", "100001"])
def test_a_minute_with_no_room_for_reads_is_refused(given: str):
    assert problems(at("zebu", USER_ID="U1", ACCESS_TOKEN="t", CALLS_PER_MINUTE=given)) == [
        f"ZEBU_CALLS_PER_MINUTE: got '{given}', expected a whole number from 40 to 100000, or 0"
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_order_updates_are_opened_by_the_token_at_every_broker(name: str):
    broker = broker_of(at(name, USER_ID="U1", ACCESS_TOKEN="t", API_URL="https://x.y", WS_URL="wss://x.y/ws"))
    updates = broker.updates(lambda: None)
    assert updates is not None
    assert updates.hello("t") == {
        "t": "a",
        "uid": "U1",
        "actid": "U1",
        "source": "API",
        "accesstoken": "t",
    }


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("own", "percent"),
    [
        ({}, Decimal(3)),
        ({"MARKET_PROTECTION_PERCENT": "0.5"}, Decimal("0.5")),
        ({"MARKET_PROTECTION_PERCENT": "20"}, Decimal(20)),
        ({"{}_MARKET_ORDERS": "plain"}, None),
        ({"{}_MARKET_ORDERS": "Protected"}, Decimal(3)),
    ],
)
def test_market_orders_are_protected_unless_the_broker_takes_them(name, own, percent):
    account = at(name, USER_ID="U1", ACCESS_TOKEN="t", API_URL="https://x.y")
    environ = account | {key.format(name.upper()): value for key, value in own.items()}
    assert broker_of(environ)._protection_percent == percent


@pytest.mark.parametrize("percent", ["0", "-1", "20.01", "NaN", "three"])
def test_a_protection_that_makes_no_sense_is_refused(percent):
    complaint = f"MARKET_PROTECTION_PERCENT: got {percent!r}, expected a number greater than 0, 20 at most"
    assert problems({**SECRETS, "MARKET_PROTECTION_PERCENT": percent}) == [complaint]
    assert problems({**SECRETS, "ZEBU_MARKET_ORDERS": "maybe"}) == [
        "ZEBU_MARKET_ORDERS: got 'maybe', expected protected or plain"
    ]
    assert problems({**SECRETS, "MARKET_PROTECTION": "3"}) == [
        "MARKET_PROTECTION: unknown, did you mean MARKET_PROTECTION_PERCENT?"
    ]


def test_order_updates_of_a_login_are_opened_by_its_key():
    broker = broker_of(at("zebu", API_URL="https://x.y", WS_URL="wss://x.y/ws", **BY_PASSWORD))
    updates = broker.updates(lambda: None)
    assert updates is not None and updates.hello("k")["t"] == "c"


@pytest.mark.parametrize(
    ("name", "own", "missing"),
    [
        ("shoonya", {"ACCESS_TOKEN": "t"}, ["API_URL", "USER_ID"]),
        ("flattrade", {}, ["USER_ID", "ACCESS_TOKEN"]),
        ("flattrade", {"ACCESS_TOKEN": "t"}, ["USER_ID"]),
        ("zebu", {"ACCESS_TOKEN": "t"}, ["USER_ID"]),
        ("zebu", BY_PASSWORD, ["API_URL"]),  # the public address that is known is not that of a login
        (
            "zebu",
            {"USER_ID": "u"},
            ["API_URL", "PASSWORD", "TOTP_SECRET", "VENDOR_CODE", "API_SECRET", "IMEI"],
        ),
    ],
)
def test_what_is_missing_is_named_by_the_brokers_own_name(name, own, missing):
    why = f"not set, but the client 'default' trades at {name}"
    assert problems(at(name, **own)) == [f"{name.upper()}_{field}: {why}" for field in missing]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("FLATTRADE_USER", "FLATTRADE_USER_ID"),
        ("ZEBU_ACCES_TOKEN", "ZEBU_ACCESS_TOKEN"),
    ],
)
def test_a_misspelled_setting_of_a_broker_is_refused(given: str, meant: str):
    assert problems({**SECRETS, given: "x"}) == [f"{given}: unknown, did you mean {meant}?"]


def test_clients_may_trade_at_different_brokers(tmp_path):
    (tmp_path / "clients.toml").write_text(
        """
        [clients.default]
        webhook_secret = "one"
        broker = "flattrade"
        flattrade_access_token = "t1"
        [clients.second]
        webhook_secret = "two"
        broker = "Zebu"
        zebu_user_id = "Z2"
        zebu_access_token = "t2"
        [clients.third]
        webhook_secret = "three"
        broker = "flattrade"
        flattrade_access_token = "t3"
        """
    )
    environ = {**SECRETS, "CLIENTS_FILE": "clients.toml", "FLATTRADE_USER_ID": "F1"}
    assert problems(environ) == [
        "clients.toml [clients.third] flattrade_user_id: the same account as the client 'default', "
        "expected one client for each account"
    ]
    text = (tmp_path / "clients.toml").read_text() + 'flattrade_user_id = "F3"\n'
    (tmp_path / "clients.toml").write_text(text)
    settings = load_settings(environ)
    assert [client.broker for client in settings.clients] == ["flattrade", "zebu", "flattrade"]
    assert [client.account.user for client in settings.clients] == ["F1", "Z2", "F3"]


@pytest.mark.parametrize("path", ["README.md", "config/example.env"])
def test_the_papers_name_every_broker(path: str):
    text = (ROOT / path).read_text().lower()
    assert all(re.search(rf"\b{name}\b", text) for name in PRESETS)


def test_the_example_tells_the_public_addresses():
    text = (ROOT / "config/example.env").read_text()
    for name in ("flattrade", "zebu"):
        assert PRESETS[name].api_url in text
