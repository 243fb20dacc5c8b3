"""Zerodha as the shared tests know it, and its answers."""

from collections.abc import Sequence
from typing import Any

from tests.broker.zerodha.making import TOKEN, USER, a_server, make, order_row
from tests.contract.http_broker import HttpBroker
from tests.contract.http_stub import Answer, hangs_up, says


def success(data: Any) -> Answer:
    return says({"status": "success", "data": data})


def fails(status: int, error_type: str, message: str) -> Answer:
    return says({"status": "error", "error_type": error_type, "message": message, "data": None}, status)


def whose(user: str) -> Answer:
    return success({"user_id": user})


def rows(call: str, found: Sequence[Any]) -> Answer:
    return success({"net": found} if call == POSITIONS else found)


def _refusal(status: int, error_type: str, message: str, told: str) -> tuple[Answer, str, str]:
    return fails(status, error_type, message), message, told


POSITIONS = "GET portfolio/positions"
PLACED = success({"order_id": "261120000000001"})
ENDED = fails(403, "TokenException", "Incorrect `api_key` or `access_token`.")
TOO_MANY = fails(429, "NetworkException", "Too many requests")
FULL = fails(429, "GeneralException", "Maximum allowed order requests exceeded.")
DOWN = fails(503, "NetworkException", "down")
TRAP = "Order request timed out. Please check the order book and confirm before placing again."

ZERODHA = HttpBroker(
    name="zerodha",
    make=make,
    a_server=a_server,
    user=USER,
    token=TOKEN,
    remedy=r"06:00.*log in",
    file_remedy=r"python -m broker\.zerodha",
    told={"GET user/profile": whose(USER), "GET portfolio/holdings": success([])},
    profile="GET user/profile",
    place="POST orders/regular",
    order="orders/regular",
    book="GET orders",
    positions=POSITIONS,
    whose=whose,
    unchecked=[hangs_up, DOWN, success({})],
    ended=[ENDED],
    placed=PLACED,
    number="261120000000001",
    rows=rows,
    row=lambda number, day: order_row(order_id=number, order_timestamp=f"{day} 09:31:05"),
    no_rows=[
        DOWN,
        ENDED,
        TOO_MANY,
        says(b"<html></html>"),
        says({"status": "success"}),
        says({"status": "success", "data": None}),
        success({}),
        success(["row"]),
        hangs_up,
    ],
    refusals=[
        _refusal(400, "InputException", "Invalid `tradingsymbol`.", "INPUT"),
        _refusal(
            400, "InputException", "RMS:Rule: Check circuit limit including square off order exceeds", "RMS"
        ),
        _refusal(
            400,
            "MarginException",
            "Insufficient funds. Required margin is 9000.00 but available margin is 1.",
            "MARGIN",
        ),
        _refusal(400, "HoldingException", "Insufficient stock holding", "HOLDING"),
        _refusal(400, "OrderException", "Trigger price for stoploss buy orders should be higher", "ORDER"),
        _refusal(
            403,
            "PermissionException",
            "IP (203.0.113.9) is not allowed to place orders for this app.",
            "IP_NOT_ALLOWED",
        ),
        _refusal(
            400,
            "PermissionException",
            "No IPs configured for this app. Add allowed IPs on the console.",
            "IP_NOT_ALLOWED",
        ),
        _refusal(
            400,
            "InputException",
            "Orders with market_protection 0 are not allowed via API",
            "MARKET_PROTECTION",
        ),
    ],
    refused_address=(
        fails(403, "PermissionException", "IP (203.0.113.9) is not allowed to place orders"),
        r"developers\.kite\.trade",
    ),
    prove_nothing=[
        fails(400, "OrderException", TRAP),
        fails(400, "InputException", TRAP),
        fails(500, "OrderException", "Order placement failed"),
        fails(500, "GeneralException", "Something unexpected went wrong"),
        fails(502, "DataException", "Invalid response from the OMS"),
        fails(503, "NetworkException", "Gateway is down"),
        fails(504, "InputException", "Invalid `price`."),
        fails(400, "NetworkException", "no route"),
        fails(400, "GeneralException", "Unclassified"),
        fails(400, "DataException", "corrupt"),
        fails(400, "BrandNewException", "Invalid `price`."),
        fails(400, "InputException", ""),
        fails(200, "InputException", "Invalid `price`."),
        fails(429, "NetworkException", "You are blocked for a while"),
        says(b'{"status":"success","data":{"order', 200),
        success({}),
        success(None),
        success({"order_id": ""}),
    ],
    turned_away=[(TOO_MANY, "429"), (FULL, "429"), (ENDED, "401")],
    full=FULL,
    down=DOWN,
    inexpressible=[
        ({"client_order_id": "x" * 21}, "client order id"),
        ({"client_order_id": "ow-1"}, "client order id"),
    ],
    doubted=[
        {"kind": "refuse_after"},  # HTTP 400: "Order request timed out. …"
        {"kind": "refuse_after", "emsg": "GeneralException: Something", "status": 500},
        {"kind": "refuse_after", "emsg": "NetworkException: Too many requests", "status": 429},
        {"kind": "refuse_after", "emsg": "TokenException: Incorrect `access_token`.", "status": 403},
    ],
)
