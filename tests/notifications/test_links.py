"""A message about an order leads to its page."""

import pytest

from domain.notices import Notice, NoticeKind
from domain.states import Phase
from notifications.links import linked
from notifications.markup import MESSAGE_LIMIT, units
from notifications.messages import render
from tests.notifications.golden_messages import about

ADDRESS = "https://desk.example/orders/"


@pytest.mark.parametrize("url", ["https://desk.example", "https://desk.example/"])
def test_a_message_about_an_order_ends_with_its_page(url):
    notice = about(NoticeKind.PLACED, Phase.WORKING, broker_order_id="B1")
    order = notice.order
    assert order is not None
    text = linked(render, url)(notice)
    assert text.endswith(f'\n<a href="{ADDRESS}{order.command_id}">Open on the console</a>')


def test_without_an_address_or_an_order_nothing_is_added():
    placed = about(NoticeKind.PLACED, Phase.WORKING, broker_order_id="B1")
    assert linked(render, None)(placed) == render(placed)
    alone = Notice(NoticeKind.SYSTEM, "default", detail="x")
    assert linked(render, ADDRESS)(alone) == render(alone)


def test_a_message_never_grows_beyond_what_fits():
    notice = about(NoticeKind.PLACED, Phase.WORKING, broker_order_id="B1")
    for length in range(MESSAGE_LIMIT - 150, MESSAGE_LIMIT + 1):
        text = linked(lambda _, n=length: "x" * n, ADDRESS)(notice)
        assert units(text) <= MESSAGE_LIMIT and text.startswith("x" * length)
