"""What stands in the outbox when an order's story goes wrong: the true engine, store and words."""

import pytest

from command_service import ResolvedFill
from domain.broker_reports import BrokerStatus, OrderReport
from domain.errors import OutcomeUnknown, ReadFailed
from domain.message_facts import MessageFacts
from domain.notices import Notice
from domain.ports import OutboxMessage
from domain.states import Phase, Status
from notifications.digest import next_text
from notifications.facts import facts_of
from notifications.messages import render
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.outbox import SqliteOutbox
from tests.support import EXIT, MARKET_EXIT, Desk, leg


class TellingDesk(Desk):
    """A desk whose operator is written to."""

    def _render(self, notice: Notice) -> str:
        return render(notice)

    def _facts_of(self, notice: Notice) -> MessageFacts:
        return facts_of(notice)

    def told(self) -> list[OutboxMessage]:
        return SqliteOutbox(GroupCommit(self.path), Readers(self.path)).pending(["default"], 1000)

    def last(self) -> str:
        return self.told()[-1].text


@pytest.fixture
def desk(tmp_path):
    return TellingDesk(tmp_path)


def lost(desk, *, readable):
    """An order of unknown outcome, a minute later; nothing is known of it while the book cannot be read."""
    desk.broker.script = [OutcomeUnknown("HTTP 502")]
    (order,) = desk.post()
    desk.broker.book_error = None if readable else ReadFailed("503")
    desk.engine.execute_next("default")
    desk.clock.advance(61)
    desk.engine.escalate("default")
    return desk.order(order.command_id)


def test_why_an_outcome_is_unknown_is_told(desk):
    order = lost(desk, readable=False)
    [told] = [message for message in desk.told() if message.kind == "UNKNOWN"]
    assert "\nWhy: HTTP 502\n" in told.text
    assert told.command_id == order.command_id


def test_what_was_proven_absent_says_what_that_means_and_why_it_had_been_unknown(desk):
    order = lost(desk, readable=True)
    desk.settle()
    assert desk.order(order.command_id).phase is Phase.ABSENT
    assert "\n<b>ORDER FAILED</b> · BROKER_ABSENT:PROVEN · outcome unknown: HTTP 502\n" in desk.last()
    assert "\nNothing was bought or sold, and it is not sent again.\n" in desk.last()


def test_what_a_person_says_is_told_as_a_persons_word(desk):
    order = lost(desk, readable=False)
    fill = ResolvedFill("X9", order.quantity, None, "seen in the terminal")
    desk.commands.resolve(order.command_id, by="cli:ann", executed=fill)
    placed, filled = (message.text for message in desk.told()[-2:])
    line = "\nBy hand: cli:ann said so (seen in the terminal); it was not read from the broker's book.\n"
    assert placed.startswith("✅ Order placed | X9 · ENTRY BUY 50 NIFTY26NOV24500CE\n") and line in placed
    assert filled.startswith("✨ Order filled | 50 @ ") and line in filled


def test_whose_word_the_brokers_number_was_is_told_when_the_book_shows_it(desk):
    order = lost(desk, readable=False)
    found = OrderReport("B7", None, BrokerStatus.OPEN, "NFO", order.symbol, order.side, order.quantity)
    desk.broker.orders["B7"], desk.broker.products["B7"] = found, "MIS"
    number = ResolvedFill("B7", None, None, "it is the only one")
    desk.commands.resolve(order.command_id, by="console:ann", executed=number)
    desk.broker.book_error = None
    desk.settle()
    [placed] = [message.text for message in desk.told() if message.kind == "PLACED"]
    assert (
        "\nBy hand: console:ann gave this number (it is the only one); the broker's book shows it.\n"
        in placed
    )


def test_the_engines_own_doing_is_not_called_a_persons(desk):
    desk.post()
    desk.settle()
    assert [message.kind for message in desk.told()] == ["PLACED", "FILLED"]
    assert not any("By hand" in message.text for message in desk.told())


def test_who_wished_a_cancel_is_told_with_it(desk):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    desk.commands.cancel(order.command_id, by="cli:ann", reason="too wild")
    desk.settle()
    assert desk.order(order.command_id).phase is Phase.CANCELLED
    assert "\nA cancel was asked for by cli:ann at " in desk.last()
    assert " (too wild), sent to the broker at " in desk.last()
    assert "ORDER FAILED" in desk.last()


def test_a_cancel_that_nobody_here_wished_names_nobody(desk):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.CANCELLED)
    desk.settle()
    assert desk.order(order.command_id).phase is Phase.CANCELLED
    assert "asked for" not in desk.last()


def test_a_repeated_delivery_says_what_became_of_the_first(desk):
    (first,) = desk.post()
    desk.settle()
    (again,) = desk.post()
    stands = f"the first one stands: {first.command_id}, EXECUTED"
    assert f"\n<b>ORDER FAILED</b> · blocked, never sent · {stands}\n" in desk.last()
    assert again.reason_message is not None and again.reason_message.endswith(f"({stands})")


def test_each_leg_of_a_repeated_delivery_names_its_own_first(desk):
    legs = (leg("A"), leg("B"))
    desk.broker.fill_at_once = False
    first = desk.post(*legs)
    desk.settle()
    desk.broker.report("B00002", BrokerStatus.REJECTED)
    desk.settle()
    assert [desk.order(o.command_id).status for o in first] == [Status.SENT_TO_BROKER, Status.FAILED]
    reasons = [str(again.reason_message) for again in desk.post(*legs)]
    assert reasons[0].endswith(f"(the first one stands: {first[0].command_id}, SENT_TO_BROKER)")
    assert reasons[1].endswith(f"(the first one stands: {first[1].command_id}, FAILED BROKER_REJECTED)")


def test_a_position_that_others_hold_is_not_called_flat(desk):
    desk.post()
    desk.settle()
    desk.post(MARKET_EXIT, **EXIT, strategy_name="NOBODY")
    desk.settle()
    assert (
        "blocked, never sent · NOBODY holds nothing there by its own fills; the account has 50 MIS, "
        "of which STRADDLE 50" in desk.last()
    )
    assert "the position is flat" not in desk.last()


def test_a_flat_position_is_called_flat(desk):
    desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert "\n<b>ORDER FAILED</b> · blocked, never sent · the position is flat\n" in desk.last()


def test_a_fold_of_what_the_store_gives_knows_what_was_settled_since(desk):
    order = lost(desk, readable=False)
    desk.commands.resolve(order.command_id, by="cli:ann", executed=ResolvedFill("X9", order.quantity, None))
    desk.broker.book_error = None
    for number in range(4):
        desk.post(leg(f"S{number}"))
    desk.settle()
    text, covered = next_text(desk.told(), desk.clock.now())
    assert len(covered) > 6
    assert text.split("\n")[1].endswith(f"{order.short_id} · settled since: EXECUTED")
