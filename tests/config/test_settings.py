"""The settings: what is read from where, what is refused, and that all of it is said at once."""

import os
from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.settings import load_settings
from broker.noren.settings import AddressedAccount
from broker.paper.settings import PaperSettings
from broker.registry import BROKERS
from config.checking import SettingsError
from config.model import Settings, environment_model
from domain.limits import Limits

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "example.env"
SECRETS = {"WEBHOOK_SECRET": "knock-knock-who-is-there", "CONSOLE_TOKEN": "open-sesame-please"}
SHOONYA = {
    "BROKER": "shoonya",
    "SHOONYA_API_URL": "https://api.example.com/NorenWClientAPI/",
    "SHOONYA_USER_ID": "FA1",
    "SHOONYA_ACCESS_TOKEN": "tok-en",
}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(**environ: str) -> Settings:
    return load_settings(SECRETS | environ)


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(**environ)
    return list(caught.value.problems)


class TestDefaults:
    def test_nothing_set_is_one_client_on_paper(self):
        settings = load()
        client = settings.default_client
        assert settings.clients == (client,)
        assert (client.client_id, client.broker, client.live_trading) == ("default", "paper", False)
        assert not client.is_real
        assert client.telegram_chat_id is None
        assert (settings.host, settings.port) == ("127.0.0.1", 8000)
        assert settings.orders_db == Path("data/orders.db")
        assert settings.shared["paper"].file(settings.orders_db) == Path("data/paper.db")
        assert settings.trading_timezone == ZoneInfo("Asia/Kolkata")
        assert settings.archive_after_days is None
        assert settings.secrets_made_up == ()

    def test_no_limit_is_set(self):
        limits = load().default_client.limits.for_strategy("any")
        assert limits.max_daily_loss is None
        assert limits.max_open_orders is None
        assert (limits.max_entries, limits.positions_max_age_seconds) == (1, 60.0)

    def test_the_example_lists_every_setting_with_its_default(self):
        lines = [
            line[1:] for line in EXAMPLE.read_text().splitlines() if line[:1] == "#" and line[1:2].isupper()
        ]
        example = dict(line.split("=", 1) for line in lines)
        everything = environment_model(BROKERS)
        assert example.keys() == {name.upper() for name in everything.model_fields}
        given = {name.lower(): value for name, value in example.items() if value}
        assert everything.model_validate(given) == everything()
        assert {name for name, field in everything.model_fields.items() if field.default is not None} == set(
            given
        )

    def test_the_example_can_be_used_as_it_is(self):
        assert load_settings(SECRETS, dotenv_path=EXAMPLE) == load()

    def test_the_process_environment_is_the_default(self, monkeypatch):
        for name in [*os.environ]:
            monkeypatch.delenv(name)
        for name, value in {**SECRETS, "PORT": "8123"}.items():
            monkeypatch.setenv(name, value)
        assert load_settings().port == 8123


