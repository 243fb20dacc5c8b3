"""What Telegram takes: whatever stands in a message, its markup is whole and it is short enough."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.notices import Notice, NoticeKind
from domain.states import STATUS_OF, Phase
from notifications.markup import MESSAGE_LIMIT, escaped, safe, units, without_markup
from notifications.messages import render
from tests.notifications.fakes import START, an_order, markup_error

NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "<b>",
            "</code>",
            "&amp;",
            "&" * 5000,
            "😀" * 3000,
            "\ud800",
            "\x00\n\r\u2028",
            "\u202ex",
            "a" * 9000,
        ]
    ),
)


@given(
    kind=st.sampled_from(NoticeKind),
    phase=st.sampled_from(Phase),
    texts=st.lists(NASTY, min_size=10, max_size=10),
    filled=st.sampled_from([Decimal(0), Decimal(20), Decimal(75), Decimal("1e-40")]),
)
def test_whatever_is_put_in_telegram_takes_it(kind, phase, texts, filled):
    client, strategy, symbol, tag, reason, broker_id, detail, command_id, snippet, tag_there = texts
    order = an_order(
        client_id=client,
        strategy_name=strategy,
        symbol=symbol,
        tag=tag or None,
        reason_message=reason or None,
        broker_order_id=broker_id or None,
        command_id=command_id,
        client_order_id=tag_there,
        exchange_error_snippet=snippet or None,
        filled_quantity=filled,
        phase=phase,
        status=STATUS_OF[phase],
        sent_at=START,
    )
    notice = Notice(kind, client, order, order.alert_id, symbol, detail)
    for told in (notice, replace(notice, order=None)):
        text = render(told)
        assert text.strip()
        assert units(text) <= MESSAGE_LIMIT
        assert markup_error(text) is None
        text.encode()  # no lone surrogate: it could not be stored


@given(text=NASTY, room=st.integers(min_value=2, max_value=300))
def test_a_shortened_text_is_whole_characters(text, room):
    short = safe(text, room)
    assert units(short) <= room
    assert markup_error(short) is None


def test_what_a_reader_sees():
    assert without_markup("<b>ORDER FAILED</b> · a &lt;b&gt; &amp;amp;") == "ORDER FAILED · a <b> &amp;"


@given(text=NASTY)
def test_what_is_escaped_reads_as_it_was_and_is_no_markup(text):
    assert markup_error(escaped(text)) is None
    assert without_markup(escaped(text)) == text
