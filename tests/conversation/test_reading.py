"""What the reading commands say: of this chat's clients alone, in the operator's time, in one message."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from conversation.updates import command_of
from conversation.words import fits, fitted
from domain.broker_reports import Position, PositionsSnapshot
from domain.errors import StoreUnavailable
from domain.states import Phase
from notifications.markup import MESSAGE_LIMIT, units
from tests.conversation.making import ANN, BEN, CHAT, OTHER_CHAT, Desk

SYMBOL = "NIFTY26NOV24500CE"


def read_positions(desk: Desk, client: str = "default", units: int = 50, **changes: object) -> None:
    position = Position("NFO", SYMBOL, "MIS", Decimal(units), Decimal("112.5"))
    position = replace(position, last_price=Decimal(120), unrealized_pnl=Decimal(375), **changes)  # type: ignore[arg-type]
    snapshot = PositionsSnapshot(desk.clock.now(), (position,))
    desk.maker.store.save_positions(client, snapshot, desk.clock.at.date())


def test_the_latest_orders_are_told_by_what_was_traded_with_ids_that_find_them(desk: Desk):
    filled, blocked = desk.maker.order("one", Phase.FILLED), desk.maker.order("two", Phase.BLOCKED)
    [answer] = desk.say("/orders")
    assert answer.index(blocked.short_id) < answer.index(filled.short_id)
    assert f"ENTRY BUY 50 {filled.symbol} · filled @ 112.45" in answer
    assert "blocked by our rule, never sent" in answer
    assert filled.short_id in desk.say(f"/why {filled.short_id}")[0]
    assert desk.say("/orders INFY") == ["No orders of INFY."]
    assert filled.short_id in desk.say(f"/orders {filled.symbol[:5].lower()}*")[0]


def test_times_are_those_of_the_trading_timezone(make_desk):
    desk = make_desk(TRADING_TIMEZONE="Asia/Kolkata")
    desk.maker.clock.at = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    desk.maker.order("one", Phase.FILLED)
    desk.clock.at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert "\n09:30:00 ENTRY BUY" in desk.say("/orders")[0]
    desk.clock.at += timedelta(days=1)
    assert "\n20 Nov 09:30:00 ENTRY BUY" in desk.say("/orders")[0]


@pytest.mark.parametrize(
    ("phase", "changes", "why", "todo"),
    [
        (
            Phase.BLOCKED,
            "tag = 'RISK_BLOCKED:DAILY_LOSS_HIT', reason_detail = '-520 of -500'",
            "Daily loss limit hit: no new entries today",
            "/status",
        ),
        (
            Phase.REJECTED,
            "tag = 'BROKER_REJECTED:16387', reason_message = 'Margin < needed'",
            "Margin &lt; needed",
            "",
        ),
        (Phase.UNKNOWN, "", "OUTCOME UNKNOWN", "/unknown"),
        (Phase.WORKING, "", "live at the broker", "/cancel"),
        (Phase.CANCELLED, "execution_type = 'EXIT'", "cancelled", f"/exit {SYMBOL}"),
    ],
)
def test_why_says_what_happened_and_what_to_do(desk: Desk, phase: Phase, changes: str, why: str, todo: str):
    order = desk.maker.order("one", phase)
    row = desk.services.database.find_story(order.command_id)[1]
    assert row is not None
    answers = desk.listener._conversation._answers
    told = dict(part.split(" = ") for part in changes.split(", ") if part)
    row["order"] |= {key: value.strip("'") for key, value in told.items()} | {"symbol": SYMBOL}
    answers._search = type("Search", (), {"find_story": lambda self, typed: (["x"], row)})()
    [answer] = desk.say(f"/why {order.short_id}")
    assert why in answer and todo in answer
    assert "REGISTERED" in answer


def test_an_id_that_fits_nothing_or_several_is_said(desk: Desk):
    assert "No order's id ends with zzz" in desk.say("/why zzz")[0]
    desk.maker.alert("both", Phase.FILLED, Phase.FILLED)
    [answer] = desk.say("/why both")
    assert "fits several orders: <code>both-1</code>, <code>both-2</code>" in answer


def test_without_an_id_the_last_failures_are_told(desk: Desk):
    assert desk.say("/why") == ["No order has failed."]
    order = desk.maker.order("one", Phase.BLOCKED)
    assert order.short_id in desk.say("/why")[0]


def test_positions_are_told_with_their_strategies_and_how_old_they_are(desk: Desk):
    assert "were never read, so they are not known" in desk.say("/positions")[0]
    desk.maker.order("held", Phase.FILLED)
    desk.clock.at = datetime.now(UTC)
    read_positions(desk)
    desk.clock.advance(90)
    [answer] = desk.say("/positions")
    assert f"<b>LONG 50 {SYMBOL}</b> MIS @ 112.5, last 120 · P&amp;L +375" in answer
    assert "STRADDLE holds 50" in answer
    assert "read 90 s ago" in answer and "/exit SYMBOL" in answer
    assert "default: <b>+375</b>" in desk.say("/pnl")[0]


def test_a_profit_that_is_not_known_is_not_zero(desk: Desk):
    assert "default: not known" in desk.say("/pnl")[0]
    assert "P&amp;L not known" in desk.say("/status")[0]


def test_status_says_what_is_halted_and_what_needs_somebody(desk: Desk):
    desk.services.commands.halt("default", None, by="cli:ann", reason="news")
    desk.maker.order("odd", Phase.UNKNOWN)
    [answer] = desk.say("/status")
    assert answer.startswith("🛑 <b>default</b>")
    assert "by cli:ann (news)" in answer and "/resume" in answer
    assert "1 orders with an unknown outcome: /unknown" in answer
    assert "no watcher runs" in answer and "Nothing needs you" not in answer


def test_an_unknown_outcome_is_told_with_commands_that_settle_it(desk: Desk):
    assert desk.say("/unknown") == ["No order has an unknown outcome."]
    order = desk.maker.order("odd", Phase.UNKNOWN)
    [answer] = desk.say("/unknown")
    assert order.client_order_id in answer
    line = next(part for part in answer.split("\n") if part.startswith("never there: "))
    pasted = line.split("<code>")[1].split("</code>")[0].replace("REASON", "not in the book")
    assert "never reached the broker" in desk.say(pasted)[0]


def test_protections_are_listed(desk: Desk):
    assert "No open protection" in desk.say("/protect")[0]
    assert "/protect tighten ID" in desk.say("/protect tighten")[0]
    assert "No open protection's id ends with x" in desk.say("/protect cancel x")[0]


def test_a_chat_sees_its_own_clients_alone(two: Desk):
    order = two.maker.order("one", Phase.UNKNOWN)  # of default
    read_positions(two)
    two.services.commands.halt("default", None, by="cli:ann", reason="private")
    for command in ("status", "orders", "positions", "pnl", "why", "unknown", "health", "protect"):
        for words in two.say(f"/{command}", user=BEN, chat=OTHER_CHAT):
            assert "default" not in words and SYMBOL not in words and order.short_id not in words
    [answer] = two.say(f"/why {order.short_id}", user=BEN, chat=OTHER_CHAT)
    assert "No order's id ends" in answer
    assert "No order's id ends" in two.say(f"/cancel {order.short_id}", user=BEN, chat=OTHER_CHAT)[0]
    assert order.short_id in two.say("/orders", user=ANN, chat=CHAT)[0]


def test_what_cannot_be_read_is_said(desk: Desk, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("orders.db: locked")

    monkeypatch.setattr(desk.listener._conversation._answers._reads, "orders", fail)
    assert "The database cannot be read now: orders.db: locked" in desk.say("/orders")[0]


@pytest.mark.parametrize("count", [1, 40, 4000])
def test_whatever_is_told_fits_one_message_and_says_what_is_left_out(count: int):
    lines = [f"<b>{number} 😀</b> {'x' * 80}" for number in range(count)]
    text = fitted(lines)
    assert units(f"<b>/flatten</b> by telegram:{'9' * 16}\n{text}") <= MESSAGE_LIMIT
    assert fits(lines) is (text == "\n".join(lines))
    shown = text.count("</b>")
    assert shown == count or text.endswith(f"… and {count - shown} lines more, on the console")


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("/status", ("status", [])),
        ("  /Orders@OrderwatchBot  NIFTY* ", ("orders", ["NIFTY*"])),
        ("`/resolve ab12 found 77`", ("resolve", ["ab12", "found", "77"])),
        ("status", ("", ["status"])),
        ("", ("", [])),
        ("/", ("", [])),
    ],
)
def test_commands_are_read_as_people_type_and_paste_them(typed: str, command: tuple[str, list[str]]):
    assert command_of(typed) == command
