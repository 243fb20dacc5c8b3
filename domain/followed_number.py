"""Find the report under the broker's number that an operator gave for an order. Pure."""

import json

from domain.broker_reports import Book, OrderRef, OrderReport
from domain.lost_tags import is_rest_of_tag
from domain.notice_keys import Alarm, NoticeSubject, of_order
from domain.order import Order

FOLLOWED = "followed"
"""The key in an order's context for the broker order number that an operator gave for it."""


def find_followed(order: Order, book: Book) -> tuple[OrderReport | None, tuple[Alarm, ...]]:
    """Find the report under the number that an operator gave, if it can be this order's; else raise an alarm.

    The alarm catches a mistyped number. The row takes the number over only when the book has shown it; until then the
    operator can correct it.
    """
    number = json.loads(order.context_json).get(FOLLOWED) if order.context_json else None
    if number is None:
        return None, ()
    report = book.by_id.get(number)
    if report is None:
        text = f"broker order {number}, which it is said to be, is not in the book"
        hidden = book.hides(OrderRef(order.client_order_id, number), order.exchange, order.symbol)
        alarm = Alarm(of_order(NoticeSubject.FOLLOWED_IS_MISSING, order.command_id, number), text)
        return None, (alarm,) if book.complete and hidden is None else ()
    same = (report.exchange, report.symbol, report.side) == (order.exchange, order.symbol, order.side)
    is_other = report.client_order_id != order.client_order_id
    if not same or (is_other and not is_rest_of_tag(report.client_order_id, order.client_order_id)):
        what = f"{report.side} {report.symbol}" + (
            f" tagged {report.client_order_id}" if report.client_order_id else ""
        )
        facts = (number, report.side, report.symbol, report.client_order_id or "")
        text = f"broker order {number}, which it is said to be, is {what}: not this order"
        return None, (Alarm(of_order(NoticeSubject.FOLLOWED_IS_ANOTHERS, order.command_id, *facts), text),)
    return report, ()
