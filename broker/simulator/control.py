"""The simulator's own endpoints for tests: faults, prices, ends of orders, trades by hand, and a look inside."""

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
from domain.alert import OrderType, Side
from domain.broker_reports import BrokerStatus
from domain.errors import Refused
from domain.money import optional_text

BY_HAND = "MOB"
"""The `ordersource` of what was placed by hand, in the broker's app."""


class _Mark(BaseModel):
    """`POST /_mark`: a last price; `quantity` units trade at it, None: any number. `ls`, `ti`: lot and tick."""

    model_config = ConfigDict(extra="forbid")

    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    price: Decimal
    quantity: Decimal | None = None
    ls: Decimal | None = Field(default=None, gt=0)
    ti: Decimal | None = Field(default=None, gt=0)


class _End(BaseModel):
    """`POST /_end`: the exchange ends a live order by itself."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    norenordno: str
    status: Literal["CANCELLED", "EXPIRED", "REJECTED"]
    rejreason: str = ""


class _Deliver(BaseModel):
    """`POST /_deliver`: what a user has of a share from earlier days; `also` is where else it is listed."""

    model_config = ConfigDict(extra="forbid")

    uid: str = Field(min_length=1)
    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    quantity: Decimal = Field(ge=0)
    also: tuple[tuple[str, str], ...] = ()


class _Place(BaseModel):
    """`POST /_place`: an order by hand, as the broker's own app sends it; a limit with a `price`, else at market."""

    model_config = ConfigDict(extra="forbid")

    uid: str = Field(min_length=1)
    exch: str = Field(min_length=1)
    tsym: str = Field(min_length=1)
    prd: Literal["C", "M", "I"] = "I"
    side: Side
    quantity: Decimal = Field(gt=0)
    price: Decimal | None = Field(default=None, gt=0)


class _Convert(BaseModel):
    """`POST /_convert`: all that a user holds of a symbol in one product becomes a position in another."""

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
    """All orders as their book shows them now, the last prices, the calls that came in, the faults that stand."""
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
    """Orders by hand carry no tag of ours, and another source."""
    ticket = OrderTerms("", 0, asked.uid, asked.uid, asked.exch, asked.tsym, asked.prd, "DAY", None)
    order_type = OrderType.MARKET if asked.price is None else OrderType.LIMIT
    order = SimOrder(0, asked.prd, asked.side, order_type, asked.quantity, asked.price)
    return simulator.exchange.place(replace(ticket, ordersource=BY_HAND), order, ForcedOutcome())


def _set_mark(simulator: Simulator, asked: _Mark) -> None:
    mark = Mark(asked.price, asked.quantity)
    simulator.exchange.set_mark(asked.exch, asked.tsym, mark, ls=asked.ls, ti=asked.ti)


def _answer(status: int, body: object) -> WireResponse:
    return WireResponse(status, json.dumps(body).encode())
