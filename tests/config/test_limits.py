"""The limits file: the more specific table wins, field by field, and nothing in it is silently ignored."""

from decimal import Decimal
from pathlib import Path

import pytest

from app.settings import load_settings
from config.checking import Problems, SettingsError
from config.limits import read_limits
from domain.limits import LimitBook, Limits
from domain.tighter import limits_of

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "limits.example.toml"
BASE = Limits(max_daily_loss=Decimal(100), max_open_orders=9)


def read(tmp_path: Path, text: str, *clients: str) -> dict[str, LimitBook]:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    found = Problems()
    books = read_limits(path, BASE, clients or ("default",), found)
    found.raise_any()
    return books


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/") for line in caught.value.problems]


def test_without_a_file_every_client_has_the_settings():
    assert read_limits(None, BASE, ["a", "b"], Problems()) == {"a": LimitBook(BASE), "b": LimitBook(BASE)}


def test_the_more_specific_table_wins_field_by_field(tmp_path):
    text = """
        default = { max_daily_loss = 200, max_order_value = 5000.50 }
        [strategies.S]
        max_entries = 3
        max_order_value = 7000
        [clients.a]
        max_daily_loss = 300
        positions_max_age_seconds = 30.5
        [clients.a.strategies.S]
        max_order_value = 6000
        [clients.a.strategies.T]
        max_orders_per_minute = 4
    """
    books = read(tmp_path, text, "a", "b")
    of_a = Limits(
        max_daily_loss=Decimal(300),
        max_order_value=Decimal("5000.50"),
        max_open_orders=9,
        positions_max_age_seconds=30.5,
    )
    assert books["a"].default == books["a"].for_strategy("other") == of_a
    in_s = books["a"].for_strategy("S")
    assert (in_s.max_daily_loss, in_s.max_order_value, in_s.max_entries) == (Decimal(300), Decimal(6000), 3)
    assert books["a"].for_strategy("T").max_orders_per_minute == 4
    assert books["b"].for_strategy("T") == books["b"].default
    assert books["b"].for_strategy("S").max_order_value == Decimal(7000)
    assert books["b"].default.max_daily_loss == Decimal(200)


@pytest.mark.parametrize(("client", "strategy"), [(10, 20), (20, 10)])
def test_between_a_client_and_a_strategy_the_tighter_holds(tmp_path, client, strategy):
    text = f"[clients.a]\nmax_order_quantity = {client}\n[strategies.S]\nmax_order_quantity = {strategy}\n"
    assert read(tmp_path, text, "a")["a"].for_strategy("S").max_order_quantity == Decimal(10)


def test_a_symbol_s_table_tightens_what_else_applies_and_counts_its_symbols(tmp_path):
    text = """
        default = { max_order_quantity = 100, products = ["mis", "nrml"], price_collar_percent = 5 }
        [symbols."BANK*"]
        max_order_quantity = 300
        price_collar_percent = 2
        max_trades_per_day = 4
        [symbols.BANKNIFTY]
        max_entries = 1
        [clients.a.symbols."BANK*"]
        max_order_quantity = 50
        products = "MIS"
        max_gross_exposure = 9
        [clients.a.strategies.S]
        max_entries = 3
    """
    books = read(tmp_path, text, "a", "b")
    of_a = limits_of(books["a"], "S", "banknifty")
    assert (of_a.max_order_quantity, of_a.price_collar_percent, of_a.max_entries) == (50, 2, 1)
    assert of_a.products == ("MIS",)
    sums = [(each.name, each.max_trades_per_day, each.max_gross_exposure) for each in of_a.of_symbols]
    assert sums == [("BANK*", 4, None), ("BANKNIFTY", None, None), ("BANK*", None, 9)]
    of_b = limits_of(books["b"], "S", "BANKEX")
    assert (of_b.max_order_quantity, of_b.products) == (100, ("MIS", "NRML"))
    assert limits_of(books["a"], "S", "NIFTY") is books["a"].for_strategy("S")
    assert of_a.limits_trades and of_a.limits_exposure and not of_a.limits_positions


def test_money_is_exact(tmp_path):
    books = read(tmp_path, "[default]\nmax_daily_loss = 0.1\n")
    assert books["default"].default.max_daily_loss == Decimal("0.1")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[default]\nmax_dayly_loss = 5\n",
            "limits.toml [default] max_dayly_loss: unknown, did you mean max_daily_loss?",
        ),
        ("[defaults]\n", "limits.toml defaults: unknown, did you mean default?"),
        ("[clients.defualt]\n", "limits.toml [clients.defualt]: unknown, did you mean default?"),
        ("[clients.zz]\n", "limits.toml [clients.zz]: unknown, expected one of default"),
        (
            "[strategies.S]\nmax_open_orders = true\n",
            "limits.toml [strategies.S] max_open_orders: got True, expected a whole number from 1 to 1000000",
        ),
        (
            "[clients.default.strategies.S]\nmax_order_value = '5'\n",
            "limits.toml [clients.default.strategies.S] max_order_value: "
            "got '5', expected a number greater than 0",
        ),
        (
            "[clients.default]\nmax_daily_loss = -1\n",
            "limits.toml [clients.default] max_daily_loss: got -1, expected a number greater than 0",
        ),
        (
            "[default]\nmax_daily_loss = inf\n",
            "limits.toml [default] max_daily_loss: got Infinity, expected a number greater than 0",
        ),
        (
            "[default]\nmax_open_orders = 1.5\n",
            "limits.toml [default] max_open_orders: got 1.5, expected a whole number from 1 to 1000000",
        ),
        ("default = 5\n", "limits.toml [default]: expected a table"),
        ("[clients]\ndefault = 5\n", "limits.toml [clients] default: expected a table [clients.default]"),
        ("strategies = 5\n", "limits.toml [strategies]: expected tables [strategies.<name>]"),
    ],
)
def test_what_is_wrong_is_named_with_table_and_key(tmp_path, text, complaint):
    assert problems(tmp_path, text) == [complaint]


def test_the_example_fits_the_default_client(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"LIMITS_FILE": str(EXAMPLE)}, dotenv_path=None)
    book = settings.default_client.limits
    assert book.default.max_daily_loss == Decimal(10000)
    assert book.for_strategy("NIFTY_STRADDLE").max_entries == 2
    assert book.for_strategy("BANKNIFTY scalper").max_order_quantity == Decimal(150)