class TestValues:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("PORT", " 8080 ", 8080),
            ("HOST", "::1", "::1"),
            ("DEDUP_WINDOW_SECONDS", "0", 0.0),
            ("WEBHOOK_RATE_PER_SECOND", "0", 0),
            ("LOG_LEVEL", "debug", "DEBUG"),
            ("LOG_FORMAT", "JSON", "json"),
            ("TELEGRAM_COMMANDS", "false", False),
            ("TRADING_TIMEZONE", "America/New_York", ZoneInfo("America/New_York")),
            ("TRADING_DAY_STARTS", "05:30", time(5, 30)),
            ("TELEGRAM_API_URL", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
            ("ORDERS_DB", "elsewhere/o.db", Path("elsewhere/o.db")),
            ("ARCHIVE_AFTER_DAYS", "30", 30),
            ("PORT", "", 8000),
            ("PORT", "  ", 8000),
        ],
    )
    def test_a_value_is_read(self, name, text, value):
        assert getattr(load(**{name: text}), name.lower()) == value

    def test_a_value_of_a_brokers_own_is_read(self):
        paper = load(PAPER_TICK="0.01", PAPER_DEFAULT_PRICE="None").shared["paper"]
        assert paper == PaperSettings(tick=Decimal("0.01"), default_price=None)

    @pytest.mark.parametrize(
        ("name", "text", "expected"),
        [
            ("PORT", "0", "a port number from 1 to 65535"),
            ("PORT", "http", "a port number from 1 to 65535"),
            ("HOST", "http://here", "a host name or an IP address"),
            ("LIVE_TRADING", "maybe", "true or false"),
            ("BROKER", "acme", "paper, shoonya, flattrade, zebu, zerodha, dhan or alpaca"),
            ("CLIENT_ID", "a b", "1 to 40 letters, digits or any of _ . -"),
            ("CLIENT_ID", "a" * 41, "1 to 40 letters, digits or any of _ . -"),
            ("RISK_MAX_DAILY_LOSS", "-5", "a number greater than 0"),
            ("RISK_MAX_DAILY_LOSS", "NaN", "a number greater than 0"),
            ("RISK_MAX_DAILY_LOSS", "Infinity", "a number greater than 0"),
            ("RISK_MAX_ORDER_QUANTITY", "0", "a number greater than 0"),
            ("RISK_MAX_ORDER_VALUE", "1e999999", "a number greater than 0"),
            ("RISK_MAX_ORDER_VALUE", "1,000", "a number greater than 0"),
            ("RISK_MAX_OPEN_ORDERS", "2.5", "a whole number from 1 to 1000000"),
            ("GUARD_MAX_ENTRIES", "0", "a whole number from 1 to 1000000"),
            ("WATCHER_POLL_SECONDS", "0", "seconds from 0.01 to 60"),
            ("WATCHER_POLL_SECONDS", "nan", "seconds from 0.01 to 60"),
            ("MAX_ALERT_AGE_SECONDS", "5 minutes", "seconds from 0.1 to 86400"),
            ("TRADING_DAY_STARTS", "6:00", "a time of day from 00:00 to 23:59, such as 06:00"),
            ("TRADING_DAY_STARTS", "24:00", "a time of day from 00:00 to 23:59, such as 06:00"),
            ("TRADING_DAY_STARTS", "06:00:00", "a time of day from 00:00 to 23:59, such as 06:00"),
            ("TRADING_TIMEZONE", "Asia", "the name of a time zone, such as Asia/Kolkata"),
            ("TRADING_TIMEZONE", "IST?", "the name of a time zone, such as Asia/Kolkata"),
            ("TRADING_TIMEZONE", "../etc/passwd", "the name of a time zone, such as Asia/Kolkata"),
            ("PAPER_DEFAULT_PRICE", "nothing", "a number greater than 0, or none"),
            ("TELEGRAM_API_URL", "api.telegram.org", "a URL with https://"),
            ("TELEGRAM_OPERATORS", "ann", "numbers of users, with commas between them"),
            ("TELEGRAM_OPERATORS", "11, -1007", "numbers of users, with commas between them"),
            # who writes as an anonymous administrator of a group
            ("TELEGRAM_OPERATORS", "1087968824", "numbers of users, with commas between them"),
            ("SHOONYA_WS_URL", "https://example.com", "a URL with wss://"),
            ("LOG_LEVEL", "chatty", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
            ("ORDERS_DB", ":memory:", "the path of a database file, or sqlite:///path"),
            ("ORDERS_DB", ".", "the path of a database file, or sqlite:///path"),
            ("LIMITS_FILE", "gone.toml", "the path of a file that exists"),
            ("CLIENTS_FILE", "gone.toml", "the path of a file that exists"),
        ],
    )
    def test_a_wrong_value_is_refused_in_words(self, name, text, expected):
        assert problems(**{name: text}) == [f"{name}: got {text!r}, expected {expected}"]

    @pytest.mark.parametrize(
        ("environ", "complaint"),
        [
            (
                {"WATCHER_POLL_SECONDS": "20"},
                "BROKER_DEADLINE_SECONDS: got 15, expected more than WATCHER_POLL_SECONDS (20)",
            ),
            (
                {"POSITIONS_MAX_AGE_SECONDS": "2"},
                "POSITIONS_MAX_AGE_SECONDS: got 2, expected more than POSITIONS_REFRESH_SECONDS (2)",
            ),
            (
                {"ORDERS_DB": "paper.db"},
                "PAPER_DB: got 'paper.db', expected another file than ORDERS_DB",
            ),
            (
                {"TELEGRAM_BOT_TOKEN": "1:a"},
                "TELEGRAM_CHAT_ID: not set, expected one with TELEGRAM_BOT_TOKEN",
            ),
            (
                {"TELEGRAM_CHAT_ID": "-100"},
                "TELEGRAM_BOT_TOKEN: not set, expected one with TELEGRAM_CHAT_ID",
            ),
        ],
    )
    def test_settings_that_contradict_each_other_are_refused(self, environ, complaint):
        assert problems(**environ) == [complaint]

    def test_everything_wrong_is_said_at_once(self):
        found = problems(PORT="x", RISK_MAX_DALY_LOSS="5", BROKER="shoonya", TELEGRAM_CHAT_ID="7")
        assert [line.split(":")[0] for line in found] == [
            "RISK_MAX_DALY_LOSS",
            "PORT",
            "SHOONYA_API_URL",
            "SHOONYA_USER_ID",
            "SHOONYA_PASSWORD",
            "SHOONYA_TOTP_SECRET",
            "SHOONYA_VENDOR_CODE",
            "SHOONYA_API_SECRET",
            "SHOONYA_IMEI",
            "TELEGRAM_BOT_TOKEN",
        ]

    def test_the_error_reads_as_its_lines(self):
        with pytest.raises(SettingsError) as caught:
            load(PORT="x", LOG_FORMAT="xml")
        assert str(caught.value) == (
            "PORT: got 'x', expected a port number from 1 to 65535\n"
            "LOG_FORMAT: got 'xml', expected text or json"
        )

    def test_limits_come_from_the_settings(self):
        settings = load(
            RISK_MAX_DAILY_LOSS="1000.5",
            RISK_MAX_ORDER_QUANTITY="2",
            RISK_MAX_ORDER_VALUE="3",
            RISK_MAX_ORDERS_PER_MINUTE="4",
            RISK_MAX_OPEN_ORDERS="5",
            GUARD_MAX_ENTRIES="6",
            POSITIONS_MAX_AGE_SECONDS="7",
        )
        assert settings.default_client.limits.for_strategy("any") == Limits(
            max_daily_loss=Decimal("1000.5"),
            max_order_quantity=Decimal(2),
            max_order_value=Decimal(3),
            max_orders_per_minute=4,
            max_open_orders=5,
            max_entries=6,
            positions_max_age_seconds=7.0,
        )

    def test_settings_are_frozen(self):
        settings = load()
        with pytest.raises(ValueError, match="frozen"):
            settings.port = 1


class TestNames:
    def test_a_misspelled_variable_of_ours_is_refused(self):
        assert problems(WEBHOOK_SECRETT="x") == ["WEBHOOK_SECRETT: unknown, did you mean WEBHOOK_SECRET?"]

    def test_a_variable_of_ours_that_resembles_nothing_is_refused(self):
        assert problems(PAPER_ZZZZZZZ="x") == ["PAPER_ZZZZZZZ: unknown, see config/example.env"]

    def test_other_variables_are_none_of_our_business(self):
        assert load(PATH="/bin", PORTS="1", DJANGO_SETTINGS="x").port == 8000

    def test_any_unknown_name_in_dotenv_is_refused(self, tmp_path):
        (tmp_path / ".env").write_text("PROT=1\nlive_trading=true\n")
        assert problems() == [
            ".env: PROT: unknown, did you mean PORT?",
            ".env: live_trading: unknown, did you mean LIVE_TRADING?",
        ]


class TestDotenv:
    def test_the_environment_wins(self, tmp_path):
        (tmp_path / ".env").write_text("PORT=1111\nHOST=10.0.0.1\n")
        settings = load(PORT="2222")
        assert (settings.port, settings.host) == (2222, "10.0.0.1")

    def test_an_empty_variable_does_not_win(self, tmp_path):
        (tmp_path / ".env").write_text("PORT=1111\n")
        assert load(PORT="").port == 1111

    def test_it_is_not_read_when_told_so(self, tmp_path):
        (tmp_path / ".env").write_text("PORT=1111\n")
        assert load_settings(SECRETS, dotenv_path=None).port == 8000

    def test_a_dollar_in_a_value_means_itself(self, tmp_path):
        (tmp_path / ".env").write_text("WEBHOOK_SECRET=a${HOME}b$c # a comment\n")
        settings = load_settings({"CONSOLE_TOKEN": "t", "HOME": "/root"})
        assert settings.default_client.webhook_secret.get_secret_value() == "a${HOME}b$c"

    def test_export_quotes_and_a_byte_order_mark_are_understood(self, tmp_path):
        (tmp_path / ".env").write_text("\ufeffexport HOST='10.0.0.2'\n\n# note\n", encoding="utf-8")
        assert load().host == "10.0.0.2"

    @pytest.mark.parametrize("line", ["PORT", "= 5", "PORT='80"])
    def test_a_line_that_is_no_assignment_is_refused(self, tmp_path, line):
        (tmp_path / ".env").write_text(f"HOST=x\n{line}\n")
        assert problems() == [".env line 2: expected NAME=value"]

    def test_a_name_that_stands_twice_is_refused(self, tmp_path):
        (tmp_path / ".env").write_text("RISK_MAX_DAILY_LOSS=5\nRISK_MAX_DAILY_LOSS=500000\n")
        assert problems() == [".env line 2: RISK_MAX_DAILY_LOSS stands twice, expected it once"]

    def test_one_that_cannot_be_read_is_refused(self, tmp_path):
        (tmp_path / ".env").mkdir()
        (complaint,) = problems()
        assert complaint.startswith(".env: cannot be read: ")


class TestSecrets:
    def test_they_never_show(self):
        settings = load(**SHOONYA, TELEGRAM_BOT_TOKEN="1:bot", TELEGRAM_CHAT_ID="7")
        for text in (repr(settings), str(settings), repr(settings.clients)):
            assert not any(
                secret in text
                for secret in ("knock-knock-who-is-there", "open-sesame-please", "tok-en", "1:bot")
            )

    def test_a_wrong_one_is_not_shown_either(self, tmp_path):
        (tmp_path / "c.toml").write_text("[clients.default]\nwebhook_secret = 12345\n")
        assert problems(CLIENTS_FILE="c.toml") == [
            "c.toml [clients.default] webhook_secret: "
            "got a value (not shown), expected a text that is not empty"
        ]

    def test_with_the_paper_broker_they_are_made_up_once(self, tmp_path):
        first = load_settings({"ORDERS_DB": "db/o.db"})
        again = load_settings({"ORDERS_DB": "db/o.db"})
        assert first.secrets_made_up == again.secrets_made_up == ("CONSOLE_TOKEN", "WEBHOOK_SECRET")
        assert first == again
        assert first.secrets_file == Path("db/secrets.json")
        assert (tmp_path / "db/secrets.json").stat().st_mode & 0o777 == 0o600
        assert first.console_token != first.default_client.webhook_secret

    def test_only_the_missing_one_is_made_up(self):
        settings = load_settings({"WEBHOOK_SECRET": "mine"})
        assert settings.secrets_made_up == ("CONSOLE_TOKEN",)
        assert settings.default_client.webhook_secret.get_secret_value() == "mine"

    def test_nothing_is_written_while_something_is_wrong(self, tmp_path):
        with pytest.raises(SettingsError):
            load_settings({"PORT": "x"})
        assert list(tmp_path.iterdir()) == []

    def test_with_a_real_broker_they_must_be_set(self):
        with pytest.raises(SettingsError) as caught:
            load_settings(SHOONYA)
        why = "not set, expected a secret of your own: the client 'default' trades at shoonya"
        assert caught.value.problems == (f"CONSOLE_TOKEN: {why}", f"WEBHOOK_SECRET: {why}")


class TestShoonya:
    def test_with_an_access_token(self):
        client = load(**SHOONYA, LIVE_TRADING="true").default_client
        assert client.live_trading
        assert isinstance(client.account, AddressedAccount)
        assert client.account.api_url == "https://api.example.com/NorenWClientAPI"
        assert client.account.access_token is not None
        assert client.account.access_token.get_secret_value() == "tok-en"
        assert (client.account.password, client.account.ws_url) == (None, None)

    def test_without_an_access_token_the_password_and_its_company_are_needed(self):
        found = problems(
            **SHOONYA | {"SHOONYA_ACCESS_TOKEN": "", "SHOONYA_PASSWORD": "p", "SHOONYA_IMEI": "i"}
        )
        why = "not set, but the client 'default' trades at shoonya"
        assert found == [f"SHOONYA_{name}: {why}" for name in ("TOTP_SECRET", "VENDOR_CODE", "API_SECRET")]

    def test_it_is_sent_orders_only_while_live_trading_is_on(self):
        assert load(LIVE_TRADING="false").default_client.policy.live_allowed
        assert not load(**SHOONYA).default_client.policy.live_allowed
        assert load(**SHOONYA, LIVE_TRADING="true").default_client.policy.live_allowed

    def test_its_settings_may_wait_beside_the_paper_broker(self):
        assert not load(**SHOONYA | {"BROKER": "paper"}).default_client.is_real


def test_what_is_in_the_folder_of_lists_and_would_have_no_effect_is_named(tmp_path):
    assert problems(INSTRUMENTS_DIR=str(tmp_path / "gone")) == [
        f"INSTRUMENTS_DIR: got '{tmp_path / 'gone'}', expected the path of a folder that exists"
    ]
    (tmp_path / "paper").mkdir()
    assert load(INSTRUMENTS_DIR=str(tmp_path)).instruments_dir == tmp_path
    (tmp_path / "shonya").mkdir()
    [complaint] = problems(INSTRUMENTS_DIR=str(tmp_path))
    assert complaint.endswith("shonya: unknown, did you mean shoonya?")
