"""What the operator wishes: halt and resume, resolve, flatten. A wish that is not whole changes nothing."""

import json
from datetime import date
from decimal import Decimal

import pytest

import cli
from domain.broker_reports import Position, PositionsSnapshot
from domain.daily_loss import DayLoss
from domain.enums import ExecutionType, Side
from domain.states import Phase, Status
from tests.cli.making import order_of
from tests.persistence.making import Maker


def test_halt_and_resume(maker, services, capsys):
    assert cli.main(["halt", "--reason", "news"]) == 0
    assert cli.main(["halt", "--strategy", "STRADDLE", "--client", "default", "--reason", "odd"]) == 0
    halts = maker.rows("SELECT client_id, strategy_name, halted_by, reason FROM halts ORDER BY 2")
    assert [(c, s, by.partition(":")[0], why) for c, s, by, why in halts] == [
        ("default", "", "cli", "news"),
        ("default", "STRADDLE", "cli", "odd"),
    ]
    assert cli.main(["resume"]) == 0
    assert cli.main(["resume"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "resumed: default (all strategies)",
        "was not halted: default (all strategies)",
    ]
    assert len(maker.rows("SELECT 1 FROM halts")) == 1


def test_a_daily_loss_limit_that_was_hit_is_lifted_with_a_reason(maker, services, capsys):
    assert cli.main(["lift", "default", "--reason", "x"]) == 2
    assert "no daily loss limit of default is latched" in capsys.readouterr().err
    day = date(2026, 11, 21)
    latched = DayLoss(day, pnl=Decimal(-6000), lowest=Decimal(-6000), latched=frozenset([""]))
    maker.store.write(lambda tx: tx.keep_day_loss("default", latched))
    assert cli.main(["lift", "default", "--reason", "yesterday's"]) == 0
    assert capsys.readouterr().out == (
        "lifted: the daily loss limit of default, which stood at -6000. New entries go again. The limit counts from "
        "the -6000 of now: once it is lost again, entries stop again.\n"
    )
    ((by, reason, lowest),) = maker.rows("SELECT lifted_by, reason, lowest_pnl FROM lifts")
    assert (by.partition(":")[0], reason, lowest) == ("cli", "yesterday's", "-6000")


def test_a_client_that_is_not_there_is_refused(services, capsys):
    assert cli.main(["halt", "--client", "nobody", "--reason", "x"]) == 2
    assert "no client 'nobody'; there is default" in capsys.readouterr().err


def test_an_unknown_order_is_resolved_as_executed(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    found = ["--executed", "B7", "--filled", "50", "--price", "112.4", "--reason", "seen in the terminal"]
    assert cli.main(["resolve", "odd-1", *found]) == 0
    order = order_of(maker, "odd-1")
    assert (order.status, order.broker_order_id, order.filled_quantity, order.reason_message) == (
        Status.EXECUTED,
        "B7",
        Decimal(50),
        "seen in the terminal",
    )


def test_an_unknown_order_is_followed_under_the_number_that_was_found(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--found", "B7"]) == 0
    order = order_of(maker, "odd-1")
    assert (order.phase, order.broker_order_id) == (Phase.UNKNOWN, None)
    assert json.loads(order.context_json or "{}")["followed"] == "B7"


def test_an_unknown_order_is_resolved_as_failed(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--failed", "not in the book"]) == 0
    assert order_of(maker, "odd-1").status is Status.FAILED


@pytest.mark.parametrize(
    "options",
    [
        ["--executed", "B7"],
        ["--executed", "B7", "--filled", "49"],
        ["--executed", "", "--filled", "50"],
        ["--executed", "B7", "--filled", "50", "--price", "-1"],
        ["--failed", " "],
        ["--failed", "x", "--filled", "20"],
        ["--failed", "x", "--price", "112.4"],
        ["--failed", "x", "--reason", "y"],
        ["--executed", "B7", "--filled", "50", "--price", "many"],
        ["--failed", "x", "--executed", "B7"],
        ["--found", ""],
        ["--found", "B7", "--filled", "50"],
        ["--found", "B7", "--executed", "B7"],
        [],
    ],
)
def test_a_resolution_that_is_not_whole_is_refused(maker, services, options):
    maker.order("odd", Phase.UNKNOWN)
    try:
        code: object = cli.main(["resolve", "odd-1", *options])
    except SystemExit as end:  # argparse's own way
        code = end.code
    assert code == 2
    assert order_of(maker, "odd-1").phase is Phase.UNKNOWN


def test_who_says_failed_and_a_fill_is_told_what_to_say(maker, services, capsys):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--failed", "x", "--filled", "20"]) == 2
    assert "a partly filled order is followed: --found" in capsys.readouterr().err


def test_an_order_that_is_not_unknown_cannot_be_resolved(maker, services, capsys):
    maker.order("fine", Phase.WORKING)
    assert cli.main(["resolve", "fine-1", "--failed", "x"]) == 2
    assert "only an UNKNOWN order" in capsys.readouterr().err


def hold(maker: Maker, *, net: int) -> None:
    """An order of STRADDLE is filled with 50; the broker shows so many, and a position that is flat."""
    maker.order("held", Phase.FILLED)
    positions = (
        Position("NFO", "NIFTY26NOV24500CE", "MIS", Decimal(net)),
        Position("NFO", "FLAT", "MIS", Decimal(0)),
    )
    maker.store.save_positions("default", PositionsSnapshot(maker.clock.now(), positions), date(2026, 11, 21))


@pytest.mark.parametrize(("net", "strategies"), [(50, ["STRADDLE"]), (75, ["OPERATOR", "STRADDLE"])])
def test_flatten_asks_for_an_exit_of_each_holder(maker, services, net, strategies):
    hold(maker, net=net)
    assert cli.main(["flatten", "--yes"]) == 0
    exits = maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)
    assert sorted(o.strategy_name for o in exits) == strategies
    assert {(o.execution_type, o.symbol, o.requested_quantity) for o in exits} == {
        (ExecutionType.EXIT, "NIFTY26NOV24500CE", None)
    }
    assert Side.SELL in {o.side for o in exits}


@pytest.mark.parametrize(
    ("asked", "strategies"),
    [([], ["STRADDLE"]), (["--symbol", "NIFTY26NOV24500CE"], ["OPERATOR", "STRADDLE"])],
)
def test_flatten_leaves_delivered_shares_that_nobody_here_holds(maker, services, asked, strategies):
    maker.order("held", Phase.FILLED)
    positions = (
        Position("NFO", "NIFTY26NOV24500CE", "MIS", Decimal(80), delivered=Decimal(80)),
        Position("NSE", "TCS-EQ", "CNC", Decimal(7), delivered=Decimal(7)),
    )
    maker.store.save_positions("default", PositionsSnapshot(maker.clock.now(), positions), date(2026, 11, 21))
    assert cli.main(["flatten", "--yes", *asked]) == 0
    exits = maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)
    assert sorted(o.strategy_name for o in exits) == strategies


@pytest.mark.parametrize(("answer", "sent"), [("y", 1), ("", 0), ("no", 0)])
def test_flatten_asks_first(maker, services, monkeypatch, answer, sent):
    hold(maker, net=50)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert cli.main(["flatten"]) == 1 - sent
    assert len(maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)) == sent


def test_flatten_sends_nothing_when_nobody_can_answer(maker, services, monkeypatch):
    def closed(question: str) -> str:
        raise EOFError

    hold(maker, net=50)
    monkeypatch.setattr("builtins.input", closed)
    assert cli.main(["flatten"]) == 1
    assert not maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)


def test_flatten_of_nothing(maker, services, capsys):
    hold(maker, net=0)
    assert cli.main(["flatten", "--yes", "--strategy", "ANOTHER"]) == 0
    assert cli.main(["flatten", "--yes", "--symbol", "OTHER"]) == 0
    assert capsys.readouterr().out == "no open position\n" * 2


def test_positions_never_read_are_not_taken_for_none(services, capsys):
    assert cli.main(["flatten", "--yes"]) == 2
    assert "never read" in capsys.readouterr().err
