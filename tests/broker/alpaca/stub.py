"""What a server that is told its answers says for Alpaca."""

from typing import Any

from domain.ids import client_order_id
from tests.broker.alpaca.making import account_row, order_row
from tests.contract.http_stub import Answer, says

BY_OUR_ID = "GET v2/orders:by_client_order_id"


def fails(status: int, code: int | None, message: str) -> Answer:
    return says({**({} if code is None else {"code": code}), "message": message}, status)


IN_USE = fails(422, 40010001, "client_order_id must be unique")
KEYS = fails(401, 40110000, "request is not authorized")
MISSING = fails(404, 40410000, "order not found for x")


def placed(intent: str = "first", **changes: Any) -> Answer:
    """The order with the id of that intent was taken."""
    return says(order_row(**{"status": "pending_new", "client_order_id": client_order_id(intent), **changes}))


TOLD: dict[str, Answer] = {
    "GET v2/account": says(account_row()),
    "GET v2/orders": says([]),
    "GET v2/positions": says([]),
    BY_OUR_ID: MISSING,
}
"""The account, no orders, no order by any id."""
