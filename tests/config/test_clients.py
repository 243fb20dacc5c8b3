"""The clients file: several accounts, nothing shared that must not be."""

from pathlib import Path

import pytest

from app.settings import load_settings
from broker.noren.settings import LoginAccount
from config.checking import SettingsError
from config.model import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "clients.example.toml"
CONSOLE = {"CONSOLE_TOKEN": "open-sesame-please"}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text: str, **environ: str) -> Settings:
    Path("clients.toml").write_text(text)
    return load_settings({**CONSOLE, "CLIENTS_FILE": "clients.toml", **environ})


def problems(text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, **environ)
    return list(caught.value.problems)


def test_each_key_defaults_to_the_setting():
    settings = load(
        """
        [clients.default]
        webhook_secret = "one"
        [clients."b.2"]
        webhook_secret = "two"
        broker = "shoonya"
        live_trading = false
        telegram_chat_id = -100
        shoonya_access_token = "t"
        shoonya_user_id = "FA2"
        """,
        LIVE_TRADING="true",
        SHOONYA_API_URL="https://example.com/api",
        SHOONYA_USER_ID="FA1",
        TELEGRAM_BOT_TOKEN="1:a",
        TELEGRAM_CHAT_ID="55",
    )
    one, two = settings.clients
    assert (one.client_id, one.broker, one.live_trading, one.telegram_chat_id) == (
        "default",
        "paper",
        True,
        "55",
    )
    assert (two.client_id, two.broker, two.live_trading, two.telegram_chat_id) == (
        "b.2",
        "shoonya",
        False,
        "-100",
    )
    assert isinstance(two.account, LoginAccount)
    assert (two.account.api_url, two.account.user_id) == ("https://example.com/api", "FA2")
    assert settings.client("b.2") is two
    assert settings.default_client is one
    with pytest.raises(KeyError):
        settings.client("nobody")


def test_the_file_is_used_when_it_stands_where_it_is_looked_for():
    Path("config").mkdir()
    Path("config/clients.toml").write_text("[clients.alice]\n")
    assert load_settings({**CONSOLE, "CLIENT_ID": "alice"}).default_client.client_id == "alice"


def test_the_example_can_be_used():
    text = EXAMPLE.read_text()
    [alice, bob] = problems(text, TELEGRAM_BOT_TOKEN="1:a", TELEGRAM_CHAT_ID="5", WEBHOOK_SECRET="w")
    assert alice.startswith("clients.toml [clients.alice] webhook_secret: stands in an example file")
    assert bob.startswith("clients.toml [clients.bob] webhook_secret: stands in an example file")
    text = text.replace("text that nobody guesses", "text of her own")
    settings = load(text, TELEGRAM_BOT_TOKEN="1:a", TELEGRAM_CHAT_ID="5", WEBHOOK_SECRET="w")
    assert [client.client_id for client in settings.clients] == ["default", "alice", "bob"]


def test_operators_are_a_clients_own_or_those_of_all():
    text = "[clients.default]\n[clients.bob]\ntelegram_operators = [7, 8]\n[clients.carol]\ntelegram_operators = []\n"
    settings = load(text, TELEGRAM_OPERATORS="11, 22")
    operators = {client.client_id: client.telegram_operators for client in settings.clients}
    assert operators == {"default": ("11", "22"), "bob": ("7", "8"), "carol": ()}


def test_the_default_client_must_be_one_of_them():
    assert problems("[clients.alice]\n[clients.bob]\n") == [
        "CLIENT_ID: got 'default', expected one of the clients in clients.toml: alice, bob"
    ]


def test_secrets_of_clients_on_paper_are_made_up_for_each():
    settings = load("[clients.default]\n[clients.bob]\n")
    assert settings.secrets_made_up == ("WEBHOOK_SECRET.default", "WEBHOOK_SECRET.bob")
    one, two = (client.webhook_secret for client in settings.clients)
    assert one != two
    assert load("[clients.default]\n[clients.bob]\n") == settings


