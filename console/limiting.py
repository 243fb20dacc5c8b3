"""Show profit and loss and limits, and set what may be entered, over HTTP."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from console.api import done
from console.context import Desk
from console.parameters import BadParameter
from console.request_parsing import body_of, query_of
from domain.account_state import AccountState
from domain.order import Order
from domain.ports.read_model import Row
from domain.states import Status

_STATES = ", ".join(AccountState)


def add_limiting(blueprint: Blueprint, desk: Desk) -> None:
    """Add the JSON routes to the blueprint."""

    @blueprint.get("/api/risk")
    def show_risk() -> ResponseReturnValue:
        """Answer each client's limits with value, use and state, and what stops its entries."""
        client = query_of(request, ("client",)).text("client")
        return {"clients": [desk.control.risk(each) for each in _clients(desk, client)]}

    @blueprint.get("/api/pnl")
    def show_pnl() -> ResponseReturnValue:
        """Answer each client's profit and loss of the trading day, by strategy and symbol."""
        client = query_of(request, ("client",)).text("client")
        return {"clients": [desk.control.pnl(each) for each in _clients(desk, client)]}

    @blueprint.post("/api/flatten")
    def flatten() -> ResponseReturnValue:
        """Ask for exits of what is open: of a client, a strategy, a symbol. Asking twice exits once."""
        fields = body_of(request, ("client_id", "strategy_name", "symbol", "reason", "by"))
        client = desk.client_of(fields)
        exits = desk.control.flatten(
            client, fields.name("strategy_name"), fields.text("symbol"), fields.text("by") or "console"
        )
        return {
            "client_id": client,
            "exits": [_exit(each) for each in exits if each.status is not Status.FAILED],
            "left": [_exit(each) for each in exits if each.status is Status.FAILED],
        }

    @blueprint.post("/api/state")
    def set_state() -> ResponseReturnValue:
        """Let entries go on, only reduce, or stop."""
        fields = body_of(request, ("client_id", "strategy_name", "state", "reason", "by", "next"))
        client, strategy = desk.client_of(fields), fields.name("strategy_name")
        wish = fields.required("state").upper()
        if wish not in AccountState.__members__:
            raise BadParameter("state", f"expected one of {_STATES}")
        # As a halt, it must not be refused because the reason or the name is missing.
        reason = fields.text("reason") or "no reason given"
        desk.control.set_state(client, strategy, AccountState(wish), fields.text("by") or "console", reason)
        return done({"client_id": client, "strategy_name": strategy, "state": wish, "reason": reason})


def _exit(order: Order) -> Row:
    """One exit as it was registered; where it failed at once, its reason says what stays open and why."""
    return {
        "command_id": order.command_id,
        "strategy_name": order.strategy_name,
        "exchange": order.exchange,
        "symbol": order.symbol,
        "status": str(order.status),
        "tag": order.tag,
        "reason": order.reason_message,
    }


def _clients(desk: Desk, client: str | None) -> list[str]:
    return list(desk.modes) if client is None else [client]
