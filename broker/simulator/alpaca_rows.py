"""Rows and records as Alpaca writes them, made from those of the Noren wire. Numbers are texts there too."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

from broker.simulator.json_rows import Fields, without_missing
from broker.simulator.words import OrderTerms, Version
from domain.broker_reports import BrokerStatus

TYPES = {"limit": "LMT", "market": "MKT", "stop": "SL-MKT", "stop_limit": "SL-LMT"}
SIDES = {"buy": "B", "sell": "S"}

_STATUSES = {
    "PENDING": "pending_new",
    "OPEN": "new",
    "TRIGGER_PENDING": "new",
    "COMPLETE": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}
_ENDS = {
    BrokerStatus.COMPLETE: "filled_at",
    BrokerStatus.CANCELLED: "canceled_at",
    BrokerStatus.EXPIRED: "expired_at",
    BrokerStatus.REJECTED: "failed_at",
}
_TYPE_OF = {ours: theirs for theirs, ours in TYPES.items()}
_SIDE_OF = {ours: theirs for theirs, ours in SIDES.items()}


def id_of(norenordno: str) -> str:
    """The id of an order. It is made of its number, so that the number can be read from it again."""
    return str(UUID(int=int(norenordno)))


def number_in(order_id: str) -> str:
    """The number of an order by its id; a dash if it cannot be one."""
    try:
        return str(UUID(order_id).int)
    except ValueError:
        return "-"


def order(row: Mapping[str, str], ticket: OrderTerms, versions: Sequence[Version]) -> Fields:
    """One order."""
    last = versions[-1]
    kind, filled = _TYPE_OF[row["prctyp"]], row.get("fillshares", "0")
    is_partly_filled = row["status"] == "OPEN" and filled != "0"
    ends = dict.fromkeys((*_ENDS.values(), "replaced_at"))
    if last.order.status in _ENDS:
        ends[_ENDS[last.order.status]] = time_text(last.at)
    fields: Fields = {
        "id": id_of(ticket.norenordno),
        "client_order_id": row.get("remarks") or id_of(ticket.norenordno),
        "created_at": time_text(versions[0].at),
        "updated_at": time_text(last.at),
        "submitted_at": time_text(versions[0].at),
        **ends,
        "replaced_by": None,
        "replaces": None,
        "asset_id": _asset(row["tsym"]),
        "symbol": row["tsym"],
        "asset_class": asset_class(row["tsym"]),
        "notional": None,
        "qty": row.get("qty"),
        "filled_qty": filled,
        "filled_avg_price": row.get("avgprc"),
        "order_class": "",
        "order_type": kind,
        "type": kind,
        "side": _SIDE_OF[row["trantype"]],
        "time_in_force": "day" if row["ret"] == "DAY" else "ioc",
        "limit_price": row["prc"] if "limit" in kind else None,
        "stop_price": row.get("trgprc"),
        "status": "partially_filled" if is_partly_filled else _STATUSES.get(row["status"], row["status"]),
        "extended_hours": ticket.amo == "YES",
        "legs": None,
    }
    return without_missing(fields, row, qty="qty", symbol="tsym")


def fill(row: Mapping[str, str], at: datetime) -> Fields:
    """One fill, as an activity of the account."""
    return {
        "id": f"{at:%Y%m%d%H%M%S}000::{uuid5(NAMESPACE_URL, row['flid'])}",
        "activity_type": "FILL",
        "transaction_time": time_text(at),
        "type": "fill",
        "price": row["flprc"],
        "qty": row["flqty"],
        "side": _SIDE_OF[row["trantype"]],
        "symbol": row["tsym"],
        "leaves_qty": "0",
        "cum_qty": row["flqty"],
        "order_id": id_of(row["norenordno"]),
        "order_status": "filled",
    }


def position(row: Mapping[str, str]) -> Fields:
    """One open position. A short one has a negative quantity."""
    quantity, price = row.get("netqty", "0"), Decimal(row["lp"])
    units = Decimal(quantity) if quantity.lstrip("-").replace(".", "", 1).isdigit() else Decimal(0)
    fields = {
        "asset_id": _asset(row["tsym"]),
        "symbol": row["tsym"],
        "exchange": "NASDAQ",
        "asset_class": asset_class(row["tsym"]),
        "asset_marginable": True,
        "qty": quantity,
        "qty_available": quantity,
        "avg_entry_price": row["netavgprc"],
        "side": "short" if units < 0 else "long",
        "market_value": str(units * price),
        "cost_basis": str(units * Decimal(row["netavgprc"])),
        "unrealized_pl": row["urmtom"],
        "unrealized_plpc": "0",
        "unrealized_intraday_pl": row["urmtom"],
        "unrealized_intraday_plpc": "0",
        "current_price": row["lp"],
        "lastday_price": row["lp"],
        "change_today": "0",
    }
    return without_missing(fields, row, qty="netqty", symbol="tsym")


def account(uid: str, cash: Decimal, used: Decimal, result: Decimal) -> Fields:
    """The account: `used` is what positions have cost, `result` that of the day."""
    return {
        "id": _asset(uid),
        "account_number": uid,
        "status": "ACTIVE",
        "currency": "USD",
        "cash": f"{cash - used:.2f}",
        "buying_power": f"{cash - used:.2f}",
        "portfolio_value": f"{cash + result:.2f}",
        "equity": f"{cash + result:.2f}",
        "last_equity": f"{cash:.2f}",
        "multiplier": "1",
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": "2026-01-02T15:00:00Z",
    }


def asset_class(symbol: str) -> str:
    """What kind of instrument has this symbol: those of options end in a strike of eight digits."""
    return "us_option" if len(symbol) > 15 and symbol[-8:].isdigit() else "us_equity"


def time_text(at: datetime) -> str:
    """A time as Alpaca writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _asset(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))
