"""Who may act, what a button does, how often, and what the history says of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import command_service
from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import ExecutionType
from domain.notices import Notice, NoticeKind
from domain.protection import ProtectionStatus, protection_of
from domain.states import Phase
from notifications.messages import render
from tests.conversation.making import ANN, BEN, CHAT, OTHER_CHAT, Desk


def test_a_halt_is_asked_for_confirmed_and_in_the_history(desk: Desk):
    [question] = desk.say("/halt news at noon")
    assert "Stop new entries of <b>default</b>, ALL strategies?" in question and "news at noon" in question
    assert desk.halts() == []
    [answer] = desk.press()
    assert "Halted: default, all strategies" in answer
    assert desk.halts() == [("default", "", "telegram:11", "news at noon")]
    assert desk.acts() == [("halt", "11", "DONE")]
    told = desk.maker.rows("SELECT kind FROM telegram_messages")
    assert told == [("HALTED",)]
    assert desk.telegram.without_buttons


def test_a_button_that_is_pressed_twice_acts_once(desk: Desk):
    desk.say("/halt one")
    desk.press()
    desk.services.commands.resume("default", None, by="cli:ann")
    assert desk.press() == []
    assert desk.halts() == []
    assert desk.telegram.button_answers == ["See the answer.", "It was done already."]


def test_a_button_that_comes_too_late_does_nothing(desk: Desk):
    desk.say("/halt")
    desk.clock.advance(61)
    [answer] = desk.press()
    assert answer.startswith("Too late: nothing was done")
    assert (desk.halts(), desk.acts()) == ([], [("halt", "11", "EXPIRED")])
    assert desk.press() == []
    assert desk.halts() == []


def test_no_is_no(desk: Desk):
    desk.say("/halt")
    assert desk.press(button=1) == ["Nothing was done."]
    assert desk.press(button=0) == []
    assert (desk.halts(), desk.acts()) == ([], [("halt", "11", "DECLINED")])


@pytest.mark.parametrize("words", ["/halt", "/flatten", "/mute 5"])
def test_who_is_no_operator_cannot_even_ask(desk: Desk, words: str):
    [answer] = desk.say(words, user=BEN)
    assert "You may read here and not act" in answer and "22" in answer
    assert desk.acts() == []


def test_nobody_confirms_for_another(make_desk):
    desk = make_desk(TELEGRAM_OPERATORS="11, 22")
    desk.say("/halt")
    assert desk.press(user=BEN) == []
    assert desk.halts() == []
    assert desk.telegram.button_answers == ["Only who asked for it can confirm it."]
    assert "Halted" in desk.press(user=ANN)[0]


def test_without_operators_nobody_acts(make_desk):
    desk = make_desk(TELEGRAM_OPERATORS="")
    assert "You may read here" in desk.say("/halt", user=0)[0]
    assert desk.acts() == []


def test_a_message_in_a_chats_name_is_nobodys(desk: Desk):
    assert "You may read here" in desk.say("/halt", sender_chat={"id": CHAT})[0]


def test_an_operator_of_one_client_acts_on_that_one_alone(two: Desk):
    assert "You may read here" in two.say("/halt", user=ANN, chat=OTHER_CHAT)[0]
    assert "You may read here" in two.say("/halt", user=BEN, chat=CHAT)[0]
    two.do("/halt", user=BEN, chat=OTHER_CHAT)
    assert [row[:3] for row in two.halts()] == [("second", "", "telegram:22")]


def test_in_a_chat_of_several_clients_only_the_operators_own_ones_are_touched(two: Desk):
    shared = two.folder / "clients.toml"
    shared.write_text(shared.read_text().replace("-1007", str(CHAT)))
    desk = Desk(two.telegram, two.folder, {"CLIENTS_FILE": "clients.toml"})
    desk.listener = desk.listens("w1")
    assert "<b>second</b>" in desk.say("/halt", user=BEN)[0]
    desk.press(user=BEN)
    assert [row[0] for row in desk.halts()] == ["second"]
    assert "none of the clients here: second" in desk.say("/flatten default", user=BEN)[0]


def test_who_is_no_operator_any_more_cannot_finish(desk: Desk):
    desk.say("/halt")
    gone = Desk(desk.telegram, desk.folder, {"TELEGRAM_OPERATORS": "33"}, desk.clock)
    gone.listener = gone.listens("w1")
    assert "no operator here any more" in gone.press()[-1]
    assert (gone.halts(), gone.acts()) == ([], [("halt", "11", "FAILED")])


def test_a_halted_strategy_is_named_and_resumed(desk: Desk):
    desk.maker.order("a", Phase.FILLED)
    [strategy] = desk.services.database.strategies("default")
    assert f"strategy {strategy}" in desk.do(f"/halt {strategy} wild")
    assert desk.halts() == [("default", strategy, "telegram:11", "wild")]
    assert desk.say("/resume STRADLE") == ["Nothing of that is halted. /status says what is."]
    assert "Entries go again" in desk.do(f"/resume {strategy}")
    assert desk.halts() == []


def test_an_order_is_cancelled_by_the_end_of_its_id(desk: Desk):
    order = desk.maker.order("waits", Phase.REGISTERED)
    [question] = desk.say(f"/cancel {order.short_id} changed my mind")
    assert "Take back <b>ENTRY BUY" in question and "not sent yet" in question
    assert "The cancel is asked for" in desk.press()[0]
    after = desk.maker.store.get_by_id(order.command_id)
    assert after is not None and after.phase is Phase.LAPSED
    actors = desk.maker.rows("SELECT actor FROM order_events ORDER BY event_id")
    assert actors[-1] == ("telegram:11",)


def test_what_cannot_be_cancelled_is_said_before_any_button(desk: Desk):
    order = desk.maker.order("done", Phase.FILLED)
    assert "it has ended, and there is nothing to cancel" in desk.say(f"/cancel {order.short_id}")[0]
    assert "No order's id ends with" in desk.say("/cancel nonsense")[0]
    assert desk.acts() == []


def test_an_order_that_ended_meanwhile_is_told(desk: Desk):
    order = desk.maker.order("works", Phase.WORKING)
    desk.say(f"/cancel {order.short_id}")
    desk.maker.step(order, Phase.FILLED)
    [answer] = desk.press()
    assert "❌ The cancel" in answer and "it has ended" in answer
    assert desk.acts() == [("cancel", "11", "FAILED")]


@pytest.mark.parametrize(
    ("typed", "phase"),
    [
        ("failed not in the terminal", Phase.ABSENT),
        ("executed B77 50 112.5", Phase.FILLED),
        ("found B77", Phase.UNKNOWN),  # followed under that number; the book decides
    ],
)
def test_an_unknown_outcome_is_resolved(desk: Desk, typed: str, phase: Phase):
    order = desk.maker.order("odd", Phase.UNKNOWN)
    assert "/resolve" in desk.say("/unknown")[0]
    assert "Recorded." in desk.do(f"/resolve {order.short_id} {typed}")
    after = desk.maker.store.get_by_id(order.command_id)
    assert after is not None and after.phase is phase
    [(by,)] = desk.maker.rows("SELECT actor FROM order_events ORDER BY event_id DESC LIMIT 1")
    assert by == "telegram:11"


@pytest.mark.parametrize("typed", ["failed REASON", "found NUMBER", "executed B7 x"])
def test_a_resolution_that_says_nothing_is_not_asked(desk: Desk, typed: str):
    order = desk.maker.order("odd", Phase.UNKNOWN)
    assert "/resolve ID found NUMBER" in desk.say(f"/resolve {order.short_id} {typed}")[0]
    assert desk.acts() == []


def holding(desk: Desk, units: int = 50) -> str:
    """What the client holds by one filled entry, and a read of the positions that shows it; its symbol."""
    order = desk.maker.order("held", Phase.FILLED)
    desk.clock.at = datetime.now(UTC)
    position = Position(order.exchange, order.symbol, order.product, Decimal(units), Decimal(112))
    snapshot = PositionsSnapshot(desk.clock.now(), (position,))
    desk.maker.store.save_positions("default", snapshot, desk.clock.at.date())
    return order.symbol


def exits(desk: Desk) -> list[tuple[object, ...]]:
    query = "SELECT strategy_name, side, phase, command_id FROM orders WHERE execution_type = 'EXIT'"
    return desk.maker.rows(query)


@pytest.mark.parametrize("command", ["/flatten default", "/exit {lower}"])
def test_what_is_held_is_closed_once(desk: Desk, command: str):
    symbol = holding(desk)
    [question] = desk.say(command.format(symbol=symbol, lower=symbol.lower()))
    assert "Close at market (1 exits)?" in question and f"<b>50 {symbol}</b>" in question
    assert exits(desk) == []
    desk.telegram.press(ANN)
    desk.telegram.press(ANN)
    assert any("asked for" in words for words in desk.hear())
    assert len(exits(desk)) == 1
    [(by,)] = desk.maker.rows("SELECT actor FROM order_events ORDER BY event_id DESC LIMIT 1")
    assert by == "telegram:11"


def test_an_exit_that_was_asked_for_and_not_answered_is_not_asked_for_twice(desk: Desk, monkeypatch):
    holding(desk)
    desk.say("/flatten")
    done = desk.listener._conversation._acts.carry_out

    def twice(act):
        done(act)
        monkeypatch.setattr(command_service, "same_exit", lambda *_: None)  # as once the first has ended
        return done(act)

    monkeypatch.setattr(desk.listener._conversation._acts, "carry_out", twice)
    desk.press()
    assert len(exits(desk)) == 1


def protected(desk: Desk) -> str:
    """A protection of 50 with its stop at 100 and its target at 130; its id."""
    entry = replace(desk.maker.order("held", Phase.FILLED), stop_loss="100", target="130")
    waiting, event = protection_of(entry)
    active = replace(
        waiting,
        status=ProtectionStatus.ACTIVE,
        filled=entry.quantity,
        quantity=entry.quantity,
        average_price=Decimal("112.45"),
        stop_price=Decimal(100),
        target_price=Decimal(130),
    )
    desk.maker.store.write(lambda tx: tx.add_protection(active, event))
    return active.protection_id


def test_a_protection_is_tightened_and_ended(desk: Desk):
    id_ = protected(desk)
    [listed] = desk.say("/protect")
    assert "<b>BUY 50" in listed and "stop 100, target 130" in listed and id_[-10:] in listed
    [question] = desk.say(f"/protect tighten {id_[-10:]} stop 105.5 target 140")
    assert "(stop 100, target 130) to stop 105.5, target 140?" in question
    assert "The levels are set" in desk.press()[0]
    after = desk.maker.store.protection(id_)
    assert after is not None
    assert (after.stop_price, after.target_price) == (Decimal("105.5"), Decimal(140))
    assert "a stop only tightens" in desk.do(f"/protect tighten {id_} stop 90")
    assert "The protection has ended" in desk.do(f"/protect cancel {id_} by hand now")
    assert desk.maker.store.open_protections("default") == []
    details = desk.maker.rows("SELECT detail_json FROM protection_events WHERE kind = 'ENDED'")
    assert "telegram:11" in str(details) and "by hand now" in str(details)


@pytest.mark.parametrize("typed", ["stop", "stop x", "stop -5", "limit 5", "stop 105 target", "stop NaN"])
def test_levels_that_are_none_are_not_asked(desk: Desk, typed: str):
    id_ = protected(desk)
    assert "/protect tighten ID" in desk.say(f"/protect tighten {id_} {typed}")[0]
    assert desk.acts() == []


def test_the_command_in_the_message_of_a_rejected_exit_works_when_it_is_pasted(desk: Desk):
    symbol = holding(desk)
    order = replace(
        desk.maker.order("rejected", Phase.REJECTED), execution_type=ExecutionType.EXIT, symbol=symbol
    )
    text = render(Notice(NoticeKind.REJECTED, "default", order))
    [pasted] = [part.split("</code>")[0] for part in text.split("<code>") if part.startswith("/exit")]
    assert "Close at market (1 exits)?" in desk.say(pasted)[0]


def test_nothing_to_close_is_said(desk: Desk):
    assert "were never read" in desk.say("/flatten")[0]
    symbol = holding(desk)
    assert desk.say("/exit INFY") == ["Nothing is open in INFY."]
    assert "none of the clients here" in desk.say(f"/exit {symbol} bob")[0]


def test_an_error_of_our_own_is_told_as_unknown(desk: Desk, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(desk.listener._conversation._acts._actions, "halt", fail)
    [answer] = (desk.say("/halt"), desk.press())[1]
    assert "it is not known whether it was carried out" in answer and "a defect" not in answer
    assert desk.acts() == [("halt", "11", "UNKNOWN")]


def test_a_chat_is_muted_and_sounds_again(desk: Desk):
    assert "Muted for 30 minutes" in desk.do("/mute 30")
    until = desk.services.database.conversations().muted_until(str(CHAT))
    assert until is not None and 1700 < (until - desk.clock.at).total_seconds() <= 1800
    assert "sound again" in desk.do("/mute off")
    assert "/mute MINUTES" in desk.say("/mute forever")[0]
    assert "/mute MINUTES" in desk.say("/mute 99999")[0]


def test_what_was_asked_for_is_kept_as_it_was_shown(desk: Desk):
    holding(desk)
    desk.say("/flatten")
    [(stored,)] = desk.maker.rows("SELECT arguments_json FROM telegram_acts")
    [planned] = json.loads(str(stored))["exits"]
    assert planned[0] == "default" and planned[5] == "50"


@pytest.mark.parametrize("data", ["", "y:", "n:x", "\ud83d"])
def test_forged_button_data_does_nothing(desk: Desk, data: str):
    desk.say("/halt")
    desk.telegram.press_data(CHAT, ANN, data)
    desk.hear()
    assert (desk.halts(), desk.acts()) == ([], [("halt", "11", "ASKED")])
