"""Where orders are live, whoever guesses the webhook's secret trades: a short one stops the start."""

from pathlib import Path

import pytest

from app.settings import load_settings
from config.checking import SettingsError

ZEBU = {
    "BROKER": "zebu",
    "ZEBU_USER_ID": "Z1",
    "ZEBU_ACCESS_TOKEN": "t",
    "CONSOLE_TOKEN": "open-sesame-please",
}
TOO_SHORT = "too short, expected 16 characters or more: orders are live"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def problems(**environ: str) -> tuple[str, ...]:
    try:
        load_settings(environ)
    except SettingsError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(("length", "expected"), [(1, True), (15, True), (16, False), (40, False)])
def test_a_secret_of_live_orders_has_16_characters_or_more(length, expected):
    found = problems(**ZEBU, LIVE_TRADING="true", WEBHOOK_SECRET="x" * length)
    assert found == ((f"WEBHOOK_SECRET: {TOO_SHORT}",) if expected else ())


@pytest.mark.parametrize(("length", "expected"), [(1, True), (15, True), (16, False), (40, False)])
def test_whoever_guesses_the_consoles_token_trades_too(length, expected):
    token = {"CONSOLE_TOKEN": "x" * length, "WEBHOOK_SECRET": "x" * 16}
    found = problems(**{**ZEBU, **token}, LIVE_TRADING="true")
    assert found == ((f"CONSOLE_TOKEN: {TOO_SHORT}",) if expected else ())
    assert problems(**{**ZEBU, **token}) == ()


def test_where_nothing_is_sent_any_length_will_do():
    assert problems(**ZEBU, WEBHOOK_SECRET="short") == ()
    assert problems(BROKER="paper", LIVE_TRADING="true", WEBHOOK_SECRET="short") == ()


def test_each_clients_own_secret_is_looked_at():
    Path("clients.toml").write_text(
        '[clients.alice]\nwebhook_secret = "short"\nlive_trading = true\n'
        '[clients.bob]\nwebhook_secret = "short-too"\nbroker = "paper"\n'
    )
    found = problems(**ZEBU, CLIENTS_FILE="clients.toml", CLIENT_ID="alice")
    assert found == (f"clients.toml [clients.alice] webhook_secret: {TOO_SHORT}",)


def test_settings_that_are_only_looked_at_leave_nothing_behind(tmp_path):
    settings = load_settings({}, keep_secrets=False)
    assert list(tmp_path.iterdir()) == []
    assert len(settings.console_token.get_secret_value()) >= 32
    kept = load_settings({})
    assert load_settings({}, keep_secrets=False) == kept
    assert settings.console_token != kept.console_token
