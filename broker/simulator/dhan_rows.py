"""Rows and records as DhanHQ writes them, made from those of the Noren wire."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from broker.simulator.endpoints import Body
from broker.simulator.json_rows import Fields, plain, time_of, without_missing

SEGMENTS = {
    "NSE": "NSE_EQ", "BSE": "BSE_EQ", "NFO": "NSE_FNO", "BFO": "BSE_FNO", "MCX": "MCX_COMM", "CDS": "NSE_CURRENCY",
    "BCD": "BSE_CURRENCY",
}  # fmt: skip
PRODUCTS = {"CNC": "C", "MARGIN": "M", "INTRADAY": "I"}
TYPES = {"LIMIT": "LMT", "MARKET": "MKT", "STOP_LOSS": "SL-LMT", "STOP_LOSS_MARKET": "SL-MKT"}
SIDES = {"BUY": "B", "SELL": "S"}

_STATUSES = {
    "PENDING": "TRANSIT",
    "OPEN": "PENDING",
    "TRIGGER_PENDING": "PENDING",
    "COMPLETE": "TRADED",
    "CANCELED": "CANCELLED",
}
_WORDS = {
    name: {theirs: ours for ours, theirs in words.items()}
    for name, words in {"prd": PRODUCTS, "prctyp": TYPES, "trantype": SIDES}.items()
}
_MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_DATED = re.compile(r"-(?P<day>\d\d)(?P<month>[A-Z]{3})(?P<year>\d{4})(?=-|$)")


def answer_of(endpoint: str, body: Body) -> Any:
    """Return Dhan's answer to a call."""
    if isinstance(body, list):
        return _book(endpoint, body)
    match endpoint:
        case "PlaceOrder":
            return {"orderId": body["norenordno"], "orderStatus": "TRANSIT"}
        case "ModifyOrder":
            return {"orderId": body["result"], "orderStatus": "TRANSIT"}
        case "CancelOrder":
            return {"orderId": body["result"], "orderStatus": "CANCELLED"}
        case "UserDetails":
            return profile(str(body["uid"]))
        case "GetQuotes":
            return {"last_price": plain(body["lp"])}
        case "Limits":
            return _funds(body)
        case _:
            return {"status": "success"}


def profile(uid: str) -> Fields:
    """The user's profile."""
    return {
        "dhanClientId": uid,
        "tokenValidity": "31/12/2099 23:59",
        "activeSegment": "Equity, Derivative, Currency, Commodity",
        "ddpi": "Active",
        "mtf": "Deactive",
        "dataPlan": "Active",
        "dataValidity": "2099-12-31 23:59:59.0",
    }


def _book(endpoint: str, found: list[dict[str, str]]) -> Any:
    match endpoint:
        case "PositionBook":
            return [_position(row) for row in found]
        case "Holdings":
            return [_holding(row) for row in found]
        case "TradeBook":
            return [_trade(row) for row in reversed(found)]
        case "SingleOrdHist":
            return _order(found[0])  # the newest state alone
        case _:
            return [_order(row) for row in reversed(found)]


def _named(row: Mapping[str, str]) -> Fields:
    """A contract's name has no day, as at the real broker; but for those of MCX."""
    tsym, expiry = row.get("tsym", ""), "0001-01-01"
    dated = None if row["exch"] == "MCX" else _DATED.search(tsym)
    if dated is not None:
        month = _MONTHS.index(dated["month"]) // 3 + 1
        expiry = f"{dated['year']}-{month:02}-{dated['day']}"
        tsym = f"{tsym[: dated.start()]}-{dated['month'].title()}{dated['year']}{tsym[dated.end() :]}"
    return {
        "exchangeSegment": SEGMENTS[row["exch"]],
        "tradingSymbol": tsym,
        "securityId": row["token"],
        "productType": _WORDS["prd"][row["prd"]],
        "drvExpiryDate": expiry,
        "drvOptionType": "NA",
        "drvStrikePrice": 0.0,
    }


