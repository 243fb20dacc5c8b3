"""Adopt units over HTTP: an operator makes units that no strategy holds the holding of one strategy."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import operator_of
from console.request_parsing import body_of, is_form
from domain.adoption import AdoptionRequest
from domain.errors import StoreUnavailable
from domain.halt_warning import never_seen
from domain.money import decimal_text, optional_text

_FIELDS = ("client_id", "symbol", "strategy_name", "quantity", "exchange", "product", "reason", "by")


def add_adopting(blueprint: Blueprint, desk: Desk) -> None:
    """Add the route to the blueprint. The sender of a page's form is redirected to the review page."""

    @blueprint.post("/api/holdings/adopt")
    def adopt() -> ResponseReturnValue:
        fields = body_of(request, _FIELDS)
        wanted = AdoptionRequest(
            client_id=desk.client_of(fields),
            symbol=fields.required("symbol"),
            strategy_name=fields.required("strategy_name"),
            quantity=fields.signed("quantity"),
            by=operator_of(fields),
            reason=fields.required("reason"),
            exchange=fields.text("exchange"),
            product=fields.text("product"),
        )
        done = desk.control.adopt(wanted)
        if is_form(request):
            return redirect(url_for("console.review"), 303)
        return {
            "adopted": True,
            "client_id": done.client_id,
            "strategy_name": done.strategy_name,
            "exchange": done.exchange,
            "symbol": done.symbol,
            "product": done.product,
            "quantity": decimal_text(done.quantity),
            "average_price": optional_text(done.average_price),
            "held": decimal_text(done.holding.net_quantity),
            "reason": done.reason,
            "meaning": done.means,
            "note": _note(desk, done.client_id, done.strategy_name),
        }


def _note(desk: Desk, client_id: str, strategy_name: str) -> str | None:
    """Return a note about a strategy that has sent nothing yet, because its name may be misspelt; None otherwise."""
    try:
        return never_seen(strategy_name, desk.reader.strategies(client_id))
    except StoreUnavailable:
        return None
