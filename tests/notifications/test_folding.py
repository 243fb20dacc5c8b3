"""Folding a backlog: nothing lost, nothing cut apart, everything short enough."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.notices import Notice, NoticeKind
from domain.states import STATUS_OF, Phase
from notifications.folding import next_text
from notifications.markup import MESSAGE_LIMIT, units
from notifications.messages import render
from notifications.outbox import OutboxDrainer
from tests.notifications.fakes import (
    START,
    MemoryOutbox,
    ScriptedSender,
    VirtualClock,
    an_order,
    markup_error,
)

PHASE_OF = {
    NoticeKind.PLACED: Phase.WORKING,
    NoticeKind.BLOCKED: Phase.BLOCKED,
    NoticeKind.REJECTED: Phase.REJECTED,
    NoticeKind.UNKNOWN: Phase.UNKNOWN,
}


def add(outbox, kind, number, *, client_id="default", **changes):
    phase = PHASE_OF[kind]
    order = an_order(
        command_id=f"01JD4M8Q7T2V9X3Z{number:08}-1", phase=phase, status=STATUS_OF[phase], **changes
    )
    text = render(Notice(kind, client_id, order, order.alert_id, order.symbol))
    return outbox.add(text, client_id=client_id, kind=kind)


def text_of(outbox, now=START):
    text, covered = next_text(list(outbox.messages.values()), now)
    return text, len(covered)


@pytest.fixture
def outbox():
    return MemoryOutbox()


def test_a_few_messages_go_as_they_are(outbox):
    first = add(outbox, NoticeKind.PLACED, 1, broker_order_id="77")
    for number in range(2, 6):
        add(outbox, NoticeKind.PLACED, number)
    assert text_of(outbox) == (first.text, 1)


def test_more_become_one_line_each_and_equal_ones_one(outbox):
    add(outbox, NoticeKind.PLACED, 1, broker_order_id="77")
    for number in range(2, 14):
        add(outbox, NoticeKind.BLOCKED, number, tag="GUARD_BLOCKED:TRADING_HALTED", symbol="M&M")
    add(outbox, NoticeKind.REJECTED, 14, reason_message="no margin")
    assert text_of(outbox) == (
        "📬 14 messages, oldest 14:02:11Z\n"
        "✅ Order placed | 77 · 00000001-1\n"
        "❌ Trading is halted (GUARD_BLOCKED:TRADING_HALTED) | M&amp;M ×12 · 00000002-1, 00000003-1, 00000004-1 …\n"
        "⚠️ Broker rejected | no margin · 00000014-1",
        14,
    )


def test_the_heading_has_a_date_when_the_oldest_is_of_another_day(outbox):
    for number in range(6):
        add(outbox, NoticeKind.PLACED, number)
    text, _ = text_of(outbox, START + timedelta(days=1))
    assert text.startswith("📬 6 messages, oldest 2026-11-20 14:02:11Z\n")


def test_clients_that_share_a_chat_are_told_apart(outbox):
    for number in range(6):
        add(outbox, NoticeKind.PLACED, number, client_id=f"client-{number % 2}", broker_order_id="77")
    assert text_of(outbox)[0].split("\n")[1:] == [
        "client-0: ✅ Order placed | 77 ×3 · 00000000-1, 00000002-1, 00000004-1",
        "client-1: ✅ Order placed | 77 ×3 · 00000001-1, 00000003-1, 00000005-1",
    ]


def test_of_a_flood_the_everyday_is_counted_and_the_odd_keeps_its_lines(outbox):
    for number in range(500):
        add(outbox, NoticeKind.PLACED, number, broker_order_id=str(number))
        tag = "RISK_BLOCKED:DAILY_LOSS_HIT"
        add(outbox, NoticeKind.BLOCKED, number, tag=tag, symbol=f"SYM{number}")
    add(outbox, NoticeKind.UNKNOWN, 7, symbol="TCS")
    add(outbox, NoticeKind.REJECTED, 8, reason_message="no margin")
    add(outbox, NoticeKind.UNKNOWN, 9, symbol="INFY")
    assert text_of(outbox) == (
        "📬 1003 messages, oldest 14:02:11Z\n"
        "✅ Order placed ×500 · 0, 1, 2 …\n"
        "❌ Daily loss limit hit: no new entries today (RISK_BLOCKED:DAILY_LOSS_HIT) ×500 · SYM0, SYM1, SYM2 …\n"
        "🚨 Order outcome unknown | TCS · 00000007-1\n"
        "⚠️ Broker rejected | no margin · 00000008-1\n"
        "🚨 Order outcome unknown | INFY · 00000009-1",
        1003,
    )


def test_what_does_not_fit_waits_for_the_next(outbox):
    for number in range(200):
        add(outbox, NoticeKind.UNKNOWN, number, symbol=f"SYMBOL{number}")
    text, covered = text_of(outbox)
    assert 50 < covered < 150
    assert text.count("\n") == covered
    assert units(text) <= 3900


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<b>one</b> | &amp;\nsecond\n<code>id&lt;1</code>",
            "<b>open\n</b>",
            "a | b | c\n<code>1</code>",
            "&" * 4000,
            "😀" * 2000,
            "<" * 4000,
            "\n\n",
            "x" * 4096,
        ]
    ),
)
BACKLOGS = st.lists(
    st.tuples(TEXTS, st.sampled_from([*NoticeKind, "OTHER"]), st.sampled_from("ab"), st.integers(1, 40)),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(BACKLOGS)
def test_whatever_waits_is_marked_once_and_every_fold_can_be_sent(backlog):
    outbox, clock = MemoryOutbox(), VirtualClock()
    sender = ScriptedSender(clock)
    for text, kind, client, times in backlog:
        for _ in range(times):
            outbox.add(text, kind=kind, client_id=client)
    drainer = OutboxDrainer(outbox, sender, {"a": "1", "b": "1"}, clock, "h", monotonic=clock.monotonic)
    originals = {message.text for message in outbox.messages.values()}
    while outbox.waiting():
        clock.pass_(drainer.drain(clock.now()))
    assert set(outbox.status.values()) <= {"SENT"}  # the outbox refuses to mark one twice
    for text in set(sender.texts()) - originals:
        assert text.startswith("📬 ")
        assert units(text) <= MESSAGE_LIMIT
        assert markup_error(text) is None
    order = [int(outbox.sent_as[id_]) for id_ in sorted(outbox.sent_as)]
    assert order == sorted(order)
