"""The console's JSON routes."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from console.access import local_path
from console.context import Desk
from console.diagnostics import recent_signals
from console.parameters import BadParameter, Parameters, operator_of, wanted_of
from console.request_parsing import body_of, is_form, query_of
from domain.errors import NotFound, StoreUnavailable
from domain.halt_warning import never_seen
from domain.money import decimal_text
from domain.ports.read_model import Row
from domain.stale_orders import FROZEN_MEANS
from domain.times import time_text

MAX_ORDERS = 500
FILTERS = ("status", "symbol", "strategy", "client", "from", "to")
ORDERS_QUERY = (*FILTERS, "limit", "cursor")


def orders_page(desk: Desk, query: Parameters, *, default_limit: int = 100) -> tuple[list[Row], str | None]:
    """Return the orders that a query selects, and the cursor of the next page (None on the last page).

    Raises:
        BadParameter: one of its parameters is not understood.
    """
    limit = query.number("limit", default=default_limit, low=1, high=MAX_ORDERS)
    try:
        return desk.reader.orders(wanted_of(query, desk.zone), limit=limit, cursor=query.text("cursor"))
    except ValueError as error:
        raise BadParameter("cursor", "is not one that this list gave") from error


def story_of(desk: Desk, command_id: str) -> Row:
    """Return one order with its events, intent, alert, messages and siblings.

    Raises:
        NotFound: orders.db has no such order.
    """
    story = desk.reader.story(command_id)
    if story is None:
        raise NotFound(
            f"no order {command_id} in orders.db; `python cli.py show {command_id}` looks into the archive too"
        )
    return story


def add_api(blueprint: Blueprint, desk: Desk) -> None:
    """Add the JSON routes to the blueprint."""

    @blueprint.get("/api/orders")
    def list_orders() -> ResponseReturnValue:
        query = query_of(request, ORDERS_QUERY)
        orders, cursor = orders_page(desk, query)
        return {"orders": orders, "counts": desk.reader.counts(wanted_of(query, desk.zone)), "next": cursor}

    @blueprint.get("/api/orders/<command_id>")
    def show_order(command_id: str) -> ResponseReturnValue:
        return story_of(desk, command_id)

    @blueprint.get("/api/health")
    def show_health() -> ResponseReturnValue:
        now = desk.clock.now()
        return {"at": time_text(now), **desk.health(now), "frozen_orders": desk.frozen(now)[0]}

    @blueprint.get("/api/diagnostics/recent-signals")
    def show_recent_signals() -> ResponseReturnValue:
        query = query_of(request, ("hours", "limit", "side"))
        return recent_signals(
            desk.reader,
            now=desk.clock.now(),
            hours=query.number("hours", default=168, low=1, high=8760),
            limit=query.number("limit", default=500, low=1, high=5000),
            side=query.side("side"),
        )

    @blueprint.get("/api/diagnostics/frozen-orders")
    def show_frozen_orders() -> ResponseReturnValue:
        now = desk.clock.now()
        orders, total = desk.frozen(now)
        return {"at": time_text(now), "meaning": FROZEN_MEANS, "total": total, "orders": orders}

    @blueprint.get("/api/diagnostics/positions")
    def show_positions_compared() -> ResponseReturnValue:
        now = desk.clock.now()
        return {"at": time_text(now), **desk.positions_compared(now)}

    _add_wishes(blueprint, desk)


def _add_wishes(blueprint: Blueprint, desk: Desk) -> None:
    """Add the routes that change something. The sender of a page's form is redirected to the health page."""

    @blueprint.post("/api/halt")
    def halt() -> ResponseReturnValue:
        fields = body_of(request, ("client_id", "strategy_name", "reason", "by", "next"))
        client, strategy = desk.client_of(fields), fields.name("strategy_name")
        # A halt is urgent: it must not be refused because the reason or the name is missing.
        reason, by = fields.text("reason") or "no reason given", fields.text("by") or "console"
        desk.control.halt(client, strategy, by, reason)
        answer = {"halted": True, "client_id": client, "strategy_name": strategy, "reason": reason}
        return done({**answer, "note": _note(desk, client, strategy)})

    @blueprint.post("/api/resume")
    def resume() -> ResponseReturnValue:
        fields = body_of(request, ("client_id", "strategy_name", "by", "next"))
        client, strategy = desk.client_of(fields), fields.name("strategy_name")
        resumed = desk.control.resume(client, strategy, fields.text("by") or "console")
        return done({"resumed": resumed, "client_id": client, "strategy_name": strategy})

    @blueprint.post("/api/latches/lift")
    def lift() -> ResponseReturnValue:
        fields = body_of(request, ("client_id", "reason", "by", "next"))
        client, reason, by = desk.client_of(fields), fields.required("reason"), operator_of(fields)
        lifted = desk.control.lift(client, by, reason)
        return done(
            {
                "lifted": True,
                "client_id": client,
                "reason": reason,
                "lowest_pnl": None if lifted.lowest is None else decimal_text(lifted.lowest),
                "pnl": decimal_text(lifted.pnl),
                "loss_counts_from": decimal_text(lifted.counts_from),
                "meaning": lifted.means,
            }
        )

    @blueprint.post("/api/marks")
    def mark() -> ResponseReturnValue:
        fields = body_of(request, ("client_id", "exchange", "symbol", "price"))
        client, price = desk.client_of(fields), fields.price("price")
        exchange, symbol = fields.required("exchange"), fields.required("symbol")
        desk.control.set_mark(client, exchange, symbol, price)
        return done({"client_id": client, "exchange": exchange, "symbol": symbol, "price": str(price)})


def done(answer: dict[str, Any]) -> ResponseReturnValue:
    """Answer a request as JSON; redirect a page's form to where it came from."""
    if not is_form(request):
        return answer
    target = request.form.get("next")
    return redirect(local_path(target) if target else url_for("console.health"), 303)


def _note(desk: Desk, client_id: str, strategy_name: str | None) -> str | None:
    """Return a note about a strategy that was halted and has sent nothing yet; None otherwise.

    The halt is stored already. A database that cannot be read gives None, because an error would make the halt look
    failed.
    """
    if strategy_name is None:
        return None
    try:
        return never_seen(strategy_name, desk.reader.strategies(client_id))
    except StoreUnavailable:
        return None
