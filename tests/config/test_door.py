"""Who may send alerts: the settings, each refused by its name where it would let in the wrong ones, or nobody."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import load_settings
from config.checking import SettingsError
from config.door import is_default
from config.model import Settings

SECRETS = {"WEBHOOK_SECRET": "knock-knock-who-is-there", "CONSOLE_TOKEN": "open-sesame-please"}
SHOONYA = {
    "BROKER": "shoonya",
    "SHOONYA_API_URL": "https://api.example.com/NorenWClientAPI/",
    "SHOONYA_USER_ID": "FA1",
    "SHOONYA_ACCESS_TOKEN": "tok-en",
}
NOWHERE_ELSE = "expected a secret that stands nowhere else"
TEXT_OR_VARIABLE = 'expected a text that is not empty, or { env = "STRATEGY_SECRET_…" }'
HEADER = "WEBHOOK_CERTIFICATE_HEADER"
BEHIND = {"TRUSTED_PROXIES": "1", "TRUSTED_PROXY_ADDRESSES": "10.0.0.0/8, ::1"}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(strategies: str = "", **environ: str) -> Settings:
    if strategies:
        Path("strategies.toml").write_text(strategies)
        environ["STRATEGIES_FILE"] = "strategies.toml"
    return load_settings(SECRETS | environ)


def problems(strategies: str = "", **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(strategies, **environ)
    return list(caught.value.problems)


def test_a_strategys_secret_stands_in_its_table_or_in_a_variable_that_it_names():
    text = """
        [strategies.A]
        secret = "the secret of A"
        [strategies."B 2"]
        secret = { env = "STRATEGY_SECRET_B" }
        [strategies.C]
    """
    Path(".env").write_text("STRATEGY_SECRET_B=of the file\n")
    settings = load(text)
    found = {name: secret.get_secret_value() for name, secret in settings.strategy_secrets.items()}
    assert found == {"A": "the secret of A", "B 2": "of the file"}
    assert "the secret of A" not in repr(settings)
    found = {**load(text, STRATEGY_SECRET_B="of the environment").strategy_secrets}
    assert found["B 2"].get_secret_value() == "of the environment"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[default]\nsecret = 'x'\n",
            "strategies.toml [default] secret: expected in a table [strategies.<name>]: WEBHOOK_SECRET is that of all",
        ),
        (
            "[strategies.A]\nsecret = ''\n",
            f"strategies.toml [strategies.A] secret: {TEXT_OR_VARIABLE}",
        ),
        (
            "[strategies.A]\nsecret = { env = 'PATH' }\n",
            f"strategies.toml [strategies.A] secret: {TEXT_OR_VARIABLE}",
        ),
        (
            "[strategies.A]\nsecret = { env = 'STRATEGY_SECRET_A' }\n",
            "strategies.toml [strategies.A] secret: STRATEGY_SECRET_A is not set, "
            "expected it in the environment or .env",
        ),
        (
            "[strategies.A]\nsecret = 'knock-knock-who-is-there'\n",
            f"strategies.toml [strategies.A] secret: the same as WEBHOOK_SECRET, {NOWHERE_ELSE}",
        ),
        (
            "[strategies.A]\nsecret = 'one'\n[strategies.B]\nsecret = 'one'\n",
            "strategies.toml [strategies.B] secret: the same as strategies.toml [strategies.A] secret, "
            + NOWHERE_ELSE,
        ),
        (
            "[strategies.A]\nsenders = 'tradingview'\n",
            "strategies.toml [strategies.A] senders: got 'tradingview', expected a list, each an IP address, a network "
            "such as 203.0.113.0/24, tradingview, or a subject such as CN=Some Platform",
        ),
    ],
)
def test_a_secret_or_a_list_that_does_not_fit_is_named(text: str, complaint: str):
    assert problems(text) == [complaint]


def test_a_secret_that_no_strategy_names_is_a_mistake():
    told = 'STRATEGY_SECRET_B: no strategy names it, expected secret = { env = "STRATEGY_SECRET_B" } of one'
    assert problems(STRATEGY_SECRET_B="x") == [told]
    assert problems("[strategies.B]\n", STRATEGY_SECRET_B="x") == [told]


def test_a_strategys_secret_has_16_characters_where_orders_are_live():
    text = "[strategies.A]\nsecret = '15 characters  '\n[strategies.B]\nsecret = '16 characters...'\n"
    assert load(text).strategy_secrets.keys() == {"A", "B"}
    live = SHOONYA | {"LIVE_TRADING": "true"}
    assert problems(text, **live) == [
        "strategies.toml [strategies.A] secret: too short, expected 16 characters or more: orders are live"
    ]


@pytest.mark.parametrize(
    "secret", ["your-webhook-secret-here", "changeme-changeme", "1234567890123456", "Replace Me 2024"]
)
def test_what_everybody_tries_first_opens_no_real_broker(secret: str):
    told = "is what everybody tries first, expected a secret of your own: openssl rand -hex 32 makes one"
    assert problems(**SHOONYA | {"WEBHOOK_SECRET": secret}) == [f"WEBHOOK_SECRET: {told}"]
    assert problems(**SHOONYA | {"CONSOLE_TOKEN": secret}) == [f"CONSOLE_TOKEN: {told}"]
    assert problems(f"[strategies.A]\nsecret = '{secret}'\n", **SHOONYA) == [
        f"strategies.toml [strategies.A] secret: {told}"
    ]
    load(WEBHOOK_SECRET=secret)  # simulated money


def test_the_secret_of_an_example_opens_nothing():
    told = "stands in an example file that everybody has, expected a secret of your own"
    assert problems(WEBHOOK_SECRET="A long text that nobody guesses") == [f"WEBHOOK_SECRET: {told}"]
    example = "[strategies.A]\nsecret = 'openssl rand -hex 32 makes one'\n"
    assert problems(example) == [f"strategies.toml [strategies.A] secret: {told}"]


@given(st.text("0123456789abcdef", min_size=32, max_size=64))
def test_a_random_secret_is_no_default(secret: str):
    assert not is_default(secret) or len(set(secret)) < 4


@pytest.mark.parametrize(
    "senders",
    [
        "203.0.113.7/24",
        "tradingveiw",
        "1.2.3",
        "1.2.3.4-5",
        "1.2.3.4/33",
        "2001:db8::/129",
        "CN=",
        "O=TradingView",
        "CN=a,O=b",
    ],
)
def test_a_sender_that_is_none_is_refused(senders: str):
    [told] = problems(WEBHOOK_SENDERS=senders)
    assert told.startswith(
        f"WEBHOOK_SENDERS: got {senders!r}, expected with commas between them: an IP address"
    )


def test_the_word_tradingview_is_its_four_addresses():
    senders = load(WEBHOOK_SENDERS="TradingView, 2001:db8::/32").senders.for_strategy("any")
    assert senders is not None
    found = [
        each
        for each in ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
        if senders.holds(each)
    ]
    assert len(found) == 4
    assert senders.holds("2001:db8:1::1") and not senders.holds("52.89.214.239")


def test_a_strategys_own_senders_stand_in_place_of_the_others():
    text = "[default]\nsenders = ['10.0.0.1']\n[strategies.A]\nsenders = ['10.0.0.2']\n"
    book = load(text, WEBHOOK_SENDERS="10.0.0.3").senders

    def let_in(strategy: str) -> list[int]:
        senders = book.for_strategy(strategy)
        assert senders is not None
        return [n for n in (1, 2, 3) if senders.holds(f"10.0.0.{n}")]

    assert (let_in("A"), let_in("B")) == ([2], [1])
    assert load().senders.for_strategy("A") is None


@pytest.mark.parametrize(
    ("environ", "complaints"),
    [
        (
            {"TRUSTED_PROXY_ADDRESSES": "10.0.0.1"},
            [
                "TRUSTED_PROXY_ADDRESSES: has no effect, expected TRUSTED_PROXIES to say how many proxies there are"
            ],
        ),
        (
            {"TRUSTED_PROXIES": "1", "TRUSTED_PROXY_ADDRESSES": "proxy"},
            [
                "TRUSTED_PROXY_ADDRESSES: got 'proxy', expected with commas between them: an IP address, or a network "
                "such as 10.0.0.0/8"
            ],
        ),
        (
            {"TRUSTED_PROXIES": "1", "WEBHOOK_SENDERS": "CN=a", "WEBHOOK_CERTIFICATE_HEADER": "X-Subject"},
            [
                "TRUSTED_PROXY_ADDRESSES: not set, expected the proxy's addresses with WEBHOOK_CERTIFICATE_HEADER"
            ],
        ),
        (
            BEHIND | {"WEBHOOK_SENDERS": "CN=a"},
            [
                "WEBHOOK_CERTIFICATE_HEADER: not set, expected it with the subject of a certificate in WEBHOOK_SENDERS"
            ],
        ),
        (
            BEHIND | {"WEBHOOK_CERTIFICATE_HEADER": "X-Subject"},
            [f"{HEADER}: has no effect, expected a subject such as CN=TradingView Webhooks in senders"],
        ),
        (
            BEHIND | {"WEBHOOK_CERTIFICATE_HEADER": "Authorization", "WEBHOOK_SENDERS": "1.2.3.4"},
            [
                f"{HEADER}: got 'Authorization', expected the name of a header of your own, X- and then letters, "
                "digits or -"
            ],
        ),
        (
            BEHIND | {"WEBHOOK_CERTIFICATE_HEADER": "x-forwarded-for", "WEBHOOK_SENDERS": "CN=a"},
            ["WEBHOOK_CERTIFICATE_HEADER: got 'x-forwarded-for', expected a header that means nothing else"],
        ),
    ],
)
def test_what_a_proxy_says_is_believed_in_full_settings_alone(environ: dict[str, str], complaints: list[str]):
    assert problems(**environ) == complaints


def test_a_replay_window_is_no_longer_than_repeats_are_known():
    load(WEBHOOK_REPLAY_SECONDS="50")
    told = "expected 10 less than DEDUP_WINDOW_SECONDS (60) or less: within that a repeat is known as a duplicate"
    assert problems(WEBHOOK_REPLAY_SECONDS="51") == [f"WEBHOOK_REPLAY_SECONDS: got 51, {told}"]
    load(DEDUP_WINDOW_SECONDS="0")  # nobody has asked for a window
    [told] = problems(DEDUP_WINDOW_SECONDS="0", WEBHOOK_SIGNATURE_NEEDS_TIME="true")
    assert told.startswith("WEBHOOK_REPLAY_SECONDS: got 45, expected 10 less than DEDUP_WINDOW_SECONDS (0)")
