"""Rows and records as Kite Connect writes them, made from those of the Noren wire. Numbers are JSON numbers."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from broker.simulator.endpoints import Body
from broker.simulator.json_rows import Fields, plain, time_of, without_missing

_STATUSES = {
    "PENDING": "PUT ORDER REQ RECEIVED",
    "TRIGGER_PENDING": "TRIGGER PENDING",
    "CANCELED": "CANCELLED",
    "EXPIRED": "CANCELLED",  # the book has no other word for it
}
_SIDES = {"B": "BUY", "S": "SELL"}
_PRODUCTS = {"C": "CNC", "M": "NRML", "I": "MIS"}
_TYPES = {"LMT": "LIMIT", "MKT": "MARKET", "SL-LMT": "SL", "SL-MKT": "SL-M"}
_EXCHANGES = ["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX"]


def data_of(endpoint: str, body: Body) -> Any:
    """Return Kite's `data` of a call's answer."""
    if isinstance(body, list):
        return _book(endpoint, body)
    match endpoint:
        case "PlaceOrder":
            return {"order_id": body["norenordno"]}
        case "ModifyOrder" | "CancelOrder":
            return {"order_id": body["result"]}
        case "UserDetails":
            return profile(str(body["uid"]))
        case "GetQuotes":
            return {"instrument_token": plain(body["token"]), "last_price": plain(body["lp"])}
        case "Limits":
            return _margins(body)
        case _:
            return True


def content(answer: bytes) -> Any:
    """Return the `data` of an answer that was written; None if it cannot be read."""
    try:
        return json.loads(answer)["data"]
    except (ValueError, LookupError, TypeError):
        return None


def profile(uid: str) -> Fields:
    """The user's profile."""
    return {
        "user_id": uid,
        "user_type": "individual",
        "email": f"{uid.lower()}@example.com",
        "user_name": uid,
        "user_shortname": uid,
        "broker": "ZERODHA",
        "exchanges": _EXCHANGES,
        "products": list(_PRODUCTS.values()),
        "order_types": list(_TYPES.values()),
        "avatar_url": None,
        "meta": {"demat_consent": "consent"},
    }


def session(uid: str, api_key: str, token: str) -> Fields:
    """The record of a login."""
    return {
        **profile(uid),
        "api_key": api_key,
        "access_token": token,
        "public_token": token[:32],
        "refresh_token": "",
        "enctoken": "",
        "login_time": "2026-01-01 08:00:00",
    }


def _book(endpoint: str, found: list[dict[str, str]]) -> Any:
    match endpoint:
        case "PositionBook":
            net = [_position(row) for row in found]
            return {"net": net, "day": net}
        case "Holdings":
            return [_holding(row) for row in found]
        case "TradeBook":
            return [_trade(row) for row in reversed(found)]
        case _:
            return [_order(row) for row in reversed(found)]


def _order(row: Mapping[str, str]) -> Fields:
    at = time_of(row)
    ended = row["status"] in ("CANCELED", "REJECTED", "EXPIRED", "COMPLETE")
    quantity, filled = plain(row.get("qty")), plain(row.get("fillshares", "0"))
    left = quantity - filled if isinstance(quantity, int) and isinstance(filled, int) else 0
    order = {
        "placed_by": row["uid"],
        "order_id": row["norenordno"],
        "exchange_order_id": row.get("exchordid"),
        "parent_order_id": None,
        "status": _STATUSES.get(row["status"], row["status"]),
        "status_message": row.get("rejreason"),
        "status_message_raw": row.get("rejreason"),
        "order_timestamp": at,
        "exchange_update_timestamp": at,
        "exchange_timestamp": at,
        "variety": "regular",
        "modified": False,
        "exchange": row["exch"],
        "tradingsymbol": row.get("tsym"),
        "instrument_token": plain(row["token"]),
        "order_type": _TYPES[row["prctyp"]],
        "transaction_type": _SIDES[row["trantype"]],
        "validity": row["ret"],
        "validity_ttl": 0,
        "product": _PRODUCTS[row["prd"]],
        "quantity": quantity,
        "disclosed_quantity": plain(row["dscqty"]),
        "price": plain(row["prc"]),
        "trigger_price": plain(row.get("trgprc", "0")),
        "average_price": plain(row.get("avgprc", "0")),
        "filled_quantity": filled,
        "pending_quantity": 0 if ended else left,
        "cancelled_quantity": left if row["status"] in ("CANCELED", "EXPIRED") else 0,
        "market_protection": 0,
        "meta": {},
        "tag": row.get("remarks"),
        "guid": row["norenordno"],
    }
    return without_missing(order, row, quantity="qty", tradingsymbol="tsym")