def _order(row: Mapping[str, str]) -> Fields:
    at = time_of(row)
    quantity, filled = plain(row.get("qty")), plain(row.get("fillshares", "0"))
    is_counted = isinstance(quantity, int) and isinstance(filled, int)
    is_partly_filled = row["status"] == "OPEN" and is_counted and filled
    status = "PART_TRADED" if is_partly_filled else _STATUSES.get(row["status"], row["status"])
    order = {
        "dhanClientId": row["uid"],
        "orderId": row["norenordno"],
        "exchangeOrderId": row.get("exchordid"),
        "correlationId": row.get("remarks"),
        "orderStatus": status,
        "transactionType": _WORDS["trantype"][row["trantype"]],
        "orderType": _WORDS["prctyp"][row["prctyp"]],
        "validity": row["ret"],
        **_named(row),
        "quantity": quantity,
        "disclosedQuantity": plain(row["dscqty"]),
        "price": plain(row["prc"]),
        "triggerPrice": plain(row.get("trgprc", "0")),
        "afterMarketOrder": False,
        "boProfitValue": 0.0,
        "boStopLossValue": 0.0,
        "legName": "NA",
        "createTime": at,
        "updateTime": at,
        "exchangeTime": at,
        "omsErrorCode": "0",
        "omsErrorDescription": row.get("rejreason", "CONFIRMED"),
        "algoId": "0",
        "remainingQuantity": quantity - filled if is_counted else 0,
        "averageTradedPrice": plain(row.get("avgprc", "0")),
        "filledQty": filled,
    }
    return without_missing(order, row, quantity="qty", tradingSymbol="tsym")


def _trade(row: Mapping[str, str]) -> Fields:
    at = time_of(row)
    return {
        "dhanClientId": row["uid"],
        "orderId": row["norenordno"],
        "exchangeOrderId": row.get("exchordid"),
        "exchangeTradeId": row["flid"],
        "transactionType": _WORDS["trantype"][row["trantype"]],
        "orderType": _WORDS["prctyp"][row["prctyp"]],
        **_named(row),
        "tradedQuantity": plain(row["flqty"]),
        "tradedPrice": plain(row["flprc"]),
        "createTime": at,
        "updateTime": at,
        "exchangeTime": at,
    }


def _position(row: Mapping[str, str]) -> Fields:
    quantity = plain(row.get("netqty"))
    kind = "CLOSED" if not quantity else "LONG" if not str(quantity).startswith("-") else "SHORT"
    position = {
        "dhanClientId": row["uid"],
        **_named(row),
        "positionType": kind,
        "buyAvg": plain(row["daybuyavgprc"]),
        "costPrice": plain(row["netavgprc"]),
        "buyQty": plain(row["daybuyqty"]),
        "sellAvg": plain(row["daysellavgprc"]),
        "sellQty": plain(row["daysellqty"]),
        "netQty": quantity,
        "realizedProfit": plain(row["rpnl"]),
        "unrealizedProfit": plain(row["urmtom"]),
        "rbiReferenceRate": 1.0,
        "multiplier": 1,
        "carryForwardBuyQty": 0,
        "carryForwardSellQty": 0,
        "dayBuyQty": plain(row["daybuyqty"]),
        "daySellQty": plain(row["daysellqty"]),
        "dayBuyValue": plain(row["daybuyamt"]),
        "daySellValue": plain(row["daysellamt"]),
        "crossCurrency": False,
    }
    return without_missing(position, row, netQty="netqty", tradingSymbol="tsym")


def _holding(row: Mapping[str, Any]) -> Fields:
    listed = row["exch_tsym"]
    held, sold = plain(row.get("holdqty")), plain(row["usedqty"])
    holding = {
        "exchange": "ALL" if len(listed) > 1 else listed[0]["exch"],
        "tradingSymbol": listed[0]["tsym"],
        "securityId": listed[0]["token"],
        "isin": "",
        "totalQty": held,
        "dpQty": held,
        "t1Qty": 0,
        "availableQty": held - sold if isinstance(held, int) and isinstance(sold, int) else held,
        "collateralQty": 0,
        "avgCostPrice": 0,
        "lastTradedPrice": 0,
    }
    return without_missing(holding, row, totalQty="holdqty")


def _funds(body: Mapping[str, Any]) -> Fields:
    cash, used = Decimal(str(body["cash"])), Decimal(str(body["marginused"]))
    return {
        "dhanClientId": str(body["actid"]),
        "availabelBalance": plain(str(cash - used)),  # the vendor's own spelling
        "sodLimit": plain(str(cash)),
        "collateralAmount": 0,
        "receiveableAmount": 0,
        "utilizedAmount": plain(str(used)),
        "blockedPayoutAmount": 0,
        "withdrawableBalance": plain(str(cash - used)),
    }