def test_one_real_client_means_that_all_secrets_must_be_set():
    shoonya = (
        "broker='shoonya'\nshoonya_api_url='https://x.y'\nshoonya_user_id='u'\nshoonya_access_token='t'\n"
    )
    why = "not set, expected a secret of your own: the client 'real' trades at shoonya"
    assert problems(f"[clients.default]\n[clients.real]\n{shoonya}", CONSOLE_TOKEN="") == [
        f"CONSOLE_TOKEN: {why}",
        f"clients.toml [clients.default] webhook_secret: {why}",
        f"clients.toml [clients.real] webhook_secret: {why}",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "clients.toml: no client in it, expected a table [clients.<id>] for each"),
        (
            "[clients.default]\n[client.bob]\n",
            "clients.toml client: unknown, did you mean clients?",
        ),
        (
            "[clients.default]\nlive_tradng = true\n",
            "clients.toml [clients.default] live_tradng: unknown, did you mean live_trading?",
        ),
        (
            "[clients.default]\nbroker = 'acme'\n",
            "clients.toml [clients.default] broker: got 'acme', "
            "expected paper, shoonya, flattrade, zebu, zerodha, dhan or alpaca",
        ),
        (
            "[clients.default]\n[clients.'a b']\n",
            "clients.toml [clients.a b]: got 'a b', expected 1 to 40 letters, digits or any of _ . -",
        ),
        (
            "[clients.default]\n[clients]\nbob = 5\n",
            "clients.toml [clients] bob: expected a table [clients.bob]",
        ),
        (
            "[clients.default]\nwebhook_secret = 'same'\n[clients.bob]\nwebhook_secret = 'same'\n",
            "clients.toml [clients.bob] webhook_secret: the same as for the client 'default', "
            "expected one secret for each client",
        ),
        (
            "[clients.default]\ntelegram_chat_id = true\n",
            "clients.toml [clients.default] telegram_chat_id: got True, "
            "expected a chat's number, or the @name of a channel",
        ),
    ],
)
def test_what_is_wrong_is_named_with_table_and_key(text, complaint):
    assert problems(text) == [complaint]


def test_a_secret_that_two_clients_inherit_is_refused():
    assert problems("[clients.default]\n[clients.bob]\n", WEBHOOK_SECRET="top") == [
        "clients.toml [clients.bob] webhook_secret: the same as for the client 'default', "
        "expected one secret for each client"
    ]


def test_two_clients_do_not_trade_one_account():
    text = "[clients.default]\nwebhook_secret = 'a'\n[clients.bob]\nwebhook_secret = 'b'\n"
    shoonya = {"BROKER": "shoonya", "SHOONYA_API_URL": "https://x.y", "SHOONYA_USER_ID": "u"}
    assert problems(text, **shoonya, SHOONYA_ACCESS_TOKEN="t") == [
        "clients.toml [clients.bob] shoonya_user_id: the same account as the client 'default', "
        "expected one client for each account"
    ]


@pytest.mark.parametrize("other", ["https://other.example/api", "https://x.y"])
@pytest.mark.parametrize("user_id", ["FA1", "fa1"])
def test_an_account_is_the_same_under_any_address_and_in_any_case(other, user_id):
    text = f"""
        [clients.default]
        webhook_secret = "a"
        shoonya_user_id = "FA1"
        [clients.bob]
        webhook_secret = "b"
        shoonya_user_id = "{user_id}"
        shoonya_api_url = "{other}"
    """
    shoonya = {"BROKER": "shoonya", "SHOONYA_API_URL": "https://x.y", "SHOONYA_ACCESS_TOKEN": "t"}
    assert problems(text, **shoonya) == [
        "clients.toml [clients.bob] shoonya_user_id: the same account as the client 'default', "
        "expected one client for each account"
    ]


def test_accounts_without_a_user_id_are_not_called_the_same():
    text = "[clients.default]\nwebhook_secret = 'a'\n[clients.bob]\nwebhook_secret = 'b'\n"
    found = problems(text, BROKER="shoonya", SHOONYA_API_URL="https://x.y", SHOONYA_ACCESS_TOKEN="t")
    assert len(found) == 2 and all("shoonya_user_id: not set" in each for each in found)


def test_a_file_that_is_no_toml_is_refused():
    (complaint,) = problems("[clients.default\n")
    assert complaint.startswith("clients.toml: expected a TOML file: ")
