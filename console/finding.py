"""Find orders by what a person types, and hand out a list of orders as a file."""

import csv
import io
from collections.abc import Iterable

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.api import FILTERS
from console.context import Desk
from console.parameters import wanted_of
from console.request_parsing import query_of
from domain.ports.read_model import Row

_COLUMNS = (
    "created_at", "client_id", "strategy_name", "execution_type", "side", "symbol", "exchange", "product", "quantity",
    "filled_quantity", "order_type", "price", "trigger_price", "average_price", "status", "phase", "tag",
    "reason_message", "broker_order_id", "command_id",
)  # fmt: skip
_MOST_ROWS = 10_000
_PAGE = 500


def add_finding(blueprint: Blueprint, desk: Desk) -> None:
    """Add the routes to the blueprint."""

    @blueprint.get("/find")
    def find() -> ResponseReturnValue:
        """Open the order that an id means, whole or its end; list several; else list the orders of a symbol."""
        typed = query_of(request, ("q",)).text("q")
        if typed is None:
            return redirect(url_for("console.book"), 303)
        found = desk.reader.find_orders(typed) or desk.reader.find_orders(typed.lower())
        if len(found) == 1:
            return redirect(url_for("console.order", command_id=found[0]["command_id"]), 303)
        if found:
            return render_template(
                "console/found.html", header=desk.header(desk.clock.now()), orders=found, typed=typed
            )
        symbol = typed if "*" in typed else f"{typed}*"
        return redirect(url_for("console.book", symbol=symbol.upper()), 303)

    @blueprint.get("/orders.csv")
    def orders_as_csv() -> ResponseReturnValue:
        """Answer the orders that the filters select, the newest first, at most 10,000 of them."""
        wanted = wanted_of(query_of(request, FILTERS), desk.zone)
        rows, cursor = list[Row](), None
        while len(rows) < _MOST_ROWS:
            page, cursor = desk.reader.orders(wanted, limit=_PAGE, cursor=cursor)
            rows += page
            if cursor is None:
                break
        headers = {"Content-Disposition": "attachment; filename=orders.csv"}
        return Response(_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    """A value as text. What a spreadsheet would carry out as a formula gets an apostrophe: senders choose names."""
    text = "" if value is None else str(value)
    is_number = text[:1] == "-" and text[1:].replace(".", "", 1).isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else text
