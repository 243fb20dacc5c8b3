"""`cli.py adopt`: units of the account become a strategy's, or a clear line says why not."""

from datetime import date
from decimal import Decimal

import pytest

import cli
from domain.broker_reports import Position, PositionsSnapshot
from tests.persistence.making import Maker

WHAT = ["adopt", "default", "TCS-EQ", "SWING"]


@pytest.fixture
def account(maker: Maker, services) -> Maker:
    """10 for delivery and 5 for the day, held by nobody, and a short of another symbol."""
    positions = (
        Position("NSE", "TCS-EQ", "CNC", Decimal(10), Decimal("3501.5")),
        Position("NSE", "TCS-EQ", "MIS", Decimal(5)),
        Position("NFO", "NIFTY26NOVFUT", "NRML", Decimal(-50)),
    )
    maker.store.save_positions("default", PositionsSnapshot(maker.clock.now(), positions), date(2026, 11, 21))
    return maker


def test_units_are_adopted_with_a_reason(account, capsys):
    assert cli.main([*WHAT, "10", "--product", "CNC", "--reason", "bought for it"]) == 0
    assert capsys.readouterr().out == (
        "adopted: SWING holds 10 NSE TCS-EQ CNC from now on, 10 of them adopted at 3501.5. Its exits close them, and "
        "it counts as having entered.\n"
        "note: no order of SWING so far, nor of any other strategy\n"
    )
    ((by, reason, units),) = account.rows("SELECT adopted_by, reason, quantity FROM adoptions")
    assert (by.partition(":")[0], reason, units) == ("cli", "bought for it", "10")
    assert account.rows("SELECT kind FROM telegram_messages") == [("ADOPTED",)]


def test_a_short_is_adopted_by_a_negative_number(account):
    assert (
        cli.main(["adopt", "default", "NIFTY26NOVFUT", "HEDGE", "-50", "--exchange", "NFO", "--reason", "x"])
        == 0
    )
    assert account.rows("SELECT strategy_name, net_quantity, entries FROM holdings") == [("HEDGE", "-50", 1)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([*WHAT, "10"], "product: TCS-EQ is held in several products: name one of NSE CNC (10), NSE MIS (5)"),
        ([*WHAT, "11", "--product", "CNC"], "quantity: of the 10 CNC there only 10 can be adopted"),
        ([*WHAT, "0", "--product", "CNC"], "quantity: expected units other than 0"),
        ([*WHAT, "-10", "--product", "CNC"], "quantity: the position is long (10 CNC)"),
        (["adopt", "default", "TCS-EQ", "OPERATOR", "10"], "strategy_name: OPERATOR is reserved"),
        (["adopt", "nobody", "TCS-EQ", "SWING", "10"], "no client 'nobody'; there is default"),
        (["adopt", "default", "INFY", "SWING", "10"], "symbol: the account had no INFY"),
    ],
)
def test_what_cannot_be_adopted_is_said_in_one_line_and_changes_nothing(account, capsys, typed, said):
    assert cli.main([*typed, "--reason", "x"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert account.rows("SELECT 1 FROM holdings UNION ALL SELECT 1 FROM adoptions") == []


def test_the_same_command_again_adopts_nothing_more(account, capsys):
    typed = [*WHAT, "10", "--product", "CNC", "--reason", "x"]
    assert [cli.main(typed), cli.main(typed)] == [0, 2]
    assert "none can be adopted: SWING holds 10 CNC" in capsys.readouterr().err


def test_what_was_adopted_is_flattened_as_its_strategys(account):
    assert cli.main([*WHAT, "7", "--product", "CNC", "--reason", "x"]) == 0
    assert cli.main(["flatten", "--symbol", "TCS-EQ", "--yes"]) == 0
    exits = account.store.claimable("default", account.clock.now(), limit=10, exits_only=True)
    assert sorted((o.strategy_name, o.product) for o in exits) == [
        ("OPERATOR", "CNC"),
        ("OPERATOR", "MIS"),
        ("SWING", "CNC"),
    ]


def test_a_reason_is_needed(account, capsys):
    with pytest.raises(SystemExit):
        cli.main([*WHAT, "10"])
    assert "--reason" in capsys.readouterr().err
