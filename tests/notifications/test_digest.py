"""Folding a backlog: nothing lost, nothing cut apart, everything short enough."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import ExecutionType, Side
from domain.message_facts import message_facts
from domain.notices import Notice, NoticeKind
from domain.ports import SendFailed
from domain.states import STATUS_OF, Phase
from notifications.digest import next_text
from notifications.facts import facts_of
from notifications.markup import MESSAGE_LIMIT, escaped, units
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

PLACED_77 = "✅ Order placed | 77 · ENTRY BUY 50 NIFTY26NOV24500CE"
WHAT_TO_DO = (
    "To settle one, look for it in the broker's order book. If it is there:\n"
    "<code>python cli.py resolve ID --found NUMBER</code>\n"
    "If the broker never had it:\n"
    '<code>python cli.py resolve ID --failed "REASON"</code>\n'
)
PHASE_OF = {
    NoticeKind.PLACED: Phase.WORKING,
    NoticeKind.FILLED: Phase.FILLED,
    NoticeKind.BLOCKED: Phase.BLOCKED,
    NoticeKind.REJECTED: Phase.REJECTED,
    NoticeKind.UNKNOWN: Phase.UNKNOWN,
}


def add(outbox, kind, number, *, client_id="default", **changes):
    phase = PHASE_OF[kind]
    order = an_order(
        command_id=f"01JD4M8Q7T2V9X3Z{number:08}-1", phase=phase, status=STATUS_OF[phase], **changes
    )
    return tell(outbox, Notice(kind, client_id, order, order.alert_id, order.symbol))


def tell(outbox, notice):
    """As the store keeps it: the text, and what it tells as data."""
    command_id = None if notice.order is None else notice.order.command_id
    return outbox.add(
        render(notice),
        client_id=notice.client_id,
        kind=notice.kind,
        command_id=command_id,
        facts=facts_of(notice),
    )


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
        "✅ Order placed | 77 · ENTRY BUY 50 NIFTY26NOV24500CE · 00000001-1\n"
        "❌ Trading is halted (GUARD_BLOCKED:TRADING_HALTED) | M&amp;M · ENTRY BUY 50 ×12 · "
        "00000002-1, 00000003-1, 00000004-1 …\n"
        "⚠️ Broker rejected | no margin · ENTRY BUY 50 NIFTY26NOV24500CE · 00000014-1",
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
        f"client-0: {PLACED_77} ×3 · 00000000-1, 00000002-1, 00000004-1",
        f"client-1: {PLACED_77} ×3 · 00000001-1, 00000003-1, 00000005-1",
    ]


def test_of_a_flood_the_everyday_is_counted_and_the_odd_keeps_its_lines(outbox):
    add(outbox, NoticeKind.PLACED, 600, broker_order_id="600")
    for symbol in ("TCS", "INFY"):
        add(outbox, NoticeKind.FILLED, 600, symbol=symbol, **AN_EXIT)
    for number in range(1, 500):
        add(outbox, NoticeKind.PLACED, number, broker_order_id=str(number))
    for number in range(500):
        tag = "RISK_BLOCKED:DAILY_LOSS_HIT"
        add(outbox, NoticeKind.BLOCKED, number, tag=tag, symbol=f"SYM{number}")
    add(outbox, NoticeKind.UNKNOWN, 7, symbol="TCS")
    add(outbox, NoticeKind.REJECTED, 8, reason_message="no margin")
    add(outbox, NoticeKind.UNKNOWN, 9, symbol="INFY")
    assert text_of(outbox) == (
        "📬 1005 messages, oldest 14:02:11Z\n"
        "🚨 Order outcome unknown | TCS · ENTRY BUY 50 · 00000007-1\n"
        "🚨 Order outcome unknown | INFY · ENTRY BUY 50 · 00000009-1\n"
        f"{WHAT_TO_DO}"
        "✅ Order placed | ENTRY ×500 · BUY 50 NIFTY26NOV24500CE …\n"
        "✨ Order filled | EXIT ×2 · SELL 50 TCS, SELL 50 INFY\n"
        "❌ Daily loss limit hit: no new entries today (RISK_BLOCKED:DAILY_LOSS_HIT) | ENTRY ×500 · "
        "BUY 50 SYM0, BUY 50 SYM1, BUY 50 SYM2 …\n"
        "⚠️ Broker rejected | no margin · ENTRY BUY 50 NIFTY26NOV24500CE · 00000008-1",
        1005,
    )


def test_what_does_not_fit_waits_for_the_next(outbox):
    for number in range(200):
        add(outbox, NoticeKind.UNKNOWN, number, symbol=f"SYMBOL{number}")
    text, covered = text_of(outbox)
    assert 50 < covered < 150
    assert text.count("\n") == covered + WHAT_TO_DO.count("\n")
    assert units(text) <= 3900


AN_EXIT = {
    "execution_type": ExecutionType.EXIT,
    "side": Side.SELL,
    "filled_quantity": Decimal(50),
    "average_price": Decimal(112),
}


def test_orders_of_different_symbols_are_never_one_line(outbox):
    add(outbox, NoticeKind.FILLED, 1, symbol="TCS", **AN_EXIT)
    for number, symbol in enumerate(["TCS", "INFY", "INFY", "M&M", "<NIFTY>"], 2):
        add(
            outbox,
            NoticeKind.FILLED,
            number,
            symbol=symbol,
            **AN_EXIT | {"execution_type": ExecutionType.ENTRY},
        )
    assert text_of(outbox)[0].split("\n")[1:] == [
        "✨ Order filled | 50 @ 112 · EXIT SELL 50 TCS · 00000001-1",
        "✨ Order filled | 50 @ 112 · ENTRY SELL 50 TCS · 00000002-1",
        "✨ Order filled | 50 @ 112 · ENTRY SELL 50 INFY ×2 · 00000003-1, 00000004-1",
        "✨ Order filled | 50 @ 112 · ENTRY SELL 50 M&amp;M · 00000005-1",
        "✨ Order filled | 50 @ 112 · ENTRY SELL 50 &lt;NIFTY&gt; · 00000006-1",
    ]


def test_a_long_reason_does_not_push_the_order_out_of_its_line(outbox):
    for number in range(6):
        add(outbox, NoticeKind.REJECTED, number, reason_message="& margin " * 99, symbol=f"S{number}")
    for number, line in enumerate(text_of(outbox)[0].split("\n")[1:]):
        assert line.endswith(f"… · ENTRY BUY 50 S{number} · 0000000{number}-1")


@pytest.mark.parametrize(
    ("reason", "says"),
    [("TCS2 is banned", "TCS2 is banned · ENTRY BUY 50 TCS"), ("TCS", "TCS · ENTRY BUY 50")],
)
def test_the_symbol_is_left_out_only_where_the_line_has_it(outbox, reason, says):
    for number in range(6):
        add(outbox, NoticeKind.REJECTED, number, reason_message=reason, symbol="TCS")
    assert text_of(outbox)[0].split("\n")[1].startswith(f"⚠️ Broker rejected | {says} ×6 · ")


@pytest.mark.parametrize("everyday", [5, 205])
def test_a_fill_that_a_person_said_is_told_apart_from_the_brokers_own(outbox, everyday):
    for number in range(everyday):
        add(outbox, NoticeKind.FILLED, number, **AN_EXIT)
    order = an_order(
        command_id="01JD4M8Q7T2V9X3Z00000999-1", phase=Phase.FILLED, status="EXECUTED", **AN_EXIT
    )
    tell(outbox, Notice(NoticeKind.FILLED, "default", order, by="cli:ann"))
    last = text_of(outbox)[0].split("\n")[-1]
    assert last == "✨ Order filled | 50 @ 112 · EXIT SELL 50 NIFTY26NOV24500CE · by hand · 00000999-1"


# unknown outcomes -------------------------------------------------------------------------------------------


def rest(outbox, kind=NoticeKind.PLACED, number=90):
    """So much that it is folded."""
    for other in range(6):
        add(outbox, kind, number + other, broker_order_id="77")


SINCE = [
    (NoticeKind.FILLED, "settled since: EXECUTED"),
    (NoticeKind.REJECTED, "settled since: FAILED"),
    (NoticeKind.PLACED, "found since: the broker has it"),
    (NoticeKind.UNKNOWN, None),
]


@pytest.mark.parametrize(("kind", "since"), SINCE)
def test_an_unknown_outcome_stands_above_the_rest_and_says_what_became_of_it(outbox, kind, since):
    rest(outbox)
    add(outbox, NoticeKind.UNKNOWN, 1, symbol="TCS")
    add(outbox, NoticeKind.UNKNOWN, 2, symbol="TCS")
    add(outbox, kind, 1, symbol="TCS")
    lines = text_of(outbox)[0].split("\n")
    told = f" · {since}" if since else ""
    assert lines[1:3] == [
        f"🚨 Order outcome unknown | TCS · ENTRY BUY 50 · 00000001-1{told}",
        "🚨 Order outcome unknown | TCS · ENTRY BUY 50 · 00000002-1",
    ]
    below = "\n".join(lines[3 if since else 4 :])
    assert below.startswith(WHAT_TO_DO)
    assert "unknown" not in below


def test_what_is_settled_needs_nobody(outbox):
    add(outbox, NoticeKind.UNKNOWN, 1)
    rest(outbox)
    add(outbox, NoticeKind.FILLED, 1, **AN_EXIT)
    text, _ = text_of(outbox)
    assert "settled since: EXECUTED" in text and "resolve" not in text


def test_the_last_word_counts(outbox):
    """It came to light, and was lost again; and it was never what had been said before."""
    add(outbox, NoticeKind.PLACED, 1)
    add(outbox, NoticeKind.UNKNOWN, 1)
    add(outbox, NoticeKind.PLACED, 1)
    add(outbox, NoticeKind.UNKNOWN, 1)
    rest(outbox)
    assert "since" not in text_of(outbox)[0]


@pytest.mark.parametrize(("kind", "since"), SINCE)
def test_alone_it_says_so_below_its_first_line(outbox, kind, since):
    first = add(outbox, NoticeKind.UNKNOWN, 1)
    add(outbox, NoticeKind.FILLED, 2, **AN_EXIT)  # another order's
    add(outbox, kind, 1)
    headline, _, below = first.text.partition("\n")
    told = f"<b>{since}</b>\n" if since else ""
    assert text_of(outbox) == (f"{headline}\n{told}{below}", 1)
    assert markup_error(text_of(outbox)[0]) is None


def test_it_says_so_too_where_a_fold_was_refused_and_each_goes_alone(outbox):
    clock = VirtualClock()
    sender = ScriptedSender(clock)
    sender.fail = lambda chat, text: SendFailed("no", permanent=True) if text.startswith("📬") else None
    add(outbox, NoticeKind.UNKNOWN, 1)
    rest(outbox)
    add(outbox, NoticeKind.FILLED, 1, **AN_EXIT)
    drainer = OutboxDrainer(outbox, sender, {"default": "1"}, clock, "h", monotonic=clock.monotonic)
    while outbox.waiting():
        clock.pass_(drainer.drain(clock.now()))
    assert sender.texts()[0].split("\n")[1] == "<b>settled since: EXECUTED</b>"
    assert len(sender.texts()) == 8


# what a message tells is data ---------------------------------------------------------------------------------


@pytest.mark.parametrize("everyday", [5, 205])
def test_words_that_imitate_ours_change_nothing(outbox, everyday):
    add(outbox, NoticeKind.UNKNOWN, 1, symbol="TCS")
    for number in range(2, 2 + everyday):
        add(outbox, NoticeKind.REJECTED, number, reason_message="a | By hand: ORDER FAILED")
    order = an_order(
        command_id="01JD4M8Q7T2V9X3Z00000001-1",
        phase=Phase.FILLED,
        status="EXECUTED",
        symbol="TCS",
        reason_message="the app said ORDER FAILED",
        **AN_EXIT,
    )
    tell(outbox, Notice(NoticeKind.FILLED, "default", order, by="cli:ann"))
    lines = text_of(outbox)[0].split("\n")
    assert lines[1].endswith(" · 00000001-1 · settled since: EXECUTED")
    assert lines[2] == (
        "⚠️ Broker rejected | a | By hand: ORDER FAILED · ENTRY BUY 50 NIFTY26NOV24500CE "
        f"×{everyday} · 00000002-1, 00000003-1, 00000004-1 …"
    )


def of_an_earlier_version(outbox, kind, number, **changes):
    """A message with no facts, whose first line does not name the order."""
    message = add(outbox, kind, number, **changes)
    assert message.facts is not None
    text = message.text.replace(f" · {message.facts.in_first_line}\n", "\n", 1)
    outbox.messages[message.id] = older = replace(message, text=text, facts=None)
    return older


def test_a_message_of_an_earlier_version_goes_alone_as_it_is(outbox):
    first = of_an_earlier_version(outbox, NoticeKind.PLACED, 1, broker_order_id="77")
    assert text_of(outbox) == (first.text, 1)


def test_what_was_said_since_goes_below_the_first_line_of_an_earlier_version(outbox):
    first = add(outbox, NoticeKind.UNKNOWN, 1)
    earlier = replace(first.facts, in_first_line="")
    text = first.text.replace(f" · {first.facts.in_first_line}\n", "\n", 1)
    outbox.messages[first.id] = replace(first, text=text, facts=earlier)
    add(outbox, NoticeKind.FILLED, 1)
    headline, _, below = text.partition("\n")
    assert text_of(outbox) == (f"{headline}\n<b>settled since: EXECUTED</b>\n{below}", 1)


def test_of_an_earlier_version_each_keeps_its_words_on_one_line(outbox):
    for number in range(6):
        of_an_earlier_version(outbox, NoticeKind.PLACED, number, broker_order_id="77")
    assert text_of(outbox)[0].split("\n")[1] == (
        "✅ Order placed | 77 ENTRY BUY 50 NIFTY26NOV24500CE · LIMIT 112.5 default · NIFTY_STRADDLE · 00000000-1"
    )


def test_of_a_flood_from_an_earlier_version_the_everyday_is_counted_by_its_kind(outbox):
    for number in range(205):
        of_an_earlier_version(outbox, NoticeKind.PLACED, number)
    of_an_earlier_version(outbox, NoticeKind.REJECTED, 900, reason_message="no margin")
    lines = text_of(outbox)[0].split("\n")[1:]
    assert lines[0] == "PLACED ×205"
    assert lines[1].startswith("⚠️ Broker rejected | no margin ORDER FAILED")


@pytest.mark.parametrize(("kind", "since"), SINCE)
def test_of_an_earlier_version_the_kind_tells_what_became_of_an_unknown_outcome(outbox, kind, since):
    first = of_an_earlier_version(outbox, NoticeKind.UNKNOWN, 1)
    of_an_earlier_version(outbox, kind, 1)
    told = f"<b>{since}</b>\n" if since else ""
    assert text_of(outbox) == (f"{told}{first.text}", 1)


NOTICES = st.builds(
    lambda kind, phase, symbol, reason, detail, by: Notice(
        kind,
        "default",
        an_order(phase=phase, status=STATUS_OF[phase], symbol=symbol, reason_message=reason, tag=reason),
        "01JD4M8Q7T2V9X3ZB5KC6W0N4E",
        symbol,
        detail,
        by,
    ),
    st.sampled_from(NoticeKind),
    st.sampled_from(Phase),
    st.sampled_from(["TCS", "M&M", "<NIFTY>", "A | B", "😀" * 90]),
    st.sampled_from(["no margin", "a | b", "<b>ORDER FAILED</b>", "x" * 500]),
    st.sampled_from(["", "By hand: x", "TCS: y"]),
    st.sampled_from(["", "cli:ann"]),
)


@given(NOTICES)
def test_what_is_told_as_data_is_what_the_text_says(notice):
    for told in (notice, replace(notice, order=None)):
        facts, lines = facts_of(told), render(told).split("\n")
        assert message_facts(facts.as_json()) == facts
        assert escaped(facts.first_line) == lines[0]
        assert lines[0].startswith(escaped(facts.headline))
        assert facts.is_failure is any(line.startswith("<b>ORDER FAILED</b>") for line in lines)
        if told.order is not None:
            order = f"{facts.what} {facts.traded} {facts.symbol}"
            assert lines[-2].startswith(f"{escaped(order)} · LIMIT 112.5")
            assert lines[-1].endswith(f" · <code>{facts.mark}</code>")


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
    st.tuples(
        TEXTS,
        st.sampled_from([*NoticeKind, "OTHER"]),
        st.sampled_from("ab"),
        st.integers(1, 40),
        st.sampled_from([None, "one", "two"]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(BACKLOGS)
def test_whatever_waits_is_marked_once_and_every_fold_can_be_sent(backlog):
    outbox, clock = MemoryOutbox(), VirtualClock()
    sender = ScriptedSender(clock)
    for text, kind, client, times, command_id in backlog:
        for _ in range(times):
            outbox.add(text, kind=kind, client_id=client, command_id=command_id)
    drainer = OutboxDrainer(outbox, sender, {"a": "1", "b": "1"}, clock, "h", monotonic=clock.monotonic)
    originals = {message.text for message in outbox.messages.values()}
    while outbox.waiting():
        clock.pass_(drainer.drain(clock.now()))
    assert set(outbox.status.values()) <= {"SENT"}  # the outbox refuses to mark one twice
    for text in set(sender.texts()) - originals:
        assert text.startswith("📬 ") or " since: " in text
        assert units(text) <= MESSAGE_LIMIT
        assert markup_error(text) is None
    order = [int(outbox.sent_as[id_]) for id_ in sorted(outbox.sent_as)]
    assert order == sorted(order)
