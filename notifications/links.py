"""Link a message about an order to the order's page on the console."""

from collections.abc import Callable
from html import escape
from urllib.parse import quote

from domain.notices import Notice
from notifications.markup import MESSAGE_LIMIT, units

Render = Callable[[Notice], str]


def linked(render: Render, console_url: str | None) -> Render:
    """Return a renderer that ends a message about an order with a link, where it fits; as it is without an address.

    Args:
        console_url: the console's address as people reach it, `https://desk.example/orderwatch`.
    """
    if console_url is None:
        return render
    base = console_url.rstrip("/")

    def with_link(notice: Notice) -> str:
        text = render(notice)
        if notice.order is None:
            return text
        address = escape(f"{base}/orders/{quote(notice.order.command_id, safe='')}")
        longer = f'{text}\n<a href="{address}">Open on the console</a>'
        return longer if units(longer) <= MESSAGE_LIMIT else text

    return with_link
