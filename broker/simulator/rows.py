"""The rows of the books as the wire shows them.

As at the real broker, numbers are strings and a field that says nothing is left out.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from broker.simulated_exchange.model import NEEDS_TRIGGER, Mark, average
from broker.simulator.words import (
    PRICE_TYPE_OF,
    ZONE,
    DayPosition,
    HoldingKey,
    Instrument,
    OrderTerms,
    Version,
)
from domain.broker_reports import BrokerStatus
from domain.money import ZERO, decimal_text

Row = dict[str, str]

_BAND = Decimal("0.2")  # as a fraction of the last price; quoted, not enforced
_WILD = (
    (-1, "-9999999.00"),
    (10, "9999999.00"),
    (0, "0.00"),
)  # a factor for the quantity, and the profit
_STATUS_WORDS = {BrokerStatus.CANCELLED: "CANCELED"}


def wire_time(at: datetime) -> str:
    """Format a time as `10:48:03 20-05-2020`, in the exchange's zone."""
    return f"{at.astimezone(ZONE):%H:%M:%S %d-%m-%Y}"


def order_row(ticket: OrderTerms, version: Version, instrument: Instrument) -> Row:
    """The row of an order in the order book, in its history and in the order updates."""
    order = version.order
    row = {
        "stat": "Ok",
        "norenordno": ticket.norenordno,
        "uid": ticket.uid,
        "actid": ticket.actid,
        "exch": ticket.exch,
        "tsym": ticket.tsym,
        "qty": decimal_text(order.quantity),
        "trantype": _side(version),
        "prctyp": PRICE_TYPE_OF[order.order_type],
        "ret": ticket.ret,
        "prc": _price(order.limit or ZERO, instrument),
        "prd": ticket.prd,
        "status": _STATUS_WORDS.get(order.status, order.status.value),
        "dscqty": ticket.dscqty,
        "amo": ticket.amo,
        "ordersource": ticket.ordersource,
        "norentm": wire_time(version.at),
        "exch_tm": f"{version.at.astimezone(ZONE):%d-%m-%Y %H:%M:%S}",
        "exchordid": f"1{order.sequence:015d}",
        **_named(instrument),
    }
    if ticket.remarks is not None:
        row["remarks"] = ticket.remarks
    if order.order_type in NEEDS_TRIGGER:
        row["trgprc"] = _price(order.trigger_price or ZERO, instrument)
    if order.average_price is not None:
        row |= {
            "fillshares": decimal_text(order.filled_quantity),
            "avgprc": _price(order.average_price, instrument),
        }
    if order.status is BrokerStatus.CANCELLED:
        row["cancelqty"] = decimal_text(order.open_quantity)
    if order.reason:
        row["rejreason"] = order.reason
    return row


def history_row(ticket: OrderTerms, version: Version, instrument: Instrument) -> Row:
    """The row of one version of an order in its history."""
    return {**order_row(ticket, version, instrument), "rpt": version.report}


def trade_row(ticket: OrderTerms, version: Version, instrument: Instrument) -> Row:
    """The row of a trade in the trade book."""
    return {**order_row(ticket, version, instrument), **_trade(version, instrument)}


def update_message(ticket: OrderTerms, version: Version, instrument: Instrument) -> Row:
    """An order update, as the stream sends it."""
    row = order_row(ticket, version, instrument)
    del row["stat"]
    row |= {"t": "om", "reporttype": version.report}
    return row if version.trade is None else row | _trade(version, instrument)


def position_row(
    uid: str, key: HoldingKey, held: DayPosition, mark: Mark | None, instrument: Instrument
) -> Row:
    """The row of a position.

    `rpnl` is the profit and loss realized on the day of the last fill, `urmtom` the unrealized one at the last price.
    """
    price = mark.price if mark is not None else held.net.average_price or ZERO
    exch, tsym, prd = key
    return {
        "stat": "Ok",
        "uid": uid,
        "actid": uid,
        "exch": exch,
        "tsym": tsym,
        "prd": prd,
        "netqty": decimal_text(held.net.net_quantity),
        "netavgprc": _price(held.net.average_price or ZERO, instrument),
        "daybuyqty": decimal_text(held.bought),
        "daybuyamt": _price(held.paid, instrument),
        "daybuyavgprc": _price(average(held.paid, held.bought) or ZERO, instrument),
        "daysellqty": decimal_text(held.sold),
        "daysellamt": _price(held.earned, instrument),
        "daysellavgprc": _price(average(held.earned, held.sold) or ZERO, instrument),
        "lp": _price(price, instrument),
        "rpnl": _price(held.net.realized_pnl, instrument),
        "urmtom": _price(held.net.unrealized(price), instrument),
        "mult": "1",
        "prcftr": "1.000000",
        **_named(instrument),
    }


def without_delivered(row: Row, carried: Mapping[HoldingKey, DayPosition]) -> bool:
    """Subtract, in place, what was delivered on earlier days from a position's row. False: nothing of today is left."""
    before = carried.get((row["exch"], row["tsym"], row["prd"]))
    if before is None:
        return True
    taken = {"netqty": before.net.net_quantity, "daybuyqty": before.bought, "daysellqty": before.sold}
    row |= {name: decimal_text(Decimal(row[name]) - quantity) for name, quantity in taken.items()}
    return row["daybuyqty"] != "0" or row["daysellqty"] != "0"


def make_wild(row: Row, draw: float) -> None:
    """Falsify a position's row in place: reverse it, multiply it by ten or make it flat, and invent a profit."""
    factor, profit = _WILD[int(draw * 997) % len(_WILD)]
    row["netqty"] = decimal_text(Decimal(row["netqty"]) * factor)
    row["urmtom"] = profit


def quote(instrument: Instrument, last: Decimal) -> Row:
    """The quote of a symbol: last price, best bid and offer one tick around it, and the day's price band."""
    prices = {
        "lp": last,
        "bp1": max(last - instrument.ti, ZERO),  # 0: nobody bids
        "sp1": last + instrument.ti,
        "lc": max(_on_tick(last * (1 - _BAND), instrument), instrument.ti),
        "uc": _on_tick(last * (1 + _BAND), instrument),
    }
    shown = {name: _price(value, instrument) for name, value in prices.items()}
    return {"exch": instrument.exch, "tsym": instrument.tsym, **_named(instrument), **shown}


def found(instrument: Instrument) -> Row:
    """The row of a symbol in the answer to a search."""
    return {"exch": instrument.exch, "tsym": instrument.tsym, **_named(instrument)}


def money_row(values: Mapping[str, Decimal]) -> Row:
    """Format amounts of money with two decimals."""
    return {name: f"{value:.2f}" for name, value in values.items()}


def _trade(version: Version, instrument: Instrument) -> Row:
    trade = version.trade
    assert trade is not None
    return {
        "flid": trade.flid,
        "fltm": f"{version.at.astimezone(ZONE):%d-%m-%Y %H:%M:%S}",
        "flqty": decimal_text(trade.quantity),
        "flprc": _price(trade.price, instrument),
    }


def _side(version: Version) -> str:
    return version.order.side.value[0]


def _named(instrument: Instrument) -> Row:
    return {
        "token": instrument.token,
        "pp": str(_decimals(instrument)),
        "ls": decimal_text(instrument.ls),
        "ti": _price(instrument.ti, instrument),
    }


def _price(value: Decimal, instrument: Instrument) -> str:
    return f"{value:.{_decimals(instrument)}f}"


def _on_tick(value: Decimal, instrument: Instrument) -> Decimal:
    return value // instrument.ti * instrument.ti


def _decimals(instrument: Instrument) -> int:
    exponent = instrument.ti.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2
