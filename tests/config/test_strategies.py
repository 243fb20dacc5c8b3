"""The strategies file: the more specific table wins, field by field, and nothing in it is silently ignored."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.settings import load_settings
from config.checking import Problems, SettingsError
from config.strategies import read_strategies
from domain.alert import ClientShare
from domain.alert_defaults import AlertDefaults, Instrument
from domain.combined import CombinedTerms, CombinedUnit
from domain.enums import OrderType, Side
from domain.limits import ExitScope, GroupPolicy, StrategyBook, StrategyPolicy
from domain.locks import Lock
from domain.protection_terms import LockTexts, Terms, TrailingType

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "strategies.example.toml"
BASE = StrategyPolicy(settling=timedelta(seconds=5))


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(tmp_path: Path, text: str) -> StrategyBook:
    path = tmp_path / "strategies.toml"
    path.write_text(text)
    found = Problems()
    tables = read_strategies(path, ["default", "a", "b"], found)
    found.raise_any()
    return tables.over(BASE)


def test_without_a_file_every_strategy_has_the_settings():
    assert read_strategies(None, [], Problems()).over(BASE) == StrategyBook(BASE)
    policy = load_settings({"EXIT_SCOPE": "position", "SETTLING_SECONDS": "1.5"}).default_client.policy
    assert policy.strategy("any") == StrategyPolicy(ExitScope.POSITION, None, timedelta(seconds=1.5))


def test_the_more_specific_table_wins_field_by_field(tmp_path):
    book = read(
        tmp_path,
        """
        default = { exit_scope = "position" }
        [strategies.S]
        group = "independent"
        [strategies.T]
        exit_scope = "own"
        settling_seconds = 0.5
        """,
    )
    assert book.for_strategy("other") == StrategyPolicy(ExitScope.POSITION, None, timedelta(seconds=5.0))
    assert book.for_strategy("S") == StrategyPolicy(
        ExitScope.POSITION, GroupPolicy.INDEPENDENT, timedelta(seconds=5.0)
    )
    assert book.for_strategy("T") == StrategyPolicy(ExitScope.OWN, None, timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[default]\nexit_scop = 'own'\n",
            "strategies.toml [default] exit_scop: unknown, did you mean exit_scope?",
        ),
        (
            "[strategies.S]\nexit_scope = 'all'\n",
            "strategies.toml [strategies.S] exit_scope: got 'all', expected own or position",
        ),
        (
            "[strategies.S]\ngroup = 'together'\n",
            "strategies.toml [strategies.S] group: got 'together', expected independent, hedge_first, all_or_none or "
            "best_effort",
        ),
        (
            "[strategies.S]\ngroup_incomplete = 'hope'\n",
            "strategies.toml [strategies.S] group_incomplete: got 'hope', expected unwind or tell",
        ),
        (
            "[strategies.S]\ngroup_timeout_seconds = '20'\n",
            "strategies.toml [strategies.S] group_timeout_seconds: got '20', "
            "expected seconds, above 0 and at most 86400",
        ),
        (
            "[strategies.S]\ngroup_minimum = 0\n",
            "strategies.toml [strategies.S] group_minimum: got 0, expected a number of legs, at least 1",
        ),
        (
            "[strategies.S]\nsettling_seconds = true\n",
            "strategies.toml [strategies.S] settling_seconds: got True, expected seconds from 0 to 60",
        ),
        (
            "[strategies.S]\nsettling_seconds = 61\n",
            "strategies.toml [strategies.S] settling_seconds: got 61, expected seconds from 0 to 60",
        ),
        ("[S]\n", "strategies.toml S: unknown, expected one of default, strategies"),
        ("default = 5\n", "strategies.toml [default]: expected a table"),
    ],
)
def test_what_is_wrong_is_named_with_table_and_key(tmp_path, text, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert [line.removeprefix(f"{tmp_path}/") for line in caught.value.problems] == [complaint]


def test_a_file_that_is_no_toml_is_named_with_its_line(tmp_path):
    with pytest.raises(SettingsError, match=r"strategies.toml: expected a TOML file: .*line 2"):
        read(tmp_path, "[default]\nexit_scope = own\n")


def test_the_example_can_be_used(tmp_path):
    settings = load_settings({"STRATEGIES_FILE": str(EXAMPLE)}, dotenv_path=None)
    policy = settings.default_client.policy
    assert policy.strategy("any") == StrategyPolicy()
    assert policy.strategy("NIFTY_SPREAD").group is GroupPolicy.HEDGE_FIRST
    assert policy.strategy("Morning screener").group is GroupPolicy.INDEPENDENT
    screener = settings.alert_defaults.for_strategy("Morning screener")
    assert (screener.side, screener.exchange, screener.quantity) == (Side.BUY, "NSE", 10)
    futures = settings.alert_defaults.for_strategy("NIFTY futures")
    assert futures.symbols["NIFTY1!"] == Instrument("NIFTY29DEC26F", None)
    assert settings.alert_defaults.for_strategy("any") == AlertDefaults()


def test_what_completes_alerts_is_set_field_by_field_too(tmp_path):
    path = tmp_path / "strategies.toml"
    path.write_text(
        """
        [default]
        strategy_name = "Any"
        exchange = "nse"
        product = "mis"
        quantity = 0.5
        symbols = { a = { symbol = "aa" } }
        [strategies.S]
        exchange = "NFO"
        order_type = "limit"
        symbols = { B = { symbol = "BB", exchange = "bse" } }
        """
    )
    problems = Problems()
    book = read_strategies(path, ["default"], problems).alerts
    problems.raise_any()
    assert book.strategy_name == "Any"
    names = {"A": Instrument("AA", None)}
    assert book.for_strategy("other") == AlertDefaults("NSE", "MIS", None, Decimal("0.5"), symbols=names)
    assert book.for_strategy("S") == AlertDefaults(
        "NFO", "MIS", OrderType.LIMIT, Decimal("0.5"), symbols=names | {"B": Instrument("BB", "BSE")}
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("quantity = 0", "quantity: got 0, expected a number of units above 0 of at most 8 decimals"),
        ("quantity = '5'", "quantity: got '5', expected a number of units above 0 of at most 8 decimals"),
        ("quantity = true", "quantity: got True, expected a number of units above 0 of at most 8 decimals"),
        ("product = 'X'", "product: got 'X', expected MIS, NRML, CNC, CO, BO or MTF"),
        ("side = 'UP'", "side: got 'UP', expected BUY or SELL"),
        ("exchange = 'N E'", "exchange: got 'N E', expected 1 to 20 letters, digits, _ or -"),
        ("order_type = 'x'", "order_type: got 'x', expected MARKET, LIMIT, STOP or STOP_LIMIT"),
        ("strategy_name = 'x'", "strategy_name: unknown, expected one of clients"),
        ("symbols = { A = 'B' }", 'symbols A: expected { symbol = "…" }'),
        ("symbols = { A = { exchange = 'NSE' } }", "symbols A symbol: not set, expected the symbol"),
        ("symbols = { A = { symbl = 'B' } }", "symbols A symbl: unknown, did you mean symbol?"),
    ],
)
def test_what_cannot_complete_an_alert_stops_the_start(tmp_path, line, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"[strategies.S]\n{line}\n")
    assert f"strategies.toml [strategies.S] {complaint}" in str(caught.value)


def test_a_strategy_names_the_clients_that_trade_it(tmp_path):
    path = tmp_path / "strategies.toml"
    path.write_text(
        'default = { clients = ["a"] }\n[strategies.S]\nclients = ["a", { id = "b", multiplier = 0.5 }]\n'
    )
    problems = Problems()
    book = read_strategies(path, ["a", "b"], problems).alerts
    problems.raise_any()
    assert book.for_strategy("other").clients == (ClientShare("a"),)
    assert book.for_strategy("S").clients == (ClientShare("a"), ClientShare("b", Decimal("0.5")))


_EXPECTED = 'a list of client ids, each once, or of { id = "…", multiplier = 2 } with a multiplier above 0'


@pytest.mark.parametrize(
    "given",
    [
        "[]", "'a'", "['a', 'a']", "[{ id = 'a', multiplier = 0 }]", "[{ id = 'a', multiplier = '2' }]", "[1]",
        "[{ id = 'a', multiplier = true }]", "[{ multiplier = 2 }]", "[{ id = 'a', times = 2 }]",
        "[{ id = 'a', multiplier = -1 }]", "[{ id = 'a', multiplier = 1001 }]",
    ],
)  # fmt: skip
def test_clients_that_do_not_fit_stop_the_start(tmp_path, given):
    with pytest.raises(SettingsError, match=re.escape(_EXPECTED)):
        read(tmp_path, f"[strategies.S]\nclients = {given}")


def test_a_client_that_is_not_configured_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match=r"\[strategies.S\] clients: unknown, did you mean default"):
        read(tmp_path, "[strategies.S]\nclients = ['defualt']")


PROTECTED = """
[default]
square_off = "15:15"
[default.protection]
stop_loss = "2%"
[strategies.S]
square_off = "15:10"
[strategies.S.protection]
stop_loss = "10pt"
target = [{ value = "10pt", share = 33.5 }, { value = "20pt" }]
lot_size = 25
trailing_type = "points"
trailing_value = 3
trail_when = 5.5
move_to_cost = { trigger = "5pt", offset = "1pt" }
lock_and_trail = { lock_at = "20pt", lock_floor = 0, step = "10pt", trail = "5pt" }
exit_at = "14:00"
exit_after_minutes = 90
[strategies.T.protection]
"""


def test_what_protects_a_strategys_entries_is_a_whole_table(tmp_path):
    book = read(tmp_path, PROTECTED)
    assert book.for_strategy("any").protecting(None) == Terms(stop_loss="2%", exit_at="15:15")
    own = book.for_strategy("S")
    whole = Terms(
        stop_loss="10pt",
        trailing_type=TrailingType.POINTS,
        trailing_value=Decimal(3),
        trail_when=Decimal("5.5"),
        targets=(("10pt", Decimal("33.5")), ("20pt", Decimal("66.5"))),
        lot_size=Decimal(25),
        cost_trigger="5pt",
        cost_offset="1pt",
        exit_at="14:00",
        exit_after_minutes=Decimal(90),
        lock=LockTexts("20pt", None, "10pt", "5pt"),
    )
    assert own.protecting(None) == whole
    assert own.protecting(Terms(target="120")) == Terms(target="120", exit_at="15:10")
    assert book.for_strategy("T").protecting(None) == Terms(exit_at="15:15")
    assert StrategyPolicy().protecting(None) is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("stop_los = '2%'", "stop_los: unknown, did you mean stop_loss?"),
        ("stop_loss = 98", "stop_loss: got 98, expected a distance such as"),
        ("stop_loss = '98'", "stop_loss: got '98', expected a distance such as"),
        ("stop_loss = '100%'", "stop_loss: got '100%', expected a distance such as"),
        ("target = ['2%']", "target: got ['2%'], expected a distance such as"),
        (
            "target = [{ value = '1%', share = 50 }, { value = '2%', share = 40 }]",
            "target: expected shares that sum",
        ),
        (
            "target = [{ value = '2%', share = 50 }, { value = '1%' }]",
            "target[1].value: expected a target farther",
        ),
        ("lot_size = 25", "lot_size: expected none without a list of targets"),
        ("lot_size = true", "lot_size: got True, expected a number above 0"),
        ("trailing_value = 3", "trailing_type: expected POINTS, PERCENT or STEP with a trailing_value"),
        ("trailing_type = 'LINEAR'", "trailing_type: got 'LINEAR', expected POINTS, PERCENT or STEP"),
        (
            "trailing_type = 'STEP'\ntrailing_value = 3\ntrail_when = 5",
            "stop_loss: expected the stop that a STEP",
        ),
        ("move_to_cost = '1%'", "move_to_cost: got '1%', expected { trigger = "),
        (
            "move_to_cost = { trigger = '1%', offset = '2%' }",
            "move_to_cost.offset: expected less than the trigger",
        ),
        ("lock_and_trail = '1%'", "lock_and_trail: got '1%', expected { lock_at = "),
        (
            "lock_and_trail = { lock_at = '1%' }",
            "lock_and_trail: got {'lock_at': '1%'}, expected { lock_at = ",
        ),
        (
            "lock_and_trail = { lock_at = '1%', lock_floor = false }",
            "lock_and_trail: got {'lock_at': '1%', 'lock_floor': False}, expected { lock_at = ",
        ),
        (
            "lock_and_trail = { lock_at = '1%', lock_floor = '1%' }",
            "lock_and_trail.lock_floor: expected less than lock_at",
        ),
        ("exit_at = 15:10:00", "exit_at: got datetime.time(15, 10), expected a time of the day in quotes"),
        ("exit_at = '25:00'", "exit_at: got '25:00', expected a time of the day in quotes"),
        ("exit_after_minutes = 0", "exit_after_minutes: got 0, expected a number above 0"),
    ],
)
def test_protection_that_cannot_be_meant_stops_the_start(tmp_path, line, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"[strategies.S.protection]\n{line}\n")
    assert f"strategies.toml [strategies.S.protection] {complaint}" in str(caught.value)


def test_a_square_off_and_a_protection_of_another_kind_stop_the_start(tmp_path):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "[strategies.S]\nsquare_off = '3 pm'\nprotection = '2%'\n")
    assert "[strategies.S] square_off: got '3 pm', expected a time of the day in quotes" in str(caught.value)
    assert "[strategies.S.protection]: expected a table" in str(caught.value)
    with pytest.raises(SettingsError, match="protectoin: unknown, did you mean protection"):
        read(tmp_path, "[strategies.S.protectoin]\nstop_loss = '2%'\n")


COMBINED = """
[default]
group = "all_or_none"
[default.group_protection]
stop_loss = 4000
[strategies.S.group_protection]
stop_loss = "20pt"
trailing_value = "5.5pt"
trail_when = "10pt"
lock_and_trail = { lock_at = "15pt", lock_floor = 0 }
[strategies.T.group_protection]
"""


def test_what_protects_a_strategys_groups_is_a_whole_table(tmp_path):
    book = read(tmp_path, COMBINED)
    assert book.for_strategy("any").combined == CombinedTerms(CombinedUnit.MONEY, Decimal(4000))
    points = CombinedTerms(
        CombinedUnit.POINTS,
        Decimal(20),
        None,
        Decimal("5.5"),
        Decimal(10),
        Lock(Decimal(15), Decimal(0)),
    )
    assert book.for_strategy("S").combined == points
    assert book.for_strategy("T").combined is None


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            "[strategies.S.group_protection]\nstop_los = 5",
            "[strategies.S.group_protection]: expected a table with",
        ),
        (
            "[strategies.S.group_protection]\nstop_loss = '5'",
            "[strategies.S.group_protection]: expected a table with",
        ),
        ("[strategies.S]\ngroup_protection = 5", "[strategies.S.group_protection]: expected a table with"),
        (
            "[strategies.S.group_protection]\ntarget = 5\ntrail_when = 5",
            "trailing_value: expected how far the profit may fall",
        ),
        (
            "[default]\ngroup = 'independent'\n[strategies.S.group_protection]\nstop_loss = 5",
            "[strategies.S.group_protection]: expected none while group is independent",
        ),
    ],
)
def test_what_cannot_protect_a_group_stops_the_start(tmp_path, lines, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, lines)
    assert complaint in str(caught.value)
