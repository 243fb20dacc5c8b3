"""The simulator's control endpoints for tests.

They set faults, prices and deliveries, end orders, place orders by hand, convert positions, and show the state.
"""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.simulated_exchange.model import Mark, SimOrder
from broker.simulator import rows
from broker.simulator.exchange import ForcedOutcome
from broker.simulator.faults import FaultPlan
from broker.simulator.service import Simulator, WireResponse
from broker.simulator.words import OrderTerms
from domain.broker_reports import BrokerStatus
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import optional_text

BY_HAND = "MOB"
"""The `ordersource` of an order that was placed by hand, in the broker's app."""


class _Mark(BaseModel):
    """`POST /_mark`: set a symbol's last price.

    `quantity` units trade at it; None means any number. `ls` and `ti` are the lot and the tick.
    """

    model_config = ConfigDict(extra="forbid")

    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    price: Decimal
    quantity: Decimal | None = None
    ls: Decimal | None = Field(default=None, gt=0)
    ti: Decimal | None = Field(default=None, gt=0)


class _End(BaseModel):
    """`POST /_end`: the exchange ends a live order on its own."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    norenordno: str
    status: Literal["CANCELLED", "EXPIRED", "REJECTED"]
    rejreason: str = ""


class _Deliver(BaseModel):
    """`POST /_deliver`: set what a user holds of a share from earlier days. `also` is where else it is listed."""

    model_config = ConfigDict(extra="forbid")

    uid: str = Field(min_length=1)
    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    quantity: Decimal = Field(ge=0)
    also: tuple[tuple[str, str], ...] = ()


class _Place(BaseModel):
    """`POST /_place`: place an order by hand, as the broker's own app does.

    With a `price` it is a limit order, without one a market order.
    """

    model_config = ConfigDict(extra="forbid")

    uid: str = Field(min_length=1)
    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    prd: Literal["C", "M", "I"] = "I"
    side: Side
    quantity: Decimal = Field(gt=0)
    price: Decimal | None = Field(default=None, gt=0)


class _Convert(BaseModel):
    """`POST /_convert`: move all that a user holds of a symbol in product `prd` to product `to`."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    exch: str
    tsym: str
    prd: Literal["C", "M", "I"] = "I"
    to: Literal["C", "M", "I"] = "M"


def control(simulator: Simulator, method: str, name: str, body: bytes) -> WireResponse:
    """Answer one call to `/_faults`, `/_mark`, `/_end`, `/_deliver`, `/_place`, `/_convert` or `/_state`."""
    try:
        match method, name:
            case "POST", "_faults":
                simulator.faults.put(FaultPlan.model_validate_json(body))
            case "POST", "_mark":
                _set_mark(simulator, _Mark.model_validate_json(body))
            case "POST", "_end":
                asked = _End.model_validate_json(body)
                status = BrokerStatus(asked.status)
                simulator.exchange.end(asked.uid, asked.norenordno, status, asked.rejreason)
            case "POST", "_deliver":
                given = _Deliver.model_validate_json(body)
                listed = ((given.exch, given.tsym), *given.also)
                simulator.deliver(given.uid, listed, given.quantity)
            case "POST", "_place":
                number = _place(simulator, _Place.model_validate_json(body))
                return _answer(200, {"norenordno": number})
            case "POST", "_convert":
                wish = _Convert.model_validate_json(body)
                moved = simulator.exchange.convert(wish.uid, wish.exch, wish.tsym, wish.prd, wish.to)
                return _answer(200, {"quantity": str(moved)})
            case "GET", "_faults":
                return _answer(200, {"faults": simulator.faults.report()})
            case "GET", "_state":
                return _answer(200, state(simulator))
            case _:
                return _answer(404, {"error": f"no {method} /{name}"})
    except (ValidationError, Refused) as error:
        return _answer(400, {"error": str(error)})
    return _answer(200, {"faults": simulator.faults.report()})


def state(simulator: Simulator) -> dict[str, object]:
    """Return the simulator's state for `GET /_state`.

    It has all orders as their book shows them now, the last prices, how many calls came in, how many orders are kept
    back, and the faults in force.
    """
    known = simulator.exchange.instruments()
    marks = {symbol: simulator.exchange.mark(*symbol) for symbol in known}
    return {
        "orders": [
            rows.order_row(ticket, versions[-1], known[ticket.exch, ticket.tsym])
            for ticket, versions in simulator.exchange.orders(None)
        ],
        "marks": [
            {"exch": exch, "tsym": tsym, "price": str(mark.price), "quantity": optional_text(mark.available)}
            for (exch, tsym), mark in marks.items()
            if mark is not None
        ],
        "calls": simulator.calls(),
        "kept_back": simulator.kept_back(),
        "faults": simulator.faults.report(),
    }


def _place(simulator: Simulator, asked: _Place) -> str:
    """Place an order by hand. It carries no tag of ours, and its source is `BY_HAND`."""
    ticket = OrderTerms("", 0, asked.uid, asked.uid, asked.exch, asked.tsym, asked.prd, "DAY", None)
    order_type = OrderType.MARKET if asked.price is None else OrderType.LIMIT
    order = SimOrder(0, asked.prd, asked.side, order_type, asked.quantity, asked.price)
    return simulator.exchange.place(replace(ticket, ordersource=BY_HAND), order, ForcedOutcome())


def _set_mark(simulator: Simulator, asked: _Mark) -> None:
    mark = Mark(asked.price, asked.quantity)
    simulator.exchange.set_mark(asked.exch, asked.tsym, mark, ls=asked.ls, ti=asked.ti)


def _answer(status: int, body: object) -> WireResponse:
    return WireResponse(status, json.dumps(body).encode())
