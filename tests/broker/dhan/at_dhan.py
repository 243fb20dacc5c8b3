"""Dhan as the shared tests know it, and its answers."""

from decimal import Decimal

from domain.enums import OrderType
from tests.broker.dhan.making import CLIENT, TOKEN, a_server, make, order_row
from tests.contract.http_broker import HttpBroker
from tests.contract.http_stub import Answer, hangs_up, says


def fails(status: int, code: str, message: str, kind: str = "Order_Error") -> Answer:
    return says({"errorType": kind, "errorCode": code, "errorMessage": message}, status)


def whose(user: str) -> Answer:
    return says({"dhanClientId": user, "tokenValidity": "21/11/2026 09:00"})


def _refusal(status: int, code: str, message: str, told: str) -> tuple[Answer, str, str]:
    return fails(status, code, message), message, told


PLACED = says({"orderId": "112111182045", "orderStatus": "TRANSIT"})
INVALID_TOKEN = fails(400, "DH-906", "Invalid Token")
TOO_MANY = fails(429, "DH-904", "Too many requests")
DOWN = fails(503, "DH-909", "down")
NO_HOLDINGS = fails(500, "DH-1111", "No holdings available", "HOLDING_ERROR")

DHAN = HttpBroker(
    name="dhan",
    make=make,
    a_server=a_server,
    user=CLIENT,
    token=TOKEN,
    remedy=r"24 hours.*web\.dhan\.co",
    file_remedy=r"web\.dhan\.co",
    told={"GET profile": whose(CLIENT), "GET holdings": NO_HOLDINGS},
    profile="GET profile",
    place="POST orders",
    order="orders",
    book="GET orders",
    positions="GET positions",
    whose=whose,
    unchecked=[hangs_up, DOWN, says({}), says([])],
    ended=[
        INVALID_TOKEN,
        fails(401, "DH-901", "Client ID or user generated access token is invalid or expired."),
        says({"status": "failed", "data": {"807": "Access token expired"}}, 401),
    ],
    placed=PLACED,
    number="112111182045",
    rows=lambda _, rows: says(rows),
    row=lambda number, day: order_row(
        orderId=number, createTime=f"{day} 09:31:05", updateTime=f"{day} 09:31:05"
    ),
    no_rows=[
        DOWN,
        INVALID_TOKEN,
        TOO_MANY,
        fails(500, "DH-1111", "Something else"),
        says(b"<html></html>"),
        says(b"null"),
        says({"status": "success"}),
        says(["row"]),
        says({"errorCode": "DH-906", "errorMessage": "x"}),
        hangs_up,
    ],
    refusals=[
        _refusal(400, "DH-906", "Incorrect request for order and cannot be processed", "DH-906"),
        _refusal(400, "DH-906", "Insufficient Funds", "DH-906"),
        _refusal(400, "DH-906", "RMS:Rule: Check circuit limit", "RMS"),
        _refusal(400, "DH-905", "Missing required fields, bad values for parameters etc.", "DH-905"),
        _refusal(403, "DH-902", "User does not have access to Trading APIs", "DH-902"),
        _refusal(400, "DH-903", "Segment is not activated", "DH-903"),
        _refusal(400, "DH-905", "Invalid IP", "IP_NOT_ALLOWED"),
        _refusal(403, "DH-911", "Request from another machine", "IP_NOT_ALLOWED"),
        _refusal(400, "DH-906", "EDIS authorisation is pending", "DELIVERY_NOT_AUTHORISED"),
    ],
    refused_address=(fails(400, "DH-905", "Invalid IP"), r"static IP at web\.dhan\.co"),
    prove_nothing=[
        fails(400, "DH-907", "No data present"),
        fails(400, "DH-908", "Internal Server Error"),
        fails(500, "DH-908", "Server was not able to process"),
        fails(400, "DH-909", "Unable to communicate with the backend"),
        fails(504, "DH-909", "Network"),
        fails(400, "DH-908", "Server was busy"),
        fails(400, "DH-909", "Network"),
        fails(400, "DH-910", "Others"),
        # Seen: a sandbox, after it was placed.
        fails(500, "DH-906", "Incorrect request for order and cannot be processed"),
        fails(200, "DH-906", "Insufficient Funds"),
        fails(400, "DH-906", "Request timed out, please check the order book"),
        fails(400, "DH-906", "Something went wrong, try again"),
        fails(400, "DH-906", ""),
        fails(400, "DH-950", "Brand new"),
        fails(400, "", "no code"),
        fails(429, "DH-905", "blocked"),
        says(b'{"orderId":"1121', 200),
        says({"orderStatus": "TRANSIT"}),
        says({"orderId": "", "orderStatus": "TRANSIT"}),
        says({"orderId": "1", "errorCode": "DH-906", "errorMessage": "and yet"}),
    ],
    turned_away=[
        (TOO_MANY, "429"),
        (fails(400, "DH-904", ""), "429"),
        (says({"status": "failed", "data": {"805": "Too many requests"}}, 429), "429"),
        (fails(401, "DH-901", "Client ID or user generated access token is invalid or expired."), "401"),
        (INVALID_TOKEN, "401"),
        (fails(400, "DH-905", "Access token is expired."), "401"),
        (says({"status": "failed", "data": {"808": "Authentication Failed"}}, 401), "401"),
    ],
    full=TOO_MANY,
    down=DOWN,
    inexpressible=[
        ({"client_order_id": "x" * 31}, "client order id"),
        ({"client_order_id": "ow 1"}, "client order id"),
        ({"order_type": OrderType.LIMIT, "price": Decimal("1.00000000000000001")}, "price"),
    ],
    doubted=[
        {"kind": "refuse_after"},  # HTTP 400 with DH-909
        {"kind": "refuse_after", "emsg": "DH-906: Incorrect request", "status": 500},
        {"kind": "refuse_after", "emsg": "DH-904: Too many requests", "status": 429},
        {"kind": "refuse_after", "emsg": "DH-901: expired", "status": 401},
    ],
)