def _trade(row: Mapping[str, str]) -> Fields:
    at = time_of(row)
    return {
        "trade_id": row["flid"],
        "order_id": row["norenordno"],
        "exchange": row["exch"],
        "tradingsymbol": row["tsym"],
        "instrument_token": plain(row["token"]),
        "product": _PRODUCTS[row["prd"]],
        "average_price": plain(row["flprc"]),
        "quantity": plain(row["flqty"]),
        "exchange_order_id": row.get("exchordid"),
        "transaction_type": _SIDES[row["trantype"]],
        "fill_timestamp": at,
        "order_timestamp": at[11:],
        "exchange_timestamp": at,
    }


def _position(row: Mapping[str, str]) -> Fields:
    result = plain(str(Decimal(row["rpnl"]) + Decimal(row["urmtom"])))
    bought, sold = plain(row["daybuyqty"]), plain(row["daysellqty"])
    quantity = plain(row.get("netqty"))
    overnight = quantity - bought + sold if isinstance(quantity, int) else 0
    position = {
        "tradingsymbol": row.get("tsym"),
        "exchange": row["exch"],
        "instrument_token": plain(row["token"]),
        "product": _PRODUCTS[row["prd"]],
        "quantity": quantity,
        "overnight_quantity": overnight,
        "multiplier": 1,
        "average_price": plain(row["netavgprc"]),
        "close_price": 0,
        "last_price": plain(row["lp"]),
        "value": plain(str(Decimal(row["daysellamt"]) - Decimal(row["daybuyamt"]))),
        "pnl": result,
        "m2m": result,
        "unrealised": result,
        "realised": 0,
        "day_buy_quantity": bought,
        "day_buy_price": plain(row["daybuyavgprc"]),
        "day_buy_value": plain(row["daybuyamt"]),
        "day_sell_quantity": sold,
        "day_sell_price": plain(row["daysellavgprc"]),
        "day_sell_value": plain(row["daysellamt"]),
    }
    return without_missing(position, row, quantity="netqty", tradingsymbol="tsym")


def _holding(row: Mapping[str, Any]) -> Fields:
    listed = row["exch_tsym"][0]
    held, sold = plain(row.get("holdqty")), plain(row["usedqty"])
    holding = {
        "tradingsymbol": listed["tsym"],
        "exchange": listed["exch"],
        "instrument_token": plain(listed["token"] or "0"),
        "isin": "",
        "product": "CNC",
        "price": 0,
        "quantity": held - sold if isinstance(held, int) and isinstance(sold, int) else held,
        "used_quantity": sold,
        "t1_quantity": 0,
        "realised_quantity": held,
        "authorised_quantity": 0,
        "opening_quantity": held,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": 0,
        "last_price": 0,
        "close_price": 0,
        "pnl": 0,
        "day_change": 0,
        "day_change_percentage": 0,
    }
    return without_missing(holding, row, opening_quantity="holdqty")


def _margins(body: Mapping[str, Any]) -> Fields:
    cash, used = Decimal(str(body["cash"])), Decimal(str(body["marginused"]))
    equity = {
        "enabled": True,
        "net": plain(str(cash - used)),
        "available": {"cash": plain(str(cash)), "live_balance": plain(str(cash - used))},
        "utilised": {"debits": plain(str(used))},
    }
    return {"equity": equity, "commodity": {"enabled": False, "net": 0, "available": {}, "utilised": {}}}
