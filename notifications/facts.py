"""Extract the facts of a message as data, from the notice that `messages` renders. Digests are made from them."""

import html

from domain.message_facts import MessageFacts
from domain.notices import Notice, NoticeKind
from domain.states import Status
from notifications.messages import (
    headline,
    is_led_by_symbol,
    lift_command,
    said_by_hand,
    shown_id,
    traded,
    traded_first,
)
from notifications.protection_titles import OF_PROTECTIONS


def facts_of(notice: Notice) -> MessageFacts:
    """Return a notice's facts. Defined for every notice, and in agreement with the text of `messages.render`."""
    title, about = map(html.unescape, headline(notice))
    order = notice.order
    if order is None:
        is_failure = notice.kind is NoticeKind.ALERT_REJECTED
        return MessageFacts(title, about, mark=_mark(notice), is_failure=is_failure)
    units, symbol = map(html.unescape, traded(order))
    return MessageFacts(
        title,
        about,
        what=str(order.execution_type),
        traded=units,
        symbol=symbol,
        mark=html.unescape(shown_id(order)),
        is_about_symbol=about == symbol or is_led_by_symbol(notice),
        by_hand=bool(said_by_hand(notice, order)),
        in_first_line=html.unescape(traded_first(notice)),
        is_failure=order.status is Status.FAILED and notice.kind not in OF_PROTECTIONS,
    )


def _mark(notice: Notice) -> str:
    if notice.kind is NoticeKind.LOSS_LIMIT_HIT:
        return html.unescape(lift_command(notice))
    return html.unescape(shown_id(notice))
